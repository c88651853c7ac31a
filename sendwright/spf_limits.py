"""The ten lookups of SPF, counted before anything is written: a record that passes them is an error for receivers.

RFC 7208 section 4.6.4.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from sendwright.dns.plan import Changes, Create, Delete, Update, Write
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical, joined
from sendwright.dns.records import Record
from sendwright.dns.slots import slot
from sendwright.dns.spf import QUERYING, Directive, SpfSyntaxError, parse
from sendwright.dns.spf_cost import Cost, cost
from sendwright.dns.spf_lookup import Answer, Lookup
from sendwright.errors import ForeignRecord, TooManyLookups
from sendwright.publishing import Zones


def judge(zones: Zones, lookup: Lookup) -> None:
    """Give up each zone in which an SPF record would pass ten lookups, and note what else is wrong behind one.

    What is about to be published is not asked for: a resolver would remember that it is not there.
    """
    own = _own(zones, lookup)
    for name, zone in zones.found.items():
        notes = []
        for write in _spf_writes(zone.changes):
            after = _cost(write.name, write.value, own)
            if _grows_over(write, after, own):
                _refuse(zones, _refusal(name, write.name, after))
            else:
                notes += [f"TXT {write.name}: {fault}" for fault in _faults(after)]
        changes = replace(zone.changes, notes=(*zone.changes.notes, *dict.fromkeys(notes)))
        zones.found[name] = replace(zone, changes=changes)


def refuse_costly(changes: Changes, served: Iterable[RecordSet], asked: Iterable[Key], lookup: Lookup) -> None:
    """Raise TooManyLookups if some changes make an SPF record pass ten lookups.

    Arguments: ``served``: those of the ``asked`` record sets that exist; no other server is asked about these names.
    """
    known: dict[tuple[str, str], set[str]] = {key: set() for key in asked}
    for name, rdtype, value in _values((), served):
        known.setdefault((name, rdtype), set()).add(value)
    own = _answering(known, lookup)
    for write in _spf_writes(changes):
        after = _cost(write.name, write.value, own)
        if _grows_over(write, after, own):
            raise _refusal(changes.zone, write.name, after)


def _grows_over(write: Create | Update, after: Cost, lookup: Lookup) -> bool:
    before = _cost(write.name, write.seen, lookup) if isinstance(write, Update) else None
    return after.over and (before is None or after.total > before.total)


def _refuse(zones: Zones, refusal: TooManyLookups) -> None:
    # What is in the way of another record set does not keep a zone from being written; this does.
    if isinstance(zones.errors.get(refusal.zone), ForeignRecord | None):
        zones.errors[refusal.zone] = refusal


def _refusal(zone: str, name: str, found: Cost) -> TooManyLookups:
    what = (
        f"the SPF record of {name} would take more lookups than receivers do, and be an error for all of its mail: "
        f"{found}; nothing was applied."
    )
    return TooManyLookups(zone, what, "Take out an include, or have it replaced by the addresses that it stands for.")


def _faults(found: Cost) -> Iterator[str]:
    if found.over:
        yield f"the SPF record takes more lookups than receivers do already: {found}"
    if found.voids_over:
        yield f"the SPF record leads to {found.voids} names that do not exist, and receivers stand two"
    yield from found.problems


def _spf_writes(changes: Changes) -> Iterator[Create | Update]:
    for write in changes.writes:
        if not isinstance(write, Delete) and slot(write.name, write.type, write.value) == "SPF" and _asks(write.value):
            yield write


def _asks(value: str) -> bool:
    record = parse(joined(value))
    asking = any(isinstance(t, Directive) and t.mechanism in QUERYING for t in record.terms)
    return asking or any(t.name == "redirect" for t in record.terms if not isinstance(t, Directive))


def _cost(name: str, value: str, lookup: Lookup) -> Cost:
    try:
        return cost(name, parse(joined(value)), lookup)
    except SpfSyntaxError:
        return Cost((), 0)  # a living record that is none: whatever comes in its place is better


def _own(zones: Zones, lookup: Lookup) -> Lookup:
    """Answer for the names of the declaration from what is declared and what stands, and ask for all others.

    What nobody declares may stand at a name that exists: that is asked for, and nothing is remembered wrongly by it.
    """
    known: dict[tuple[str, str], set[str]] = {}
    standing: set[str] = set()
    for zone in zones.found.values():
        for name, rdtype, value in _values(zone.records, zone.sight.served, zone.changes.writes):
            known.setdefault((name, rdtype), set()).add(value)
        standing |= {zone.name, *(s.name for s in zone.sight.served if s.values)}
    return _answering(known, lookup, standing)


def _answering(known: Mapping[Key, Collection[str]], lookup: Lookup, standing: Collection[str] = ()) -> Lookup:
    names = {name for name, _ in known} - {*standing}

    def answer(name: str, rdtype: str) -> Answer:
        plain = name.removesuffix(".").lower()
        if (values := known.get((plain, rdtype))) is None and plain not in names:
            return lookup(name, rdtype)
        return Answer(tuple(sorted(values or ())))

    return answer


def _values(
    records: Iterable[Record], served: Iterable[RecordSet], writes: Iterable[Write] = ()
) -> Iterator[tuple[str, str, str]]:
    texts = [(r.name, r.type, r.value) for r in records]
    texts += [(s.name, s.type, canonical(s.type, text)) for s in served for text in s.values]
    texts += [(w.name, w.type, w.value) for w in writes if not isinstance(w, Delete)]
    # Of what is declared, what stands and what comes of both, there is one SPF record: the last, as the stages go.
    spf = {name: (name, rdtype, text) for name, rdtype, text in texts if slot(name, rdtype, text) == "SPF"}
    texts = [*(text for text in dict.fromkeys(texts) if slot(*text) != "SPF"), *spf.values()]
    for name, rdtype, text in texts:
        if rdtype == "MX":
            yield name, rdtype, text.split()[-1].rstrip(".")
        elif rdtype == "TXT":
            yield name, rdtype, joined(text).decode("latin-1")
        else:
            yield name, rdtype, text
