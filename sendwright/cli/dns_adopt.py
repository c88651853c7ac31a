"""``sendwright dns adopt``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options
from sendwright.cli.asking import agreed

if TYPE_CHECKING:
    from sendwright.dns_run import Adoption


@click.command("adopt")
@options.inventory
@options.assume_yes
@options.output_format
def command(inventory: Path, form: str, *, yes: bool) -> int:
    """Make ours what stands in the zones as it is declared, or in its place; nothing is written to DNS.

    Only what is ours is ever changed or withdrawn: a DMARC record of somebody else stays until it is adopted.
    """
    from sendwright import inventory as inventories
    from sendwright.dns_run import adopt
    from sendwright.report.adoption import adoption_document, adoption_lines
    from sendwright.report.progress import Progress
    from sendwright.report.text import error_lines

    def approve(adoption: "Adoption") -> bool:
        return agreed(adoption_lines(adoption), yes=yes, quiet=form == "json")

    done = adopt(inventories.load(inventory), Progress(), approve)
    if form == "json":
        click.echo(adoption_document(done))
    elif not done.claims:
        click.echo(adoption_lines(done))
    else:
        click.echo(str(done.result))
    for error in done.errors:
        click.echo(error_lines(error), err=True)
    return 1 if done.result in {"failed", "declined"} else 0
