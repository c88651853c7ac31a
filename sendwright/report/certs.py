"""Certificates as a table for people, and as JSON (``docs/json.md``): what needs a person comes first."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import click

from sendwright.escape import plain, printable
from sendwright.lifetime import overdue_from
from sendwright.renewing import Done, Listed, Outcome
from sendwright.report.json import document, error_fields
from sendwright.report.text import table

_HEADINGS = ("left", "host", "until (UTC)", "renews from (UTC)", "by", "issuer", "key", "next key", "shown by")
_DAYS = timedelta(days=3)
_VERDICTS = {
    "done": "done",
    "unchanged": "nothing to do: no certificate is due",
    "waiting": "waiting; run it again later",
    "failed": "failed in part; what worked stays, and running again goes on",
    "declined": "nothing was changed",
}
_KEPT, _WAITING = "kept", "waiting"


class Condition(StrEnum):
    """How a certificate stands, the worst first."""

    ENDED = "ended"
    AWAITED = "awaited"
    OVERDUE = "overdue"
    DUE = "due"
    VALID = "valid"


def condition(listed: Listed, now: datetime) -> Condition:
    """Return how a certificate stands; ``awaited``: the host has not got the one yet that the inventory says."""
    if now >= listed.not_after:
        return Condition.ENDED
    if listed.mode != listed.wanted:
        return Condition.AWAITED
    if listed.renew_from is None or now < listed.renew_from:
        return Condition.VALID
    return Condition.OVERDUE if now >= overdue_from(listed.not_before, listed.not_after) else Condition.DUE


def certs_lines(found: Iterable[Listed], now: datetime) -> str:
    """Return what needs a person, then a table, what ends or renews first before all else; times are those of UTC."""
    ordered = sorted(found, key=lambda c: (list(Condition).index(condition(c, now)), _next(c), c.host, c.number))
    if not ordered:
        return "there is no certificate yet: `sendwright provision` makes the first ones"
    needed = [text for c in ordered if (text := _needed(c, now))]
    lines = [click.style("Needs you", bold=True), *(f"  ! {printable(text)}" for text in needed), ""] if needed else []
    return "\n".join([*lines, table(_HEADINGS, [_row(c, now) for c in ordered])])


def certs_document(found: Iterable[Listed], now: datetime) -> str:
    """Return all of it as JSON."""
    return document("certs", certificates=[_fields(c, now) for c in found])


def outcome_lines(outcome: Outcome) -> str:
    """Return what came of a renewal: what was done, and what is waited for until when."""
    moved = [done for done in outcome.done if done.what != _KEPT]
    lines = [click.style(_VERDICTS[outcome.result.value], bold=True)]
    if moved:
        rows: list[tuple[str, ...]] = [
            (d.what, _named(d.host, d.number), _time(d.until, up=d.what == _WAITING), plain(d.why)) for d in moved
        ]
        lines += [f"  {line}" for line in table(("what", "host", "until (UTC)", "why"), rows).splitlines()]
    if kept := len(outcome.done) - len(moved):
        lines += [f"  {kept} kept"] if moved else []
    return "\n".join([*lines, *(f"  {printable(text)}" for text in outcome.waiting)])


def outcome_document(outcome: Outcome, kind: str, now: datetime) -> str:
    """Return what came of it as JSON. ``kind``: the document's."""
    return document(
        kind,
        outcome=outcome.result.value,
        done=[_done_fields(done) for done in outcome.done],
        waiting=list(outcome.waiting),
        certificates=[_fields(c, now) for c in outcome.listed],
        errors=[error_fields(e) for e in outcome.errors],
    )


def quiet(outcome: Outcome) -> bool:
    """Return whether there is nothing to say: no certificate was due, and nothing is wrong."""
    return outcome.result.value == "unchanged" and not outcome.errors


def _needed(listed: Listed, now: datetime) -> str:
    """Return what a person should do about a certificate, or nothing."""
    name, stands = _named(listed.host, listed.number), condition(listed, now)
    if stands is Condition.ENDED:
        return f"{name}: its certificate ended on {_time(listed.not_after)} UTC; {_remedy(listed)}"
    if stands is Condition.AWAITED:
        what = f"{name}: its certificate is {listed.mode}, and the inventory says {listed.wanted}"
        return f"{what}; `sendwright provision` gets it, or says why not"
    if stands is Condition.OVERDUE:
        since = f"should have been renewed since {_time(listed.renew_from)} UTC"
        return f"{name}: its certificate {since}, and ends in {_left(listed, now)}; {_remedy(listed)}"
    return ""


def _remedy(listed: Listed) -> str:
    if listed.renewed_by == "controller":
        again = "`sendwright certs renew`" if listed.wanted == "acme" else "`sendwright provision`"
        return f"{again} renews it, or says why not: does anything run it regularly?"
    if listed.renewed_by == "host":
        taken = "`sendwright certs renew` takes over what the host has by now, or renews it from here"
        return f"{taken}; `journalctl -u sendwright-renewal` on it says why it failed"
    return "renew the declared file, then run `sendwright provision`"


def _row(listed: Listed, now: datetime) -> tuple[str, ...]:
    return (
        _left(listed, now),
        _named(listed.host, listed.number),
        _time(listed.not_after),
        _time(listed.renew_from),
        listed.renewed_by,
        plain(listed.issuer) if listed.mode == "acme" else listed.mode,
        f"{listed.kind} {listed.spki[:8]}",
        _coming(listed, now),
        _shown(listed.used),
    )


def _named(host: str, number: int) -> str:
    return f"{host} ({number})" if number else host


def _left(listed: Listed, now: datetime) -> str:
    left = listed.not_after - now
    if left <= timedelta():
        return "ended"
    return f"{left.days} days" if left >= _DAYS else f"{left.total_seconds() / 3600:.0f} hours"


def _coming(listed: Listed, now: datetime) -> str:
    if listed.next_spki is None:
        return "-"
    if listed.next_fresh_at is None:
        return f"{listed.next_spki[:8]}, not served yet"
    known = "known" if listed.next_fresh_at <= now else f"from {_time(listed.next_fresh_at, up=True)}"
    return f"{listed.next_spki[:8]}, {known}"


def _shown(used: Sequence[str]) -> str:
    """A host may serve the policies of a hundred domains: their names are in the JSON."""
    services: dict[str, list[str]] = {}
    for text in used:
        service, _, name = text.partition(" ")
        services.setdefault(service, []).append(name)
    shown = (
        f"{service} {names[0]}" if len(names) == 1 else f"{service} of {len(names)}"
        for service, names in services.items()
    )
    return ", ".join(shown) or "-"


def _next(listed: Listed) -> datetime:
    return listed.renew_from or listed.not_after


def _time(moment: datetime | None, *, up: bool = False) -> str:
    """Return a moment to the minute; ``up``: never before it, so that who comes back then is not too early."""
    if moment is None:
        return "-"
    return f"{moment.astimezone(UTC) + timedelta(seconds=59, microseconds=999_999) * up:%Y-%m-%d %H:%M}"


def _fields(listed: Listed, now: datetime) -> dict[str, Any]:
    return {
        "host": listed.host,
        "number": listed.number,
        "condition": condition(listed, now).value,
        "mode": listed.mode,
        "wanted": listed.wanted,
        "names": list(listed.names),
        "issuer": listed.issuer,
        "not_before": _iso(listed.not_before),
        "not_after": _iso(listed.not_after),
        "seconds_left": max(0, int((listed.not_after - now).total_seconds())),
        "renew_from": _iso(listed.renew_from),
        "renewed_by": listed.renewed_by,
        "key": {"kind": listed.kind, "spki_sha256": listed.spki},
        "next_key": {"spki_sha256": listed.next_spki, "usable_from": _iso(listed.next_fresh_at)}
        if listed.next_spki
        else None,
        "used": list(listed.used),
    }


def _done_fields(done: Done) -> dict[str, Any]:
    return {"host": done.host, "number": done.number, "what": done.what, "why": done.why, "until": _iso(done.until)}


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
