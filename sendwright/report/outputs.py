"""Files that reports are written to: whether they can be is known before the run, and each is whole or as it was."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sendwright.errors import UsageError
from sendwright.escape import plain


@dataclass(frozen=True)
class Draft:
    """A file that will take a report's place at ``path``."""

    path: Path
    beside: Path

    def write(self, text: str) -> None:
        """Put a text there, with a last line feed, whole or not at all; OSError when there is no room."""
        self.beside.write_bytes((text + "\n").encode())
        self.beside.replace(self.path)


@contextlib.contextmanager
def drafts(paths: Sequence[Path]) -> Iterator[tuple[Draft, ...]]:
    """Make a draft for each path, in their order; UsageError names every one that cannot be written.

    A draft that is not written goes, and what stood there stays.
    """
    made: list[Draft] = []
    wrong: list[str] = []
    for path in paths:
        try:
            made.append(_draft(path))
        except OSError as error:
            wrong.append(f"{plain(path)} cannot be written: {error.strerror or error}")
    try:
        if wrong:
            raise UsageError(f"{'; '.join(wrong)}; nothing was asked.", "Name another file, or mend its folder.")
        yield tuple(made)
    finally:
        for draft in made:
            draft.beside.unlink(missing_ok=True)


def _draft(path: Path) -> Draft:
    # A device that is renamed away is gone for everybody on the machine.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError("it is not a plain file")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    with contextlib.closing(os.fdopen(handle, "wb")):
        os.fchmod(handle, mode)
    return Draft(path, Path(name))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
