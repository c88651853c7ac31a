"""``sendwright keys list``."""

from pathlib import Path

import click

from sendwright.cli import options


@click.command("list")
@options.inventory
@options.output_format
def command(inventory: Path, form: str) -> None:
    """List the DKIM keys: what becomes of each, since when it signs, when it is due, and where it was proven.

    Nothing is looked at but the inventory and its state folder: no network, no passphrase.
    """
    from sendwright import keyring
    from sendwright.report.keys import keys_document, keys_lines

    found = keyring.list_keys(inventory)
    click.echo(keys_document(found) if form == "json" else keys_lines(found))
