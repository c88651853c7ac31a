"""``sendwright rotate``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options

if TYPE_CHECKING:
    from sendwright.report.progress import Progress
    from sendwright.rotating import Rotation


@click.command("rotate")
@options.inventory
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="Only its keys; may be given again.")
@click.option("--status", is_flag=True, help="Show how every key stands and what comes next; touch nothing.")
@click.option("--wait", is_flag=True, help="Stay until nothing is waited for any more, which may be weeks.")
@click.option("--start", is_flag=True, help="Begin with successors of due keys; with --domain even of keys not due.")
@click.option(
    "--force-new", multiple=True, metavar="NAME", help="These keys leaked: a domain, or SELECTOR._domainkey.DOMAIN."
)
@options.trust_new_hosts
@options.output_format
def command(
    inventory: Path,
    domains: tuple[str, ...],
    force_new: tuple[str, ...],
    form: str,
    *,
    status: bool,
    wait: bool,
    start: bool,
    trust_new_hosts: bool,
) -> int:
    """Move every DKIM key as far as is safe now, and say what it waits for. Made to be run daily."""
    import time
    from datetime import UTC, datetime

    from sendwright import inventory as inventories
    from sendwright import rotate_usage, rotating
    from sendwright.report.progress import Progress
    from sendwright.state.folder import StateFolder

    declared = inventories.load(inventory)
    keys = StateFolder.of(declared).load().keys if force_new else ()
    asked = rotate_usage.asked(
        declared.stack,
        keys,
        domains,
        force_new,
        start=start,
        status=status,
        wait=wait,
        trust_new_hosts=trust_new_hosts,
    )
    # What cron runs daily has nothing to say on most days.
    progress = Progress(held=not (wait or status or sys.stderr.isatty()))
    if status:
        found = rotating.status(declared, asked, progress)
    elif wait:
        found = rotating.rotate_until_done(declared, asked, progress, clock=lambda: datetime.now(UTC), sleep=time.sleep)
    else:
        found = rotating.rotate(declared, asked, progress)
    return _show(found, progress, form, status=status)


def _show(found: "Rotation", progress: "Progress", form: str, *, status: bool) -> int:
    """Print what needs a person first, then all else, and return the exit code."""
    from sendwright.report import rotation
    from sendwright.report.text import error_lines

    silent = rotation.quiet(found) and not (status or sys.stdout.isatty())
    if not silent:
        progress.release()
    for error in found.errors:
        click.echo(error_lines(error), err=True)
    if form == "json":
        click.echo(rotation.rotation_document(found, "rotate-status" if status else "rotate"))
    elif not silent:
        click.echo(rotation.status_lines(found) if status else rotation.rotation_lines(found))
    return 1 if rotation.failed(found) else 0
