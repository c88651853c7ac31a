"""A Plan: everything that would change, as data, in the order *expand, switch, wait, contract*.

Pure. Nothing here holds private material: diffs of private files say only that they differ.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Stage(IntEnum):
    """The stages of a provision, in their order (design.md, Order)."""

    PERSIST = 1
    EXPAND = 2
    HOSTS = 3
    WAIT = 4
    SWITCH = 5
    CONTRACT = 6
    VERIFY = 7

    @property
    def title(self) -> str:
        """The stage in a person's words."""
        return _TITLES[self]


_TITLES = {
    Stage.PERSIST: "keys and certificates",
    Stage.EXPAND: "DNS, additions that mail relies on",
    Stage.HOSTS: "hosts",
    Stage.WAIT: "wait until served and fresh, then probe",
    Stage.SWITCH: "switch: sign and open submission",
    Stage.CONTRACT: "withdraw what is no longer declared",
    Stage.VERIFY: "verify",
}


class Kind(StrEnum):
    """What a change is about."""

    KEY = "key"
    CERTIFICATE = "certificate"
    DNS = "dns"
    HOST = "host"
    WAIT = "wait"
    PROBE = "probe"


class Action(StrEnum):
    """What a change does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RELOAD = "reload"
    RUN = "run"


@dataclass(frozen=True)
class Change:
    """One change: its stage, what it touches, one line for people, why, and a unified diff where there is one.

    ``subject`` is a host name, a zone, or a key's or certificate's name.
    """

    stage: Stage
    kind: Kind
    action: Action
    subject: str
    summary: str
    why: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Plan:
    """Every change, ordered by stage, and what only a person can do (``needed``, e.g. set a PTR).

    ``notes``: what stays as it is although it is not as declared, and why.
    """

    changes: tuple[Change, ...] = ()
    needed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not self.changes

    def stages(self) -> tuple[tuple[Stage, tuple[Change, ...]], ...]:
        """Group the changes by stage, in order, leaving out empty stages."""
        return tuple((stage, found) for stage in Stage if (found := tuple(c for c in self.changes if c.stage is stage)))
