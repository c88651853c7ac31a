"""One provision's stages: what is remembered, what was last seen, and the steps between them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sendwright import (
    awaiting,
    converging,
    durable,
    hostdiff,
    issuing,
    planning,
    preflight,
    probing,
    proving,
    saved,
    signing,
)
from sendwright.claiming import claim, compare, refuse_older
from sendwright.connections import Fleet
from sendwright.dns import reverse
from sendwright.dns.plan import Write
from sendwright.dns.transport import query, system_resolver
from sendwright.errors import HostError, PreflightFailed, SendwrightError
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.plan import Plan, Stage
from sendwright.planning import Seen
from sendwright.pointing import follows_hosts, may_tighten, tells_of_tls
from sendwright.publication import Publication
from sendwright.report.progress import Progress
from sendwright.service import Service
from sendwright.signers import host_seen, restarted_clocks
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage, State
from sendwright.tls_stage import TlsStage


class Run:
    """One look at the world and one way through the stages; what fails is in ``errors``, and stops nothing else.

    ``state``: what ``folder`` remembers; ``looking``: the look at the hosts that has begun with it; ``made``: the time
    that the plan is derived for, and that what it announces is named by.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        state: State,
        fleet: Fleet,
        looking: "Future[dict[str, Observation]]",
        progress: Progress,
        made: datetime,
        *,
        allow_deletions: bool = False,
    ) -> None:
        self.stack = declared.stack
        self.fleet = fleet
        self.folder = folder
        self.dns = Publication(declared, folder, progress, made, allow_deletions=allow_deletions)
        self._declared = declared
        self._base = declared.folder
        self._progress = progress
        self._made = made
        self._state = state
        self._looking = looking
        self._hosts: dict[str, Observation] = {}
        self._new_names: frozenset[str] = frozenset()
        self._moving: frozenset[str] = frozenset()
        self._unproven: tuple[HostError, ...] = ()
        self._claimed = False
        self._late: frozenset[str] = frozenset()
        self.tls = TlsStage(declared, folder, fleet, self.dns, progress)

    @property
    def errors(self) -> tuple[SendwrightError, ...]:
        """Why hosts and zones were given up, what hosts could not prove, and which certificates could not be had."""
        return (*self._failed, *self.tls.errors)

    @property
    def _failed(self) -> tuple[SendwrightError, ...]:
        return (*self.fleet.errors.values(), *self.dns.zones.errors.values(), *self._unproven)

    def plan(self) -> Plan:
        """Look at hosts and zones, and derive the plan."""
        with self._step("looked at the hosts and zones"):
            # What a zone should hold does not depend on what the hosts answer.
            self.dns.look(self._state.keys)
            reverses = reverse.reverses(self.fleet.hosts.values(), query, system_resolver())
            self._take(self._looking.result())
        self.tls.refuse_strangers(self._hosts, self._state)
        self._state = self.tls.renewed_by_hosts(self._hosts, self._state)
        zones, keys = self.dns.zones, self._restarted()
        self._state = replace(
            self._state,
            keys=planning.believed(keys, self._hosts, zones.created, zones.returning),
            claims=tuple(claim for claim in self._state.claims if claim not in zones.gone),
        )
        changes = zones.planned
        needed, chains = (*self._needed(reverses), *self.dns.needed()), self.tls.declared_chains()
        well = {name: self._hosts[name] for name in self.fleet.well}
        moving = (n for n, seen in well.items() if planning.moves(self.stack, self.stack.host(n), seen, self._state))
        self._moving = frozenset(moving)
        self.tls.plan(well, self._state, self._made)
        notes = (*zones.notes, *zones.held)
        seen = Seen(well, changes, needed, chains, notes, orders=self.tls.orders)
        return planning.make(self.stack, self._state, seen, self._made)

    def _restarted(self) -> tuple[DkimKey, ...]:
        """The keys, with the clocks of retiring ones as the hosts' signers let them be."""
        keys = self._state.keys
        if not any(key.stage is KeyStage.RETIRING for key in keys):
            return keys
        # As the hosts were looked at for.
        wanted = planning.planned(self.stack, self._state, self._made)
        seen = {
            name: host_seen(found, planning.services(self.stack, self.stack.host(name), found.release, wanted), keys)
            for name, found in self._hosts.items()
            if found.managed and found.release
        }
        return restarted_clocks(self.stack, keys, seen)

    def snapshot(self, plan: Plan, limit: Iterable[str]) -> saved.SavedPlan:
        """Return a plan of this run as it is saved, with digests of what it rests on."""
        zones = (zone.changes for zone in self.dns.zones.found.values())
        return saved.of("provision", plan, saved.basis(self.stack, self._state, zones), self._made, limit)

    def claim(self) -> None:
        """Before the first write: no other controller, and no newer state folder, writes to these hosts."""
        with self._step("hosts follow this state folder"):
            claim(self.fleet, self.folder, partial(durable.push, self._declared, self._progress))
        self._claimed = True

    def persist(self) -> None:
        """Stage 1: nothing is published or installed that is not in the state folder, and pushed from there."""
        with self._step("keys and certificates are in the state folder"):
            # What a host had proven before it was reinstalled, or before the record went, is forgotten for good.
            remembered = set(self.folder.load().keys)
            self._save_keys(k for k in self._state.keys if k not in remembered)
            known = {key.sealed for key in self._state.keys}
            issuing.generate_missing(self.stack, self.folder, self._made, self._progress.note)
            self.tls.renew_own(self.fleet.well, self._made)
            self.tls.persist(self.fleet.well, self._made)
        self._reload()
        durable.push_new(self._declared, self._state.keys, self._progress)
        new = frozenset(key.txt_name for key in self._state.keys if key.sealed not in known)
        self._new_names = new | self.tls.announced()

    def publish(self) -> None:
        """Stage 2: DNS, additions that mail relies on."""
        unproven = {n: planning.unproven(self.stack, self.stack.host(n), self._state.keys) for n in self.fleet.well}
        moving = {spoken for name in self._moving for spoken in self._speaks_for(name)}
        self.dns.expand(self._state, unproven, self._new_names, moving)
        self._remember_published()

    def converge(self) -> None:
        """Stages 3 and 5: bring every host that differs to what it should run, given what is proven by now.

        A host that is to send from another address is left until receivers know that one.
        """
        self._converge(name for name in self.fleet.well if name not in self._moving)

    def _converge(self, names: Iterable[str]) -> None:
        jobs = {}
        for name in names:
            observation = self._hosts[name]
            wanted = self._services(name, observation)
            if hostdiff.differing(wanted, observation):
                jobs[name] = wanted
        if not jobs:
            return
        with self._step(f"{len(jobs)} hosts converge" if len(jobs) > 1 else f"{next(iter(jobs))} converges"):
            converging.converge(self.fleet, self.folder, self._base, jobs, self._converging)

    def point(self) -> None:
        """Stage 3, when the hosts take mail: MX, which receivers want a sender's domain to have, and the keys there."""
        converged = {*self.fleet.well} - self._moving
        copied = planning.copied(self.stack, self._state.keys, converged, self._hosts.values())
        self.dns.point(lambda write: follows_hosts(self.stack, write, self.fleet.well, copied))
        self._remember_published()

    def prove(self, *, wait: bool) -> tuple[str, ...]:
        """Stage 4: wait until served and fresh, then probe every key on every host; return what is still waited for."""
        published = self.dns.awaited(self.fleet.well)
        if not (published.known or self._moving):
            return ()
        fresh = self.dns.wait(published, stay=wait)
        self._late = frozenset(waiting.target.zone for waiting in fresh.waiting)
        self._save_keys(proving.served(self._state.keys, published, fresh))
        self._reload()
        late = self._late
        ready = proving.by_place(target for target in published.known if target.zone not in late)
        speaking = {name: self._speaks_for(name) for name in self._moving}
        behind = {waiting.target.name for waiting in fresh.waiting}
        moved = awaiting.may_move(self.dns.zones, speaking, behind)
        self._moving -= moved
        if moved:
            compare(self.fleet, self.folder)  # time has passed
        # What they were left without so far may be the very keys that they are to prove.
        self._converge(name for name in self.fleet.well if name in moved)
        well = (name for name in self.fleet.well if name not in self._moving)
        hosts = [name for name in well if awaiting.stands(self.dns.zones, name, late)]
        self._probe(hosts, [key for key in self._state.keys if proving.way(key, ready)])
        return tuple(map(str, fresh.waiting))

    def certify(self) -> tuple[str, ...]:
        """Stage 5: have the certificates that hosts lack, once their names lead to them; return what is waited for."""
        lacking = [name for name in self.tls.orders if name in self.fleet.well and name not in self._moving]
        ready = [name for name in lacking if awaiting.stands(self.dns.zones, name, self._late)]
        waiting = self.tls.obtain(ready) if ready else ()
        self._reload()
        late = (f"{n}: its certificate is ordered once its name is served by all" for n in lacking if n not in ready)
        return (*waiting, *late)

    def switch(self, *, wait: bool) -> tuple[str, ...]:
        """Stage 5: proven keys sign and submission opens, then policies tighten; return what is not served yet."""
        self._observe(self._state)
        self.converge()
        unseen = self.tls.look([name for name in self.fleet.well if name not in self._moving])
        keys = signing.by_domain(self._state.keys)

        def allowed(write: Write) -> bool:
            if tells_of_tls(write):
                return self.tls.allows(write)
            return may_tighten(self.stack, write, keys, self.fleet.errors)

        waiting = self.dns.switch(self._state.keys, allowed, stay=wait)
        self.tls.remember_fresh()
        return (*unseen, *waiting)

    def still(self) -> tuple[str, ...]:
        """Return which hosts were left with their old address, and until when."""
        return tuple(
            f"{name} goes on sending from its old address until SPF with the new one is served and fresh"
            for name in sorted(self._moving)
        )

    def withdraw(self) -> tuple[str, ...]:
        """Stage 6: withdraw what is ours and no longer declared; return what is still waited for, and for what."""
        if any(zone.changes.at(Stage.CONTRACT).writes for zone in self.dns.zones.found.values()):
            compare(self.fleet, self.folder)
        # What a host that failed, or that nobody looked at, still does is not known. A name that cannot be proven to an
        # authority says nothing of that: one customer's broken zone would have everybody's clocks stand.
        well = not self._failed and not self._moving and len(self.fleet.well) == len(self.stack.hosts)
        moved = {*self.fleet.well} - self._moving
        addresses = {host.name for host in self.stack.hosts if host.name not in moved}
        before = self._state.standing
        shown = self.tls.shown.hosts
        waiting = self.dns.withdraw(self._state.keys, clocks=well, addresses=addresses, shown=shown)
        self._reload()
        self._save_keys(planning.gone(self._state.keys, before - self._state.standing, _now()))
        return waiting

    def _speaks_for(self, host: str) -> frozenset[str]:
        """The names of ours that receivers judge a host's mail by: its own, and those of its domains."""
        return frozenset({host, *(d.name for d in self.stack.domains_of(self.stack.host(host)) if d.dns)})

    def _observe(self, state: State) -> None:
        self._take(self.fleet.observe(planning.desired_on(self.stack, self.fleet.well, state)))

    def _take(self, seen: Mapping[str, Observation]) -> None:
        refuse_older(self.folder, seen, begun=self._claimed)
        self._hosts = dict(seen)
        for name, observation in seen.items():
            if found := preflight.problems(
                self.stack.host(name), observation, _now(), self._services(name, observation)
            ):
                unfit = PreflightFailed(name, "it is not fit, and nothing was changed.", "\n".join(found))
                self.fleet.give_up(name, unfit)
                del self._hosts[name]

    def _needed(self, reverses: Iterable[reverse.Reverse]) -> tuple[str, ...]:
        # Only a bare host is asked whether port 25 is open: a living one would say so in its queue.
        bare = [name for name, seen in self._hosts.items() if not seen.managed]
        outbound = self.fleet.each(bare, partial(preflight.outbound_25, name=self.stack.smtp.probe_mx))
        hosts = [self.stack.host(name) for name in self._hosts]
        blocked = [sentence for h in hosts for sentence in preflight.needed(h, outbound.get(h.name))]
        return (*blocked, *reverse.needed(hosts, reverses))

    def _probe(self, hosts: Iterable[str], keys: Iterable[DkimKey]) -> None:
        keys = tuple(keys)
        wanted = {n: u for n in hosts if (u := planning.unproven(self.stack, self.stack.host(n), keys))}
        if not wanted:
            return
        with self._step("every key is proven by a signature of its own"):
            proofs = probing.probe(self.fleet, wanted, proving.lookup)
            self._unproven = proofs.errors
        self._save_keys(planning.proven(self._state.keys, proofs.hosts, _now()))
        self._reload()

    def _step(self, text: str) -> AbstractContextManager[None]:
        before = len(self.errors)
        return self._progress.step(text, lambda: len(self.errors) > before)

    def _converging(self, name: str, line: str) -> None:
        self._progress.note(f"{name}: {line}")

    def _remember_published(self) -> None:
        self._save_keys(planning.published(self._state.keys, self.dns.there()))
        self._reload()

    def _save_keys(self, keys: Iterable[DkimKey]) -> None:
        self.folder.save_keys(keys)

    def _services(self, name: str, observation: Observation) -> tuple[Service, ...]:
        release = observation.release
        return planning.services(self.stack, self.stack.host(name), release, self._state) if release else ()

    def _reload(self) -> None:
        self._state = self.folder.load()


def _now() -> datetime:
    return datetime.now(UTC)
