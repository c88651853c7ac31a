"""One run at a time in a state folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sendwright.errors import StateError
from sendwright.state import files


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other run on this machine out of a folder while the block runs; it is made if it is not there.

    StateError names the process that is in.
    """
    try:
        files.make_folder(path)
        # What git checks out is open to others as the umask allows, unencrypted keys too: this shuts them out.
        path.chmod(0o700)
        handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"{path} cannot be used: {error.strerror}.", "Mend the folder.") from None
    try:
        _take(handle, path)
        yield
    finally:
        # Not by closing alone: a child process that outlives us would hold its copy of the lock.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise StateError(f"{path} is in use by {who}.", "Wait until it has ended, then run again.") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
