"""What is written down of each lab: only what cannot be told from its name.

Namespaces, control groups and disks carry the lab's name, so a lab whose creator was killed at any moment is
found and cleaned by looking. The file holds who owns it and the secrets that were drawn for it.
"""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sendwright.errors import LabError
from sendwright.lab import images, processes
from sendwright.lab.login import SshKey, generate
from sendwright.lab.processes import Process
from sendwright.lab.spec import LabSpec

FOLDER = Path("/run/sendwright/lab")


class Phase(StrEnum):
    """How far a lab has come."""

    BUILDING = "building"
    UP = "up"


@dataclass(frozen=True)
class State:
    """A lab as it is written down; ``kept`` labs outlive the process that made them."""

    spec: LabSpec
    owner: Process
    kept: bool
    disks: Path
    login: SshKey = field(repr=False)
    #: In the order of the specification's hosts.
    host_keys: tuple[SshKey, ...] = field(repr=False)
    tsig_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    phase: Phase = Phase.BUILDING
    trust_anchor: str = ""

    @property
    def folder(self) -> Path:
        """Where the lab's own files lie, readable by root only."""
        return FOLDER / self.spec.name


_JSON = TypeAdapter(State)


def draw(spec: LabSpec, *, keep: bool) -> State:
    """Decide everything that a new lab needs to have drawn at random; touches nothing."""
    return State(
        spec=spec,
        owner=processes.current(),
        kept=keep,
        disks=disks(spec.name),
        login=generate(),
        host_keys=tuple(generate() for _ in spec.hosts),
        tsig_secret=b64encode(secrets.token_bytes(32)).decode(),
        api_key=secrets.token_urlsafe(24),
    )


def disks(name: str) -> Path:
    """Return where the disks of a lab's machines lie."""
    return images.cache() / "machines" / name


@contextmanager
def lock() -> Iterator[None]:
    """Keep other processes from creating or cleaning labs meanwhile."""
    FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    with images.lock(FOLDER / ".lock"):
        yield


def claim(state: State) -> None:
    """Write a new lab down before anything of it exists; hold the lock. LabError if the name is taken."""
    try:
        state.folder.mkdir(mode=0o700)
    except FileExistsError:
        name = state.spec.name
        raise LabError(f"there is a lab {name} already.", f"Take it down: sendwright lab down {name}") from None
    images.folder("machines")
    save(state)
    _write(state.folder / "ssh_key", state.login.private)
    lines = [
        f"{','.join((host.name, *host.addresses))} {key.public}\n"
        for host, key in zip(state.spec.hosts, state.host_keys, strict=True)
    ]
    _write(state.folder / "known_hosts", "".join(lines))


def save(state: State) -> None:
    """Write a lab down, replacing the file as a whole."""
    unfinished = state.folder / ".lab.json"
    _write(unfinished, _JSON.dump_json(state, indent=2).decode())
    unfinished.rename(state.folder / "lab.json")


def load(name: str) -> State | None:
    """Return what is written down of a lab; None if nothing is. LabError if another version wrote it."""
    try:
        return _JSON.validate_json((FOLDER / name / "lab.json").read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise LabError(
            f"the lab {name} was written down by another version.", f"Take it down: sendwright lab down {name}"
        ) from None


def names() -> list[str]:
    """List the labs of which anything is left; of one that lost its power, that is its disks."""
    folders = [folder for folder in (FOLDER, images.cache() / "machines") if folder.exists()]
    try:
        return sorted({entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()})
    except PermissionError:
        raise LabError("the labs of this machine are root's.", "Run this as root.") from None


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
