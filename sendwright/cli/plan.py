"""``sendwright plan``."""

import shlex
from pathlib import Path

import click

from sendwright.cli import options


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
    from sendwright.report.json import plan_document
    from sendwright.report.progress import Progress
    from sendwright.report.text import error_lines, plan_lines

    declared = inventories.load(inventory)
    settings = options.settings(declared.stack, limit, trust_new_hosts=trust_new_hosts, allow_deletions=allow_deletions)
    outcome = look_ahead(declared, settings, Progress(), out)
    if form == "json":
        click.echo(plan_document(outcome.plan, outcome.errors))
    else:
        click.echo(plan_lines(outcome.plan, partial=bool(outcome.errors)))
    if out:
        click.echo(options.saved_as(f"sendwright provision {shlex.quote(str(inventory))}", out), err=True)
    for error in outcome.errors:
        click.echo(error_lines(error), err=True)
    if outcome.errors:
        return 1
    return 3 if detailed_exitcode and not outcome.plan.empty else 0
