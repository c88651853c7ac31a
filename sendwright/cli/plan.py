"""``sendwright plan``."""

import shlex
from pathlib import Path

import click

from sendwright.cli import options
from sendwright.cli.outcomes import planned


@click.command("plan")
@options.inventory
@options.limit
@options.trust_new_hosts
@options.allow_deletions
@options.output_format
@options.detailed_exitcode
@options.out
def command(
    inventory: Path,
    limit: tuple[str, ...],
    form: str,
    out: Path | None,
    *,
    trust_new_hosts: bool,
    allow_deletions: bool,
    detailed_exitcode: bool,
) -> int:
    """Show every change to keys, DNS and hosts, as one plan; touch nothing."""
    from sendwright import inventory as inventories
    from sendwright.provision import look_ahead
    from sendwright.report.progress import Progress

    declared = inventories.load(inventory)
    settings = options.settings(declared.stack, limit, trust_new_hosts=trust_new_hosts, allow_deletions=allow_deletions)
    outcome = look_ahead(declared, settings, Progress(), out)
    line = options.saved_as(f"sendwright provision {shlex.quote(str(inventory))}", out) if out else ""
    return planned(outcome, form, "plan", line, detailed=detailed_exitcode)
