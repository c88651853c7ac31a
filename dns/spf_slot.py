"""What the one SPF record of a name needs, term by term: widened, then tightened, and narrowed last. Pure.

Somebody else's record is merged with ours and never doubled (``spf_merge``). Ours are single terms of it, its ``all``
included, and each outlives its declaration as long as mail that is on its way may be judged by it.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sendwright.dns.plan import Changes, Conflict, Create, Delete, Offer, Update, Write
from sendwright.dns.rdata import joined, short, txt
from sendwright.dns.record_sets import WITHDRAWN
from sendwright.dns.records import Record
from sendwright.dns.retention import Clock
from sendwright.dns.spf import SpfSyntaxError
from sendwright.dns.spf_merge import SpfTooLong, added, merged, terms_of, too_long
from sendwright.plan import Stage
from sendwright.state.model import Claim

# From the loosest to the strictest.
VERDICTS = ("all", "?all", "~all", "-all")


@dataclass(frozen=True)
class SpfSlot:
    """The SPF records of one name as they should be and as they are.

    ``living``: texts exactly as read, with ``seen_ttl``; ``ttl``: the one that the record set is to have; ``claimed``:
    by term.
    """

    zone: str
    name: str
    desired: tuple[Record, ...]
    living: tuple[str, ...]
    seen_ttl: int
    ttl: int
    claimed: Mapping[str, Claim]

    @property
    def text(self) -> str | None:
        """The joined text of the living record."""
        return _text(self.living[0]) if self.living else None

    @property
    def foreign(self) -> bool:
        """Whether somebody else has a say in any of the records, or one cannot be read."""
        try:
            return any(_has_others(terms_of(_text(text)), self.claimed) for text in self.living)
        except SpfSyntaxError:
            return True


def changes(spf: SpfSlot, clock: Clock) -> Changes:
    """Return what the record needs; if it is one that nobody could merge with, that."""
    if len(spf.living) > 1:
        what = f"{spf.name} has {len(spf.living)} SPF records, which every receiver takes for an error"
        return _unfit(spf, what, f"Only one SPF record may be at {spf.name}: join them by hand, then run again.")
    try:
        if spf.desired:
            return _declared(spf, clock)
        return _undeclared(spf, clock) if spf.claimed else Changes(spf.zone)
    except SpfSyntaxError as error:
        return _unfit(spf, f"{spf.name} has an SPF record that is none: {error}", "Mend it by hand, then run again.")
    except SpfTooLong as error:
        return _unfit(spf, f"{spf.name}: {error}", "Take terms out of the living record by hand, then run again.")


def _unfit(spf: SpfSlot, what: str, hint: str) -> Changes:
    # What nobody declares can wait until a person has mended the record.
    return Changes(spf.zone, conflicts=(Conflict(spf.name, "TXT", what, hint),) if spf.desired else ())


class _Steps:
    """The record on its way through the stages: each merge starts from what the one before leaves."""

    def __init__(self, spf: SpfSlot) -> None:
        self._spf = spf
        self.text = spf.text
        self.terms = _terms(self.text)
        self.owned = {t for t in self.terms if t in spf.claimed}
        self.writes: list[Write] = []
        self.added: set[str] = set()

    def merge(self, wanted: Sequence[str], verdict: str, stage: Stage, why: str) -> None:
        """Merge terms into the record at a stage; ours that are not among them go."""
        after = merged(self.text, wanted, self.owned, verdict)
        if after == self.text:
            return
        now = terms_of(after)
        adds = added(self.text, after, wanted)
        # Somebody else may have written the same term once more; ours is the first of them.
        old, new = Counter(self.terms), Counter(now)
        drops = tuple(t for t in dict.fromkeys(self.terms) if t in self.owned and new[t] < old[t])
        self.writes.append(self._write(after, stage, why, adds, drops))
        self.text, self.terms = after, now
        self.owned = (self.owned | set(adds)) - set(drops)
        self.added |= set(adds)

    def retime(self, record: Record) -> None:
        """Give the record its TTL, if nothing else did."""
        if self.text is not None and not self.writes and self._spf.seen_ttl != self._spf.ttl:
            self.writes.append(self._write(self.text, record.stage, record.why, (), ()))

    def _write(self, after: str, stage: Stage, why: str, adds: tuple[str, ...], drops: tuple[str, ...]) -> Write:
        spf, value = self._spf, txt(after)
        if self.text is None:
            return Create(spf.name, "TXT", spf.ttl, value, why, stage, adds)
        seen, ttl = (txt(self.text), spf.ttl) if self.writes else (spf.living[0], spf.seen_ttl)
        return Update(spf.name, "TXT", spf.ttl, value, why, stage, seen, ttl, adds, drops)


def _declared(spf: SpfSlot, clock: Clock) -> Changes:
    record = spf.desired[0]
    declared = list(dict.fromkeys(t for r in spf.desired for t in terms_of(_text(r.value))))
    wanted = [t for t in declared if t not in VERDICTS]
    verdict = min((t for t in declared if t in VERDICTS), key=VERDICTS.index, default="?all")
    steps = _Steps(spf)
    before, owned = steps.terms, frozenset(steps.owned)
    rest = [t for t in dict.fromkeys(before) if t in owned and t not in wanted and t not in VERDICTS]

    first, tightens = verdict, min((r.tightens for r in spf.desired if r.tightens), default=None)
    if tightens is not None:
        # Until our mail is known to leave from where the record says, nobody is told to refuse it.
        present = _verdict(before) if _verdict(before) in owned else None
        first = min(verdict, present or "~all", key=VERDICTS.index)
    steps.merge([*wanted, *rest], first, record.stage, record.why)
    stands = replace(record, value=txt(steps.text or ""))
    untouched = spf.text == steps.text and not {*wanted, verdict} <= owned
    if tightens is not None:
        steps.merge([*wanted, *rest], verdict, tightens, record.why)
    staying = [t for t in rest if not clock.due(spf.claimed[t])]
    steps.merge([*wanted, *staying], verdict, Stage.CONTRACT, WITHDRAWN)
    steps.retime(record)

    kept = [spf.claimed[t] for t in staying]
    back = ((t, c) for t, c in sorted(spf.claimed.items()) if c.left and (t in wanted or t in VERDICTS))
    return Changes(
        spf.zone,
        tuple(steps.writes),
        standing=(stands,) if untouched else (),
        gone=tuple(c for t, c in sorted(spf.claimed.items()) if t not in owned and t not in steps.added),
        leaving=tuple(c for c in kept if c.left is None),
        returned=tuple(c for t, c in back if t in owned or t in steps.added),
        held=tuple(clock.held(c) for c in kept),
        notes=(*_other_verdict(spf, verdict, steps.terms), *_others(spf, wanted, steps), *_length(spf, steps)),
        expected=(stands,),
        offers=tuple(
            Offer(spf.name, "TXT", t, mechanism=True)
            for t in dict.fromkeys(before)
            if t not in owned and (t in wanted or t == verdict)
        ),
    )


def _undeclared(spf: SpfSlot, clock: Clock) -> Changes:
    steps = _Steps(spf)
    before, owned = steps.terms, frozenset(steps.owned)
    ours = [t for t in dict.fromkeys(before) if t in owned]
    absent = tuple(c for t, c in sorted(spf.claimed.items()) if t not in owned)
    staying = [t for t in ours if not clock.due(spf.claimed[t])]
    going = [t for t in ours if t not in staying and t not in VERDICTS]
    foreign = _has_others(before, owned)
    writes: Iterable[Write] = ()
    if ours and not staying and not foreign:
        writes = [Delete(spf.name, "TXT", WITHDRAWN, Stage.CONTRACT, spf.living[0], tuple(ours))]
    elif going:
        # What the record says of everybody else stays as long as anything is left of it.
        steps.owned -= set(VERDICTS)
        kept = [t for t in ours if t not in going and t not in VERDICTS]
        steps.merge(kept, _verdict(before) or "?all", Stage.CONTRACT, WITHDRAWN)
        writes = steps.writes
    elif not staying:
        # Ours was the verdict alone, in a record of others: it is theirs now.
        absent = tuple(sorted((*absent, *(spf.claimed[t] for t in ours)), key=lambda c: c.value))
    claims = [spf.claimed[t] for t in staying]
    return Changes(
        spf.zone,
        tuple(writes),
        gone=absent,
        leaving=tuple(c for c in claims if c.left is None),
        held=tuple(clock.held(c) for c in claims),
    )


def _length(spf: SpfSlot, steps: _Steps) -> Iterator[str]:
    # A long record that nobody changes is its owner's own business.
    if steps.writes and steps.text is not None and (warning := too_long(steps.text)):
        yield f"TXT {spf.name}: {warning}"


def _other_verdict(spf: SpfSlot, declared: str, terms: Sequence[str]) -> Iterator[str]:
    stands = _verdict(terms) or next((t for t in terms if t.startswith("redirect=")), "nothing (neutral)")
    if stands != declared:
        yield (
            f"TXT {spf.name}: what the SPF record says of all others is somebody else's and stays: {short(stands)}. "
            f"Declared is {declared}: change it by hand if that is meant."
        )


def _others(spf: SpfSlot, wanted: Collection[str], steps: _Steps) -> Iterator[str]:
    passing = [t for t in steps.terms if t not in steps.owned and t[0] not in "-~?" and not t.startswith("exp=")]
    if passing and not wanted:
        yield (
            f"TXT {spf.name}: it is declared to send nothing, and the SPF record lets others send as it: "
            f"{short(' '.join(passing))}. They are somebody else's and stay: remove them by hand if that is not meant."
        )


def _has_others(terms: Collection[str], ours: Container[str]) -> bool:
    # A term that stands twice is ours once only: we never write one again.
    return len(terms) > len({t for t in terms if t in ours})


def _terms(text: str | None) -> tuple[str, ...]:
    return () if text is None else terms_of(text)


def _verdict(terms: Iterable[str]) -> str | None:
    return next((t for t in terms if t in VERDICTS), None)


def _text(value: str) -> str:
    # Octets that are not ASCII are a fault of the record, which the parser names.
    return joined(value).decode("latin-1")
