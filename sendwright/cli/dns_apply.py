"""``sendwright dns apply``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options
from sendwright.cli.asking import agreed
from sendwright.cli.outcomes import carried_out

if TYPE_CHECKING:
    from sendwright.plan import Plan


@click.command("apply")
@options.inventory
@options.allow_deletions
@options.assume_yes
@options.saved_plan
@options.wait
@options.output_format
def command(inventory: Path, form: str, plan: Path | None, *, allow_deletions: bool, yes: bool, wait: bool) -> int:
    """Show the plan of DNS alone, ask, carry it out. No host is looked at, and none is changed.

    What points at a host that is not proven to work, and what asks for signatures that are not, waits for `provision`.
    """
    from sendwright import inventory as inventories
    from sendwright.dns_run import apply
    from sendwright.provision import Settings
    from sendwright.report.progress import Progress
    from sendwright.report.text import plan_lines

    declared = inventories.load(inventory)
    approved = options.approved(plan)

    def approve(plan: "Plan") -> bool:
        return agreed(plan_lines(plan), yes=yes or approved is not None, quiet=form == "json")

    settings = Settings(wait=wait, allow_deletions=allow_deletions)
    outcome = apply(declared, settings, Progress(), approve, approved)
    return carried_out(outcome, form, "dns-apply")
