"""Where names lie and what stands there, by as few questions and transfers as a name server allows.

A zone that was transferred says of all its names at once that they lie in it, but for those below a delegation (an NS
set below its apex, RFC 1034 section 4.2.1): they lie in a child zone, which the server may keep too. It may even keep a
child zone that nothing delegates, and then answers from that. So a domain of which the zone above holds no name that is
wanted is asked about, by one question; a domain that was published once takes none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sendwright.dns.providers.base import Key
from sendwright.dns.providers.transfer import Copy, NotTransferred, declarable
from sendwright.dns.transport import Ask
from sendwright.dns.zones import NotHere, ancestry, delegation_above, not_kept, owner, verdicts

# So few questions go out at the same time and are answered in one round trip, before a transfer has begun.
FEW = 3
# Record sets that are held at most between finding zones and reading them: some hundred megabytes.
_MOST_HELD = 300_000


@dataclass(frozen=True)
class _Outline:
    """What a transfer says of where names lie: the names that own something, and those that are delegated."""

    owners: frozenset[str]
    cuts: frozenset[str]


@dataclass
class Atlas:
    """What one server said so far: no question is put twice, and who asks where and who asks what share a transfer.

    Arguments: ``title``: how errors call the server; ``fetch`` transfers what is to be kept of a zone, or raises
    NotTransferred. ``hung``: a transfer was waited for in vain; none is tried again.
    """

    server: str
    title: str
    ask: Ask
    fetch: Callable[[str, Callable[[Key], bool]], Copy]
    hung: bool = False
    _said: dict[str, str | NotHere] = field(default_factory=dict)
    _zones: set[str] = field(default_factory=set)
    _outlines: dict[str, _Outline] = field(default_factory=dict)
    _copies: dict[str, Copy] = field(default_factory=dict)
    _held: int = 0
    _closed: set[str] = field(default_factory=set)

    def locate(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone of every name.

        Raises ServerUnreachable, or one NotAllowed about all names whose zone the server does not keep.
        """
        names = sorted(set(names))
        if len(names) <= FEW:
            self._put(names)
        else:
            questions = _one_of_siblings(self._questions(names))
            while questions:
                self._put(questions)
                self._survey(names)
                questions = self._questions(names)
        found = {name: self._said.get(name, self._nearest(name)) for name in names}
        failures = {name: zone.why for name, zone in found.items() if isinstance(zone, NotHere)}
        if failures:
            raise not_kept(failures, self.title)
        return {name: zone for name, zone in found.items() if isinstance(zone, str)}

    def taken(self, zone: str) -> Copy | None:
        """Return the transfer by which the zone was found, once: who reads again wants to know what is new."""
        self._outlines.pop(zone, None)
        copy = self._copies.pop(zone, None)
        self._held -= len(copy.sets) if copy else 0
        return copy

    def transferred(self, zone: str, keep: Callable[[Key], bool]) -> Copy | None:
        """Transfer a zone; None if the server does not hand it over, which is tried once."""
        if self.hung or zone in self._closed:
            return None
        try:
            return self.fetch(zone, keep)
        except NotTransferred as error:
            self.hung = error.hung
            self._closed.add(zone)
            return None

    def _put(self, questions: Collection[str]) -> None:
        said = verdicts((name for name in questions if name not in self._said), self.ask, self.server, self.title)
        self._said |= said
        self._zones |= {zone for zone in said.values() if isinstance(zone, str)}

    def _nearest(self, name: str) -> str | None:
        return next((above for above in ancestry(name) if above in self._zones), None)

    def _survey(self, names: Collection[str]) -> None:
        """Transfer the zones of which names are left to be located, unless they are so few that asking is as cheap."""
        zones = {name: self._nearest(name) for name in names}
        count = Counter(zones.values())
        left = {zone for name, zone in zones.items() if zone is not None and name not in self._said}
        for zone in sorted(zone for zone in left - self._outlines.keys() if count[zone] > FEW):
            copy = self.transferred(zone, declarable)
            if copy is None:
                continue
            owners, cuts = (name for name, _ in copy.sets), (n for n, kind in copy.sets if kind == "NS" and n != zone)
            self._outlines[zone] = _Outline(frozenset(owners), frozenset(cuts))
            if self._held + len(copy.sets) <= _MOST_HELD:
                self._copies[zone] = copy
                self._held += len(copy.sets)

    def _questions(self, names: Iterable[str]) -> set[str]:
        """Return what to ask about next; nothing if the zone of every name is known."""
        unknown, questions = set(), set()
        inside: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name in names:
            if name in self._said:
                continue
            zone = self._nearest(name)
            outline = self._outlines.get(zone) if zone is not None else None
            if zone is None or (outline and delegation_above(name, zone, outline.cuts)):
                unknown.add(name)
            elif outline is None:
                questions.add(name)
            else:
                inside[zone, _domain(name)].add(name)
        return questions | set(_uppermost(unknown)) | set(self._doubtful(inside))

    def _doubtful(self, inside: Mapping[tuple[str, str], Collection[str]]) -> Iterator[str]:
        """Yield the domains that may be zones of their own, of which the zone above does not know."""
        for (zone, domain), names in inside.items():
            known = self._outlines[zone].owners
            if domain.endswith("." + zone) and domain not in self._said and known.isdisjoint({domain, *names}):
                yield domain


def _domain(name: str) -> str:
    """Return the domain that a name is about, or that a host's name lies in."""
    above = owner(name)
    return above if above != name else name.partition(".")[2]


def _uppermost(names: Collection[str]) -> Iterator[str]:
    return (name for name in names if not any(above in names for above in ancestry(name.partition(".")[2])))


def _one_of_siblings(names: Iterable[str]) -> set[str]:
    """Return one name of those with the same parent: if its zone lies above it, that may be the zone of all."""
    return set({name.partition(".")[2]: name for name in sorted(names, reverse=True)}.values())
