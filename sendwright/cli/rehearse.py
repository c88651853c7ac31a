"""``sendwright rehearse``."""

from pathlib import Path

import click

from sendwright.cli import options


@click.command("rehearse")
@options.inventory
@click.option("--debian", type=click.Choice(["12", "13"]), default="12", show_default=True, help="The hosts' release.")
@click.option("--keep", is_flag=True, help="Leave the lab up when the proof is done.")
@options.output_format
def command(inventory: Path, debian: str, form: str, *, keep: bool) -> int:
    """Prove an inventory on throw-away hosts on this machine; nothing leaves it.

    Real Debian hosts with the inventory's own names and addresses are provisioned from bare, real mail is sent
    through them to a strict receiver, and everything is taken down again.
    """
    from sendwright import rehearse
    from sendwright.report.progress import Progress

    return rehearse.rehearse(inventory, debian, Progress(), keep=keep, form=form)
