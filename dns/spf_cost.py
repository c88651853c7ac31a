"""What an SPF record costs its receivers at worst: the terms that ask the DNS, and the void answers (RFC 7208, 4.6.4).

At worst for any sender: whoever is matched late. Included records and redirects are followed; what can never be reached
costs nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sendwright.dns.spf import QUERYING, Directive, Modifier, SpfRecord, SpfSyntaxError, parse
from sendwright.dns.spf_lookup import Answer, Lookup, records_of, valid_name
from sendwright.dns.spf_macros import MacroString, expand, truncated
from sendwright.dns.spf_session import LOOKUPS, NAMES, VOIDS
from sendwright.escape import plain

# Records of others are followed within bounds: all are far behind the limit of ten.
_DEEPEST = 20
_MOST_QUESTIONS = 500
_MOST_SECONDS = 60.0
_MOST_PROBLEMS = 20
_MOST_SHOWN = 20
_LONGEST_SHOWN = 300
_FAMILIES = ("A", "AAAA")


@dataclass(frozen=True)
class Item:
    """One term of the record, as written, and how many terms that ask the DNS it stands for."""

    term: str
    lookups: int

    def __str__(self) -> str:
        shown = self.term if len(self.term) <= _LONGEST_SHOWN else self.term[: _LONGEST_SHOWN - 1] + "…"
        return f"{shown} {self.lookups}"


@dataclass(frozen=True)
class Cost:
    """The worst case of a record: what each term of its own costs, the void lookups, and what is wrong behind it.

    ``dead``: those void lookups that senders of either family cause, whoever they are; ``late``: the void lookups
    before the pass of a sender who is listed.
    """

    items: tuple[Item, ...]
    voids: int
    problems: tuple[str, ...] = ()
    dead: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        """The terms that ask the DNS."""
        return sum(item.lookups for item in self.items)

    @property
    def over(self) -> bool:
        """Whether some sender gets a permerror for more than ten terms that ask the DNS."""
        return self.total > LOOKUPS

    @property
    def voids_over(self) -> bool:
        """Whether some sender gets a permerror for more than two void lookups."""
        return self.voids > VOIDS

    def __str__(self) -> str:
        if not self.items:
            return f"0 of {LOOKUPS}"
        more = [f"and {len(self.items) - _MOST_SHOWN} more"] if len(self.items) > _MOST_SHOWN else []
        return f"{', '.join([*map(str, self.items[:_MOST_SHOWN]), *more])} = {self.total} of {LOOKUPS}"


def cost(domain: str, record: SpfRecord, lookup: Lookup, clock: Callable[[], float] = time.monotonic) -> Cost:
    """Count what a record at a domain costs at worst, over senders of both families; never raises for what it finds.

    A name that depends on the sender counts as one lookup, and as void if that can be; a record behind such a name
    cannot be followed, which is one of the ``problems``. ``clock``: seconds, by which the questions end some time.
    """
    asked = _Asked(lookup, clock, clock() + _MOST_SECONDS)
    counts = [_Count(asked, domain, family) for family in _FAMILIES]
    paths = [list(_ends(count.steps(record, domain, (domain.lower(),)))) for count in counts]
    worst = max((end for ends in paths for end in ends), key=lambda end: end.worst.lookups)
    voids = max(end.worst.voids for ends in paths for end in ends)
    dead = min(max(end.worst.dead for end in ends) for ends in paths)
    late = max((end.worst.voids for ends in paths for end in ends if end.passes), default=0)
    problems = dict.fromkeys(plain(problem) for count in counts for problem in count.problems)
    return Cost(tuple(worst.items), voids, tuple(problems)[:_MOST_PROBLEMS], dead, late)


@dataclass(frozen=True)
class _Worst:
    """The most lookups, void ones, and void ones for whoever sends, on any way to one place."""

    lookups: int = 0
    voids: int = 0
    dead: int = 0

    def __add__(self, other: "_Worst") -> "_Worst":
        return _Worst(self.lookups + other.lookups, self.voids + other.voids, self.dead + other.dead)

    def __or__(self, other: "_Worst | None") -> "_Worst":
        if other is None:
            return self
        return _Worst(max(self.lookups, other.lookups), max(self.voids, other.voids), max(self.dead, other.dead))


@dataclass(frozen=True)
class _Step:
    """One term: what it costs where the evaluation ends at it with a pass, with another result, or goes on behind it.

    None where that cannot be.
    """

    term: str
    passes: _Worst | None
    denies: _Worst | None
    goes_on: _Worst | None


@dataclass(frozen=True)
class _End:
    """One way through a record."""

    passes: bool
    worst: _Worst
    trail: "_Trail | None"

    @property
    def items(self) -> list[Item]:
        """What each term on it costs, in their order."""
        found, trail = [], self.trail
        while trail is not None:
            found.append(trail.item)
            trail = trail.before
        return found[::-1]


@dataclass(frozen=True)
class _Trail:
    """A way so far: ways that begin alike share it, or those of a record of 30,000 terms would take gigabytes."""

    item: Item
    before: "_Trail | None"


def _ends(steps: Iterator[_Step]) -> Iterator[_End]:
    so_far, trail = _Worst(), None
    for step in steps:
        for passes, worst in ((True, step.passes), (False, step.denies)):
            if worst is not None:
                yield _End(passes, so_far + worst, _on(trail, step, worst))
        if step.goes_on is None:
            return
        so_far, trail = so_far + step.goes_on, _on(trail, step, step.goes_on)


def _on(trail: _Trail | None, step: _Step, worst: _Worst) -> _Trail | None:
    return _Trail(Item(step.term, worst.lookups), trail) if worst.lookups else trail


class _Unknown(Exception):
    """Report a name that depends on the sender."""


@dataclass
class _Asked:
    """The questions so far: each is asked once, and not without end."""

    lookup: Lookup
    clock: Callable[[], float]
    until: float
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def __call__(self, name: str, rdtype: str) -> Answer:
        key = (name.removesuffix(".").lower(), rdtype)
        if key not in self.answers:
            if len(self.answers) >= _MOST_QUESTIONS:
                return Answer(failure=f"not asked: it takes more than {_MOST_QUESTIONS} questions to count this record")
            if self.clock() > self.until:
                return Answer(failure=f"not asked: it takes more than {_MOST_SECONDS:g} s to count this record")
            self.answers[key] = self.lookup(*key) if valid_name(name) else Answer()
        return self.answers[key]


@dataclass
class _Count:
    """The count for senders of one family; records that were followed once are known."""

    ask: _Asked
    sender_domain: str
    family: str
    problems: list[str] = field(default_factory=list)
    known: dict[str, tuple[_Worst | None, _Worst | None]] = field(default_factory=dict)

    def steps(self, record: SpfRecord, domain: str, above: tuple[str, ...]) -> Iterator[_Step]:
        """Yield the terms in the order of the evaluation, each with what it costs."""
        for directive in record.directives:
            match, goes_on = self._directive(directive, domain, above)
            passes = directive.qualifier == "+"
            yield _Step(directive.text, match if passes else None, None if passes else match, goes_on)
        if record.redirect is None:
            yield _Step("", None, _Worst(), None)
        else:
            passing, other = self._behind(record.redirect, record.redirect.value, domain, above)
            yield _Step(record.redirect.text, passing, other, None)

    def _directive(
        self, directive: Directive, domain: str, above: tuple[str, ...]
    ) -> tuple[_Worst | None, _Worst | None]:
        """Return what a directive costs where it matches, and where it does not."""
        if directive.network is not None:
            own = (directive.network.version == 4) == (self.family == "A")
            return _Worst() if own else None, None if own and directive.network.prefixlen == 0 else _Worst()
        if directive.mechanism not in QUERYING:
            return _Worst(), None
        if directive.mechanism == "include" and directive.domain is not None:
            return self._behind(directive, directive.domain, domain, above)
        void = self._void(directive, domain)
        # A name without records matches nobody of the family.
        return None if void.dead else _Worst(1), _Worst(1) + void

    def _void(self, directive: Directive, domain: str) -> _Worst:
        """Return whether a sender may get, and whether all get, a void answer to the term's own question."""
        if directive.mechanism == "ptr":
            return _Worst(voids=1)
        try:
            name = self._target(directive.domain, domain)
        except _Unknown:
            return _Worst(voids=1)
        rdtype = {"mx": "MX", "exists": "A"}.get(directive.mechanism, self.family)
        answer = self.ask(name, rdtype)
        if answer.failure:
            self.problems.append(f"{directive.text} at {domain} cannot be looked up: {answer.failure}")
        if rdtype == "MX" and len(answer.values) > NAMES:
            self.problems.append(
                f"{directive.text} at {domain} has {len(answer.values)} MX records, {NAMES} are allowed"
            )
        void = int(answer.void and valid_name(name))
        return _Worst(voids=void, dead=void)

    def _behind(
        self, term: Directive | Modifier, spec: MacroString, domain: str, above: tuple[str, ...]
    ) -> tuple[_Worst | None, _Worst | None]:
        """Return what an include or a redirect costs where the record behind it passes, and where it does not."""
        one = _Worst(1)
        try:
            target = self._target(spec, domain).lower()
        except _Unknown:
            self.problems.append(f"{term.text} at {domain} depends on the sender: what is behind it is not counted")
            return one, one
        if target in above or len(above) > _DEEPEST:
            self.problems.append(
                f"{term.text} at {domain} leads to itself, or too deep: a permerror for who gets there"
            )
            return None, _Worst(LOOKUPS + 1)
        if target not in self.known:
            self.known[target] = self._followed(term, target, domain, above)
        passing, other = self.known[target]
        return passing and one + passing, other and one + other

    def _followed(
        self, term: Directive | Modifier, target: str, domain: str, above: tuple[str, ...]
    ) -> tuple[_Worst | None, _Worst | None]:
        answer = self.ask(target, "TXT")
        records = records_of(answer)
        problem = answer.failure or f"{len(records) or 'no'} SPF record{'s' if len(records) > 1 else ''} at {target}"
        if len(records) == 1:
            try:
                record = parse(records[0])
            except SpfSyntaxError as error:
                problem = str(error)
            else:
                return self._paths(record, target, above)
        # Whoever gets there gets an error now; what comes after it counts as soon as that is mended.
        self.problems.append(f"{term.text} at {domain} leads to an error: {problem}")
        return None, _Worst(0, int(answer.void), int(answer.void))

    def _paths(self, record: SpfRecord, domain: str, above: tuple[str, ...]) -> tuple[_Worst | None, _Worst | None]:
        passing: _Worst | None = None
        other: _Worst | None = None
        for end in _ends(self.steps(record, domain, (*above, domain))):
            if end.passes:
                passing = end.worst | passing
            else:
                other = end.worst | other
        return passing, other

    def _target(self, spec: MacroString | None, domain: str) -> str:
        return domain if spec is None else truncated(expand(spec, lambda letter: self._value(letter, domain)))

    def _value(self, letter: str, domain: str) -> str:
        values = {"d": domain, "o": self.sender_domain, "v": "in-addr" if self.family == "A" else "ip6"}
        if letter not in values:
            raise _Unknown
        return values[letter]
