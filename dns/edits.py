"""From changes to what a provider applies, to what the ledger remembers, and to what a person reads. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from sendwright.dns.guards import check
from sendwright.dns.plan import Changes, Create, Delete, Held, Update, Write
from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.rdata import canonical, short
from sendwright.dns.slots import slot
from sendwright.errors import WorldMoved
from sendwright.plan import Action, Change, Kind, Stage
from sendwright.state.model import Claim

_LEAVING = "nothing that is declared needs it; it goes when no mail on its way is judged by it any more"
_RETURNED = "it is declared again"
# What mail comes by as long as caches hold it.
_LINGERING = frozenset({"MX", "TLSA"})


def edits(changes: Changes, served: Iterable[RecordSet]) -> tuple[Edit, ...]:
    """Return what becomes of each record set that the writes touch; ``served`` is what the changes were made from.

    Raises WorldMoved if a value to replace or withdraw is not there, and DnsError rather than ever writing a second
    record where there may be one, or an empty DKIM key outside revocation.
    """
    have = {s.key: s for s in served}
    ordered = sorted(changes.writes, key=lambda w: (w.name, w.type, w.stage))
    groups = ((key, tuple(group)) for key, group in groupby(ordered, key=lambda w: (w.name, w.type)))
    return tuple(_edit(changes.zone, have.get(key), writes) for key, writes in groups)


def claims_of(changes: Changes, now: datetime, dns: str) -> tuple[Claim, ...]:
    """Return the claims to put into the ledger *before* applying: a killed run must know what is its own.

    ``dns``: the entry of the inventory's ``dns`` that keeps the zone.
    """
    writes = [w for w in changes.writes if not isinstance(w, Delete)]
    terms = [Claim(changes.zone, w.name, w.type, term, now, dns, mechanism=True) for w in writes for term in w.adds]
    values = [Claim(changes.zone, w.name, w.type, w.value, now, dns) for w in writes if not _is_spf(w)]
    return (*values, *terms)


def releases_of(changes: Changes, ledger: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims to take out of the ledger *after* the writes were applied.

    That of a withdrawn MX or TLSA stays until caches have forgotten it (``lefts_of``): mail still comes by it.
    """
    dropped = {(w.name, term) for w in changes.writes if not isinstance(w, Create) for term in w.drops}
    writes = (w for w in changes.writes if not isinstance(w, Create) and w.type not in _LINGERING)
    values = {_seen(w) for w in writes if not _is_spf(w)}
    values -= {(w.name, w.type, w.value) for w in changes.writes if not isinstance(w, Delete)}
    return (
        *changes.gone,
        *(
            c
            for c in ledger
            if c.zone == changes.zone and ((c.name, c.value) in dropped if c.mechanism else _among(c, values))
        ),
    )


def lefts_of(changes: Changes, ledger: Collection[Claim], now: datetime) -> tuple[Claim, ...]:
    """Return the claims whose clock of withdrawal starts or stops, as they are to stand *after* the writes.

    It starts for what nothing needs any more and for a withdrawn MX or TLSA, and stops for what is declared again.
    """
    lingering = {_seen(w) for w in changes.writes if isinstance(w, Delete) and w.type in _LINGERING}
    withdrawn = [c for c in ledger if c.zone == changes.zone and not c.mechanism and _among(c, lingering)]
    started = (
        *(replace(c, left=now) for c in changes.leaving),
        *(replace(c, left=now, withdrawn=True) for c in withdrawn),
    )
    back = {_what(c) for c in changes.returned}
    # As the ledger has them by now: what was written again has a later date there.
    return (*started, *(replace(c, left=None, withdrawn=False) for c in ledger if _what(c) in back))


def adoptions(changes: Changes, now: datetime, dns: str) -> tuple[Claim, ...]:
    """Return the claims by which what stands as declared, or in the place of what is, becomes ours to change."""
    return tuple(Claim(changes.zone, o.name, o.type, o.value, now, dns, o.mechanism) for o in changes.offers)


def as_plan(changes: Changes) -> tuple[Change, ...]:
    """Return the writes, and the clocks that start and stop, as changes of the one plan that people see."""
    actions = {Create: Action.CREATE, Update: Action.UPDATE, Delete: Action.DELETE}
    writes = (
        Change(w.stage, Kind.DNS, actions[type(w)], changes.zone, line(w), w.why, _diff(w)) for w in changes.writes
    )
    clocks = (("start", _LEAVING, Stage.CONTRACT, changes.leaving), ("stop", _RETURNED, Stage.EXPAND, changes.returned))
    return (
        *writes,
        *(
            Change(stage, Kind.WAIT, Action.RUN, changes.zone, f"{verb} the clock of {_claimed(claim)}", why)
            for verb, why, stage, claims in clocks
            for claim in claims
        ),
    )


def phrase(write: Write) -> str:
    """Return a write as part of a sentence, where no sign says what is done."""
    return f"withdraw {line(write)}" if isinstance(write, Delete) else line(write)


def line(write: Write) -> str:
    """Return one line for people, as in ``TXT r1._domainkey.example.com "v=DKIM1; …"``."""
    place = f"{write.type} {write.name}"
    match write:
        case Create():
            return f"{place} {short(write.value)}"
        case Delete():
            return f"{place} {short(canonical(write.type, write.seen))}"
        case Update() if canonical(write.type, write.seen) == write.value:
            return f"{place} {short(write.value)} TTL {write.seen_ttl} -> {write.ttl}"
        case Update() if write.adds or write.drops:
            parts = (("with", write.adds), ("without", write.drops))
            return f"{place} SPF " + ", ".join(f"{word} {short(' '.join(terms))}" for word, terms in parts if terms)
        case Update():
            return f"{place} {short(write.value)}"


def held_line(held: Held) -> str:
    """Return one line for people about what stays although it is no longer declared."""
    claim = held.claim
    place = f"{_claimed(claim)} stays"
    if claim.type == "MX":
        return f"{place} until another MX is there"
    if claim.type == "TLSA":
        until = f"until {held.until:%Y-%m-%d %H:%M} UTC" if held.until else "until every host is seen to show another"
        return f"{place} {until} (senders may know its host by that key)"
    if held.until is None:
        return f"{place} (mail that is on its way is judged by it; the clock starts when nothing uses it any more)"
    return f"{place} until {held.until.date()} (mail that is on its way is judged by it)"


def _claimed(claim: Claim) -> str:
    return f"{claim.type} {claim.name} {short(claim.value)}"


def _edit(zone: str, before: RecordSet | None, writes: tuple[Write, ...]) -> Edit:
    name, rdtype = writes[0].name, writes[0].type
    values = list(before.values) if before else []
    ttl = before.ttl if before else 0
    for write in writes:
        if isinstance(write, Create):
            values.append(write.value)
        elif write.seen not in values:
            raise WorldMoved(
                zone, f"{rdtype} {short(write.seen)} is no longer at {name}.", "Plan again and look at it."
            )
        elif isinstance(write, Delete):
            values.remove(write.seen)
        elif canonical(rdtype, write.seen) != write.value:
            values[values.index(write.seen)] = write.value
        ttl = ttl if isinstance(write, Delete) else write.ttl
    after = RecordSet(name, rdtype, ttl, tuple(values)) if values else None
    check(zone, before, after, writes)
    return Edit(name, rdtype, before, after)


def _is_spf(write: Write) -> bool:
    return slot(write.name, write.type, write.seen if isinstance(write, Delete) else write.value) == "SPF"


def _seen(write: Update | Delete) -> tuple[str, str, str]:
    return write.name, write.type, canonical(write.type, write.seen)


def _what(claim: Claim) -> tuple[str, str, str, str, bool]:
    return claim.zone, claim.name, claim.type, claim.value, claim.mechanism


def _among(claim: Claim, values: Collection[tuple[str, str, str]]) -> bool:
    # To parse the data of each claim of a large ledger takes seconds, and mostly nothing is sought.
    return bool(values) and (claim.name, claim.type, canonical(claim.type, claim.value)) in values


def _diff(write: Write) -> str:
    removed = "" if isinstance(write, Create) else canonical(write.type, write.seen)
    added = "" if isinstance(write, Delete) else write.value
    if removed == added:
        return ""
    return "\n".join(sign + text for sign, text in (("-", removed), ("+", added)) if text)
