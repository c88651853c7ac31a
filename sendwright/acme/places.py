"""Where the answers to ``dns-01`` challenges belong: in which zone, and who keeps it, aliases followed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sendwright.acme.faults import Faults, refuse
from sendwright.acme.hindrances import not_writable
from sendwright.acme.lookup import LONGEST_CHAIN
from sendwright.acme.proof import Challenge
from sendwright.acme.provable import writable
from sendwright.dns.freshness import Target
from sendwright.dns.providers.base import Provider, RecordSet
from sendwright.dns.rdata import plain_name, txt
from sendwright.dns.records import provider_of
from sendwright.errors import DnsError, NotProvable, ServerUnreachable
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
    """The providers of an inventory, each opened when it is first needed. ``base``: where relative paths start.

    ``silent``: those that said nothing, and why: there may be a hundred zones, and each would take its time again.
    """

    stack: Stack
    base: Path
    opener: Open
    silent: dict[str, ServerUnreachable] = field(default_factory=dict)
    _open: dict[str, Provider] = field(default_factory=dict)

    def __getitem__(self, entry: str) -> Provider:
        """Return the provider of an entry of ``dns``; raises what opening it does."""
        if entry not in self._open:
            self._open[entry] = self.opener(self.stack.dns[entry], self.base)
        return self._open[entry]

    def read(self, entry: str, zone: str, names: Iterable[str]) -> tuple[RecordSet, ...]:
        """Return the TXT records of a zone at these names, or aliases in their place; raises what providers do."""
        if entry in self.silent:
            raise self.silent[entry]
        try:
            return self[entry].read(zone, [(name, "TXT") for name in sorted({*names})])
        except ServerUnreachable as error:
            self.silent[entry] = error
            raise

    def zones(self, names: Iterable[str]) -> tuple[dict[str, tuple[str, str]], Faults]:
        """Return the entry and the zone of each name that is ours to write, and why others' are not known."""
        mine: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            if writable(self.stack, name) and (entry := provider_of(self.stack, name)):
                mine[entry].append(name)
        where: dict[str, tuple[str, str]] = {}
        faults: Faults = {}
        for entry, here in mine.items():
            found, failed = self._zones(self[entry], here)
            where |= {name: (entry, zone) for name, zone in found.items()}
            faults |= failed
        return where, faults

    def aliases(self, where: Mapping[str, tuple[str, str]]) -> tuple[dict[str, str], Faults]:
        """Return what names are aliases of, and why that is not known of others; ``where``: as ``zones`` has it."""
        zones: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, place in where.items():
            zones[place].append(name)
        found: dict[str, str] = {}
        faults: Faults = {}
        for (entry, zone), here in zones.items():
            try:
                served = self.read(entry, zone, here)
            except DnsError as error:
                faults |= dict.fromkeys(here, error)
            else:
                found |= {r.name: plain_name(r.values[0]) for r in served if r.type == "CNAME"}
        return found, faults

    @staticmethod
    def _zones(keeper: Provider, names: Sequence[str]) -> tuple[Mapping[str, str], Faults]:
        try:
            return keeper.zones(names), {}
        except ServerUnreachable as error:
            return {}, dict.fromkeys(names, error)
        except DnsError:
            # It keeps some of them: each has its own fate.
            found: dict[str, str] = {}
            faults: Faults = {}
            for name in names:
                try:
                    found |= keeper.zones([name])
                except DnsError as error:
                    faults[name] = error
            return found, faults


def places(challenges: Collection[Challenge], keepers: Keepers, note: Callable[[str], None]) -> dict[Place, str]:
    """Return where the answers belong, each with the name that it proves; ``note`` is told of each alias on the way.

    The name of a challenge may be an alias of another (RFC 8555 section 8.4), as long as it leads to zones of ours.
    Raises NotShown with all names whose answers have no place.
    """
    keepers.silent.clear()
    found: dict[Place, str] = {}
    lost: Faults = {}
    ways = {challenge: [challenge.record_name] for challenge in challenges}
    while ways:
        where, faults = keepers.zones({way[-1] for way in ways.values()})
        aliases, unread = keepers.aliases(where)
        for challenge, way in list(ways.items()):
            at = way[-1]
            target = aliases.get(at)
            if error := (faults | unread).get(at) or _astray(challenge, way, target, known=at in where):
                lost[challenge.name] = error
                del ways[challenge]
            elif target:
                note(f"{at} is an alias: the answer belongs at {plain(target)}")
                way.append(target)
            else:
                entry, zone = where[at]
                found[Place(zone, at, txt(challenge.record_text), entry)] = challenge.name
                del ways[challenge]
    refuse(lost)
    return found


def _astray(challenge: Challenge, way: Sequence[str], target: str | None, *, known: bool) -> NotProvable | None:
    name, at = challenge.name, way[-1]
    if not known:
        led = "".join(f"{here} is an alias (CNAME) of {plain(there)}, and " for here, there in pairwise(way))
        return not_writable(name, name, f"{led}its zone is not ours to write")
    if target and (target in way or len(way) > LONGEST_CHAIN):
        return not_writable(name, name, f"{at} is an alias (CNAME) that leads nowhere: to {plain(target)}, and back")
    return None
