"""What large benchmarks declare, and a provider in memory that keeps it, foreign records and all."""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sendwright import inventory, planning
from sendwright.dns.edits import as_plan
from sendwright.dns.providers.base import Edit, Key, Provider, RecordSet
from sendwright.dns.zones import ancestry
from sendwright.plan import Change, Stage
from sendwright.publishing import Zones
from sendwright.stack import KeyStore, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, State

#: When everything is declared, planned and published.
NOW = datetime(2026, 11, 1, tzinfo=UTC)
#: The zone that holds every domain, where there is one zone only.
PARENT = "example.com"
_HOSTS = 4
#: A place in memory, where there is one.
SHM = Path("/dev/shm")  # noqa: S108 - what is made there is a folder of its own


@dataclass
class Memory:
    """A provider in memory: each zone's record sets by name and type."""

    held: dict[str, dict[Key, RecordSet]] = field(default_factory=dict)
    title: str = "the memory"
    margin: int = 0

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone of each name."""
        return {name: next(above for above in ancestry(name) if above in self.held) for name in names}

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return what is wanted of a zone, by a look at all of it, as it is with a server that hands over a zone."""
        return tuple(found for key, found in self.held[zone].items() if key in wanted)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply edits."""
        held = self.held[zone]
        for edit in edits:
            held.pop((edit.name, edit.type), None)
            if edit.after:
                held[edit.after.key] = edit.after


@dataclass(frozen=True)
class Declared:
    """So many domains, their keys, and the folder that remembers what was published of them.

    ``held``: what stands in the memory, zone by zone.
    """

    stack: Stack
    keys: tuple[DkimKey, ...]
    provider: Provider
    held: Mapping[str, Mapping[Key, RecordSet]]
    folder: StateFolder

    def look(self) -> Zones:
        """Look at every zone."""
        claims = self.folder.load().claims
        return Zones.look(self.stack, self.keys, claims, self.folder.path, lambda *_: self.provider, now=NOW)

    def plan(self) -> tuple[Change, ...]:
        """Look at every zone, and return what a person would be shown."""
        return tuple(change for zone in self.look().found.values() for change in as_plan(zone.changes))

    def publish(self) -> None:
        """Look, and publish all of it."""
        zones = self.look()
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH):
            zones.publish(self.folder, stage)
        if zones.errors:
            raise next(iter(zones.errors.values()))


@contextmanager
def declared(domains: int, *, one_zone: bool = False, foreign: int = 0) -> Iterator[Declared]:
    """Declare domains on four hosts, in a zone each or all in one that holds so many ``foreign`` records besides."""
    names = [f"domain-{n}.{PARENT}" if one_zone else f"domain-{n}.example" for n in range(domains)]
    stack = _stack(names)
    keys = tuple(replace(k, public=_public(k)) for k in planning.planned(stack, State(), NOW).keys)
    provider = Memory({zone: {} for zone in ([PARENT] if one_zone else [*names, PARENT])})
    for line in strangers(foreign):
        provider.held[PARENT][line.key] = line
    # In memory where there is such a place: what a disk takes for each flush says nothing about us.
    path = Path(tempfile.mkdtemp(prefix="sendwright-bench-", dir=SHM if SHM.is_dir() else None))
    try:
        yield Declared(stack, keys, provider, provider.held, StateFolder(path / "state", KeyStore()))
    finally:
        shutil.rmtree(path)


def strangers(count: int, zone: str = PARENT) -> Iterator[RecordSet]:
    """Yield so many records of other people, no two of them in the same record set."""
    for number in range(count):
        name = f"foreign-{number}.{zone}"
        if number % 2:
            yield RecordSet(name, "TXT", 300, (f'"somebody else\'s text, number {number}"',))
        else:
            yield RecordSet(name, "A", 300, (f"198.51.100.{number % 256}",))


def _public(key: DkimKey) -> str:
    """Return what is as long as an RSA key of 2048 bits and no other key's."""
    return base64.b64encode(hashlib.shake_256(key.record_name.encode()).digest(294)).decode()


def _stack(names: Iterable[str]) -> Stack:
    tsig = {"name": "k", "secret": {"env": "TSIG"}}
    hosts = [(f"mx{n}.{PARENT}", {"egress": [{"public": f"203.0.113.{n}"}]}) for n in range(1, _HOSTS + 1)]
    data = {
        "dns": {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": tsig}},
        "domains": {PARENT: {"dns": "main"}, **{name: {"dns": "main"} for name in names}},
    }
    return inventory.parse(hosts, data, "a benchmark")
