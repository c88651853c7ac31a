"""What a pass sees of lines: their stories, their hosts, their records, and the looks that renew each of them."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sendwright import awaiting, claiming, converging, planning, preflight, proving
from sendwright.connections import Fleet
from sendwright.dkim import record_text
from sendwright.dns.providers.base import open_provider
from sendwright.errors import PreflightFailed, Unreachable
from sendwright.inventory import Inventory
from sendwright.judges import Lookup
from sendwright.key_records import KeyRecords, wanted
from sendwright.lines import NEW, Line, Record, Seen, lines
from sendwright.looking import Open
from sendwright.observation import Observation
from sendwright.publication import INTERNET, Internet
from sendwright.report.progress import Progress
from sendwright.service import Service
from sendwright.signers import host_seen
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage, State


@dataclass(frozen=True)
class Means:
    """How a pass reaches the world outside, each part as its own module does it."""

    fleet: Callable[..., Fleet] = Fleet
    converge: Callable[..., None] = converging.converge
    opener: Open = open_provider
    internet: Internet = INTERNET
    lookup: Lookup = proving.lookup


MEANS = Means()


@dataclass(frozen=True)
class Site:
    """Where a pass is at work: what is declared, what is remembered, the hosts, and who hears how far it is."""

    declared: Inventory
    folder: StateFolder
    fleet: Fleet
    progress: Progress
    means: Means = MEANS


class World:
    """Some lines, and one look at the world that is renewed part by part.

    ``lines``: with the stories as the state folder has them by now; ``observations``: of the hosts that answered;
    ``begun``: whether this run has written anything; ``only_looks``: nothing is remembered, not even since when records
    are served.
    """

    def __init__(self, site: Site, moving: Iterable[Line], *, only_looks: bool = False) -> None:
        declared, folder, means = site.declared, site.folder, site.means
        self.fleet = site.fleet
        self.lines = tuple(moving)
        self.seen = Seen()
        self.records = KeyRecords(declared, folder, site.progress, opener=means.opener, internet=means.internet)
        self.observations: dict[str, Observation] = {}
        self._looked: dict[str, datetime] = {}
        self.started = frozenset((line.domain, line.algorithm) for line in self.lines if line.start)
        self.state: State = folder.load()
        self._stack = declared.stack
        self._folder = folder
        self._progress = site.progress
        self.begun = False
        self._served: dict[str, Record] = {}
        self._only_looks = only_looks

    @property
    def keys(self) -> tuple[DkimKey, ...]:
        """The keys of all lines."""
        return tuple(key for line in self.lines for key in line.keys)

    def seen_at(self, now: datetime) -> Seen:
        """Return what was seen, with the clocks of hosts as they would be now: a pass over many takes its time."""
        hosts = self.seen.hosts.items()
        moved = {name: replace(host, clock=host.clock + (now - self._looked[name])) for name, host in hosts}
        errors = self.fleet.errors.items()
        left = frozenset(name for name, error in errors if not isinstance(error, Unreachable))
        return replace(self.seen, hosts=moved, given_up=left)

    def save(self, keys: Iterable[DkimKey]) -> None:
        """Write stories, and take in what the state folder holds by now."""
        texts = {key.record_name: record_text(key) for key in self.keys}
        keys = tuple(keys)
        self._folder.save_keys(keys)
        for key in keys:
            if record_text(key) != texts.get(key.record_name):
                self._served.pop(key.record_name, None)
        self.refresh()

    def published(self, keys: Iterable[DkimKey]) -> None:
        """Take in that providers took the records of keys, and see who serves them."""
        self._served |= {key.record_name: Record(wanted(key)) for key in keys}
        self.refresh()
        self.look_at_servers({key.record_name for key in keys})

    def refresh(self) -> None:
        """Take in what the state folder holds by now."""
        self.state = self._folder.load()
        mine = {(line.domain, line.algorithm) for line in self.lines}
        bare = {name for name, seen in self.observations.items() if not seen.managed}
        margin = awaiting.margin(self.records.zones)
        found = lines(self._stack, self.state.keys, bare=bare, margin=margin, standing=self.state.standing)
        self.lines = tuple(
            replace(line, start=(line.domain, line.algorithm) in self.started)
            for line in found
            if (line.domain, line.algorithm) in mine
        )
        self.seen = replace(self.seen, records=self.records.held(self.keys) | self._served)

    def look_at_hosts(self, names: Iterable[str]) -> None:
        """Look at hosts, one remote command each. A folder that is older than what they know is refused."""
        desired = planning.desired_on(self._stack, names, self.state)
        only = {
            name: {of: tuple(s for s in found if s.name == "opendkim") for of, found in by_release.items()}
            for name, by_release in desired.items()
        }
        with self._progress.step("looked at the hosts"):
            found = self.fleet.observe(only, queues=True)
        self._looked |= dict.fromkeys(found, _now())
        claiming.refuse_older(self._folder, found, begun=self.begun)
        hosts = {n: seen for n, seen in self.seen.hosts.items() if n in self.fleet.well}
        for name, observation in found.items():
            self.observations[name] = observation
            if found_wrong := preflight.problems(self._stack.host(name), observation, _now()):
                self.fleet.give_up(name, PreflightFailed(name, "it is not fit.", "\n".join(found_wrong)))
                hosts.pop(name, None)
            elif observation.managed and observation.release:
                hosts[name] = host_seen(observation, only[name][observation.release], self.state.keys)
        self.seen = replace(self.seen, hosts=hosts)
        self.refresh()

    def look_at_records(self) -> None:
        """Read what providers hold for all keys, and ask every server about those that matter."""
        claimed = {claim.name for claim in self.state.claims if claim.type == "TXT"}
        keys = self.keys
        names = {k.txt_name for k in keys if k.stage is not KeyStage.REMOVED or k.txt_name in claimed}
        with self._progress.step("looked at the records of keys", lambda: bool(self.records.zones.errors)):
            self.records.look(self.state.keys, names)
            self.refresh()
            self.look_at_servers()

    def look_at_servers(self, names: Container[str] | None = None) -> None:
        """See whether every server serves what matters for a next step, of these record names; None: of all."""
        known = (k for line in self.lines for k in _watched(line) if names is None or k.record_name in names)
        watched = [key for key in known if self._stands(key)]
        found, changed = self.records.served(watched)
        self._served |= found
        # Without a host that confirms the time, none is remembered: fitness includes a clock that is ours.
        timely = (k for k in changed if self.seen.hosts or k.served_since is None)
        self.save(() if self._only_looks else timely)

    def signers(self, name: str) -> tuple[Service, ...]:
        """Return what a host's signers should be by the stories of now."""
        release = self.observations[name].release
        found = planning.services(self._stack, self._stack.host(name), release, self.state) if release else ()
        return tuple(service for service in found if service.name == "opendkim")

    def _stands(self, key: DkimKey) -> bool:
        found = self.seen.records.get(key.record_name)
        return found is not None and found.held is wanted(key)


def _watched(line: Line) -> Iterator[DkimKey]:
    """Yield the keys whose next step depends on what every server serves."""
    for key in line.keys:
        successor = key.stage in NEW or (len(line.signing) > 1 and key == line.signing[-1])
        if successor or (key.stage is KeyStage.REVOKED and key.revoked is None):
            yield key


def _now() -> datetime:
    return datetime.now(UTC)
