"""``sendwright dns plan``, ``apply`` and ``adopt``: the DNS side of a run by itself, while no host is looked at.

What points at a host, or asks for signatures, waits for a proof that the state folder remembers; what only a look at
the hosts can know (that nothing uses an address any more) waits for ``provision``.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sendwright import durable, issuing, planning, proving, saved, signing
from sendwright.dns.edits import adoptions, phrase
from sendwright.dns.plan import Changes, Delete, Write
from sendwright.dns.records import first_stage
from sendwright.dns.tls_records import names
from sendwright.errors import SendwrightError
from sendwright.inventory import Inventory
from sendwright.plan import Plan, Stage
from sendwright.planning import Seen
from sendwright.pointing import follows_hosts, is_key, may_tighten, tells_of_tls
from sendwright.provision import Approve, Outcome, Result, Settings
from sendwright.publication import INTERNET, Internet, Publication
from sendwright.report.progress import Progress
from sendwright.saved import SavedPlan
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey
from sendwright.sts import domains, policy_host
from sendwright.tls_facts import telling

_AFTER_COPY = "after `sendwright provision`, when a host of its domain holds a copy of the key"
_AFTER_LOOK = "after `sendwright provision`, which sees from outside what the hosts show"
_AFTER = {
    Stage.HOSTS: "after `sendwright provision`, when a host that it points at takes mail",
    Stage.SWITCH: "after `sendwright provision`, when mail leaves signed from every host of the domain",
    Stage.CONTRACT: "after `sendwright provision`, which sees what the host uses",
}


@dataclass(frozen=True)
class Adoption:
    """What would become ours, zone by zone, and which zones could not be looked at."""

    claims: tuple[Claim, ...]
    errors: tuple[SendwrightError, ...] = ()
    result: Result = Result.UNCHANGED


def look_ahead(
    declared: Inventory,
    settings: Settings,
    progress: Progress,
    out: Path | None = None,
    internet: Internet = INTERNET,
) -> Outcome:
    """Return the plan of DNS alone and what could not be looked at; nothing is touched. ``out``: where to save it."""
    if out:
        saved.check_place(out)
    run = _Run(declared, StateFolder.of(declared), settings, progress, datetime.now(UTC), internet)
    plan = run.plan()
    if out:
        saved.write(out, run.snapshot(plan))
    return run.outcome(Result.UNCHANGED if plan.empty else Result.DONE, plan)


def apply(
    declared: Inventory,
    settings: Settings,
    progress: Progress,
    approve: Approve,
    approved: SavedPlan | None = None,
    internet: Internet = INTERNET,
) -> Outcome:
    """Look, plan, have the plan approved, and carry out what is of DNS (see ``provision.provision``)."""
    folder, now = StateFolder.of(declared), datetime.now(UTC)
    if approved:
        saved.refuse_other(approved, "dns", declared.stack, now)
    with folder.lock():
        start = durable.Start.of(declared)
        run = _Run(declared, folder, settings, progress, saved.moment(approved, now), internet)
        plan = run.plan()
        if approved:
            saved.refuse_moved(approved, run.snapshot(plan))
        if plan.empty:
            return run.outcome(Result.UNCHANGED, plan, run.held, start.push_changes(progress))
        if not approve(plan):
            return run.outcome(Result.DECLINED, plan)
        run.persist()
        waiting = run.carry_out(stay=settings.wait)
        result = Result.WAITING if waiting else Result.DONE
        return run.outcome(result, plan, waiting, start.push_changes(progress))


def adopt(declared: Inventory, progress: Progress, approve: Callable[[Adoption], bool]) -> Adoption:
    """Claim what stands as declared, or in the place of what is, once somebody agrees; nothing is written to DNS."""
    folder = StateFolder.of(declared)
    with folder.lock(), durable.pushed(declared, progress):
        run = _Run(declared, folder, Settings(), progress, datetime.now(UTC), INTERNET)
        found = run.adoption()
        if not found.claims:
            return replace(found, result=Result.FAILED if found.errors else Result.UNCHANGED)
        if not approve(found):
            return replace(found, result=Result.DECLINED)
        folder.claim(found.claims)
        return replace(found, result=Result.FAILED if found.errors else Result.DONE)


class _Run:
    """One look at the zones and one way through the stages of DNS."""

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        settings: Settings,
        progress: Progress,
        made: datetime,
        internet: Internet,
    ) -> None:
        self._declared = declared
        self._stack = declared.stack
        self._folder = folder
        self._progress = progress
        self._made = made
        self._state = folder.load()
        self._new_names: frozenset[str] = frozenset()
        self._dns = Publication(
            *(declared, folder, progress, made), allow_deletions=settings.allow_deletions, internet=internet
        )

    def plan(self) -> Plan:
        """Look at the zones, and derive the plan: what can be done now, and what is left for ``provision``."""
        self._look()
        zones = self._dns.zones
        keys = planning.believed(self._state.keys, {}, zones.created, zones.returning)
        claims = tuple(claim for claim in self._state.claims if claim not in zones.gone)
        self._state = replace(self._state, keys=keys, claims=claims)
        ready = Ready(self._stack, keys, self._told())
        changes = zones.planned
        later = tuple(sentence for found in changes for sentence in ready.later(found))
        later += ready.alone(planning.planned(self._stack, self._state, self._made).keys[len(self._state.keys) :])
        now = tuple(ready.only(found) for found in changes)
        seen = Seen({}, now, self._dns.needed(), notes=(*later, *zones.notes, *zones.held), working=ready.hosts)
        return planning.make(self._stack, self._state, seen, self._made)

    def snapshot(self, plan: Plan) -> SavedPlan:
        """Return the plan as it is saved."""
        zones = (zone.changes for zone in self._dns.zones.found.values())
        return saved.of("dns", plan, saved.basis(self._stack, self._state, zones), self._made)

    def adoption(self) -> Adoption:
        """Return what stands and could be ours."""
        self._look()
        zones = self._dns.zones
        found = (adoptions(z.changes, self._made, z.sight.dns) for z in zones.found.values())
        return Adoption(tuple(claim for claims in found for claim in claims), tuple(zones.errors.values()))

    @property
    def held(self) -> tuple[str, ...]:
        """What of ours is no longer declared and waits for its clock."""
        return self._dns.zones.held

    def persist(self) -> None:
        """Remember new keys, and which records are about to be created anew, before anything is published."""
        known = {key.sealed for key in self._state.keys}
        with self._progress.step("keys are in the state folder"):
            remembered = set(self._folder.load().keys)
            self._save(key for key in self._state.keys if key not in remembered)
            issuing.generate_missing(self._stack, self._folder, self._made, self._progress.note)
        self._state = self._folder.load()
        durable.push_new(self._declared, self._state.keys, self._progress)
        self._new_names = frozenset(key.txt_name for key in self._state.keys if key.sealed not in known)

    def carry_out(self, *, stay: bool) -> tuple[str, ...]:
        """Write, wait and write again, as far as is known to be safe; return what is waited for."""
        ready = Ready(self._stack, self._state.keys, self._told())
        hosts = {host.name: host for host in self._stack.hosts}
        unproven = {n: planning.unproven(self._stack, host, self._state.keys) for n, host in hosts.items()}
        self._dns.expand(self._state, unproven, self._new_names)
        self._dns.point(ready)
        self._save(planning.published(self._state.keys, self._dns.there()))
        waiting = self._prove(ready, stay=stay)
        waiting += self._dns.switch(self._state.keys, ready, stay=stay)
        waiting += self._dns.withdraw(self._state.keys, clocks=False, addresses=hosts)
        after = self._folder.load()
        self._save(planning.gone(after.keys, self._state.standing - after.standing, datetime.now(UTC)))
        return waiting

    def outcome(
        self, result: Result, plan: Plan, waiting: tuple[str, ...] = (), late: tuple[SendwrightError, ...] = ()
    ) -> Outcome:
        """Return what came of it. ``late``: what failed after all that was of DNS."""
        errors = (*self._dns.zones.errors.values(), *late)
        failed = errors and result is not Result.DECLINED
        return Outcome(Result.FAILED if failed else result, plan, errors, waiting)

    def _look(self) -> None:
        with self._progress.step("looked at the zones", lambda: bool(self._dns.zones.errors)):
            self._dns.look(self._state.keys)

    def _told(self) -> frozenset[str]:
        return telling([zone.sight for zone in self._dns.zones.found.values()])

    def _prove(self, ready: "Ready", *, stay: bool) -> tuple[str, ...]:
        awaited = self._dns.awaited(ready.hosts)
        if not awaited.known:
            return ()
        fresh = self._dns.wait(awaited, stay=stay)
        self._save(proving.served(self._state.keys, awaited, fresh))
        return tuple(map(str, fresh.waiting))

    def _save(self, keys: Iterable[DkimKey]) -> None:
        for key in tuple(keys):
            self._folder.save_key(key)
        self._state = self._folder.load()


class Ready:
    """What may be written while no host is looked at, by the proofs that are remembered. Pure.

    ``telling``: the names at which TLSA records of ours stand: the host was seen to show its key.
    """

    def __init__(self, stack: Stack, keys: Iterable[DkimKey], telling: Container[str] = ()) -> None:
        self._stack = stack
        self._keys = signing.by_domain(keys)
        self._telling = telling
        self._dane = frozenset(name for host in stack.hosts for name in names(host.name, host.dane))
        served = {policy_host(domain.name) for host in stack.hosts for domain in domains(stack, host)}
        self._moving = served | {host.name for host in stack.hosts}

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts from which some domain's mail leaves signed."""
        pairs = ((host, domain) for domain in self._stack.domains for host in self._stack.hosts_of(domain))
        return frozenset(h.name for h, domain in pairs if signing.signs(domain, h, self._keys[domain.name]))

    def __call__(self, write: Write) -> bool:
        """Return whether a write may be made by now."""
        if write.stage is Stage.HOSTS:
            return follows_hosts(self._stack, write, self._senders(write.name), copied=())
        if tells_of_tls(write):
            return self._may_tell(write)
        if write.stage is Stage.SWITCH:
            return may_tighten(self._stack, write, self._keys, ())
        # The old address of a host that was given another: whether it is in use there is seen on the host.
        moved = isinstance(write, Delete) and write.type in {"A", "AAAA"}
        return not (moved and write.name in self._moving)

    def _may_tell(self, write: Write) -> bool:
        if isinstance(write, Delete):
            # Which key a host shows is seen from outside only.
            return write.name not in self._dane
        # A further key harms nobody where one is told already: a sender takes any of them (RFC 7672 section 2.1).
        return write.type == "TLSA" and write.name in self._telling

    def only(self, changes: Changes) -> Changes:
        """Return a zone's changes without what has to wait for the hosts."""
        return replace(changes, writes=tuple(w for w in changes.writes if self(w)), leaving=())

    def later(self, changes: Changes) -> tuple[str, ...]:
        """Return a sentence for each write that has to wait for the hosts."""
        waiting = (w for w in changes.writes if not self(w))
        return tuple(f"zone {changes.zone}: {phrase(w)}: {_after(w)}" for w in waiting)

    def alone(self, keys: Iterable[DkimKey]) -> tuple[str, ...]:
        """Return a sentence for each key that is yet to be generated and whose record has to wait for the hosts."""
        waiting = (k for k in keys if first_stage(self._stack, k) is Stage.HOSTS)
        return tuple(f"{k.domain}: TXT {k.record_name}: {_AFTER_COPY}" for k in waiting)

    def _senders(self, name: str) -> frozenset[str]:
        domain = self._stack.covering(name)
        hosts = self._stack.hosts_of(domain) if domain else ()
        return frozenset(h.name for h in hosts if domain and signing.signs(domain, h, self._keys[domain.name]))


def _after(write: Write) -> str:
    if tells_of_tls(write):
        return _AFTER_LOOK
    return _AFTER_COPY if is_key(write) else _AFTER[write.stage]
