"""From changes to what a provider applies, to what the ledger remembers, and to what a person reads. Pure."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from sendwright.dns.plan import Changes, Create, Delete, Update, Write
from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.slots import revokes, slot
from sendwright.errors import DnsError, WorldMoved
from sendwright.plan import Action, Change, Kind, Stage
from sendwright.state.model import Claim

_WIDTH = 72


def edits(changes: Changes, served: Iterable[RecordSet]) -> tuple[Edit, ...]:
    """Return what becomes of each record set that the writes touch; ``served`` is what the changes were made from.

    Raises WorldMoved if a value to replace or withdraw is not there, and DnsError rather than ever writing a second
    record where there may be one, or an empty DKIM key outside revocation.
    """
    have = {s.key: s for s in served}
    ordered = sorted(changes.writes, key=lambda w: (w.name, w.type))
    groups = ((key, tuple(group)) for key, group in groupby(ordered, key=lambda w: (w.name, w.type)))
    return tuple(_edit(changes.zone, have.get(key), writes) for key, writes in groups)


def claims_of(changes: Changes, now: datetime, dns: str) -> tuple[Claim, ...]:
    """Return the claims to put into the ledger *before* applying: a killed run must know what is its own.

    ``dns``: the entry of the inventory's ``dns`` that keeps the zone.
    """
    values = [(w.name, w.type, w.value) for w in changes.writes if not isinstance(w, Delete)]
    values += [(r.name, r.type, r.value) for r in changes.adopted]
    return tuple(Claim(changes.zone, *value, now, dns) for value in values)


def releases_of(changes: Changes, ledger: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims to take out of the ledger *after* the writes were applied."""
    left = {(w.name, w.type, canonical(w.type, w.seen)) for w in changes.writes if not isinstance(w, Create)}
    left -= {(w.name, w.type, w.value) for w in changes.writes if not isinstance(w, Delete)}
    ours = (c for c in ledger if c.zone == changes.zone)
    return (*changes.gone, *(c for c in ours if (c.name, c.type, canonical(c.type, c.value)) in left))


def as_plan(changes: Changes) -> tuple[Change, ...]:
    """Return the writes as changes of the one plan that people see."""
    actions = {Create: Action.CREATE, Update: Action.UPDATE, Delete: Action.DELETE}
    return tuple(
        Change(w.stage, Kind.DNS, actions[type(w)], changes.zone, line(w), w.why, _diff(w)) for w in changes.writes
    )


def line(write: Write) -> str:
    """Return one line for people, as in ``TXT r1._domainkey.example.com "v=DKIM1; …"``."""
    place = f"{write.type} {write.name}"
    match write:
        case Create():
            return f"{place} {_short(write.value)}"
        case Delete():
            return f"{place} {_short(canonical(write.type, write.seen))}"
        case Update() if canonical(write.type, write.seen) == write.value:
            return f"{place} {_short(write.value)} TTL {write.seen_ttl} -> {write.ttl}"
        case Update():
            return f"{place} {_short(write.value)}"


def _edit(zone: str, before: RecordSet | None, writes: tuple[Write, ...]) -> Edit:
    name, rdtype = writes[0].name, writes[0].type
    values = list(before.values) if before else []
    ttl = before.ttl if before else 0
    for write in writes:
        if isinstance(write, Create):
            values.append(write.value)
        elif write.seen not in values:
            raise WorldMoved(zone, f"{rdtype} {write.seen} is no longer at {name}.", "Plan again and look at it.")
        elif isinstance(write, Delete):
            values.remove(write.seen)
        elif canonical(rdtype, write.seen) != write.value:
            values[values.index(write.seen)] = write.value
        ttl = ttl if isinstance(write, Delete) else write.ttl
    after = RecordSet(name, rdtype, ttl, tuple(values)) if values else None
    _guard(zone, before, after, writes)
    return Edit(name, rdtype, before, after)


def _guard(zone: str, before: RecordSet | None, after: RecordSet | None, writes: tuple[Write, ...]) -> None:
    old, new = _slots(before), _slots(after)
    for title, count in new.items():
        if count > max(1, old[title]):
            what = f"refused to write a second {title} record at {writes[0].name}; nothing was applied."
            raise DnsError(zone, what, "Plan again; if it says the same, report it as a mistake of sendwright.")
    for write in writes:
        written = write.value if not isinstance(write, Delete) else ""
        if written and write.stage is not Stage.CONTRACT and revokes(write.name, write.type, written):
            what = f"refused to write an empty DKIM key at {write.name} outside revocation; nothing was applied."
            raise DnsError(zone, what, "The key's public part is missing in the state folder: restore it from git.")


def _slots(found: RecordSet | None) -> Counter[str]:
    if found is None:
        return Counter()
    return Counter(title for value in found.values if (title := slot(found.name, found.type, value)))


def _short(value: str) -> str:
    return value if len(value) <= _WIDTH else value[: _WIDTH - 2] + "…" + value[-1]


def _diff(write: Write) -> str:
    removed = "" if isinstance(write, Create) else canonical(write.type, write.seen)
    added = "" if isinstance(write, Delete) else write.value
    if removed == added:
        return ""
    return "\n".join(sign + text for sign, text in (("-", removed), ("+", added)) if text)
