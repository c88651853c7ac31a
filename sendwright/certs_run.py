"""Renew certificates, and change their keys, without touching anything else of the hosts.

The same steps as a provision's (``tls_stage``), for cron and CI: nobody is asked, and what else of a host differs from
the inventory is left as it is, and said.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sendwright import converging, durable, hostdiff, planning, preflight
from sendwright.bearers import bearers, chains_alone, in_place, showing, undeclared
from sendwright.certifying import Asked
from sendwright.claiming import claim, refuse_older
from sendwright.connections import Fleet
from sendwright.dns.plan import Write
from sendwright.errors import HostError, PreflightFailed, SendwrightError
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.plan import Stage
from sendwright.pointing import tells_of_tls
from sendwright.provision import Result
from sendwright.publication import Publication
from sendwright.renewing import Done, Outcome, Settings
from sendwright.report.progress import Progress
from sendwright.service import Service
from sendwright.state.folder import StateFolder
from sendwright.tls_stage import TlsStage

_LONGEST = timedelta(hours=2)
_LOOK_AGAIN = timedelta(seconds=30)


def renew(
    declared: Inventory, settings: Settings, progress: Progress, *, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Renew what is due, change keys where that is asked for, and say what came of each certificate.

    With ``settings.wait`` it waits, two hours at most, until senders know the next key. Errors of single hosts are in
    the outcome; StateError is raised.
    """
    deadline = datetime.now(UTC) + _LONGEST
    outcome = _once(declared, settings, progress)
    while settings.wait and (until := _soonest(outcome)) and until < deadline and not outcome.errors:
        progress.release()
        progress.note(outcome.waiting[0])
        sleep(max((until - datetime.now(UTC)).total_seconds(), 1.0))
        # Those whose key has changed by now would get yet another one.
        late = frozenset(done.host for done in outcome.done if done.what == "waiting")
        again = _once(declared, replace(settings, limit=late), progress)
        outcome = replace(again, done=_joined(outcome.done, again.done))
    return outcome


def _once(declared: Inventory, settings: Settings, progress: Progress) -> Outcome:
    folder = StateFolder.of(declared)
    hosts = declared.stack.limited(settings.limit)
    fleet = Fleet(hosts, declared.folder, trust_new_hosts=settings.trust_new_hosts)
    with folder.lock(), fleet:
        start = durable.Start.of(declared)
        run = _Run(declared, folder, fleet, progress, settings)
        waiting = run.carry_out()
        late = start.push_changes(progress)
        errors = (*run.errors, *late)
        changed = any(done.what not in {"kept", "waiting"} for done in run.done) or run.changed
        result = Result.FAILED if errors else Result.WAITING if waiting else Result.DONE
        if result is Result.DONE and not changed:
            result = Result.UNCHANGED
        return Outcome(result, run.done, errors, waiting)


class _Run:
    """One pass over the certificates of some hosts."""

    def __init__(
        self, declared: Inventory, folder: StateFolder, fleet: Fleet, progress: Progress, settings: Settings
    ) -> None:
        self.changed = False
        self._declared, self._stack = declared, declared.stack
        self._folder, self._fleet, self._progress = folder, fleet, progress
        self._settings = settings
        self._made = datetime.now(UTC)
        self._state = folder.load()
        self._hosts: Mapping[str, Observation] = {}
        self._dns = Publication(declared, folder, progress, self._made)
        asked = Asked(settings.new_key, settings.force, suggestions=True)
        self.tls = TlsStage(declared, folder, fleet, self._dns, progress, asked, self._begin)
        self._begun = False
        self._other: list[SendwrightError] = []

    @property
    def errors(self) -> tuple[SendwrightError, ...]:
        """Why hosts and zones were given up, and which certificates could not be had."""
        return (*self._fleet.errors.values(), *self._dns.zones.errors.values(), *self.tls.errors, *self._other)

    @property
    def done(self) -> tuple[Done, ...]:
        """What came of each certificate; of several things the last."""
        return tuple({(done.host, done.number): done for done in self.tls.done}.values())

    def carry_out(self) -> tuple[str, ...]:
        """Go through the steps; return what is waited for."""
        self._look()
        self._dns.look(self._state.keys)
        self._dns.unattended(self.tls.announced())
        self.tls.persist(self._fleet.well, self._made)
        self.tls.renew_own(self._fleet.well, self._made)
        waiting = self.tls.obtain(self._fleet.well)
        self._state = self._folder.load()
        self._install()
        unseen = self.tls.look(self._fleet.well)
        self._dns.look(self._state.keys)

        def allowed(write: Write) -> bool:
            # A withdrawn MX that caches have forgotten leaves the policy, on hosts first: a provision sees to both.
            known = write.type == "TLSA" or not any(claim.type == "MX" for claim in self._dns.zones.gone)
            return tells_of_tls(write) and known and self.tls.allows(write)

        writes = (w for zone in self._dns.zones.found.values() for w in zone.changes.at(Stage.SWITCH).writes)
        if any(map(allowed, writes)):
            self._begin()
        served = self._dns.switch(self._state.keys, allowed, stay=self._settings.wait)
        self.tls.remember_fresh()
        held = self._dns.withdraw_known_keys(self._state.keys, self.tls.shown.hosts, self._begin)
        return (*waiting, *unseen, *served, *held)

    def _begin(self) -> None:
        """Claim the hosts for this folder before anything is written anywhere."""
        if not self._begun:
            # From here on there is something to tell: what is waited for, first of all.
            self._progress.release()
            claim(self._fleet, self._folder, partial(durable.push, self._declared, self._progress))
            self._begun = self.changed = True

    def _look(self) -> None:
        with self._progress.step("looked at the hosts", lambda: bool(self._fleet.errors)):
            bare = [name for name in self._fleet.well if self._state.certificate_of(name) is None]
            for name in bare:
                what = "it has no certificate yet; nothing was changed."
                self._fleet.give_up(name, PreflightFailed(name, what, "Run `sendwright provision` first."))
            seen = self._fleet.observe(planning.desired_on(self._stack, self._fleet.well, self._state))
            refuse_older(self._folder, seen)
            for name, found in seen.items():
                if faults := preflight.problems(self._stack.host(name), found, self._made):
                    what = "it is not fit, and nothing was changed."
                    self._fleet.give_up(name, PreflightFailed(name, what, "\n".join(faults)))
            self._hosts = {name: found for name, found in seen.items() if name in self._fleet.well}
            self._state = self.tls.renewed_by_hosts(self._hosts, self._state)

    def _install(self) -> None:
        jobs = {}
        for name in self._fleet.well:
            services = self._services(name)
            if not hostdiff.differing(showing(services), self._hosts[name]):
                continue
            if others := undeclared(self._stack, self._stack.host(name), self._state, self._hosts[name]):
                if in_place(services, self._hosts[name]):
                    self._progress.note(f"{name}: {', '.join(others[:3])} there is not as declared, and is left so")
                    continue
                if chains := chains_alone(services, self._hosts[name]):
                    self._progress.note(f"{name}: {', '.join(others[:3])} there is not as declared, and is left so")
                    jobs[name] = chains
                    continue
                what = f"its new key was not installed: {', '.join(others[:3])} there is not as declared."
                self._other.append(HostError(name, what, "Run `sendwright provision`: it installs that, too."))
                continue
            jobs[name] = bearers(services)
        if jobs:
            self._begin()
            with self._progress.step(f"{', '.join(jobs)}: the certificate is installed"):
                report = self._progress.note
                converging.converge(
                    *(self._fleet, self._folder, self._declared.folder, jobs),
                    lambda host, line: report(f"{host}: {line}"),
                )

    def _services(self, name: str) -> tuple[Service, ...]:
        release = self._hosts[name].release
        return planning.services(self._stack, self._stack.host(name), release, self._state) if release else ()


def _soonest(outcome: Outcome) -> datetime | None:
    ends = [done.until for done in outcome.done if done.what == "waiting"]
    if not ends:
        return None
    known = [end for end in ends if end]
    return min(known) if known else datetime.now(UTC) + _LOOK_AGAIN


def _joined(before: Iterable[Done], after: Iterable[Done]) -> tuple[Done, ...]:
    """Return the last of what came of each certificate, but what was done once is not forgotten for being kept."""
    found = {(done.host, done.number): done for done in before if done.what != "waiting"}
    for done in after:
        earlier = found.get((done.host, done.number))
        if earlier is None or done.what != "kept":
            found[done.host, done.number] = done
    return tuple(found.values())
