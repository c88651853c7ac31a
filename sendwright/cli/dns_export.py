"""``sendwright dns export``."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sendwright.cli import options


@click.command("export")
@options.inventory
@options.format_of("text", "zone", "json")
def command(inventory: Path, form: str) -> None:
    """Print every record that the inventory asks for, in the order in which it is safe to publish them.

    Nothing is looked at but the inventory and its state folder: no network, no passphrase.
    """
    from sendwright import inventory as inventories
    from sendwright.dns.export import export
    from sendwright.planning import missing_keys
    from sendwright.report.export import export_document, export_lines, export_zones
    from sendwright.state.folder import StateFolder
    from sendwright.tls_facts import asked_zones, facts

    declared = inventories.load(inventory)
    state = StateFolder(declared.state_dir, declared.stack.key_store).load()
    # Only senders and resolvers know whether a zone is signed: who publishes by hand reads that it has to be.
    tls = facts(declared.stack, state, asked_zones(declared.stack), datetime.now(UTC))
    domains = export(declared.stack, state.keys, missing_keys(declared.stack, state.keys), tls)
    render = {"text": export_lines, "zone": export_zones, "json": export_document}[form]
    click.echo(render(domains))
