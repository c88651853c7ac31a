"""A snapshot of a host on which packages are installed, but nothing is configured and none of their daemons runs.

What begins there meets all of a first provision but apt, which takes longer than everything else together.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from sendwright.deploys.scripts import install_packages
from sendwright.lab import commands, images, mounts, snapshots
from sendwright.lab.machine import discard


def ensure(release: int, packages: Iterable[str], progress: Callable[[str], None]) -> str:
    """Return the key of a snapshot with these packages, made first if it is not in the cache.

    Arguments: ``release``: Debian's, 12 or 13. The key derives from the image and the packages. Raises LabError.
    """
    recipe = images.BOOKWORM if release == 12 else images.TRIXIE
    image = images.ensure(recipe, progress)
    wanted = tuple(sorted(set(packages)))
    key = f"{image.name}-{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:12]}"
    with images.lock(images.folder("snapshots") / f".{key}.lock"):
        if not snapshots.exists(key):
            progress(f"installing packages on Debian {release} (once; about a quarter of a minute)")
            _build(key, image, wanted)
    return key


def _build(key: str, image: Path, packages: tuple[str, ...]) -> None:
    disk = images.folder("snapshots") / f".{key}.building"
    discard(disk)
    try:
        root = mounts.overlay([image], disk)
        before = _starts_at_boot(root)
        commands.run(["chroot", str(root), "sh", "-c", install_packages(packages)], shown=["apt-get"], timeout=300)
        for link in _starts_at_boot(root) - before:
            link.unlink()
        mounts.unmount_below(disk)
        # No machine runs from it, and nothing in an upper folder names the overlay that it came from.
        snapshots.keep(disk / "upper", [image], key)
    finally:
        discard(disk)


def _starts_at_boot(root: Path) -> set[Path]:
    return {link for link in (root / "etc/systemd/system").glob("*.wants/*") if link.is_symlink()}
