"""Files that are either whole or as they were, and that nobody else may read."""

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from sendwright.errors import StateError

_GIVE_UP = "Restore it from git or a backup."


def write(path: Path, content: bytes, *, at_once: bool = True) -> None:
    """Write a private file durably: after a crash it holds the old bytes or the new ones. StateError when it cannot.

    What a killed run leaves behind is a hidden ``.tmp`` file that nothing reads. ``at_once`` False: after a crash of
    the machine it may hold the old bytes although this has returned.
    """
    try:
        make_folder(path.parent)
        replace(path, content, at_once=at_once)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}.", "Mend the folder, then run again.") from None


def replace(path: Path, content: bytes, like: os.stat_result | None = None, *, at_once: bool = True) -> None:
    """Replace a file durably, whole or not at all; OSError when it cannot be.

    ``like``: the file whose owner and mode it gets; None: it is private. ``at_once``: see ``write``.
    """
    # mkstemp creates with 0600 whatever the umask, so that there is no moment in which others can read.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if like is not None:
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    if at_once:
        _sync_folder(path.parent)


def create(path: Path, content: bytes) -> None:
    """Create a private file durably, whole or not at all; FileExistsError for one that is there, else OSError."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link is refused where something is.
        os.link(name, path)
    finally:
        Path(name).unlink()
    _sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file durably; one that is not there is no mistake."""
    try:
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            _sync_folder(path.parent)
    except OSError as error:
        raise StateError(f"{path} cannot be removed: {error.strerror}.", "Mend the folder, then run again.") from None


def read(path: Path) -> bytes | None:
    """Return a file's bytes, None when there is no such file; StateError when it cannot be read."""
    try:
        # Links come through git too: to a device or a pipe, reading would never end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise damaged(path, "it is no plain file")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.", "Mend its permissions.") from None


def below(folder: Path, suffix: str) -> tuple[Path, ...]:
    """Return the files with that suffix in a folder and its folders, in order; none when it does not exist.

    Raises StateError when it cannot be listed: a folder that merely looks empty would have its keys made anew.
    """
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"{folder} cannot be read: {error.strerror}.", "Mend its permissions.") from None
    if link := next((entry for entry in entries if entry.is_symlink() and entry.is_dir()), None):
        # It may lead to a folder above it, and so on without end.
        raise damaged(link, "it is a link to a folder")
    found = [below(entry, suffix) if entry.is_dir() else (entry,) * (entry.suffix == suffix) for entry in entries]
    return tuple(path for paths in found for path in paths)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, each for the owner alone; NotADirectoryError if something else is there."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        # pathlib would give only the last one this mode, and would apply the umask's gaps to the rest.
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            # Made by somebody else in this instant, or no folder: then nothing of it is ours to change.
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        _sync_folder(folder.parent)


def damaged(path: Path, why: str) -> StateError:
    """Return the error for a file whose content is not what we wrote."""
    return StateError(f"{path} is damaged: {why}.", _GIVE_UP)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
