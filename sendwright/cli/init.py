"""``sendwright init``."""

from pathlib import Path

import click


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--domain", prompt="Domain that sends mail", help="The domain that sends mail.")
@click.option("--host", prompt="Full name of the sending host", help="The host's name: its HELO name and PTR.")
@click.option("--address", "addresses", multiple=True, help="A public address of the host; may be given again.")
def command(directory: Path, domain: str, host: str, addresses: tuple[str, ...]) -> None:
    """Scaffold an inventory folder for a first domain and host, with comments."""
    from sendwright.scaffold import scaffold

    scaffold(directory, domain, host, addresses or (click.prompt("Its public address"),))
    click.echo(f"{directory} is ready. Read it, then: sendwright rehearse {directory}", err=True)
