"""Carry out a Plan, stage by stage. A host or zone that fails is left behind; the others are served.

Every stage may be the last one that a killed run reached: each begins with a fresh look or with what the state folder
remembers, so running again finishes the work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sendwright import durable, planning, saved
from sendwright.connections import Fleet
from sendwright.errors import SendwrightError
from sendwright.inventory import Inventory
from sendwright.plan import Plan
from sendwright.report.progress import Progress
from sendwright.saved import SavedPlan
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage

if TYPE_CHECKING:
    from sendwright.run import Run


class Result(StrEnum):
    """How a provision ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    DECLINED = "declined"
    FAILED = "failed"


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. ``limit``: host names, empty for all; ``wait``: stay until clocks ran out.

    ``allow_deletions``: withdraw very much of what is ours in a zone at once.
    """

    limit: frozenset[str] = frozenset()
    trust_new_hosts: bool = False
    wait: bool = True
    allow_deletions: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``commands``: how many remote commands each host was sent; ``waiting``: for what, until when."""

    result: Result
    plan: Plan
    errors: tuple[SendwrightError, ...] = ()
    waiting: tuple[str, ...] = ()
    commands: Mapping[str, int] = field(default_factory=dict)


Approve = Callable[[Plan], bool]


def look_ahead(declared: Inventory, settings: Settings, progress: Progress, out: Path | None = None) -> Outcome:
    """Return the Plan and what could not be looked at; nothing is touched. ``out``: where to save the plan."""
    if out:
        saved.check_place(out)
    with _fleet(declared, settings) as fleet:
        run = _begin(declared, StateFolder.of(declared), fleet, progress, datetime.now(UTC), settings)
        plan = run.plan()
        if out:
            saved.write(out, run.snapshot(plan, settings.limit))
        return _outcome(run, Result.UNCHANGED if plan.empty else Result.DONE, plan)


def provision(
    declared: Inventory, settings: Settings, progress: Progress, approve: Approve, approved: SavedPlan | None = None
) -> Outcome:
    """Look, plan, have the plan approved, and carry it out.

    ``approve`` is shown the plan and answers whether to go on; it is not asked when nothing would change. ``approved``
    is a saved plan: PlanMoved, with nothing changed, unless it is what a fresh look comes to.
    Errors of single hosts and zones are in the outcome; StateError and InventoryError are raised.
    """
    folder, now = StateFolder.of(declared), datetime.now(UTC)
    if approved:
        saved.refuse_other(approved, "provision", declared.stack, now)
        settings = replace(settings, limit=frozenset(approved.limit))
    with folder.lock(), _fleet(declared, settings) as fleet:
        start = durable.Start.of(declared)
        run = _begin(declared, folder, fleet, progress, saved.moment(approved, now), settings)
        plan = run.plan()
        if approved:
            saved.refuse_moved(approved, run.snapshot(plan, settings.limit))
        if plan.empty:
            late = start.push_changes(progress)
            return _outcome(run, Result.UNCHANGED, plan, run.dns.zones.held, late)
        if not approve(plan):
            return _outcome(run, Result.DECLINED, plan)
        run.claim()
        run.persist()
        run.publish()
        run.converge()
        run.point()
        waiting = run.prove(wait=settings.wait)
        waiting += run.certify()
        waiting += run.switch(wait=settings.wait)
        waiting += run.still()
        waiting += run.withdraw()
        late = start.push_changes(progress)
        return _outcome(run, Result.WAITING if waiting else Result.DONE, plan, waiting, late)


def _begin(
    declared: Inventory, folder: StateFolder, fleet: Fleet, progress: Progress, made: datetime, settings: Settings
) -> "Run":
    state = folder.load()
    expected = planning.planned(declared.stack, state, made)
    # Who signs with a key that should rest by now is seen only before the host is converged.
    retiring = any(key.stage is KeyStage.RETIRING for key in state.keys)
    looking = fleet.observing(planning.desired_on(declared.stack, fleet.well, expected), queues=retiring)
    # The stages speak DNS and handle certificates: importing that takes about as long as the hosts take to answer.
    from sendwright.run import Run

    return Run(declared, folder, state, fleet, looking, progress, made, allow_deletions=settings.allow_deletions)


def _fleet(declared: Inventory, settings: Settings) -> Fleet:
    hosts = declared.stack.limited(settings.limit)
    return Fleet(hosts, declared.folder, trust_new_hosts=settings.trust_new_hosts)


def _outcome(
    run: "Run",
    result: Result,
    plan: Plan,
    waiting: tuple[str, ...] = (),
    late: tuple[SendwrightError, ...] = (),
) -> Outcome:
    errors = (*run.errors, *late)
    if errors and result is not Result.DECLINED:
        result = Result.FAILED
    return Outcome(result, plan, errors, waiting, run.fleet.commands)
