"""``sendwright certs issue``."""

from pathlib import Path

import click

from sendwright.cli import options
from sendwright.cli.renewed import renewed


@click.command("issue")
@options.inventory
@options.only_hosts
@options.trust_new_hosts
@options.wait
@options.output_format
def command(inventory: Path, limit: tuple[str, ...], form: str, *, trust_new_hosts: bool, wait: bool) -> int:
    """Get the certificates that hosts do not have yet from their authority, and bring them there.

    A host that still shows what it began with, and one with a name more than its certificate. It is what `sendwright
    provision` does about certificates, without the rest.
    """
    from sendwright.renewing import Settings

    return renewed(inventory, limit, Settings(wait=wait, trust_new_hosts=trust_new_hosts), form, "certs-issue")
