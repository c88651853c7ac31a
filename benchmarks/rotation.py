"""Domains whose keys are due, with hosts, name servers and a provider in memory that count what they are asked."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.declared import PARENT, SHM, Memory
from benchmarks.fleet import Machine, Machines
from benchmarks.name_servers import NameServers
from sendwright import dkim, inventory, planning
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import txt
from sendwright.dns.record import TTL
from sendwright.dns.zones import ancestry
from sendwright.inventory import Inventory
from sendwright.publication import Internet
from sendwright.report.progress import Progress
from sendwright.rotating import Asked, Rotation, rotate, status
from sendwright.rotation_world import Means
from sendwright.service import Release
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey, KeyStage

_HOSTS = 2
_OLD = timedelta(days=100)


@dataclass
class Counting(Memory):
    """A provider in memory. ``requests``: how often each was made of it; ``zones_read``: how often each was read."""

    requests: Counter[str] = field(default_factory=Counter)

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return what is wanted of a zone."""
        self.requests["read"] += 1
        held = self.held[zone]
        return tuple(held[key] for key in wanted if key in held)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply edits."""
        self.requests["apply"] += 1
        super().apply(zone, edits)


@dataclass(frozen=True)
class Domains:
    """So many domains, each with a key of either algorithm that signs on every host, as the world has them."""

    declared: Inventory
    folder: StateFolder
    provider: Counting
    servers: NameServers
    machines: tuple[Machine, ...]

    @property
    def means(self) -> Means:
        """How a pass reaches that world."""
        return Means(
            fleet=lambda *_, **__: Machines(self.machines),
            converge=Machines(self.machines).converge,
            opener=lambda *_: self.provider,
            internet=Internet(self.servers, self.servers.resolver),
            lookup=self.servers.lookup,
        )

    @property
    def commands(self) -> Mapping[str, Counter[str]]:
        """How many commands of a kind each host was sent."""
        return {machine.host.name: machine.commands for machine in self.machines}

    @property
    def foreign_seconds(self) -> float:
        """How long the hosts and name servers computed."""
        return self.servers.seconds + sum(machine.seconds for machine in self.machines)

    def rotate(self) -> Rotation:
        """Rotate once."""
        return rotate(self.declared, Asked(), Progress(), means=self.means)

    def status(self) -> Rotation:
        """Only look."""
        return status(self.declared, Asked(), Progress(), means=self.means)

    def forget(self) -> None:
        """Count from nothing again."""
        self.servers.asked.clear()
        self.provider.requests.clear()
        for machine in self.machines:
            machine.commands.clear()

    def age(self, by: timedelta) -> None:
        """Let time pass: what stories remember happened so much earlier."""
        self.folder.save_keys(_aged(key, by) for key in self.folder.load().keys)


@contextmanager
def domains(count: int, *, one_zone: bool = False, age: timedelta = _OLD) -> Iterator[Domains]:
    """Make domains whose keys have signed for so long, in a zone each or all in one."""
    names = [f"domain-{n}.{PARENT}" if one_zone else f"domain-{n}.example" for n in range(count)]
    stack = _stack(names)
    path = Path(tempfile.mkdtemp(prefix="sendwright-bench-", dir=SHM if SHM.is_dir() else None))
    try:
        (path / "passphrase").write_text("correct horse")
        declared = Inventory(stack, path, path / "state")
        folder = StateFolder.of(declared)
        provider = Counting({zone: {} for zone in ([PARENT] if one_zone else [*names, PARENT])})
        _begin(declared, folder, provider, datetime.now(UTC) - age)
        state = folder.load()
        machines = tuple(Machine(host) for host in stack.hosts)
        for machine in machines:
            found = planning.services(stack, machine.host, Release.BOOKWORM, state)
            machine.services = tuple(service for service in found if service.name == "opendkim")
        yield Domains(declared, folder, provider, NameServers(provider), machines)
    finally:
        shutil.rmtree(path)


def _begin(declared: Inventory, folder: StateFolder, provider: Counting, then: datetime) -> None:
    """Remember keys that signed since ``then``, published as it was done then."""
    hosts = tuple(host.name for host in declared.stack.hosts)
    # One private key of each kind behind all: what making them costs is for the rotation to show.
    made = [dkim.generate(PARENT, algorithm, then) for algorithm in DkimAlgorithm]
    claims = []
    for domain in declared.stack.domains:
        for of_parent, pem in made if domain.dkim.rotate else ():
            key = replace(of_parent, domain=domain.name, stage=KeyStage.SIGNING, proven_on=hosts, signing_since=then)
            folder.save_key(key, pem)
            zone = next(above for above in ancestry(domain.name) if above in provider.held)
            record = RecordSet(key.record_name, "TXT", TTL, (txt(dkim.record_text(key)),))
            provider.held[zone][record.key] = record
            claims.append(Claim(zone, record.name, "TXT", record.values[0], then, "main"))
    folder.claim(claims)


def _aged(key: DkimKey, by: timedelta) -> DkimKey:
    clocks = {f.name: at - by for f in fields(key) if isinstance(at := getattr(key, f.name), datetime)}
    return replace(key, **clocks)  # type: ignore[arg-type]


def _stack(names: Iterable[str]) -> Stack:
    hosts = [(f"mx{n}.{PARENT}", {"egress": [{"public": f"203.0.113.{n}"}]}) for n in range(1, _HOSTS + 1)]
    tsig = {"name": "k", "secret": {"env": "TSIG"}}
    data = {
        "key_store": {"passphrase": {"file": "passphrase"}},
        "dns": {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": tsig}},
        "domains": {
            PARENT: {"dns": "main"},
            **{name: {"dns": "main", "dkim": {"rotate": True}} for name in names},
        },
    }
    return inventory.parse(hosts, data, "a benchmark")
