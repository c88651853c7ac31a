"""A daemon's desired state on one host, as data: what a deploy answers, what a host is compared with.

Pure and frozen, so that it can be rendered without a host, compared, diffed and golden-tested.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Sealed:
    """The content of a private file, by reference: opened from the key store only while it is being written.

    ``name`` is the secret's path in the state folder; ``sha256`` the hex digest of the bytes to install, so
    that a host can be compared without a passphrase and a plan never holds private material.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class File:
    """A file with its whole content. ``secret``: its content appears in no diff and no log (always so when sealed)."""

    path: str
    content: str | Sealed
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False

    @property
    def sha256(self) -> str:
        """The hex digest of the bytes that should lie on the host."""
        if isinstance(self.content, Sealed):
            return self.content.sha256
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def private(self) -> bool:
        """Whether the content may be shown to nobody."""
        return self.secret or isinstance(self.content, Sealed)


@dataclass(frozen=True)
class Directory:
    """A directory with owner and mode. ``exclusive``: files in it that nobody declared are removed."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755
    exclusive: bool = False


@dataclass(frozen=True)
class SystemUser:
    """A system account that we create (packages create their own)."""

    name: str
    home: str
    groups: tuple[str, ...] = ()


class Running(StrEnum):
    """What a unit should be doing: ``up`` and enabled, ``down`` and disabled, or ``masked`` (cannot be started)."""

    UP = "up"
    DOWN = "down"
    MASKED = "masked"


@dataclass(frozen=True)
class Unit:
    """A systemd unit. A unit that does not exist on the host counts as down."""

    name: str
    state: Running = Running.UP


class Apply(StrEnum):
    """How a daemon takes a new configuration."""

    RELOAD = "reload"
    RESTART = "restart"


@dataclass(frozen=True)
class Socket:
    """A listening TCP port; ``address`` None means every local address, which loopback alone does not satisfy."""

    port: int
    address: str | None = None


@dataclass(frozen=True)
class Service:
    """Everything that one daemon needs on one host.

    ``validate``: shell commands that must succeed before the daemon takes the configuration; ``absent``: paths
    that must not exist; ``memberships``: (user, group) pairs of users that packages create; ``reload_units``: the units
    to reload or restart, in order, when anything in ``files`` or ``packages`` changed or the loaded configuration
    is older than the one on disk; ``listens``: ports that must be open, the judge of "really up".
    Commands hold no text from outside: only constants of the deploys.
    """

    name: str
    packages: tuple[str, ...] = ()
    users: tuple[SystemUser, ...] = ()
    memberships: tuple[tuple[str, str], ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    absent: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    reload_units: tuple[str, ...] = ()
    apply: Apply = Apply.RELOAD
    listens: tuple[Socket, ...] = field(default=())

    @property
    def digest(self) -> str:
        """The digest of all that the daemon loads: what the stamp on the host is compared with."""
        lines = sorted(f"{f.sha256} {f.path}" for f in self.files)
        return hashlib.sha256("\n".join([self.name, *lines]).encode()).hexdigest()


class Release(StrEnum):
    """The Debian releases that hosts may run; their daemons speak different configuration languages."""

    BOOKWORM = "12"
    TRIXIE = "13"
