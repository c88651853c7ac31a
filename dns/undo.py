"""The reverse of one apply, value by value: what it wrote goes, what it took away comes back, all else stays. Pure.

Undo is no way back to an old zone: what others did since stays byte for byte, what is no longer ours is left, and an
SPF record is undone term by term. What the reverse may not do is refused by ``undo_gates``.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sendwright.dns.plan import Changes, Create, Delete, Update, Write
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical, joined, txt
from sendwright.dns.slots import slot
from sendwright.dns.spf import SpfSyntaxError
from sendwright.dns.spf_merge import merged, terms_of
from sendwright.plan import Stage
from sendwright.state.journal import Apply, Content, Edited
from sendwright.state.model import Claim, DkimKey, KeyStage

_GOES = "undone: it was written by that apply"
_COMES = "undone: it stood there before that apply"


@dataclass(frozen=True)
class Reverse:
    """What becomes of one record set.

    ``now``: as it is served; ``going``, ``coming``: canonical value to text; ``result``: the canonical values that will
    stand there; ``enter``, ``strike``: what the ledger gains before it and loses after it; ``notes``: what is left.
    """

    name: str
    type: str
    now: RecordSet | None
    ttl: int
    going: Mapping[str, str]
    coming: Mapping[str, str]
    enter: tuple[Claim, ...] = ()
    strike: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def before(self) -> tuple[str, ...]:
        """The canonical values that stand there now."""
        return tuple(canonical(self.type, text) for text in self.now.values) if self.now else ()

    @property
    def result(self) -> tuple[str, ...]:
        """The canonical values that will stand there."""
        return (*(v for v in self.before if v not in self.going), *self.coming)

    def writes(self) -> Iterator[Write]:
        """Yield the changes; a value that takes the slot of one that goes replaces it in one step."""
        going, ttl = dict(self.going), self.ttl
        adds, drops = (tuple(c.value for c in claims if c.mechanism) for claims in (self.enter, self.strike))
        for value, text in sorted(self.coming.items()):
            place = slot(self.name, self.type, value)
            old = next((g for g in going if place and slot(self.name, self.type, g) == place), None)
            if old is None:
                yield Create(self.name, self.type, ttl, text, _COMES, Stage.EXPAND)
            else:
                yield Update(
                    self.name, self.type, ttl, text, _COMES, Stage.EXPAND, going.pop(old), self._now_ttl, adds, drops
                )
        for _, text in sorted(going.items()):
            yield Delete(self.name, self.type, _GOES, Stage.EXPAND, text)
        if self.now and not self.coming and ttl != self.now.ttl and self.result:
            value = self.result[0]
            seen = self.now.values[self.before.index(value)]
            yield Update(self.name, self.type, ttl, value, _COMES, Stage.EXPAND, seen, self.now.ttl)

    @property
    def _now_ttl(self) -> int:
        return self.now.ttl if self.now else self.ttl


def wanted(apply: Apply) -> frozenset[Key]:
    """Return the record sets that ``reverses`` has to see."""
    return frozenset((e.name, e.type) for e in apply.edits)


def reverses(apply: Apply, served: Iterable[RecordSet], ledger: Iterable[Claim]) -> tuple[Reverse, ...]:
    """Return what becomes of each record set of an apply, without those of which nothing of it is left to undo.

    Arguments: ``served``: what the provider read for ``wanted``; ``ledger``: all claims.
    """
    have = {s.key: s for s in served}
    claims = [c for c in ledger if c.zone == apply.zone]
    found = (_reverse(e, have.get((e.name, e.type)), _at(e, claims), _at(e, apply.struck)) for e in apply.edits)
    return tuple(r for r in found if r.notes or r.enter or any(r.writes()))


def changes(zone: str, undone: Iterable[Reverse]) -> Changes:
    """Return the writes of some reverses as changes of their zone."""
    return Changes(zone, tuple(w for r in undone for w in r.writes()))


def stories(undone: Collection[Reverse], keys: Collection[DkimKey]) -> tuple[DkimKey, ...]:
    """Return the keys whose stage changes once the reverses are applied: one without a record is not published."""
    going = {r.name for r in undone if r.going and not r.coming}
    coming = {r.name for r in undone if r.coming}
    back = [
        replace(k, stage=KeyStage.GENERATED, served_since=None) for k in keys if _told(k, KeyStage.PUBLISHED, going)
    ]
    return (*back, *(replace(k, stage=KeyStage.PUBLISHED) for k in keys if _told(k, KeyStage.GENERATED, coming)))


def _told(key: DkimKey, stage: KeyStage, names: Collection[str]) -> bool:
    return key.stage is stage and key.txt_name in names


def _reverse(edit: Edited, now: RecordSet | None, claims: Collection[Claim], struck: Collection[Claim]) -> Reverse:
    before, after, seen = _values(edit, edit.before), _values(edit, edit.after), _values(edit, now)
    owned = {canonical(c.type, c.value): c for c in claims if not c.mechanism}
    values = [v for v in after if v not in before and slot(edit.name, edit.type, v) != "SPF"]
    going = {v: seen[v] for v in values if v in seen and v in owned}
    coming = {
        v: text
        for v, text in before.items()
        if v not in after and v not in seen and slot(edit.name, edit.type, v) != "SPF"
    }
    # A claim on what comes back: struck by that apply, or still in the ledger with its clock running.
    returning = {
        canonical(c.type, c.value): replace(c, left=None, withdrawn=False)
        for c in (*struck, *claims)
        if not c.mechanism
    }
    notes = tuple(_left(edit, v) for v in values if v in seen and v not in owned)
    whole = Reverse(
        edit.name,
        edit.type,
        now,
        _ttl(edit, now),
        going,
        coming,
        tuple(returning[v] for v in coming if v in returning),
        tuple(owned[v] for v in going),
        notes,
    )
    return _with_spf(whole, edit, claims, struck) if edit.type == "TXT" else whole


def _with_spf(whole: Reverse, edit: Edited, claims: Collection[Claim], struck: Collection[Claim]) -> Reverse:
    before, after, now = (_spf(edit.name, found) for found in (edit.before, edit.after, whole.now))
    if before == after or (now is None and after is not None):
        return whole
    owned = {c.value: c for c in claims if c.mechanism}
    try:
        text = _unmerged(before, after, now, owned)
    except SpfSyntaxError as error:
        return replace(whole, notes=(*whole.notes, f"TXT {edit.name}: left, because it is {error}"))
    stays, had, was = (terms_of(t) if t is not None else () for t in (text, after, before))
    foreign = tuple(_left(edit, t) for t in had if t not in was and t in stays and t not in owned)
    whole = replace(whole, notes=(*whole.notes, *foreign))
    if text == now:
        return whole
    returning = {c.value: replace(c, left=None) for c in (*struck, *claims) if c.mechanism}
    back = tuple(returning[t] for t in was if t not in had and t in stays and t in returning)
    gone = tuple(c for term, c in owned.items() if term in had and term not in was and term not in stays)
    living = {canonical("TXT", v): v for v in (whole.now.values if whole.now else ())}
    return replace(
        whole,
        going={**whole.going, **({_record(now): living[_record(now)]} if now is not None else {})},
        coming={**whole.coming, **({_record(text): _as_read(edit, text)} if text is not None else {})},
        enter=(*whole.enter, *back),
        strike=(*whole.strike, *gone),
    )


def _unmerged(before: str | None, after: str | None, now: str | None, owned: Collection[str]) -> str | None:
    """Return the SPF record without the terms that an apply added and that are still ours, with those it removed."""
    was, had = Counter(terms_of(before) if before else ()), Counter(terms_of(after) if after else ())
    added, removed = had - was, was - had
    if now == after and all(term in owned for term in added):
        return before
    ours = [term for term in added if term in owned]
    back = [term for term in removed if not _is_all(term)]
    verdict = next((term for term in removed if _is_all(term)), None)
    living = [term for term in terms_of(now or "v=spf1") if not (term in ours and not _is_all(term))]
    if before is None and all(_is_all(term) and term in ours for term in living):
        return None
    # The verdict that was ours before comes back only where ours rules now; else it stays as somebody else has it.
    rules = [term for term in ours if _is_all(term)] if verdict else []
    drop = [term for term in ours if not _is_all(term)]
    return merged(now, back, [*drop, *rules], verdict or "~all")


def _spf(name: str, found: Content | RecordSet | None) -> str | None:
    values = found.values if found else ()
    # An apply never makes a second one; of two that somebody made, none is touched.
    spf = [joined(v).decode("latin-1") for v in values if slot(name, "TXT", canonical("TXT", v)) == "SPF"]
    return spf[0] if len(spf) == 1 else None


def _as_read(edit: Edited, text: str) -> str:
    """Return an SPF record as it stood there, quoting and all, if it is the one that stood there."""
    before = _values(edit, edit.before)
    return before.get(_record(text), _record(text))


def _left(edit: Edited, value: str) -> str:
    return f"{edit.type} {edit.name} {value}: written by that apply and not in the ledger any more: it stays"


def _record(text: str) -> str:
    return txt(text.encode("latin-1"))


def _is_all(term: str) -> bool:
    return term.lstrip("+-~?") == "all"


def _ttl(edit: Edited, now: RecordSet | None) -> int:
    """Return the TTL from before the apply, unless somebody else has changed it or the values since."""
    if edit.before is None:
        return now.ttl if now else 0
    if now is None or edit.after is None:
        return now.ttl if now else edit.before.ttl
    known = {*_values(edit, edit.before), *_values(edit, edit.after)}
    same = now.ttl == edit.after.ttl and known >= set(_values(edit, now))
    return edit.before.ttl if same else now.ttl


def _values(edit: Edited, found: Content | RecordSet | None) -> dict[str, str]:
    return {canonical(edit.type, text): text for text in found.values} if found else {}


def _at(edit: Edited, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    return tuple(c for c in claims if (c.name, c.type) == (edit.name, edit.type))
