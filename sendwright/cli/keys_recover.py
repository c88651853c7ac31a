"""``sendwright keys recover``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options
from sendwright.cli.asking import agreed

if TYPE_CHECKING:
    from sendwright.recovering import Recovery


@click.command("recover")
@options.inventory
@options.trust_new_hosts
@options.assume_yes
@options.output_format
def command(inventory: Path, form: str, *, trust_new_hosts: bool, yes: bool) -> int:
    """Make a lost state folder again of what hosts and DNS show; neither is changed.

    Keys that the folder has are left as they are. What cannot be recovered is told, with how it comes back.
    """
    from sendwright import inventory as inventories
    from sendwright.recovering import recover
    from sendwright.report.progress import Progress
    from sendwright.report.recovery import recovery_document, recovery_lines
    from sendwright.report.text import error_lines

    def approve(found: "Recovery") -> bool:
        return agreed(recovery_lines(found), yes=yes, quiet=form == "json")

    done = recover(inventories.load(inventory), Progress(), approve, trust_new_hosts=trust_new_hosts)
    if form == "json":
        click.echo(recovery_document(done))
    else:
        click.echo(recovery_lines(done) if done.empty else str(done.result))
    for error in done.errors:
        click.echo(error_lines(error), err=True)
    return 1 if done.result in {"failed", "declined"} else 0
