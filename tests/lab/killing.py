"""A controller that is killed at a given moment of what it does."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sendwright.rehearse import World

_PATIENCE = 90.0


@dataclass
class Running:
    """A verb that runs: what it said so far on standard error."""

    world: World
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        """Whether it was killed, and did not end by itself."""
        return self.process.returncode == -signal.SIGKILL

    def said(self, pattern: str, times: int = 1) -> bool:
        """Whether that many lines match a pattern."""
        return sum(re.search(pattern, line) is not None for line in self.lines) >= times


Moment = Callable[[Running], bool]


def line(pattern: str, times: int = 1) -> Moment:
    """Return the moment at which a line is said for so many times."""
    return lambda run: run.said(pattern, times)


def killed_at(world: World, moment: Moment, verb: str, *argv: str, may_end: bool = False) -> Running:
    """Begin a verb, and kill the controller, only it, at that moment; return when all that it had started is gone.

    ``may_end``: that may be the last moment of all, after which it ends by itself before anybody has seen it.
    """
    command = world.lab.command([sys.executable, "-m", "sendwright", verb, str(world.folder), *argv])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    run = Running(world, process)
    reader = threading.Thread(target=lambda: run.lines.extend(iter(process.stderr.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    deadline = time.monotonic() + _PATIENCE
    while not moment(run) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(map(_lives, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    ended = may_end and process.returncode == 0 and moment(run)
    assert ended or process.returncode == -signal.SIGKILL, run.lines
    assert not any(map(_lives, children))
    reader.join(5)
    return run


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread may end at any time
            found += map(int, task.read_text().split())
    return [*found, *(below for child in found for below in _children(child))]


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
