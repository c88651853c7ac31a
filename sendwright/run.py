"""One provision's stages: what is remembered, what was last seen, and the steps between them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sendwright import engine, hostdiff, issuing, planning, preflight, probing, proving
from sendwright.connections import Fleet
from sendwright.dns import reverse
from sendwright.dns.plan import Delete, Write
from sendwright.dns.propagation import timings
from sendwright.dns.transport import query, system_resolver
from sendwright.errors import ForeignRecord, HostError, PassphraseError, PreflightFailed, StateError
from sendwright.fleet import converge_all
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.plan import Plan, Stage
from sendwright.planning import Seen
from sendwright.publishing import Zones
from sendwright.report.progress import Progress
from sendwright.service import Service
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage, State


class Run:
    """One look at the world and one way through the stages; what fails is in ``fleet.errors`` and ``zones.errors``.

    ``state``: what ``folder`` remembers; ``looking``: the look at the hosts that has begun with it.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        state: State,
        fleet: Fleet,
        looking: "Future[dict[str, Observation]]",
        progress: Progress,
    ) -> None:
        self.stack = declared.stack
        self.fleet = fleet
        self.folder = folder
        self.zones = Zones()
        self._base = declared.folder
        self._progress = progress
        self._state = state
        self._looking = looking
        self._hosts: dict[str, Observation] = {}
        self._published = proving.NOTHING

    def plan(self) -> Plan:
        """Look at hosts and zones, and derive the plan."""
        with self._progress.step("looked at the hosts and zones"):
            # What a zone should hold does not depend on what the hosts answer.
            self._look_at_zones()
            reverses = reverse.reverses(self.fleet.hosts.values(), query, system_resolver())
            self._take(self._looking.result())
        self._state = replace(self._state, keys=planning.believed(self._state.keys, self._hosts))
        changes = tuple(zone.changes for zone in self.zones.found.values())
        chains = issuing.declared_chains(self.stack, self._base)
        seen = Seen(self._hosts, changes, self._needed(reverses), chains)
        return planning.make(self.stack, self._state, seen, _now())

    def persist(self) -> None:
        """Stage 1: nothing is published or installed that is not in the state folder."""
        with self._progress.step("keys and certificates are in the state folder"):
            for key in self._state.keys:
                # What a bare host had proven before it was reinstalled is forgotten for good.
                self.folder.save_key(key)
            issuing.generate_missing(self.stack, self.folder, _now())
            issuing.renew_certificates(self.stack, self.folder, self._base, _now())
        self._reload()

    def publish(self) -> None:
        """Stage 2: DNS, additions that mail relies on; what caches may hold of the old is looked at before."""
        planned = self.zones
        self._look_at_zones()
        self.zones.refuse_moved(planned, {key.record_name for key in self._state.keys})
        self._published = self._before_publishing()
        with self._progress.step("DNS holds what mail relies on"):
            self.zones.publish(self.folder, Stage.EXPAND)
        published = self.zones.zone_of(self.stack)
        for key in self._state.keys:
            if key.stage is KeyStage.GENERATED and key.domain in published:
                self.folder.save_key(replace(key, stage=KeyStage.PUBLISHED))
        self._reload()

    def converge(self) -> None:
        """Stages 3 and 5: bring every host that differs to what it should run, given what is proven by now."""
        jobs = {}
        for name in self.fleet.well:
            observation = self._hosts[name]
            wanted = self._services(name, observation)
            if hostdiff.differing(wanted, observation):
                jobs[name] = wanted
        if not jobs:
            return
        with self._progress.step(f"{len(jobs)} hosts converge" if len(jobs) > 1 else f"{next(iter(jobs))} converges"):
            self._work(jobs)

    def point(self) -> None:
        """Stage 3, when the hosts take mail: MX, which receivers want a sender's domain to have."""
        self.zones.publish(self.folder, Stage.HOSTS, self._points_at_a_working_host)

    def prove(self, *, wait: bool) -> tuple[str, ...]:
        """Stage 4: wait until served and fresh, then probe every key on every host; return what is still waited for."""
        published = self._written()
        if not published.known:
            return ()
        zone_of = self.zones.zone_of(self.stack)
        with self._progress.step("served by every name server, and fresh"):
            fresh = proving.until_fresh(published, self._progress.note, stay=wait)
        for key in proving.served(zone_of, self._state.keys, fresh):
            self.folder.save_key(key)
        self._reload()
        late = {waiting.target.zone for waiting in fresh.waiting}
        names = {target.name for target in published.known if target.zone not in late}
        self._probe([key for key in self._state.keys if key.record_name in names])
        if wait:
            self.zones.not_served(fresh)
        return tuple(map(str, fresh.waiting))

    def switch(self) -> None:
        """Stage 5: proven keys sign and submission opens; then records that point at a service that now works."""
        self._observe(self._state)
        self.converge()
        self._look_at_zones()
        self.zones.publish(self.folder, Stage.SWITCH, self._is_live)

    def withdraw(self) -> None:
        """Stage 6: withdraw what is ours and no longer declared."""
        self._look_at_zones()
        self.zones.publish(self.folder, Stage.CONTRACT)

    def _observe(self, state: State) -> None:
        self._take(self.fleet.observe(planning.desired_on(self.stack, self.fleet.well, state)))

    def _take(self, seen: Mapping[str, Observation]) -> None:
        self._hosts = dict(seen)
        for name, observation in seen.items():
            if found := preflight.problems(self.stack.host(name), observation, _now()):
                self.fleet.give_up(PreflightFailed(name, "it is not fit, and nothing was changed.", "\n".join(found)))
                del self._hosts[name]

    def _needed(self, reverses: Iterable[reverse.Reverse]) -> tuple[str, ...]:
        # Only a bare host is asked whether port 25 is open: a living one would say so in its queue.
        bare = [name for name, seen in self._hosts.items() if not seen.managed]
        outbound = self.fleet.each(bare, partial(preflight.outbound_25, name=self.stack.smtp.probe_mx))
        hosts = [self.stack.host(name) for name in self._hosts]
        blocked = [sentence for h in hosts for sentence in preflight.needed(h, outbound.get(h.name))]
        return (*blocked, *reverse.needed(hosts, reverses))

    def _look_at_zones(self) -> None:
        errors = self.zones.errors
        self.zones = Zones.look(self.stack, self._state.keys, self.folder.load().claims, self._base, given_up=errors)
        self.zones.errors = errors | self.zones.errors

    def _before_publishing(self) -> proving.Published:
        hosts = [self.stack.host(name) for name in self.fleet.well]
        keys = {k for host in hosts for k in planning.unproven(self.stack, host, self._state.keys)}
        awaited = self.zones.awaited(keys, self._state.claims)
        world = self.zones.world({t.zone for t in awaited}, query, system_resolver())
        known = timings(world, [t for t in awaited if t.zone in world.servers])
        since = {target: at for target, at in awaited.items() if at is not None and target in known}
        return proving.Published(world, known, since, self.zones.margin())

    def _written(self) -> proving.Published:
        """What is to be waited for, without what could not be written: it would never be served."""
        failed = {name for name, error in self.zones.errors.items() if not isinstance(error, ForeignRecord)}
        return self._published.without(
            lambda t: t.zone in failed or (t.type == "MX" and _exchange(t.value) not in self.fleet.well)
        )

    def _probe(self, keys: Iterable[DkimKey]) -> None:
        keys = tuple(keys)
        wanted = {n: u for n in self.fleet.well if (u := planning.unproven(self.stack, self.stack.host(n), keys))}
        if not wanted:
            return
        with self._progress.step("every key is proven by a signature of its own"):
            proofs = probing.probe(self.fleet, wanted, proving.lookup)
        for key in planning.proven(self._state.keys, proofs):
            self.folder.save_key(key)
        self._reload()

    def _work(self, jobs: dict[str, tuple[Service, ...]]) -> None:
        found = [job for name, services in jobs.items() if (job := self._job(name, services))]
        for outcome in converge_all(
            found, self._base, self._converging, accept_unknown=self.fleet.trust_new_hosts
        ).values():
            if isinstance(outcome, HostError):
                self.fleet.give_up(outcome)

    def _job(self, name: str, services: tuple[Service, ...]) -> engine.Job | None:
        try:
            return engine.job(self.stack.host(name), services, self.folder.open)
        except PassphraseError:
            raise  # no host gets any private file without it
        except StateError as error:
            self.fleet.give_up(PreflightFailed(name, f"{error.what} Nothing was changed on it.", error.hint))
            return None

    def _converging(self, name: str, line: str) -> None:
        self._progress.note(f"{name}: {line}")

    def _points_at_a_working_host(self, write: Write) -> bool:
        return isinstance(write, Delete) or _exchange(write.value) in self.fleet.well

    def _is_live(self, write: Write) -> bool:
        domain = self.stack.covering(write.name)
        return domain is not None and planning.live_everywhere(self.stack, domain, self._state.keys)

    def _services(self, name: str, observation: Observation) -> tuple[Service, ...]:
        release = observation.release
        return planning.services(self.stack, self.stack.host(name), release, self._state) if release else ()

    def _reload(self) -> None:
        self._state = self.folder.load()


def _exchange(value: str) -> str:
    """Return the host that an MX record's data points at (RFC 1035 section 3.3.9)."""
    return value.split()[1].rstrip(".")


def _now() -> datetime:
    return datetime.now(UTC)
