"""``sendwright provision``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options
from sendwright.cli.asking import agreed
from sendwright.cli.outcomes import carried_out

if TYPE_CHECKING:
    from sendwright.plan import Plan


@click.command("provision")
@options.inventory
@options.limit
@options.trust_new_hosts
@options.allow_deletions
@options.assume_yes
@options.saved_plan
@options.wait
@options.output_format
def command(
    inventory: Path,
    limit: tuple[str, ...],
    form: str,
    plan: Path | None,
    *,
    trust_new_hosts: bool,
    allow_deletions: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Show the plan, ask, carry it out, verify. Running it again finishes what was interrupted."""
    from sendwright import inventory as inventories
    from sendwright.provision import provision
    from sendwright.report.progress import Progress
    from sendwright.report.text import plan_lines

    declared = inventories.load(inventory)
    approved = options.approved(plan, limit)
    settings = options.settings(
        declared.stack, limit, trust_new_hosts=trust_new_hosts, allow_deletions=allow_deletions, wait=wait
    )

    def approve(plan: "Plan") -> bool:
        return agreed(plan_lines(plan), yes=yes or approved is not None, quiet=form == "json")

    outcome = provision(declared, settings, Progress(), approve, approved)
    return carried_out(outcome, form, "provision")
