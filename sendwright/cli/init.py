"""``sendwright init``."""

import sys
from pathlib import Path

import click


def _ask(ctx: click.Context, param: click.Parameter, value: "str | tuple[str, ...] | None") -> "str | tuple[str, ...]":
    if value:
        return value
    if not sys.stdin.isatty():
        raise click.MissingParameter(ctx=ctx, param=param)
    answer: str = click.prompt(_QUESTIONS[str(param.name)], err=True)
    return (answer,) if param.multiple else answer


_QUESTIONS = {
    "domain": "Domain that sends mail",
    "host": "Full name of the sending host",
    "addresses": "Its public address",
}


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--domain", callback=_ask, help="The domain that sends mail.")
@click.option("--host", callback=_ask, help="The host's name: its HELO name and PTR.")
@click.option(
    "--address", "addresses", multiple=True, callback=_ask, help="A public address of the host; may be given again."
)
def command(directory: Path, domain: str, host: str, addresses: tuple[str, ...]) -> None:
    """Scaffold an inventory folder for a first domain and host, with comments."""
    from sendwright.scaffold import scaffold

    scaffold(directory, domain, host, addresses)
    click.echo(f"{directory} is ready. Read it, then: sendwright rehearse {directory}", err=True)
