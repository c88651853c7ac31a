"""Processes told apart by number *and* start time, and groups of them that belong to one machine.

A number alone may meanwhile belong to somebody else's process; a lab ends only what it started.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sendwright.errors import LabError


@dataclass(frozen=True)
class Process:
    """One process: its number and when it started, in clock ticks since boot."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_time(self.pid) == self.started


def current() -> Process:
    """Return the process that this code runs in."""
    return identify(os.getpid())


def identify(pid: int) -> Process:
    """Return the process that has this number now; a start time of 0 means that it is gone already."""
    return Process(pid, _start_time(pid) or 0)


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces: count from its end. Field 3 is the state, field 22 the start.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def group(name: str) -> Path:
    """Return the control group (version 2) of this name.

    Each machine needs one of its own: systemd inside manages what lies below it, and two machines that shared
    one would take each other's services for theirs. It is also how all of a machine's processes are found.
    """
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mountpoint, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(mountpoint) / name
    raise LabError("no cgroup2 hierarchy is mounted.", "Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")


def members(folder: Path) -> list[int]:
    """List the numbers of all processes in a control group and below it."""
    numbers: list[int] = []
    # os.walk and not rglob: services come and go, and their groups vanish while we read.
    for each, _, _ in os.walk(folder):
        with suppress(OSError):
            numbers += map(int, Path(each, "cgroup.procs").read_text().split())
    return numbers


def number_inside(pid: int) -> int | None:
    """Return the number that a process of a machine has inside it; None for processes outside of all machines."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    numbers = status.partition("NSpid:")[2].partition("\n")[0].split()
    return int(numbers[1]) if len(numbers) > 1 else None


def end_group(folder: Path, *, timeout: float = 10) -> None:
    """Kill every process of a control group, waiting ``timeout`` seconds; fine if there is none."""
    deadline = time.monotonic() + timeout
    while folder.exists():
        left = members(folder)
        if time.monotonic() > deadline:
            raise LabError(f"processes {left} in {folder} cannot be ended.", "Run `sendwright lab down` again.")
        for pid in left:
            _kill(pid)
        # A group is busy until the last of its processes is quite gone.
        with suppress(OSError):
            _remove(folder)
            break
        time.sleep(0.02)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mountpoint, kind, options, *_ = line.split()
        # Where both versions exist, nspawn makes the same groups in systemd's own hierarchy of version 1.
        if kind == "cgroup" and "name=systemd" in options.split(","):
            with suppress(OSError):
                _remove(Path(mountpoint) / folder.relative_to(group("")))


def _remove(folder: Path) -> None:
    for empty, _, _ in os.walk(folder, topdown=False):
        Path(empty).rmdir()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
