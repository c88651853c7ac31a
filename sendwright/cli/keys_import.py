"""``sendwright keys import``."""

import sys
from pathlib import Path

import click

from sendwright.cli import options


def _ask(what: str) -> str:
    answer: str = click.prompt(what, hide_input=True, err=True)
    return answer


@click.command("import")
@options.inventory
@click.argument("domain")
@click.argument("selector")
@click.argument("file", type=click.Path(path_type=Path))
def command(inventory: Path, domain: str, selector: str, file: Path) -> None:
    """Take over the private key in FILE, as it is published at SELECTOR._domainkey.DOMAIN.

    FILE is PEM, as opendkim-genkey and openssl write it: RSA of 2048 to 4096 bits, or Ed25519.
    """
    from sendwright import keyring
    from sendwright.report.progress import Progress

    ask = _ask if sys.stdin.isatty() else None
    done = keyring.import_key(inventory, domain, selector, file, Progress(), ask)
    name = done.key.record_name
    if done.known:
        said = f"{name} is in the state folder already."
    elif done.succeeds:
        said = f"{name} is in the state folder; `sendwright rotate` has it succeed {done.succeeds}."
    else:
        said = f"{name} is in the state folder; `sendwright provision` proves it, and then signs with it."
    click.echo(said, err=True)
