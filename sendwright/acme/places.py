"""Where the answers to ``dns-01`` challenges belong: in which zone, and who keeps it, aliases followed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sendwright.acme.hindrances import not_writable
from sendwright.acme.lookup import LONGEST_CHAIN
from sendwright.acme.proof import Challenge
from sendwright.acme.provable import writable
from sendwright.dns.freshness import Target
from sendwright.dns.providers.base import Provider
from sendwright.dns.rdata import plain_name, txt
from sendwright.dns.records import provider_of
from sendwright.escape import plain
from sendwright.looking import Open
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
            if writable(self.stack, name) and (entry := provider_of(self.stack, name)):
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


def places(challenges: Collection[Challenge], keepers: Keepers, note: Callable[[str], None]) -> frozenset[Place]:
    """Return where the answers belong; ``note`` is told of each alias on the way.

    The name of a challenge may be an alias of another (RFC 8555 section 8.4), as long as it leads to zones of ours.
    Raises NotProvable where it does not, and what providers do.
    """
    found: set[Place] = set()
    ways = {challenge: [challenge.record_name] for challenge in challenges}
    while ways:
        where = keepers.zones({way[-1] for way in ways.values()})
        aliases = keepers.aliases(where)
        for challenge, way in list(ways.items()):
            at = way[-1]
            if at not in where:
                led = "".join(f"{name} is an alias (CNAME) of {plain(to)}, and " for name, to in pairwise(way))
                raise not_writable(challenge.name, challenge.name, f"{led}its zone is not ours to write")
            if target := aliases.get(at):
                if target in way or len(way) > LONGEST_CHAIN:
                    what = f"{at} is an alias (CNAME) that leads nowhere: {plain(target)} was there before"
                    raise not_writable(challenge.name, challenge.name, what)
                note(f"{at} is an alias: the answer belongs at {plain(target)}")
                way.append(target)
            else:
                entry, zone = where[at]
                found.add(Place(zone, at, txt(challenge.record_text), entry))
                del ways[challenge]
    return frozenset(found)
