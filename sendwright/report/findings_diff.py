"""What changed from one report to the next, for people and as JSON."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from sendwright.report.findings_json import finding_fields
from sendwright.report.findings_view import View, number, one_line
from sendwright.report.json import document
from sendwright.verify.finding import Finding, Report, Status
from sendwright.verify.known import Change, Turn

_TITLES = {
    Turn.NEW: "New",
    Turn.WORSE: "Worse",
    Turn.LOST: "Wrong before, cannot be told now",
    Turn.BETTER: "Better",
    Turn.GONE: "Gone: it was wrong, and is no longer found",
}
_COLOUR = {Turn.NEW: "red", Turn.WORSE: "red", Turn.LOST: "cyan", Turn.BETTER: "green", Turn.GONE: "green"}
# As many names of one change before the rest is only counted.
_NAMES = 6


def diff_lines(changes: Sequence[Change], view: View, left_out: Sequence[str] = ()) -> str:
    """Return changes for people, what became worse first; the same change of many is told once.

    ``left_out``: domains of the older report that were not looked at now.
    """
    lines: list[str] = []
    for turn in Turn:
        if same := [change for change in changes if change.turn is turn]:
            lines += [click.style(_TITLES[turn], fg=_COLOUR[turn], bold=True), *_told(same, view), ""]
    counts = ((turn, sum(change.turn is turn for change in changes)) for turn in Turn)
    if left_out:
        names = ", ".join(map(one_line, left_out[:_NAMES])) + ", …" * (len(left_out) > _NAMES)
        lines.append(f"not looked at this time: {number(len(left_out), 'domain')} of the older report ({names})")
    return "\n".join([*lines, ", ".join(f"{n:,} {turn.value}" for turn, n in counts if n) or "nothing changed"])


def diff_document(changes: Sequence[Change], report: Report, view: View, left_out: Sequence[str] = ()) -> str:
    """Return changes as a JSON document (``docs/json.md``)."""
    counts = {turn.value: sum(change.turn is turn for change in changes) for turn in Turn}
    return document(
        "verify-diff",
        result="failed" if view.failed(report) else "passed",
        began=report.began.isoformat(),
        counts=counts,
        left_out=list(left_out),
        changes=[_fields(change) for change in changes],
    )


def _told(changes: Sequence[Change], view: View) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.finding.check, _from_to(change)), []).append(change)
    for (check, how), same in groups.items():
        names = list(dict.fromkeys(_name(change.finding) for change in same))
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES and not view.every else ""
        yield f"  {click.style(check, bold=True)}  {how}"
        yield from _wrapped(", ".join(names if view.every else names[:_NAMES]) + more, view)
        first = same[0].finding
        if len(same) == 1:
            yield from _wrapped(one_line(first.seen), view)
        if len(same) == 1 and same[0].after and first.status is not Status.PASS and first.advice:
            yield from _wrapped(one_line(first.advice), view, "→ ")


def _from_to(change: Change) -> str:
    if change.before and change.after:
        return f"{change.before.status} → {change.after.status}"
    return f"{change.finding.status}" if change.after else f"{change.finding.status} before"


def _name(finding: Finding) -> str:
    target = f" ({one_line(finding.target)})" if finding.target and finding.target != finding.subject.name else ""
    return one_line(finding.subject.name) + target


def _fields(change: Change) -> dict[str, Any]:
    before, after = (finding_fields(f) if f else None for f in (change.before, change.after))
    return {"turn": change.turn.value, "before": before, "after": after}


def _wrapped(text: str, view: View, mark: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(view.width, 40),
        initial_indent="    " + mark,
        subsequent_indent="    " + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
