"""What came of a rotation, or its state: for people, and as JSON by the schema of ``docs/json.md``.

What needs a person comes first. Steps that are alike are told in one line, however many keys they are about.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from sendwright.lines import Act, Line, Step
from sendwright.report.alike import alike, flat, reason, whose, why
from sendwright.report.json import document, error_fields
from sendwright.report.leaks import Leak, leak_lines, leaks
from sendwright.report.text import table
from sendwright.rotation import due, retires_at
from sendwright.state.model import DkimKey, KeyStage

if TYPE_CHECKING:
    from sendwright.rotating import Rotation

_DONE = {
    Act.GENERATE: "generated a successor",
    Act.PROMOTE: "chosen to sign",
    Act.DEMOTE: "signs no more",
    Act.RESTART: "clock stopped",
    Act.CONFIRM: "clock started",
    Act.REVOKE: "revoked",
    Act.DATE: "seen to be revoked",
    Act.DISCLOSE: "private key given out",
    Act.REMOVE: "removed",
    Act.CONVERGE: "hosts converged",
    Act.PUBLISH: "record written",
    Act.PROVE: "proven",
}
_COMING = {
    Act.GENERATE: "will get a successor",
    Act.PROMOTE: "will be chosen to sign",
    Act.DEMOTE: "will sign no more",
    Act.RESTART: "will have its clock stopped",
    Act.CONFIRM: "will have its clock started",
    Act.REVOKE: "will be revoked",
    Act.DATE: "will note its revocation",
    Act.DISCLOSE: "will have its private key given out",
    Act.REMOVE: "will be removed",
    Act.CONVERGE: "hosts will be brought up to date",
    Act.PUBLISH: "its record will be written",
    Act.PROVE: "will be proven on hosts",
}
_NEXT = {Act.WAIT: "waits", Act.BLOCKED: "blocked", Act.DUE: "due"}
# As many deadlines of one reason have a line of their own.
_DEADLINES = 4
_VERDICTS = {
    "done": "done",
    "unchanged": "nothing was changed",
    "waiting": "waiting; run it again later",
    "failed": "failed or blocked in part; what worked stays, and running again goes on",
}


def quiet(rotation: "Rotation") -> bool:
    """Return whether there is nothing to say: nothing was done, and what is left are clocks that run."""
    clocks = all(step.act is Act.WAIT and step.until for step in rotation.pending)
    return clocks and not (rotation.done or rotation.errors or rotation.notes)


def failed(rotation: "Rotation") -> bool:
    """Return whether something failed, or is blocked until a person does something about it."""
    blocked = any(step.act is Act.BLOCKED for step in rotation.pending)
    return blocked or bool(rotation.errors) or rotation.result.value == "failed"


def rotation_lines(rotation: "Rotation") -> str:
    """Return what came of a rotation: what is blocked, what was done, and what it waits for until when."""
    if not (rotation.done or rotation.pending or rotation.notes or failed(rotation)):
        return _at_rest(rotation.lines)
    verdict = "failed" if failed(rotation) else rotation.result.value
    parts = [
        [click.style(_VERDICTS[verdict], bold=True)],
        _section("Blocked", ("keys", "of", "why"), _reasons(rotation.pending, Act.BLOCKED)),
        _section("Done", ("what", "keys", "of", "why"), _deeds(rotation.done)),
        leak_lines(_leaks(rotation)),
        _section("Waiting", ("until (UTC)", "keys", "of", "for"), _waits(rotation.pending)),
        _section("Due (begin with --start)", ("keys", "of", "why"), _reasons(rotation.pending, Act.DUE)),
        _notes(rotation.notes),
    ]
    return "\n".join(line for part in parts for line in part)


def status_lines(rotation: "Rotation") -> str:
    """Return how every key stands: one line each, with what comes next."""
    steps: dict[tuple[str, str, str | None], Step] = {}
    for step in rotation.pending:
        steps[_line_id(step.line, step.key)] = step
    rows = [row for line in rotation.lines for row in _key_rows(line, steps)]
    blocked = _section("Blocked", ("keys", "of", "why"), _reasons(rotation.pending, Act.BLOCKED))
    headings = ("domain", "algorithm", "selector", "stage", "since (UTC)", "until (UTC)", "next")
    shown = [table(headings, rows)] if rows else [_at_rest(())]
    leaked = leak_lines(_leaks(rotation))
    return "\n".join([*blocked[1:], *([""] if blocked else []), *shown, *leaked, *_notes(rotation.notes)])


def rotation_document(rotation: "Rotation", kind: str = "rotate") -> str:
    """Return a rotation as a JSON document. ``kind``: the document's."""
    return document(
        kind,
        outcome="failed" if failed(rotation) else rotation.result.value,
        done=[_step_fields(step) for step in rotation.done],
        pending=[_step_fields(step) for step in rotation.pending],
        lines=[_line_fields(line) for line in rotation.lines],
        leaked=[_leak_fields(leak) for leak in _leaks(rotation)],
        notes=list(rotation.notes),
        errors=[error_fields(e) for e in rotation.errors],
        commands=dict(rotation.commands),
    )


def _leaks(rotation: "Rotation") -> tuple[Leak, ...]:
    return leaks(rotation.lines, rotation.done, rotation.seen)


def _at_rest(lines: Sequence[Line]) -> str:
    signing = [key for line in lines for key in line.signing[-1:]]
    if not signing:
        return "no DKIM key signs yet: `sendwright provision` makes the first ones"
    first = min(lines, key=lambda line: due(line) or datetime.max.replace(tzinfo=UTC))
    counted = "1 key signs, and" if len(signing) == 1 else f"{len(signing)} keys sign; the first,"
    return f"nothing to do: {counted} {first.domain} {first.algorithm}, is due on {_until(due(first))} UTC"


def _section(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    return ["", click.style(title, bold=True), *(f"  {line}" for line in table(headings, rows).splitlines())]


def _notes(notes: Iterable[str]) -> list[str]:
    shown = [f"  · {flat(note)}" for note in notes]
    return ["", click.style("Besides", bold=True), *shown] if shown else []


def _reasons(steps: Iterable[Step], act: Act) -> list[tuple[str, ...]]:
    groups = alike((s for s in steps if s.act is act), reason)
    return [(*whose(group), why(group)) for group in groups]


def _deeds(steps: Iterable[Step]) -> list[tuple[str, ...]]:
    groups = alike(steps, lambda s: (s.act, reason(s)))
    return [(_DONE.get(group[0].act, group[0].act.value), *whose(group), why(group)) for group in groups]


def _waits(steps: Iterable[Step]) -> list[tuple[str, ...]]:
    """A line for each reason and deadline, the first to end first; a reason with many deadlines is one line."""
    rows: list[tuple[datetime, tuple[str, ...]]] = []
    for same in alike((s for s in steps if s.act is Act.WAIT), reason):
        at_once = alike(same, lambda s: _until(s.until))
        for group in at_once if len(at_once) <= _DEADLINES else [same]:
            ends = sorted(s.until for s in group if s.until)
            first, last = (_until(ends[0]), _until(ends[-1])) if ends else ("-", "-")
            until = first if first == last else f"{first} to {last}"
            rows.append((ends[0] if ends else datetime.min.replace(tzinfo=UTC), (until, *whose(group), why(group))))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _key_rows(line: Line, steps: dict[tuple[str, str, str | None], Step]) -> Iterator[tuple[str, ...]]:
    of_line = steps.get(_line_id(line, None))
    for key in (*line.signing[-1:], *(k for k in line.keys if k not in line.signing[-1:])):
        step = steps.get(_line_id(line, key))
        signs = key in line.signing[-1:]
        if key.stage is KeyStage.REMOVED and step is None:
            continue
        until = due(line) if signs else (step.until if step else None) or _end(line, key)
        told = "; ".join(_next(s) for s in (step, of_line if signs else None) if s)
        stage = f"{key.stage}, leaked" if key.leaked else str(key.stage)
        yield (line.domain, str(line.algorithm), key.selector, stage, _time(_since(key)), _until(until), told)


def _next(step: Step) -> str:
    if step.waits:
        return flat(f"{_NEXT[step.act]}: {step.why}")
    return flat(f"next: {_COMING[step.act]} ({step.why})")


def _since(key: DkimKey) -> datetime | None:
    if key.stage is KeyStage.SIGNING:
        return key.signing_since or key.created
    of_stage = {KeyStage.RETIRING: key.last_signed, KeyStage.REVOKED: key.revoked, KeyStage.REMOVED: key.removed}
    return of_stage.get(key.stage, key.served_since or key.created)


def _end(line: Line, key: DkimKey) -> datetime | None:
    if key.stage is KeyStage.RETIRING:
        return retires_at(line, key)
    return key.revoked + line.policy.revoked if key.stage is KeyStage.REVOKED and key.revoked else None


def _line_id(line: Line, key: DkimKey | None) -> tuple[str, str, str | None]:
    return (line.domain, line.algorithm, key.selector if key else None)


def _step_fields(step: Step) -> dict[str, Any]:
    return {
        "act": step.act.name.lower(),
        "domain": step.line.domain,
        "algorithm": step.line.algorithm.value,
        "selector": step.key.selector if step.key else None,
        "why": step.why,
        "hosts": list(step.hosts),
        "until": _iso(step.until),
    }


def _leak_fields(leak: Leak) -> dict[str, Any]:
    return {"names": list(leak.names), "revoked": leak.revoked, "will_fail": list(leak.sentences)}


def _line_fields(line: Line) -> dict[str, Any]:
    return {
        "domain": line.domain,
        "algorithm": line.algorithm.value,
        "declared": line.declared,
        "hosts": list(line.hosts),
        "signs": line.signing[-1].selector if line.signing else None,
        "due": _iso(due(line)),
        "automatic": line.policy.automatic,
        "keys": [_key_fields(line, key) for key in line.keys],
    }


def _key_fields(line: Line, key: DkimKey) -> dict[str, Any]:
    return {
        "selector": key.selector,
        "name": key.record_name,
        "txt_name": key.txt_name,
        "stage": key.stage.value,
        "created": _iso(key.created),
        "served_since": _iso(key.served_since),
        "proven_on": list(key.proven_on),
        "signing_since": _iso(key.signing_since),
        "last_signed": _iso(key.last_signed),
        "drained": _iso(key.drained),
        "stays_until": _iso(_end(line, key)),
        "revoked": _iso(key.revoked),
        "removed": _iso(key.removed),
        "leaked": _iso(key.leaked),
        "disclosed": key.disclosed is not None,
    }


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def _until(moment: datetime | None) -> str:
    """A deadline to the minute, never before it: who comes back then is not too early."""
    return _time(moment + timedelta(seconds=59, microseconds=999_999) if moment else None)


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
