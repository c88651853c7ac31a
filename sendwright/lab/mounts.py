"""The mounts that a lab made, found by where they are: nothing needs to be remembered."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sendwright.errors import LabError


def below(folder: Path) -> list[Path]:
    """List what is mounted at or below a folder, innermost first."""
    points = [_decode(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point == folder or folder in point.parents]


def overlay(lower: Sequence[Path], disk: Path) -> Path:
    """Mount an overlay of the folders ``lower`` (uppermost first) and return where it is.

    What is written lands on ``disk``. Raises LabError if the file system of the disk cannot carry one.
    """
    upper, work, root = disk / "upper", disk / "work", disk / "root"
    for folder in (upper, work, root):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(
            f"no overlay could be mounted on {root}: {done.stderr.strip()}.",
            "Set SENDWRIGHT_LAB_CACHE to a folder on ext4, xfs, btrfs or tmpfs.",
        )
    return root


def lower(root: Path) -> list[Path]:
    """Return the folders that the overlay mounted on ``root`` lies over, uppermost first."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "overlay" and _decode(point) == root:
            settings = dict(option.partition("=")[::2] for option in options.split(","))
            return [_decode(text) for text in settings["lowerdir"].split(":")]
    raise LabError(f"no overlay is mounted on {root}.", "Is the lab up? `sendwright lab status`")


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted at or below a folder."""
    for point in below(folder):
        # Lazily: a probe that still reads a file there must not keep a lab from going down.
        subprocess.run(["umount", "--lazy", str(point)], capture_output=True, check=False)


def _decode(field: str) -> Path:
    return Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field))
