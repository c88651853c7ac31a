"""``sendwright dns plan``."""

import shlex
from pathlib import Path

import click

from sendwright.cli import options
from sendwright.cli.outcomes import planned


@click.command("plan")
@options.inventory
@options.allow_deletions
@options.output_format
@options.detailed_exitcode
@options.out
def command(inventory: Path, form: str, out: Path | None, *, allow_deletions: bool, detailed_exitcode: bool) -> int:
    """Show what `dns apply` would do to keys and zones, and what waits for `provision`; touch nothing.

    No host is looked at.
    """
    from sendwright import inventory as inventories
    from sendwright.dns_run import look_ahead
    from sendwright.provision import Settings
    from sendwright.report.progress import Progress

    settings = Settings(allow_deletions=allow_deletions)
    outcome = look_ahead(inventories.load(inventory), settings, Progress(), out)
    line = options.saved_as(f"sendwright dns apply {shlex.quote(str(inventory))}", out) if out else ""
    return planned(outcome, form, "dns-plan", line, detailed=detailed_exitcode)
