"""``sendwright keys generate``."""

from pathlib import Path

import click

from sendwright.cli import options


@click.command("generate")
@options.inventory
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="Only for this domain; may be given again.")
def command(inventory: Path, domains: tuple[str, ...]) -> None:
    """Make the DKIM keys that domains lack, and keep them in the state folder. Nothing is published or installed."""
    from sendwright import keyring
    from sendwright.report.progress import Progress

    made = keyring.generate(inventory, domains, Progress())
    for key in made:
        click.echo(key.record_name)
    said = "`sendwright provision` publishes and proves them." if made else "no key is missing."
    click.echo(said, err=True)
