"""What one record set needs, value by value; the SPF record in it is a subject of its own (``spf_slot``). Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sendwright.dns import dmarc
from sendwright.dns.key_tags import only_tests, same_key
from sendwright.dns.plan import Changes, Conflict, Create, Delete, Held, Offer, Update, Write
from sendwright.dns.rdata import short
from sendwright.dns.records import Record
from sendwright.dns.retention import Clock
from sendwright.dns.slots import YIELDING, in_the_way, revokes, slot
from sendwright.plan import Stage
from sendwright.state.model import Claim

WITHDRAWN = "written by sendwright and no longer declared"
_NULL_MX = "0 ."
_ELSEWHERE = (
    "{type} {name}: somebody else serves a policy for mail there (MTA-STS), which stays; it has to name the MX. To "
    "serve it here declare mta_sts and remove that record; to leave it there for good set mta_sts to 'off'."
)
_CONSENT = "the inventory consents to its replacement (replace_mx)"


@dataclass(frozen=True)
class Values:
    """The values of one record set as they should be and as they are, by canonical text.

    ``seen`` maps to the text exactly as read, with ``seen_ttl``; ``ttl``: the one that the set is to have; ``host``:
    whether these are the addresses of a host.
    """

    zone: str
    name: str
    type: str
    desired: Mapping[str, Record]
    seen: Mapping[str, str]
    seen_ttl: int
    ttl: int
    claimed: Mapping[str, Claim]
    host: bool

    @cached_property
    def leaving(self) -> tuple[str, ...]:
        """Ours that is there and not declared."""
        return tuple(sorted(v for v in self.seen if v in self.claimed and v not in self.desired))

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """What is there and neither ours nor declared."""
        return tuple(sorted(v for v in self.seen if v not in self.claimed and v not in self.desired))

    @cached_property
    def replaces(self) -> bool:
        """Whether what is foreign goes by consent."""
        return any(r.replaces for r in self.desired.values())

    @cached_property
    def predecessors(self) -> Mapping[str, str]:
        """The values of ours that declared ones take the slot of."""
        found: dict[str, str] = {}
        for value in sorted(self.desired):
            place = slot(self.name, self.type, value)
            ours = (v for v in self.leaving if place and slot(self.name, self.type, v) == place)
            old = next((v for v in ours if v not in found.values()), None)
            if old is not None and value not in self.seen:
                found[value] = old
        return found

    def theirs(self, value: str) -> str | None:
        """Return somebody else's value in the slot of a declared one, where theirs is kept."""
        place = slot(self.name, self.type, value)
        if value in self.seen or place not in YIELDING | {"DKIM"}:
            return None
        found = (v for v in self.foreign if slot(self.name, self.type, v) == place)
        return next((v for v in found if place in YIELDING or same_key(v, value)), None)


def changes(found: Values, clock: Clock) -> Changes:
    """Return what the values need; if anything is in the way, that."""
    if _elsewhere(found):
        return Changes(found.zone, notes=(elsewhere(found),))
    foreign = () if found.replaces else found.foreign
    conflicts = tuple(
        Conflict(found.name, found.type, what, hint)
        for what, hint in in_the_way(
            found.name, found.type, found.desired.values(), foreign, found.seen, host=found.host
        )
    )
    undeclared = [_undeclared(found, v, clock) for v in sorted(found.claimed) if v not in found.desired]
    if conflicts:
        gone = tuple(c for part in undeclared for c in part.gone)
        return Changes(found.zone, conflicts=conflicts, gone=gone, offers=tuple(_revoked(found)))
    declared = [_declared(found, value) for value in sorted(found.desired) if not _too_early(found, value, clock)]
    consented = Changes(found.zone, tuple(_consented(found)))
    return Changes.combined(found.zone, [*declared, *undeclared, consented])


def implies_policy(records: Iterable[Record]) -> bool:
    """Whether somebody else's record may stay in the place of these: a policy for TLS that nobody asked for."""
    return any("mta_sts" in record.implied for record in records)


def elsewhere(found: Values) -> str:
    """Return a sentence about a policy that somebody else serves and that stays."""
    return _ELSEWHERE.format(name=found.name, type=found.type)


def _elsewhere(found: Values) -> bool:
    """Whether somebody else serves the policy that a default would have us serve."""
    return bool(found.foreign) and not found.claimed and implies_policy(found.desired.values())


def _declared(found: Values, value: str) -> Changes:
    record, claim = found.desired[value], found.claimed.get(value)
    theirs = found.theirs(value)
    if theirs is not None:
        return (
            _yielding(found, record, theirs)
            if slot(found.name, found.type, theirs) in YIELDING
            else _imported(found, record, theirs)
        )
    known = Changes(found.zone, expected=(record,), returned=(claim,) if claim and claim.left else ())
    if value in found.seen:
        if claim is None:
            offer = Offer(found.name, found.type, value)
            return replace(known, standing=(record,), offers=(offer,))
        differs = found.seen_ttl != found.ttl
        return replace(known, writes=(_update(found, record, value),) if differs else ())
    old = found.predecessors.get(value)
    if old is not None:
        # In one step: with both, or with neither, receivers would find no valid record for a while.
        return replace(known, writes=(_update(found, record, old),))
    return replace(known, writes=(Create(found.name, found.type, found.ttl, value, record.why, record.stage),))


def _too_early(found: Values, value: str, clock: Clock) -> bool:
    """Whether mail is on its way yet, and this is a null MX: receivers refuse who has one (RFC 7505 section 4.2)."""
    return found.type == "MX" and value == _NULL_MX and not all(clock.due(found.claimed[v]) for v in found.leaving)


def _yielding(found: Values, record: Record, theirs: str) -> Changes:
    claim = found.claimed.get(record.value)
    place = slot(found.name, found.type, theirs)
    stands, alike = replace(record, value=theirs), dmarc.same(theirs, record.value)
    if defaulted := _by_default(record, theirs) and not alike:
        then = "The inventory declares no policy of its own."
    else:
        then = f"Declared is {short(record.value)}: sendwright dns adopt makes that record ours to change."
    note = f"TXT {found.name}: somebody else's {place} record stays as it is: {short(theirs)}. {then}"
    return Changes(
        found.zone,
        standing=(stands,) if alike else (),
        gone=(claim,) if claim else (),
        notes=() if alike else (note,),
        expected=(stands,),
        offers=() if defaulted else (Offer(found.name, found.type, theirs),),
    )


def _imported(found: Values, record: Record, theirs: str) -> Changes:
    """Somebody else's record of a key that is ours too: it was published before the key was imported."""
    claim, stands = found.claimed.get(record.value), replace(record, value=theirs)
    note = (
        f"TXT {found.name}: somebody else's record of this key says that it is for tests only (t=y), and receivers may "
        "take its mail for unsigned: sendwright dns adopt makes that record ours to change."
    )
    return Changes(
        found.zone,
        standing=(stands,),
        gone=(claim,) if claim else (),
        notes=(note,) if only_tests(theirs) else (),
        expected=(stands,),
        offers=(Offer(found.name, found.type, theirs),),
    )


def _revoked(found: Values) -> Iterator[Offer]:
    """Offer somebody else's record where a key is revoked: it was ours too, or it would never have signed."""
    if any(revokes(found.name, found.type, value) for value in found.desired):
        yield from (
            Offer(found.name, found.type, v) for v in found.foreign if slot(found.name, found.type, v) == "DKIM"
        )


def _by_default(record: Record, theirs: str) -> bool:
    """Whether a default would take the place of a stricter policy, or of reports that somebody else asked for."""
    return "policy" in record.implied and ("rua" in record.implied or dmarc.stricter(theirs, record.value))


def _update(found: Values, record: Record, old: str) -> Update:
    stage = record.stage
    if old != record.value and slot(found.name, found.type, old) == "DMARC":
        # Loosening comes first, tightening last, whatever the policy was before.
        stage = Stage.SWITCH if dmarc.stricter(record.value, old) else Stage.EXPAND
    return Update(found.name, found.type, found.ttl, record.value, record.why, stage, found.seen[old], found.seen_ttl)


def _undeclared(found: Values, value: str, clock: Clock) -> Changes:
    claim = found.claimed[value]
    if value not in found.seen:
        if clock.forgotten(claim):
            return Changes(found.zone, gone=(claim,))
        return Changes(found.zone, leaving=() if claim.left else (claim,))
    if value in found.predecessors.values():
        return Changes(found.zone)
    null = found.type == "MX" and value == _NULL_MX
    if found.type == "MX" and not null and not clock.retention(claim) and not (found.desired or found.foreign):
        note = (
            f"MX {found.name} {short(value)} stays although it is no longer declared: there is no other, and mail for "
            f"{found.name} would have nowhere to go. It is withdrawn once another MX is there; or remove it by hand."
        )
        return Changes(found.zone, held=(Held(claim, None),), notes=(note,))
    # However long a domain that is gone is waited for: with another MX, its mail has where to go.
    if clock.due(claim) or (found.type == "MX" and _another_exchange(found)):
        # Receivers refuse the mail of a domain with a null MX: it goes before any may leave (RFC 7505 section 4.2).
        stage = Stage.EXPAND if null else Stage.CONTRACT
        return Changes(found.zone, (Delete(found.name, found.type, WITHDRAWN, stage, found.seen[value]),))
    return Changes(found.zone, leaving=() if claim.left else (claim,), held=(clock.held(claim),))


def _another_exchange(found: Values) -> bool:
    return not {*found.desired, *found.foreign} <= {_NULL_MX}


def _consented(found: Values) -> Iterator[Write]:
    if found.replaces:
        stage = min(r.stage for r in found.desired.values())
        for value in found.foreign:
            yield Delete(found.name, found.type, _CONSENT, stage, found.seen[value])
