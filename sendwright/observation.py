"""What one look at a host found, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sendwright.generation import Generation
from sendwright.service import Release
from sendwright.stack import Address


@dataclass(frozen=True)
class PathState:
    """What lies at a managed path: ``kind`` as stat(1) names it; ``changed``: its ctime in epoch seconds.

    ``content`` is there only for a public text file that differs from the desired one and is not too large to show.
    """

    kind: str
    owner: str
    group: str
    mode: int
    changed: float
    sha256: str | None = None
    content: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a plain file."""
        return self.kind.startswith("regular")

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.kind == "directory"


@dataclass(frozen=True)
class UnitState:
    """A systemd unit's LoadState, ActiveState and UnitFileState; ``since``: when it last came up, in epoch seconds."""

    load: str
    active: str
    enabled: str
    since: float = 0.0

    @property
    def masked(self) -> bool:
        """Whether it cannot be started."""
        return self.load == "masked"

    @property
    def running(self) -> bool:
        """Whether it is up, or on its way."""
        return self.active in ("active", "activating", "reloading")

    @property
    def starts_at_boot(self) -> bool:
        """Whether it comes up by itself; units without an [Install] section are started by what needs them."""
        return self.enabled not in ("disabled", "masked", "masked-runtime", "bad")


@dataclass(frozen=True)
class Stamp:
    """Which configuration a daemon loaded (a Service's digest), and when that was written down, in epoch seconds."""

    digest: str
    written: float


@dataclass(frozen=True)
class Stray:
    """Something that nobody declared in an exclusive directory."""

    path: str
    is_directory: bool = False


@dataclass(frozen=True)
class Observation:
    """The state of a host, as far as its desired state asks for it.

    ``system`` is what /etc/os-release says; ``release`` None means unsupported, and then (as without root) nothing
    below ``disk_free`` was looked at. ``clock`` in epoch seconds; ``disk_free`` in bytes on /var; ``entries``: all that
    lies in exclusive directories; ``mail_servers``: names of running mail daemons; ``queued``: messages they hold;
    ``managed``: whether we were here before; ``held``: whether an interrupted run left daemon starts held back;
    ``generation``: that of the state folder that was the last to write to it.
    Only when asked for queues: ``lifetime``: the longest that its Postfix keeps a message and then its bounce, None if
    it has none that says so; ``oldest``: when the oldest message arrived that lies in any of Postfix's queues, by the
    host's clock, None if they are empty; ``tables``: the rows of the signers' tables that differ from the desired ones,
    but for those of probes.
    """

    system: str
    release: Release | None
    root: bool
    systemd: bool
    clock: float
    disk_free: int
    addresses: frozenset[Address] = frozenset()
    packages: Mapping[str, str] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    memberships: frozenset[tuple[str, str]] = frozenset()
    paths: Mapping[str, PathState] = field(default_factory=dict)
    entries: tuple[Stray, ...] = ()
    units: Mapping[str, UnitState] = field(default_factory=dict)
    listening: frozenset[tuple[Address, int]] = frozenset()
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    mail_servers: tuple[str, ...] = ()
    queued: int = 0
    managed: bool = False
    held: bool = False
    generation: Generation | None = None
    lifetime: timedelta | None = None
    oldest: datetime | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
