"""What was applied to zones, and what an undo would do: for people, and as JSON by the schema of ``docs/json.md``."""

from collections.abc import Iterable

import click

from sendwright.dns.edits import as_plan
from sendwright.escape import printable
from sendwright.plan import Change
from sendwright.report.json import change_fields, document
from sendwright.report.text import sign, table
from sendwright.state.journal import Apply
from sendwright.undoing import Result, Undoing


def applies_lines(applies: Iterable[Apply]) -> str:
    """Return the applies as a table."""
    rows: list[tuple[str, ...]] = [
        (a.id, f"{a.at:%Y-%m-%d %H:%M:%S}", str(a.outcome), str(len(a.edits)), a.undoes or "") for a in applies
    ]
    return table(("apply", "when (UTC)", "outcome", "record sets", "undoes"), rows) if rows else "nothing was applied"


def applies_document(applies: Iterable[Apply]) -> str:
    """Return the applies as a JSON document."""
    fields = [
        {
            "id": a.id,
            "zone": a.zone,
            "at": a.at.isoformat(),
            "outcome": a.outcome,
            "record_sets": [{"name": e.name, "type": e.type} for e in a.edits],
            "undoes": a.undoes,
        }
        for a in applies
    ]
    return document("dns-applies", applies=fields)


def undo_lines(undo: Undoing) -> str:
    """Return what an undo would do, or why it does nothing."""
    apply, changes = undo.apply, as_plan(undo.changes)
    lines = [click.style(f"Undo of {apply.id}", bold=True) + f" ({apply.outcome} on {apply.at:%Y-%m-%d %H:%M} UTC)"]
    if undo.result is Result.REFUSED:
        lines += ["refused, and nothing was changed:", *(f"  ! {printable(str(r))}" for r in undo.refusals)]
        lines += ["Without that, it would be:", *map(_line, changes)] if changes else []
    elif changes:
        lines += map(_line, changes)
    else:
        lines += ["nothing of it is left to undo"]
    return "\n".join([*lines, *(f"  · {printable(note)}" for note in undo.notes)])


def undo_document(undo: Undoing) -> str:
    """Return what came of an undo as a JSON document."""
    return document(
        "dns-undo",
        result=undo.result,
        undoes=undo.apply.id,
        changes=[change_fields(c) for c in as_plan(undo.changes)],
        refusals=[{"name": r.name, "type": r.type, "why": r.why} for r in undo.refusals],
        notes=list(undo.notes),
    )


def _line(change: Change) -> str:
    return f"  {sign(change.action)} {printable(change.summary)}"
