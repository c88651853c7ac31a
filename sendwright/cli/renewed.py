"""A run of ``sendwright certs issue`` or ``renew``: carried out, printed, and as an exit code."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli import options

if TYPE_CHECKING:
    from sendwright.renewing import Settings


def renewed(inventory: Path, limit: tuple[str, ...], asked: "Settings", form: str, kind: str) -> int:
    """Order what is due and return the exit code. ``kind``: the document's.

    Where nobody reads along, a run that had nothing to do says nothing: it comes from cron every day.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from sendwright import inventory as inventories
    from sendwright import renewing
    from sendwright.certs_run import renew
    from sendwright.report import certs
    from sendwright.report.progress import Progress
    from sendwright.report.text import error_lines

    declared = inventories.load(inventory)
    asked = replace(asked, limit=options.hosts_of(declared.stack, limit))
    progress = Progress(held=not sys.stderr.isatty())
    outcome = renew(declared, asked, progress)
    silent = certs.quiet(outcome) and not sys.stdout.isatty()
    if not silent:
        progress.release()
    for error in outcome.errors:
        click.echo(error_lines(error), err=True)
    if form == "json":
        outcome = replace(outcome, listed=renewing.listed(declared))
        click.echo(certs.outcome_document(outcome, kind, datetime.now(UTC)))
    elif not silent:
        click.echo(certs.outcome_lines(outcome))
    return 1 if outcome.result in {"failed", "declined"} else 0
