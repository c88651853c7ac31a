"""``sendwright dns undo``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options
from sendwright.cli.asking import agreed

if TYPE_CHECKING:
    from sendwright.undoing import Undoing


@click.command("undo")
@options.inventory
@click.argument("apply_id", metavar="[ID]", required=False)
@click.option("--list", "table", is_flag=True, help="List what was applied, the newest first; change nothing.")
@options.allow_deletions
@options.assume_yes
@options.output_format
def command(inventory: Path, apply_id: str | None, form: str, *, table: bool, allow_deletions: bool, yes: bool) -> int:
    """Reverse one apply to one zone: the last one, or that of an ID.

    What it wrote goes, what it took away comes back, and what others did since stays. Nothing goes that mail relies on,
    and no key comes back that was revoked: then nothing is changed, and each reason is named.
    """
    from sendwright import inventory as inventories
    from sendwright import undoing
    from sendwright.report.undo import applies_document, applies_lines, undo_document, undo_lines

    declared = inventories.load(inventory)
    if table:
        found = undoing.applies(declared)
        click.echo(applies_document(found) if form == "json" else applies_lines(found))
        return 0

    def approve(undo: "Undoing") -> bool:
        return agreed(undo_lines(undo), yes=yes, quiet=form == "json")

    done = undoing.undo_apply(declared, apply_id, approve, allow_deletions=allow_deletions)
    if form == "json":
        click.echo(undo_document(done))
    else:
        click.echo(undo_lines(done) if done.result in {"refused", "unchanged"} else str(done.result))
    return 1 if done.result in {"refused", "declined"} else 0
