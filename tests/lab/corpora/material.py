"""Material from other hands to judge ours by: fetched from where this machine installs from, and not kept in the tree.

It lies in the lab's cache under its digest, so that a mirror's bad day stops only whoever never had it.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

import pytest

from sendwright.errors import LabError
from sendwright.lab.images import debian_sources, folder

# As root: apt's own user cannot look into the folder, and warns that it cannot.
_APT = ("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root")
_TRIES = 3
_SECONDS = 120
_SOURCES = (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*")))


@dataclass(frozen=True)
class Sdist:
    """A source distribution of the Python index: ``name==version`` and its sha256."""

    requirement: str
    sha256: str


@dataclass(frozen=True)
class Upstream:
    """An upstream archive of a Debian source package: its path in a mirror, and its sha256."""

    path: str
    sha256: str


def unpacked(material: Sdist | Upstream, *wanted: str) -> dict[str, bytes]:
    """Return the files of an archive that match a pattern (``t/corpus/*``), by their path below its top folder.

    Where it cannot be fetched, the test that asks is skipped with the reason; in CI it fails with it.
    """
    with tarfile.open(_archive(material)) as archive:
        found = {}
        for member in archive:
            path = "/".join(PurePosixPath(member.name).parts[1:])
            if member.isfile() and any(PurePosixPath(path).match(pattern) for pattern in wanted):
                file = archive.extractfile(member)
                assert file is not None
                found[path] = file.read()
    return found


def _archive(material: Sdist | Upstream) -> Path:
    kept = folder("corpora") / material.sha256
    if kept.is_file() and _digest(kept) == material.sha256:
        return kept
    with tempfile.TemporaryDirectory(dir=kept.parent) as place:
        fetched, said = _fetched(material, Path(place))
        if fetched is None:
            _unavailable(material, said)
        # Two sessions may fetch at once: whoever renames last has put down the same octets.
        return fetched.rename(kept)


def _fetched(material: Sdist | Upstream, place: Path) -> tuple[Path | None, str]:
    said = "this machine's apt names no mirror of Debian"
    for command in (*_commands(material, place),) * _TRIES:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        for file in place.glob("*.tar.*"):
            if _digest(file) == material.sha256:
                return file, ""
            said = f"what came has the sha256 {_digest(file)}"
            file.unlink()
        said = (done.stderr or done.stdout).strip()[-500:] if done.returncode else said
    return None, said


def _commands(material: Sdist | Upstream, place: Path) -> Iterator[list[str]]:
    if isinstance(material, Sdist):
        wanted = place / "wanted"
        wanted.write_text(f"{material.requirement} --hash=sha256:{material.sha256}\n")
        source = ["--no-deps", "--no-binary", material.requirement.partition("==")[0], "--require-hashes"]
        yield [sys.executable, "-m", "pip", "download", "-q", *source, "-r", str(wanted), "-d", str(place)]
        return
    for mirror in _mirrors():
        target = place / PurePosixPath(material.path).name
        yield [*_APT, "download-file", f"{mirror}/{material.path}", str(target), f"SHA256:{material.sha256}"]


def _mirrors() -> list[str]:
    text = "\n\n".join(f.read_text() for f in _SOURCES if f.suffix in {".list", ".sources"} and f.exists())
    try:
        lines = [line.split() for line in debian_sources(text, "bookworm").splitlines()]
    except LabError:
        return []
    return list(dict.fromkeys(uri.rstrip("/") for *_, uri, suite, _ in lines if suite == "bookworm"))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _unavailable(material: Sdist | Upstream, said: str) -> NoReturn:
    name = material.requirement if isinstance(material, Sdist) else material.path
    reason = f"{name}, which this test judges by, cannot be fetched from where this machine installs from: {said}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
