"""``sendwright keys export``."""

from pathlib import Path

import click

from sendwright.cli import options


@click.command("export")
@options.inventory
@click.argument("name", metavar="SELECTOR._domainkey.DOMAIN")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="A new file for the private key: PKCS#8 in PEM, not encrypted, readable by its owner alone.",
)
def command(inventory: Path, name: str, out: Path) -> None:
    """Write the private part of a key to a new file, and print the TXT record to publish."""
    from sendwright import keyring
    from sendwright.escape import plain
    from sendwright.report.keys import record_line

    key = keyring.export(inventory, name, out)
    click.echo(record_line(key))
    click.echo(f"{plain(out)} holds the private key, unencrypted: whoever reads it can sign as {key.domain}.", err=True)
