"""``sendwright certs renew``."""

from pathlib import Path

import click

from sendwright.cli import options
from sendwright.cli.renewed import renewed


@click.command("renew")
@options.inventory
@options.only_hosts
@click.option("--new-key", is_flag=True, help="Change the key, too, in the order that no sender loses mail by.")
@click.option("--force", is_flag=True, help="Renew what is not due yet; authorities limit how often.")
@options.trust_new_hosts
@options.wait
@options.output_format
def command(
    inventory: Path,
    limit: tuple[str, ...],
    form: str,
    *,
    new_key: bool,
    force: bool,
    trust_new_hosts: bool,
    wait: bool,
) -> int:
    """Renew the certificates that are due, and bring them to their hosts. Made to be run daily.

    Certificates keep their keys, so that TLSA records stay true; --new-key changes them.
    """
    from sendwright.renewing import Settings

    asked = Settings(new_key=new_key, force=force, wait=wait, trust_new_hosts=trust_new_hosts)
    return renewed(inventory, limit, asked, form, "certs-renew")
