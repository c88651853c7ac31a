"""Where the answers to ``dns-01`` challenges belong: in which zone, and who keeps it, aliases followed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sendwright.acme.hindrances import alias, not_writable
from sendwright.acme.lookup import LONGEST_CHAIN
from sendwright.acme.proof import Challenge
from sendwright.dns.freshness import Target
from sendwright.dns.providers.base import Provider
from sendwright.dns.rdata import plain_name, txt
from sendwright.dns.records import provider_of
from sendwright.errors import NotProvable
from sendwright.escape import plain
from sendwright.looking import Open
from sendwright.publication import Internet
from sendwright.stack import Stack


@dataclass(frozen=True, order=True)
class Place:
    """Where an answer belongs; ``value``: canonical text; ``dns``: the entry of the inventory that keeps the zone."""

    zone: str
    name: str
    value: str
    dns: str = field(compare=False)

    @property
    def target(self) -> Target:
        """What name servers have to serve."""
        return Target(self.zone, self.name, "TXT", self.value)


@dataclass
class Keepers:
    """The providers of an inventory, each opened when it is first needed. ``base``: where relative paths start."""

    stack: Stack
    base: Path
    opener: Open
    _open: dict[str, Provider] = field(default_factory=dict)

    def __getitem__(self, entry: str) -> Provider:
        """Return the provider of an entry of ``dns``; raises what opening it does."""
        if entry not in self._open:
            self._open[entry] = self.opener(self.stack.dns[entry], self.base)
        return self._open[entry]

    def zones(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return the entry and the zone of each name that is ours to write."""
        mine: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            if entry := provider_of(self.stack, name):
                mine[entry].append(name)
        lies_in = ((entry, self[entry].zones(here)) for entry, here in mine.items())
        return {name: (entry, zone) for entry, zones in lies_in for name, zone in zones.items()}

    def aliases(self, where: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Return what names are aliases of; ``where``: as ``zones`` has it."""
        zones: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, place in where.items():
            zones[place].append(name)
        read = (self[entry].read(zone, [(n, "TXT") for n in here]) for (entry, zone), here in zones.items())
        return {r.name: plain_name(r.values[0]) for served in read for r in served if r.type == "CNAME"}


def places(
    challenges: Collection[Challenge], keepers: Keepers, internet: Internet, note: Callable[[str], None]
) -> frozenset[Place]:
    """Return where the answers belong; ``note`` is told of each alias on the way.

    A name may be an alias of one in a zone of ours, in whoever's zone it lies itself (RFC 8555 section 8.4). Raises
    NotProvable where the way ends elsewhere, and what providers do.
    """
    found: set[Place] = set()
    ways = {challenge: [challenge.record_name] for challenge in challenges}
    while ways:
        heads = {way[-1] for way in ways.values()}
        where = keepers.zones(heads)
        aliases = keepers.aliases(where) | _elsewhere(heads - where.keys(), internet)
        for challenge, way in list(ways.items()):
            name = way[-1]
            if target := aliases.get(name):
                _refuse_circle(challenge.name, target, way)
                note(f"{name} is an alias: the answer belongs at {plain(target)}")
                way.append(target)
            elif name in where:
                entry, zone = where[name]
                found.add(Place(zone, name, txt(challenge.record_text), entry))
                del ways[challenge]
            else:
                raise not_writable(challenge.name, challenge.name)
    return frozenset(found)


def _elsewhere(names: Iterable[str], internet: Internet) -> dict[str, str]:
    """Return what names are aliases of that lie in nobody's zone that we can write."""
    ask, resolver = internet.ask, internet.resolver()
    led = ((name, alias(name, ask, resolver)) for name in sorted(names))
    return {name: target for name, target in led if target}


def _refuse_circle(name: str, target: str, way: Collection[str]) -> None:
    if target in way or len(way) > LONGEST_CHAIN:
        what = f"_acme-challenge.{name} is an alias (CNAME) that leads nowhere: {plain(target)} comes again."
        raise NotProvable(name, what, "Let it lead to a name in a zone of ours.")
