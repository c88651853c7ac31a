"""One pass over lines: each kind of step is carried out for all of them at once."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from sendwright import claiming, dkim, durable, hostdiff, issuing, planning, probing
from sendwright.errors import HostError, PreflightFailed, SendwrightError
from sendwright.lines import ON_HOSTS, Act, HostSeen, Line, Step, confirmed, promoted, removed, restarted, revoked
from sendwright.rotation import next_steps, taken
from sendwright.rotation_world import Site, World
from sendwright.signers import unprovisioned
from sendwright.state.model import DkimKey, KeyStage

# New keys come first, so that all that follows serves them too; what only takes something away comes last.
ORDER = (
    *(Act.GENERATE, Act.RESTART, Act.CONVERGE, Act.PUBLISH, Act.PROVE, Act.PROMOTE, Act.DEMOTE, Act.CONFIRM),
    *(Act.REVOKE, Act.DATE, Act.DISCLOSE, Act.REMOVE),
)

# What a folder has to remember that outlives this machine: a copy that does not would sign with a key that is revoked.
_PUSHED_BEFORE = frozenset({KeyStage.GENERATED, KeyStage.REVOKED})

# What needs private keys, or leads to what does: a wrong passphrase is found before any of it.
_OPENING = frozenset({Act.GENERATE, Act.CONVERGE, Act.PROMOTE, Act.REVOKE, Act.DISCLOSE})


class Pass:
    """One way through the steps of some lines; what fails stops nothing else. ``done``: steps that were carried out."""

    def __init__(self, site: Site, moving: Iterable[Line], *, only_looks: bool = False) -> None:
        self.world = World(site, moving, only_looks=only_looks)
        self.done: list[Step] = []
        self._means = site.means
        self._declared = site.declared
        self._folder = site.folder
        self._progress = site.progress
        self._unproven: dict[str, HostError] = {}
        self._failed: list[SendwrightError] = []
        self._tried: set[tuple[str, ...]] = set()
        self._refused: set[tuple[str, ...]] = set()
        self._start = durable.Start.of(site.declared)
        self._opened = False

    @property
    def errors(self) -> tuple[SendwrightError, ...]:
        """Why hosts and zones were given up, and what hosts could not prove."""
        return (
            *self._failed,
            *self.world.fleet.errors.values(),
            *self.world.records.zones.errors.values(),
            *self._unproven.values(),
        )

    def look(self) -> None:
        """Look at the hosts, and at the records of their keys."""
        self.world.look_at_hosts(self.world.fleet.well)
        self.world.look_at_records()

    def begin(self, leaked: Collection[str]) -> None:
        """Look at the hosts, make the keys that are asked for, and look at the records of all.

        Arguments: ``leaked``: record names of keys that somebody else may have.
        """
        self.world.look_at_hosts(self.world.fleet.well)
        if leaked and self.world.seen.hosts:
            self._open_keys()
            self._first_write()
            keys = [
                key
                for line in self.world.lines
                for key in line.keys
                if key.record_name in leaked and key.leaked is None
            ]
            self.world.save(replace(key, leaked=_now()) for key in keys)
        if steps := [step for step in self.steps() if step.act is Act.GENERATE]:
            self.do(Act.GENERATE, steps)
        self.world.look_at_records()

    def end(self) -> None:
        """Make durable what changed."""
        self._failed += self._start.push_changes(self._progress)

    def steps(self) -> Iterator[Step]:
        """Yield what is to be done or waited for now, without what was carried out in this pass already.

        Nothing where no host answers: nobody would know that a newer state folder has gone further.
        """
        seen = self.world.seen_at(now := _now())
        for line in self.world.lines if seen.hosts else ():
            yield from (step for step in next_steps(line, seen, now) if _what(step) not in self._tried)

    def pending(self) -> Iterator[Step]:
        """Yield what is left: also what was refused, or does not show, which the next pass looks at again."""
        seen = self.world.seen_at(now := _now())
        for line in self.world.lines:
            for step in next_steps(line, seen, now):
                if _what(step) in self._tried:
                    refused = _what(step) in self._refused
                    came = "it was refused: see above" if refused else "it was carried out, and does not show yet"
                    yield replace(step, act=Act.WAIT, why=f"{step.why}: {came}")
                else:
                    yield step

    def do(self, act: Act, steps: Sequence[Step]) -> None:
        """Carry out steps of one kind."""
        if act in _OPENING:
            self._open_keys()
        self._first_write()
        before = len(self.errors)
        with self._progress.step(_title(act, steps), lambda: len(self.errors) > before):
            self._tried |= {_what(step) for step in steps}
            took = self._by_act[act](self, steps)
        done = tuple(steps) if took is None else took
        self._refused |= {_what(step) for step in steps} - {_what(step) for step in done}
        self.done += done

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of keys that sign, and that hosts were seen not to sign with."""
        found = []
        for line in self.world.lines:
            for key in line.signing[-1:]:
                idle = [h for h in line.hosts if (seen := self.world.seen.hosts.get(h)) and _unused(seen, key)]
                if idle:
                    text = f"{key.record_name} is in DNS, and {', '.join(idle)} does not sign with it"
                    found.append(f"{text}: run `sendwright provision`.")
        return tuple(found)

    def _generate(self, steps: Sequence[Step]) -> None:
        missing = [(self._declared.stack.domain(step.line.domain), step.line.algorithm) for step in steps]
        issuing.generate(self._folder, missing, _now(), self._progress.note)
        self.world.started = frozenset()
        self.world.refresh()

    def _converge(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        names = sorted({host for step in steps for host in step.hosts})
        services = {name: self.world.signers(name) for name in names}
        for name, found in services.items():
            if left := unprovisioned(self.world.observations[name], found):
                self.world.fleet.give_up(name, _unprovisioned(name, left))
        names = [name for name in names if name in self.world.fleet.well]
        jobs = {n: services[n] for n in names if hostdiff.differing(services[n], self.world.observations[n])}
        report = self._progress.note
        self._means.converge(
            *(self.world.fleet, self._folder, self._declared.folder, jobs),
            lambda host, line: report(f"{host}: {line}"),
        )
        self.world.look_at_hosts([name for name in names if name in self.world.fleet.well])
        well = frozenset(self.world.fleet.well)
        return _on(steps, lambda _: well)

    def _publish(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        late = any(step.key and step.key.stage in _PUSHED_BEFORE for step in steps)
        pushed = self._push() if late else True
        keys = [step.key for step in steps if step.key and (pushed or step.key.stage not in _PUSHED_BEFORE)]
        written = self.world.records.publish(self.world.state.keys, {key.txt_name for key in keys})
        keys = [key for key in keys if key.txt_name in written]
        first = {key.record_name for key in keys if key.stage is KeyStage.GENERATED}
        self.world.save(replace(key, stage=KeyStage.PUBLISHED) for key in keys if key.record_name in first)
        self.world.save(planning.gone(keys, written, _now()))
        names = {key.record_name for key in keys}
        self.world.published([key for key in self.world.keys if key.record_name in names])
        return tuple(step for step in steps if step.key and step.key.record_name in names)

    def _prove(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        asked: dict[str, tuple[DkimKey, ...]] = {}
        for step in steps:
            for host in step.hosts:
                asked[host] = (*asked.get(host, ()), *([step.key] if step.key else []))
        proofs = probing.probe(self.world.fleet, asked, self._means.lookup)
        # Tried once more in a pass, it says the same.
        self._unproven |= {str(error): error for error in proofs.errors}
        self.world.save(planning.proven(self.world.state.keys, proofs.hosts, _now()))
        return _on(steps, lambda step: proofs.hosts.get(step.key.record_name, frozenset()) if step.key else frozenset())

    def _promote(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda _, key: promoted(key, _now()))

    def _confirm(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda step, key: confirmed(step.line, key, self.world.seen, _now()))

    def _restart(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda _, key: restarted(key))

    def _revoke(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda _, key: revoked(key))

    def _date(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda _, key: replace(key, revoked=_now()))

    def _disclose(self, steps: Sequence[Step]) -> None:
        self._move(steps, lambda _, key: replace(key, disclosed=dkim.disclosure(self._folder.open(key.sealed))))

    def _remove(self, steps: Sequence[Step]) -> None:
        other = [step for step in steps if step.key and taken(step.key, self.world.seen)]
        self._move(steps, lambda _, key: removed(key, _now()))
        if other:
            self._generate(other)
            self.world.look_at_records()

    # What returns steps was refused the others.
    _by_act: ClassVar[Mapping[Act, "Callable[[Pass, Sequence[Step]], tuple[Step, ...] | None]"]] = {
        Act.GENERATE: _generate,
        Act.CONVERGE: _converge,
        Act.PUBLISH: _publish,
        Act.PROVE: _prove,
        Act.PROMOTE: _promote,
        Act.DEMOTE: _confirm,
        Act.CONFIRM: _confirm,
        Act.RESTART: _restart,
        Act.REVOKE: _revoke,
        Act.DATE: _date,
        Act.DISCLOSE: _disclose,
        Act.REMOVE: _remove,
    }

    def _move(self, steps: Sequence[Step], move: Callable[[Step, DkimKey], DkimKey]) -> None:
        self.world.save(move(step, step.key) for step in steps if step.key)

    def _open_keys(self) -> None:
        """See that every key that hosts are to hold can be opened, before anything is changed; StateError."""
        if not self._opened:
            for key in self.world.state.keys:
                if key.stage in ON_HOSTS:
                    self._folder.open(key.sealed)
            self._opened = True

    def _first_write(self) -> None:
        """Claim the hosts for this folder before anything is written anywhere."""
        if not self.world.begun:
            claiming.claim(self.world.fleet, self._folder, partial(durable.push, self._declared, self._progress))
            self.world.begun = True

    def _push(self) -> bool:
        try:
            durable.push(self._declared, self._progress)
        except SendwrightError as error:
            self._failed.append(error)
            return False
        return True


def _unprovisioned(host: str, names: Sequence[str]) -> PreflightFailed:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    what = (
        f"it still takes mail of {shown} as the inventory was before, which would leave without a signature, or wait."
    )
    return PreflightFailed(
        host, f"{what} Its signers were not changed.", "Run `sendwright provision`, then this again."
    )


def _on(steps: Iterable[Step], took: Callable[[Step], Container[str]]) -> tuple[Step, ...]:
    """Return steps with the hosts that took them, and none that no host took."""
    found = (replace(step, hosts=tuple(h for h in step.hosts if h in took(step))) for step in steps)
    return tuple(step for step in found if step.hosts)


def _unused(seen: HostSeen, key: DkimKey) -> bool:
    return seen.signs is not None and key.record_name not in seen.signs


def _what(step: Step) -> tuple[str, ...]:
    key = (step.key.selector, step.key.stage) if step.key else ()
    return step.act, step.line.domain, step.line.algorithm, *key, *step.hosts


def _title(act: Act, steps: Sequence[Step]) -> str:
    first = steps[0].key.record_name if steps[0].key else steps[0].line.domain
    return f"{act} {first}" + (f" and {len(steps) - 1} more" if len(steps) > 1 else "")


def _now() -> datetime:
    return datetime.now(UTC)
