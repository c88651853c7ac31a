"""Disks of stopped machines, kept so that later ones start where those ended: packages are installed once."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab import images, mounts
from sendwright.lab.machine import Machine, discard


def exists(key: str) -> bool:
    """Whether a snapshot of this key can be started from; one whose image was rebuilt since cannot."""
    folder = _folder(key)
    return (folder / "lower.json").exists() and all(path.exists() for path in _below(folder))


def lower(key: str) -> tuple[Path, ...]:
    """Return the folders that a machine starting from this snapshot is overlaid on, uppermost first.

    Raises LabError if there is no usable snapshot of this key.
    """
    if not exists(key):
        raise LabError(f"there is no usable snapshot {key}.", "Save it first, or start from a bare host.")
    return (_folder(key) / "upper", *_below(_folder(key)))


def save(machine: Machine, key: str) -> None:
    """Shut a machine down and keep its disk under a key, in place of an older one; the machine is gone then.

    The name, the SSH keys and the resolver are not part of it: each machine that starts from it gets its own.
    """
    below = mounts.lower(machine.root)
    machine.stop()
    keep(machine.disk / "upper", below, key)
    discard(machine.disk)


def keep(upper: Path, below: Sequence[Path], key: str) -> None:
    """Move the upper folder of an unmounted overlay to a snapshot of this key, in place of an older one.

    Arguments: ``below``: the folders that it lay over, uppermost first.
    """
    folder = _folder(key)
    with images.lock(images.folder("snapshots") / ".lock"):
        unfinished = folder.with_name(f".{key}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        upper.rename(unfinished / "upper")
        (unfinished / "lower.json").write_text(json.dumps([str(path) for path in below]))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def delete(key: str) -> None:
    """Delete the snapshot of this key; fine if there is none. No machine may be running from it."""
    shutil.rmtree(_folder(key), ignore_errors=True)


def _folder(key: str) -> Path:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", key):
        raise LabError(f"a snapshot cannot be called {key!r}.", "Use lower-case letters, digits, dots and dashes.")
    return images.cache() / "snapshots" / key


def _below(folder: Path) -> tuple[Path, ...]:
    return tuple(Path(text) for text in json.loads((folder / "lower.json").read_text()))
