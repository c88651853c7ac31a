"""What to write so that a zone holds what it should, value by value: what is not ours stays byte for byte.

Pure. Ours is what is in the ledger *and* seen: whole values, and of an SPF record single terms. A value that is seen as
declared and is not ours stands: it is neither written nor silently claimed. A record set in which somebody else's
record is in the way (``slots``) is left alone, and a Conflict says what to do.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sendwright.dns import record_sets, spf_slot
from sendwright.dns.plan import Changes, Conflict
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical, plain_name, short
from sendwright.dns.record_sets import Values
from sendwright.dns.records import Record
from sendwright.dns.retention import Clock
from sendwright.dns.slots import YIELDING, slot
from sendwright.dns.spf import SpfSyntaxError, parse, parse_term
from sendwright.dns.spf_merge import spelling
from sendwright.dns.spf_slot import SpfSlot
from sendwright.errors import StateError
from sendwright.state.model import Claim

_FAMILIES = ("A", "AAAA")


def wanted(zone: str, desired: Iterable[Record], claims: Iterable[Claim]) -> frozenset[Key]:
    """Return the record sets of a zone that ``diff`` has to see."""
    keys = {(r.name, r.type) for r in desired} | {(c.name, c.type) for c in claims if c.zone == zone}
    # An undeclared family at a host's name is in the way too: it leads to an address that is not the host's.
    hosts = {(name, family) for name, rdtype in keys if rdtype in _FAMILIES for family in _FAMILIES}
    # So is a key at the name of an alias of one.
    return frozenset(keys | hosts | {(name, "TXT") for name, rdtype in keys if rdtype == "CNAME"})


def diff(
    zone: str,
    desired: Iterable[Record],
    served: Iterable[RecordSet],
    claims: Iterable[Claim],
    *,
    now: datetime,
    retention: Callable[[Claim], timedelta],
) -> Changes:
    """Return what a zone needs; whatever the order of the arguments, the answer is the same.

    Arguments: ``desired``: the records whose names lie in the zone; ``served``: what the provider read for ``wanted``;
    ``claims``: the ledger (claims on other zones are ignored); ``retention``: how long each claim outlives its
    declaration. Raises StateError for a claim that cannot be read.
    """
    want, ledger = _by_key(desired), _ledger(zone, claims)
    have, clock = {s.key: s for s in served}, Clock(now, retention)
    hosts = {name for name, rdtype in want if rdtype in _FAMILIES}
    keys = sorted({*want, *ledger, *((host, family) for host in hosts for family in _FAMILIES)})
    sets = [_Set.of(zone, key, want.get(key, []), have, ledger.get(key, []), host=key[0] in hosts) for key in keys]
    found = Changes.combined(zone, [s.changes(clock) for s in sets])
    moved = {(w.name, w.type) for w in found.writes if w.type in {"MX", *_FAMILIES}}
    return replace(found, notes=found.notes + tuple(note for s in sets for note in _changed_meaning(s.spf, moved)))


@dataclass(frozen=True)
class _Set:
    """One record set: its SPF records and its other values; ``alias``: the target of a CNAME at its name.

    ``beside``: TXT records at the name of an alias that is declared, where nothing can stand beside it.
    ``past``: claims on what was withdrawn, and that somebody else has written since.
    """

    values: Values
    spf: SpfSlot
    alias: str | None
    beside: tuple[str, ...]
    past: tuple[Claim, ...]

    @classmethod
    def of(
        cls,
        zone: str,
        key: Key,
        desired: Iterable[Record],
        have: Mapping[Key, RecordSet],
        claims: Iterable[Claim],
        *,
        host: bool,
    ) -> "_Set":
        name, rdtype = key
        served, cname = have.get(key, RecordSet(name, rdtype, 0, ())), have.get((name, "CNAME"))
        seen, living = _parted(name, rdtype, served.values)
        spf_desired = tuple(r for r in desired if slot(name, rdtype, r.value) == "SPF")
        want = {r.value: r for r in desired if r not in spf_desired}
        terms = {_term(c): c for c in claims if c.mechanism}
        known = {_value(c): c for c in claims if not c.mechanism}
        # What was withdrawn and is there again was written by somebody else (or by hand).
        ours = {value: c for value, c in known.items() if not (c.withdrawn and value in seen)}
        spf = SpfSlot(zone, name, spf_desired, living, served.ttl, 0, terms)
        values = Values(zone, name, rdtype, want, seen, served.ttl, 0, ours, host and rdtype in _FAMILIES)
        # All records of a set have one TTL (RFC 2181 section 5.2): where others have records, it is theirs.
        shared = spf.foreign or not (seen.keys() <= ours.keys() | (set(values.foreign) if values.replaces else set()))
        ttls = [r.ttl for r in desired]
        ttl = served.ttl if served.values and (shared or not ttls) else min(ttls, default=0)
        alias = cname.values[0] if cname and rdtype != "CNAME" else None
        text = have.get((name, "TXT")) if rdtype == "CNAME" and want else None
        past = tuple(c for value, c in known.items() if value not in ours)
        return cls(replace(values, ttl=ttl), replace(spf, ttl=ttl), alias, text.values if text else (), past)

    def changes(self, clock: Clock) -> Changes:
        values = self.values
        if self.alias and (kept := self._kept_alias()):
            return kept
        past = Changes(values.zone, gone=tuple(c for c in self.past if clock.forgotten(c)))
        parts = [record_sets.changes(values, clock), spf_slot.changes(self.spf, clock), past]
        found = Changes.combined(values.zone, parts)
        conflicts = (*self._aliased(), *found.conflicts)
        return Changes(values.zone, conflicts=conflicts, gone=found.gone, offers=found.offers) if conflicts else found

    def _kept_alias(self) -> Changes | None:
        """Return what to say of somebody else's policy that is kept under another name, or None if it is no policy."""
        values = self.values
        if record_sets.implies_policy(values.desired.values()) and not values.claimed:
            return Changes(values.zone, notes=(record_sets.elsewhere(values),))
        place = next((p for v in values.desired if (p := slot(values.name, values.type, v)) in YIELDING), None)
        if place is None:
            return None
        note = (
            f"{values.type} {values.name}: it is an alias (CNAME) of {short(self.alias or '')}, so the {place} record "
            "there stays, and what is declared is not published. Remove the CNAME to have it published."
        )
        return Changes(values.zone, gone=tuple(values.claimed.values()), notes=(note,))

    def _aliased(self) -> Iterator[Conflict]:
        name, rdtype = self.values.name, self.values.type
        if self.alias and (self.values.desired or self.spf.desired):
            what = f"{name} is an alias (CNAME) of {short(self.alias)}, and an alias can have no {rdtype} beside it"
            hint = "Remove the CNAME, or take the name out of the inventory (RFC 1034, 3.6.2)."
            yield Conflict(name, rdtype, what, hint)
        if self.beside:
            what = f"{name} has TXT {short(self.beside[0])}, and is to be an alias (CNAME), which has nothing beside it"
            yield Conflict(name, rdtype, what, "Remove that record if no mail that it verifies is on its way any more.")


def _parted(name: str, rdtype: str, values: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return a set's values by canonical text, and its SPF records."""
    living = tuple(text for text in values if slot(name, rdtype, text) == "SPF")
    return {canonical(rdtype, text): text for text in values if text not in living}, living


def _changed_meaning(spf: SpfSlot, moved: Collection[Key]) -> Iterator[str]:
    """Yield a sentence for each foreign term that follows records which change (RFC 7208 sections 5.3 and 5.4)."""
    try:
        record = parse(spf.text) if moved and spf.text and len(spf.living) == 1 else None
    except SpfSyntaxError:
        record = None
    for term in record.directives if record else ():
        types = {"mx": ("MX",), "a": _FAMILIES}.get(term.mechanism, ())
        name = plain_name(term.domain.text) if term.domain else spf.name
        if spelling(term) not in spf.claimed and any((name, rdtype) in moved for rdtype in types):
            yield (
                f"TXT {spf.name}: somebody else's term {short(term.text)} in the SPF record follows the {types[0]} of "
                f"{short(name)}, which changes here: other hosts than before may then send."
            )


def _by_key(desired: Iterable[Record]) -> dict[Key, list[Record]]:
    found: dict[Key, dict[str, Record]] = {}
    for record in sorted(desired, key=lambda r: (r.stage, r.ttl, r.why)):
        found.setdefault((record.name, record.type), {}).setdefault(record.value, record)
    return {key: [records[value] for value in sorted(records)] for key, records in found.items()}


def _ledger(zone: str, claims: Iterable[Claim]) -> dict[Key, list[Claim]]:
    found: dict[Key, list[Claim]] = {}
    for claim in sorted(claims, key=lambda c: (c.since, c.left is None, c.dns)):
        if claim.zone == zone:
            found.setdefault((claim.name, claim.type), []).append(claim)
    return found


def _value(claim: Claim) -> str:
    try:
        return canonical(claim.type, claim.value)
    except ValueError as error:
        raise _unreadable(claim, error) from error


def _term(claim: Claim) -> str:
    try:
        return spelling(parse_term(claim.value))
    except SpfSyntaxError as error:
        raise _unreadable(claim, error) from error


def _unreadable(claim: Claim, error: ValueError) -> StateError:
    what = f"The ledger of the state folder holds a claim on {claim.name} that cannot be read: {error}."
    return StateError(what, "Restore the ledger from git, or remove that claim: its record is then left alone.")
