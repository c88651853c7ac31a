"""What came of a plan or of carrying it out: printed, and as an exit code."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sendwright.provision import Outcome


def planned(outcome: "Outcome", form: str, kind: str, saved: str, *, detailed: bool) -> int:
    """Print a plan and return the exit code. ``kind``: the document's; ``saved``: a line about its file, or empty."""
    from sendwright.report.json import plan_document
    from sendwright.report.text import plan_lines

    if form == "json":
        click.echo(plan_document(outcome.plan, outcome.errors, kind))
    else:
        click.echo(plan_lines(outcome.plan, partial=bool(outcome.errors)))
    if saved:
        click.echo(saved, err=True)
    _errors(outcome)
    if outcome.errors:
        return 1
    return 3 if detailed and not outcome.plan.empty else 0


def carried_out(outcome: "Outcome", form: str, kind: str) -> int:
    """Print what came of it and return the exit code. ``kind``: the document's."""
    from sendwright.report.json import outcome_document
    from sendwright.report.text import outcome_lines

    click.echo(outcome_document(outcome, kind) if form == "json" else outcome_lines(outcome))
    _errors(outcome)
    return 1 if outcome.result in {"failed", "declined"} else 0


def _errors(outcome: "Outcome") -> None:
    from sendwright.report.text import error_lines

    for error in outcome.errors:
        click.echo(error_lines(error), err=True)
