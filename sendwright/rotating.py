"""Carry out what ``rotation.next_steps`` says, for all lines together, until nothing but waiting is left.

Only the signers of hosts and the records of keys are touched: whatever else differs from the inventory is left to
``provision``. A pass may die anywhere: stories are saved one by one, before the world is made to follow them.
"""

import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sendwright.connections import Fleet
from sendwright.errors import SendwrightError, StateError
from sendwright.inventory import Inventory
from sendwright.lines import Act, Line, Seen, Step, lines
from sendwright.provision import Result
from sendwright.report.progress import Progress
from sendwright.rotation import due, next_steps, resting
from sendwright.rotation_pass import ORDER, Pass
from sendwright.rotation_world import MEANS, Means, Site
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage, State

# While some server is behind, or a host is away, there is no deadline to wait for.
_LOOK_AGAIN = timedelta(seconds=30)
# A clock that runs out in weeks is looked at now and then: what queues hold is known only then.
_LONGEST_SLEEP = timedelta(hours=1)
# A secondary takes a moment to fetch a new key, and as long the leaked one signs.
_HURRY, _HURRIED = timedelta(seconds=2), timedelta(minutes=1)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. ``domains``: those that are rotated, empty for all.

    ``start``: begin with successors now, for the keys that are due, or for all of the named ``domains``; ``leaked``:
    record names of keys that somebody else may have.
    """

    domains: frozenset[str] = frozenset()
    start: bool = False
    leaked: frozenset[str] = frozenset()
    trust_new_hosts: bool = False


@dataclass(frozen=True)
class Rotation:
    """What came of a pass. ``done``: steps that were carried out; ``pending``: those that wait, are blocked or due.

    For ``status`` all that would be done is pending. ``lines``: with the stories as they are now; ``commands``: how
    many remote commands each host was sent; ``seen``: the last look at what was not at rest.
    """

    result: Result
    done: tuple[Step, ...] = ()
    pending: tuple[Step, ...] = ()
    lines: tuple[Line, ...] = ()
    errors: tuple[SendwrightError, ...] = ()
    notes: tuple[str, ...] = ()
    commands: Mapping[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)


def status(declared: Inventory, asked: Asked, progress: Progress, *, means: Means = MEANS) -> Rotation:
    """Look at every line and say what would come next; nothing is touched."""
    folder = StateFolder.of(declared)
    found = _lines(declared.stack, _remembered(folder), asked, datetime.now(UTC))
    with _fleet(declared, found, asked, means) as fleet:
        run = Pass(Site(declared, folder, fleet, progress, means), found, only_looks=True)
        run.look()
        return _rotation(run, Result.UNCHANGED, found)


def rotate(
    declared: Inventory,
    asked: Asked,
    progress: Progress,
    *,
    sleep: Callable[[float], None] = time.sleep,
    ticks: Callable[[], float] = time.monotonic,
    means: Means = MEANS,
) -> Rotation:
    """Move every key as far as is safe now, without waiting for any clock.

    Only for the successor of a key that leaks now it stays a minute, until every server serves it. ``sleep`` takes
    seconds, of which ``ticks`` answers how many went by.
    Errors of single hosts and zones are in the outcome; StateError and PassphraseError are raised. Where every line
    is at rest, no host and no server hears of it.
    """
    folder = StateFolder.of(declared)
    with folder.lock():
        now, state = datetime.now(UTC), _remembered(folder)
        found = _lines(declared.stack, state, asked, now)
        claimed = {claim.name for claim in state.claims if claim.type == "TXT"}
        moving = [line for line in found if not resting(line, now) or _leaks(line, asked) or _lingers(line, claimed)]
        if not moving:
            return Rotation(Result.UNCHANGED, (), _due(found, now), found)
        with _fleet(declared, moving, asked, means) as fleet:
            run = Pass(Site(declared, folder, fleet, progress, means), moving)
            run.begin(asked.leaked)
            _carry_out(run)
            ends = ticks() + _HURRIED.total_seconds()
            for _ in range(_HURRIED // _HURRY if asked.leaked else 0):
                if ticks() >= ends or not any(_leaking(line) for line in run.world.lines):
                    break
                sleep(_HURRY.total_seconds())
                run.world.look_at_servers()
                _carry_out(run)
            run.end()
            return _rotation(run, Result.DONE, found)


def rotate_until_done(
    declared: Inventory,
    asked: Asked,
    progress: Progress,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Rotation:
    """Rotate again and again until nothing waits any more, however long that takes; say for what it waits.

    Arguments: ``clock`` returns UTC; ``sleep`` takes seconds. What is blocked or fails is said, and ends it only when
    nothing else waits.
    """
    found = rotate(declared, asked, progress, sleep=sleep)
    done = found.done
    while any(step.act is Act.WAIT for step in found.pending):
        for error in found.errors:
            progress.note(str(error))
        ends = [step.until for step in found.pending if step.until]
        pause = min((min(ends) - clock()) if ends else _LOOK_AGAIN, _LONGEST_SLEEP)
        if any(step.act is Act.WAIT and step.until is None for step in found.pending):
            pause = min(pause, _LOOK_AGAIN)
        progress.note(f"waiting: {_shortest(found.pending)}")
        sleep(max(pause, timedelta(seconds=1)).total_seconds())
        found = rotate(declared, replace(asked, start=False, leaked=frozenset()), progress, sleep=sleep)
        done += found.done
    result = Result.DONE if done and found.result is Result.UNCHANGED else found.result
    return replace(found, done=done, result=result)


def _remembered(folder: StateFolder) -> State:
    """Return what the folder remembers; StateError where that is no key at all: it may be a lost one."""
    state = folder.load()
    if not state.keys:
        what = f"there is no DKIM key in {folder.path}: nothing rotates."
        hint = "`sendwright provision` makes the first ones. Where hosts sign already this folder was lost, or is the"
        raise StateError(what, f"{hint} wrong one: fetch it, or run `sendwright keys recover`.")
    return state


def _lines(stack: Stack, state: State, asked: Asked, now: datetime) -> tuple[Line, ...]:
    chosen = (
        line
        for line in lines(stack, state.keys, standing=state.standing)
        if not asked.domains or line.domain in asked.domains
    )
    return tuple(replace(line, start=asked.start and (bool(asked.domains) or _is_due(line, now))) for line in chosen)


def _is_due(line: Line, now: datetime) -> bool:
    since = due(line)
    return since is not None and since <= now


def _carry_out(run: Pass) -> None:
    # Each step is carried out once in a pass: one that is asked for again did not show, and the next pass sees why.
    for _ in range(3 * len(ORDER)):
        steps = [step for step in run.steps() if not step.waits]
        act = next((act for act in ORDER if any(step.act is act for step in steps)), None)
        if act is None:
            return
        run.do(act, [step for step in steps if step.act is act])


def _rotation(run: Pass, result: Result, found: tuple[Line, ...]) -> Rotation:
    looked_at = {(line.domain, line.algorithm): line for line in run.world.lines}
    resting_ones = (line for line in found if (line.domain, line.algorithm) not in looked_at)
    pending = (*run.pending(), *_due(resting_ones, datetime.now(UTC)))
    if result is Result.DONE:
        waiting = any(step.act is Act.WAIT for step in pending)
        result = Result.WAITING if waiting else Result.DONE if run.done else Result.UNCHANGED
    if run.errors or any(step.act is Act.BLOCKED for step in pending):
        result = Result.FAILED
    after = tuple(looked_at.get((line.domain, line.algorithm), line) for line in found)
    commands = run.world.fleet.commands
    return Rotation(result, tuple(run.done), pending, after, run.errors, run.notes(), commands, run.world.seen)


def _due(at_rest: Iterable[Line], now: datetime) -> tuple[Step, ...]:
    """The only thing that there is to say of lines that nobody looked at."""
    steps = (step for line in at_rest for step in next_steps(line, Seen(), now))
    return tuple(step for step in steps if step.act is Act.DUE)


def _fleet(declared: Inventory, found: Iterable[Line], asked: Asked, means: Means) -> Fleet:
    names = {host for line in found for host in (*line.hosts, *line.former)}
    hosts = [host for host in declared.stack.hosts if host.name in names]
    return means.fleet(hosts, declared.folder, trust_new_hosts=asked.trust_new_hosts)


def _leaks(line: Line, asked: Asked) -> bool:
    return any(key.record_name in asked.leaked for key in line.keys)


def _leaking(line: Line) -> bool:
    """Whether a key that somebody else may have signs while its successor is on its way."""
    return bool(line.successor) and any(key.leaked for key in line.signing)


def _lingers(line: Line, claimed: Container[str]) -> bool:
    """Whether a record of a removed key is in the ledger still: nobody saw it go."""
    return any(key.stage is KeyStage.REMOVED and key.txt_name in claimed for key in line.keys)


def _shortest(pending: tuple[Step, ...]) -> str:
    first = min(pending, key=lambda step: (step.until is None, step.until or datetime.max.replace(tzinfo=UTC)))
    until = f" until {first.until:%Y-%m-%d %H:%M:%S} UTC" if first.until else ""
    more = f" (and {len(pending) - 1} more)" if len(pending) > 1 else ""
    return f"{first.key.record_name if first.key else first.line.domain}: {first.why}{until}{more}"
