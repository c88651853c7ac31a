"""``sendwright users``: submission credentials, each bound to what it may send as."""

import sys
from pathlib import Path

import click

from sendwright.cli import options
from sendwright.errors import SendwrightError


@click.group("users")
def command() -> None:
    """Submission credentials, each bound to the domains or addresses that it may send as."""


@command.command("add")
@options.inventory
@click.argument("login")
@click.option("--send-as", multiple=True, required=True, metavar="DOMAIN|ADDRESS", help="May be given again.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")
def add(inventory: Path, login: str, send_as: tuple[str, ...], *, password_stdin: bool) -> None:
    """Add a credential; its password is shown once and only its hash is kept."""
    from sendwright import credentials

    password = credentials.given_password(sys.stdin.buffer) if password_stdin else None
    shown = credentials.add(inventory, login, send_as, password)
    if shown:
        _show(shown, inventory, login)
    click.echo(f"{login} is in the state folder; `sendwright provision` brings it to the hosts.", err=True)


def _show(password: str, inventory: Path, login: str) -> None:
    """Print a password, or take its login back: nobody could ever learn it, and `add` would be refused."""
    from sendwright import credentials

    try:
        _write(password)
    except OSError as error:
        credentials.remove(inventory, login)
        what = f"the password could not be shown ({error.strerror or error}); nobody was added."
        raise SendwrightError(what, "Give it somewhere to go, or choose one with --password-stdin.") from None


def _write(line: str) -> None:
    if sys.stdout is None:  # click would say nothing, and nothing about it
        raise OSError("standard output is closed")
    click.echo(line)


@command.command("list")
@options.inventory
@options.output_format
def list_users(inventory: Path, form: str) -> None:
    """List the credentials and what each may send as."""
    from sendwright import credentials
    from sendwright.report.text import table

    users = credentials.list_users(inventory)
    if form == "json":
        from sendwright.report.json import document

        click.echo(document("users", users=[{"login": u.login, "send_as": list(u.send_as)} for u in users]))
    else:
        click.echo(table(("login", "may send as"), [(u.login, ", ".join(u.send_as)) for u in users]))


@command.command("remove")
@options.inventory
@click.argument("login")
def remove(inventory: Path, login: str) -> None:
    """Remove a credential."""
    from sendwright import credentials

    credentials.remove(inventory, login)
    click.echo(f"{login} is removed; `sendwright provision` takes it off the hosts.", err=True)
