"""The state folder outlives this machine: pushed by the inventory's command before a new key is published.

On a runner that is thrown away the only copy of a key would go with it, and what it signed could never be taken back.
Everything here is for whoever holds the folder's lock, so that what is pushed does not change meanwhile.
"""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sendwright import children
from sendwright.errors import StateError
from sendwright.escape import plain
from sendwright.inventory import Inventory
from sendwright.report.progress import Progress
from sendwright.secrets import inheritable
from sendwright.state import files
from sendwright.state.model import DkimKey, KeyStage

# A large folder over a slow line, and a hook that checks it.
_SECONDS = 300.0
_SHOWN_BYTES, _SHOWN_LINES = 4096, 10
_STAMP = ".pushed"
# Whoever pushes may have a token in its URL.
_LOGIN = re.compile(r"//[^/@\s]*@")


def push(declared: Inventory, progress: Progress, seconds: float = _SECONDS) -> None:
    """Run the command that makes the state folder durable; nothing without one. StateError unless it succeeds.

    Publish no new key before this has returned after the key was saved. ``seconds``: how long it may take.
    """
    command = declared.stack.key_store.push
    if command is None:
        return
    with progress.step("the state folder is pushed"):
        _run(declared, command, seconds)
        files.write(declared.state_dir / _STAMP, _content(declared.state_dir), at_once=False)


def push_new(declared: Inventory, keys: Iterable[DkimKey], progress: Progress) -> None:
    """Push if a key is about to be published for the first time; one that an earlier run made too: see ``push``."""
    if any(key.stage is KeyStage.GENERATED for key in keys):
        push(declared, progress)


@dataclass(frozen=True)
class Start:
    """What the state folder was like when a run began."""

    declared: Inventory
    content: bytes

    @classmethod
    def of(cls, declared: Inventory) -> "Start":
        """Remember what the folder is like now; nothing where no command would push it."""
        return cls(declared, _content(declared.state_dir) if declared.stack.key_store.push else b"")

    def push_changes(self, progress: Progress) -> tuple[StateError, ...]:
        """Push what this run has changed, or what an earlier one could not push; return why that failed, if it did."""
        folder = self.declared.state_dir
        if self.declared.stack.key_store.push is None or not folder.is_dir():
            return ()
        now, pushed = _content(folder), files.read(folder / _STAMP)
        if now == (self.content if pushed is None else pushed):
            return ()
        try:
            push(self.declared, progress)
        except StateError as error:
            return (error,)
        return ()


@contextmanager
def pushed(declared: Inventory, progress: Progress) -> Iterator[None]:
    """Push what the block changes in the state folder; StateError when it cannot be."""
    start = Start.of(declared)
    yield
    for error in start.push_changes(progress):
        raise error


def _run(declared: Inventory, command: tuple[str, ...], seconds: float) -> None:
    said = b""
    try:
        environ = inheritable(without=declared.stack.key_store.passphrase)
        with children.running(command, declared.folder, environ, subprocess.STDOUT) as process:
            deadline = time.monotonic() + seconds
            for chunk in children.output(process, deadline):
                said = (said + chunk)[-_SHOWN_BYTES:]
            status = process.wait(max(0.0, deadline - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        raise _failed(declared, command, f"did not end in {seconds:g} s", said) from None
    except OSError as error:
        raise _failed(declared, command, f"cannot be started: {error.strerror}", said) from None
    if status != 0:
        raise _failed(declared, command, f"failed with status {status}", said)


def _failed(declared: Inventory, command: tuple[str, ...], how: str, said: bytes) -> StateError:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    shown = "".join(f"  {plain(_LOGIN.sub('//…@', line))}\n" for line in lines[-_SHOWN_LINES:])
    what = f"{declared.state_dir} is not durable: the command {plain(command[0])} of key_store.push {how}."
    return StateError(what, f"{shown}No new key is published before it succeeds. Mend that, then run again.")


def _content(folder: Path) -> bytes:
    """Return a digest of what lies in the folder, by names, sizes and times; hidden files are not part of it."""
    found = hashlib.sha256()
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            seen = (Path(path) / name).lstat()
            found.update(f"{path}/{name} {seen.st_size} {seen.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return found.hexdigest().encode()
