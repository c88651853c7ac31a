"""What to write so that a zone holds what it should, value by value: what is not ours stays byte for byte.

Pure. Ours is a value that is in the ledger *and* seen. A value that is seen as desired is adopted: claimed, not
written. A record set in which somebody else's record is in the way (``slots``) is left alone, and a Conflict says
what to do.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.records import Record
from sendwright.dns.slots import in_the_way, slot
from sendwright.errors import ForeignRecord, StateError
from sendwright.plan import Stage
from sendwright.state.model import Claim

_WITHDRAWN = "written by sendwright and no longer declared"
_FAMILIES = ("A", "AAAA")


@dataclass(frozen=True)
class Create:
    """A value that is not there yet."""

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage


@dataclass(frozen=True)
class Update:
    """A value in the place of one of ours, or the same with another TTL. ``seen``: the old text exactly as read."""

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage
    seen: str
    seen_ttl: int


@dataclass(frozen=True)
class Delete:
    """A value that goes; ``seen``: its text exactly as read."""

    name: str
    type: str
    why: str
    stage: Stage
    seen: str


Write = Create | Update | Delete


@dataclass(frozen=True)
class Conflict:
    """Somebody else's record in the way of ours; it stays, and so does the rest of that record set."""

    name: str
    type: str
    what: str
    hint: str


@dataclass(frozen=True)
class Changes:
    """What one zone needs.

    ``adopted``: desired values that are there already and only need claiming; ``gone``: claims on values that are
    neither seen nor desired, to be released.
    """

    zone: str
    writes: tuple[Write, ...] = ()
    adopted: tuple[Record, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    gone: tuple[Claim, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the zone is as it should be, and nothing is in the way."""
        return not (self.writes or self.conflicts)

    def at(self, *stages: Stage) -> "Changes":
        """Return the same with the writes of some stages only."""
        return replace(self, writes=tuple(w for w in self.writes if w.stage in stages))

    def raise_conflicts(self) -> None:
        """Raise one ForeignRecord that names everything in the way and what to do about it, if anything is."""
        if self.conflicts:
            what = "; ".join(c.what for c in self.conflicts)
            raise ForeignRecord(self.zone, what + ".", " ".join(dict.fromkeys(c.hint for c in self.conflicts)))


def wanted(zone: str, desired: Iterable[Record], claims: Iterable[Claim]) -> frozenset[Key]:
    """Return the record sets of a zone that ``diff`` has to see."""
    keys = {(r.name, r.type) for r in desired} | {(c.name, c.type) for c in claims if c.zone == zone}
    # An undeclared family at a host's name is in the way too: it leads to an address that is not the host's.
    return frozenset(keys | {(name, family) for name, rdtype in keys if rdtype in _FAMILIES for family in _FAMILIES})


def diff(zone: str, desired: Iterable[Record], served: Iterable[RecordSet], claims: Iterable[Claim]) -> Changes:
    """Return what a zone needs; whatever the order of the arguments, the answer is the same.

    Arguments: ``desired``: the records whose names lie in the zone; ``served``: what the provider read for ``wanted``;
    ``claims``: the ledger (claims on other zones are ignored).
    """
    want, ledger = _by_key(desired), _ledger(zone, claims)
    have = {s.key: s for s in served}
    hosts = {name for name, rdtype in want if rdtype in _FAMILIES}
    parts = [
        _one_set(zone, _RecordSet.of(key, want.get(key, {}), have, ledger.get(key, {}), host=key[0] in hosts))
        for key in sorted({*want, *ledger, *((host, family) for host in hosts for family in _FAMILIES)})
    ]
    writes = sorted((w for p in parts for w in p.writes), key=lambda w: (w.stage, w.name, w.type, _text(w)))
    return Changes(
        zone,
        tuple(writes),
        tuple(r for p in parts for r in p.adopted),
        tuple(c for p in parts for c in p.conflicts),
        tuple(c for p in parts for c in p.gone),
    )


@dataclass(frozen=True)
class _RecordSet:
    """One record set as it should be and as it is, by canonical value; ``seen`` maps to the text exactly as read."""

    name: str
    type: str
    desired: Mapping[str, Record]
    seen: Mapping[str, str]
    seen_ttl: int | None
    claimed: Mapping[str, Claim]
    alias: str | None
    host: bool

    @classmethod
    def of(
        cls,
        key: Key,
        desired: Mapping[str, Record],
        have: Mapping[Key, RecordSet],
        claimed: Mapping[str, Claim],
        *,
        host: bool,
    ) -> "_RecordSet":
        name, rdtype = key
        found, cname = have.get(key), have.get((name, "CNAME"))
        seen = {canonical(rdtype, text): text for text in found.values} if found else {}
        alias = cname.values[0] if cname and rdtype != "CNAME" else None
        is_address = host and rdtype in _FAMILIES
        return cls(name, rdtype, desired, seen, found.ttl if found else None, claimed, alias, is_address)

    @property
    def leaving(self) -> list[str]:
        return sorted(v for v in self.seen if v in self.claimed and v not in self.desired)

    @property
    def foreign(self) -> dict[str, str]:
        return {v: text for v, text in self.seen.items() if v not in self.claimed and v not in self.desired}

    @property
    def replaces(self) -> bool:
        return any(r.replaces for r in self.desired.values())

    @property
    def ttl(self) -> int:
        # All records of a set have one TTL (RFC 2181 section 5.2): where others have records, it is theirs.
        if self.seen_ttl is not None and self.foreign and not self.replaces:
            return self.seen_ttl
        return min(r.ttl for r in self.desired.values())


def _one_set(zone: str, found: _RecordSet) -> Changes:
    gone = tuple(c for v, c in sorted(found.claimed.items()) if v not in found.seen and v not in found.desired)
    if conflicts := tuple(_conflicts(found)):
        return Changes(zone, conflicts=conflicts, gone=gone)
    adopted = tuple(r for v, r in sorted(found.desired.items()) if v in found.seen and v not in found.claimed)
    return Changes(zone, tuple(_writes(found)), adopted, gone=gone)


def _conflicts(found: _RecordSet) -> Iterator[Conflict]:
    name, rdtype = found.name, found.type
    if found.alias and found.desired:
        what = f"{name} is an alias (CNAME) of {found.alias}, and an alias can have no {rdtype} beside it"
        yield Conflict(name, rdtype, what, "Remove the CNAME, or take the name out of the inventory (RFC 1034, 3.6.2).")
    foreign = {} if found.replaces else found.foreign
    for what, hint in in_the_way(name, rdtype, tuple(found.desired.values()), foreign, host=found.host):
        yield Conflict(name, rdtype, what, hint)


def _writes(found: _RecordSet) -> Iterator[Write]:
    leaving = found.leaving
    for value, record in sorted(found.desired.items()):
        if value in found.seen:
            if found.seen_ttl != found.ttl:
                yield _update(found, record, value)
            continue
        place = slot(found.name, found.type, value)
        predecessor = next((v for v in leaving if place and slot(found.name, found.type, v) == place), None)
        if predecessor is None:
            yield Create(found.name, found.type, found.ttl, value, record.why, record.stage)
        else:
            # In one step: with both, or with neither, receivers would find no valid record for a while.
            leaving.remove(predecessor)
            yield _update(found, record, predecessor)
    for value in leaving:
        yield Delete(found.name, found.type, _WITHDRAWN, Stage.CONTRACT, found.seen[value])
    if found.replaces:
        stage = min(r.stage for r in found.desired.values())
        for _, text in sorted(found.foreign.items()):
            why = "the inventory consents to its replacement (replace_mx)"
            yield Delete(found.name, found.type, why, stage, text)


def _update(found: _RecordSet, record: Record, old: str) -> Update:
    return Update(
        found.name,
        found.type,
        found.ttl,
        record.value,
        record.why,
        record.stage,
        found.seen[old],
        found.seen_ttl or 0,
    )


def _by_key(desired: Iterable[Record]) -> dict[Key, dict[str, Record]]:
    found: dict[Key, dict[str, Record]] = {}
    for record in sorted(desired, key=lambda r: (r.stage, r.ttl, r.why)):
        found.setdefault((record.name, record.type), {}).setdefault(record.value, record)
    return found


def _ledger(zone: str, claims: Iterable[Claim]) -> dict[Key, dict[str, Claim]]:
    found: dict[Key, dict[str, Claim]] = {}
    for claim in sorted(claims, key=lambda c: c.since):
        if claim.zone == zone:
            found.setdefault((claim.name, claim.type), {})[_claimed_value(claim)] = claim
    return found


def _claimed_value(claim: Claim) -> str:
    try:
        return canonical(claim.type, claim.value)
    except ValueError as error:
        what = f"The ledger of the state folder holds a claim on {claim.name} that cannot be read: {error}."
        raise StateError(
            what, "Restore the ledger from git, or remove that claim: its record is then left alone."
        ) from error


def _text(write: Write) -> str:
    return write.seen if isinstance(write, Delete) else write.value
