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
    reader: threading.Thread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin to read."""
        read = lambda: self.lines.extend(iter(self.process.stderr.readline, ""))  # type: ignore[union-attr]  # noqa: E731
        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()

    @property
    def killed(self) -> bool:
        """Whether it was killed, and did not end by itself."""
        return self.process.returncode == -signal.SIGKILL

    def said(self, pattern: str, times: int = 1) -> bool:
        """Whether that many lines match a pattern."""
        return sum(re.search(pattern, line) is not None for line in self.lines) >= times

    def says(self, pattern: str) -> None:
        """Wait until a line matches a pattern."""
        deadline = time.monotonic() + _PATIENCE
        while not self.said(pattern):
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.01)

    def ends(self, timeout: float = _PATIENCE) -> int:
        """Wait until it ends by itself; return its exit code."""
        code = self.process.wait(timeout)
        self.reader.join(5)
        return code


Moment = Callable[[Running], bool]


def line(pattern: str, times: int = 1) -> Moment:
    """Return the moment at which a line is said for so many times."""
    return lambda run: run.said(pattern, times)


def begun(world: World, verb: str, *argv: str) -> Running:
    """Begin a verb (``certs renew`` is one) at the controller's place."""
    command = world.lab.command([sys.executable, "-m", "sendwright", *verb.split(), str(world.folder), *argv])
    return Running(world, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))


def killed_at(world: World, moment: Moment, verb: str, *argv: str, may_end: bool = False) -> Running:
    """Begin a verb, and kill the controller, only it, at that moment; return when all that it had started is gone.

    ``may_end``: that may be the last moment of all, after which it ends by itself before anybody has seen it.
    """
    run = begun(world, verb, *argv)
    process = run.process
    deadline = time.monotonic() + _PATIENCE
    try:
        while not moment(run) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
    except BaseException:
        process.kill()
        raise
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(map(_lives, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    ended = may_end and process.returncode == 0 and moment(run)
    assert ended or process.returncode == -signal.SIGKILL, run.lines
    assert not any(map(_lives, children))
    run.reader.join(5)
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
