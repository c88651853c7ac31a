"""``sendwright certs list``."""

from pathlib import Path

import click

from sendwright.cli import options


@click.command("list")
@options.inventory
@options.only_hosts
@options.output_format
def command(inventory: Path, limit: tuple[str, ...], form: str) -> None:
    """List the certificates: what needs you first, then days left, key, issuer, and where each is shown.

    Nothing is looked at but the inventory and its state folder: no network, no passphrase.
    """
    from datetime import UTC, datetime

    from sendwright import inventory as inventories
    from sendwright import renewing
    from sendwright.report.certs import certs_document, certs_lines

    declared, now = inventories.load(inventory), datetime.now(UTC)
    wanted = options.hosts_of(declared.stack, limit)
    found = [c for c in renewing.listed(declared) if not wanted or c.host in wanted]
    click.echo(certs_document(found, now) if form == "json" else certs_lines(found, now))
