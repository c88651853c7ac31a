"""All labs of this machine: what each is fit for, and how those that nobody needs are cleaned away."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from sendwright.errors import LabError
from sendwright.lab import layout, mounts, netns, processes, state
from sendwright.lab.machine import lab_group, segment_name


class Condition(StrEnum):
    """What a lab is fit for."""

    BUILDING = "building"
    UP = "up"
    DAMAGED = "damaged"  # some of its machines do not run
    DEAD = "dead"  # nobody needs it any more: it is swept before the next one is built


@dataclass(frozen=True)
class Status:
    """One line of the list of labs; ``kept`` labs outlive the process that made them."""

    name: str
    condition: Condition
    kept: bool
    hosts: tuple[str, ...]


def labs() -> tuple[Status, ...]:
    """List the labs of this machine and what each is fit for."""
    return tuple(_status(name) for name in state.names())


def down(name: str) -> None:
    """Take a lab down, whatever its condition; fine if nothing of it is left."""
    with state.lock():
        _clean(name)


def sweep() -> tuple[str, ...]:
    """Take down every dead lab and return their names; living labs are not touched."""
    with state.lock():
        dead = tuple(status.name for status in labs() if status.condition is Condition.DEAD)
        for name in dead:
            _clean(name)
    return dead


def condition(found: state.State) -> Condition:
    """Tell what a lab that is written down is fit for."""
    if found.phase is state.Phase.BUILDING:
        return Condition.BUILDING if found.owner.alive else Condition.DEAD
    if not found.kept and not found.owner.alive:
        return Condition.DEAD
    running = [machine.leader is not None for machine in layout.machines(found)]
    if not any(running):
        return Condition.DEAD
    return Condition.UP if all(running) else Condition.DAMAGED


def _status(name: str) -> Status:
    try:
        found = state.load(name)
    except LabError:
        # It may well be somebody's: only a person decides that it goes.
        return Status(name, Condition.DAMAGED, kept=True, hosts=())
    if found is None:
        # The machine was switched off, or its creator was killed before it had written the file.
        return Status(name, Condition.DEAD, kept=False, hosts=())
    return Status(name, condition(found), found.kept, tuple(host.name for host in found.spec.hosts))


def _clean(name: str) -> None:
    disks = state.disks(name)
    with suppress(LabError):
        if found := state.load(name):
            disks = found.disks
    processes.end_group(lab_group(name))
    mounts.unmount_below(disks)
    for namespace in (*netns.names(f"{segment_name(name)}."), segment_name(name)):
        netns.delete(namespace)
    shutil.rmtree(disks, ignore_errors=True)
    shutil.rmtree(state.FOLDER / name, ignore_errors=True)
