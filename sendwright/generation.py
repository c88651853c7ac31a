"""Which state folder hosts follow: a number that goes up with each run that writes, in the folder and on hosts. Pure.

Two controllers with a copy each, or one with last week's copy, would pull hosts in two directions. So a run that is
going to write takes the next number, with a nonce that nobody else can have taken it with, and hands it to every host
in the place of the one that the host holds. A host takes it only from a folder that knows the one it holds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from sendwright.errors import HostError, StateError
from sendwright.names import Controller, GenerationMark, Nonce

PATH = "/var/lib/sendwright/generation"
# Prints nothing where there is none, and at least a line feed where there is one, however damaged. In shell.
READ = f"if [ -e {PATH} ]; then head -c 300 {PATH}; echo; fi"
# How many runs that wrote something a host may have been away for.
_MOST_BEFORE = 500
_MOST_NUMBER = 10**12 - 1


@dataclass(frozen=True)
class Generation:
    """One step in the life of a state folder.

    ``nonce``: two runs that take the same number differ in it; ``written``: when a run took it, in whole seconds;
    ``by``: whose run, and on which machine.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, le=_MOST_NUMBER)]
    nonce: Nonce
    written: AwareDatetime
    by: Controller

    @property
    def mark(self) -> str:
        """By which it is known."""
        return f"{self.number} {self.nonce}"

    @property
    def line(self) -> str:
        """It as a host holds it."""
        return f"{self.mark} {self.written.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {self.by}\n"

    def __str__(self) -> str:
        return f"generation {self.number}, taken on {self.written.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {self.by}"


@dataclass(frozen=True)
class Lineage:
    """A state folder's generation, and the marks of those before it, the newest first."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    now: Generation
    before: tuple[GenerationMark, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """Every generation that this folder has been at, as far as it remembers."""
        return (self.now.mark, *self.before)


class Standing(Enum):
    """How a host stands to a state folder."""

    FOLLOWS = "it holds a generation of this folder, or none"
    LOST = "it follows a folder, and this one has never written to any host"
    NEWER = "it holds a later generation than this folder's"
    OTHER = "it holds a generation that this folder never took"


_GENERATION = TypeAdapter(Generation)


def parse(line: str) -> Generation:
    """Return what a host's line says; ValueError for anything else than one that we wrote."""
    names = ("number", "nonce", "written", "by")
    found = _GENERATION.validate_python(dict(zip(names, line.split(), strict=True)))
    # Whatever pydantic was lenient about, we did not write.
    if found.line != line:
        raise ValueError("no generation")
    return found


def held_by(host: str, content: bytes) -> Generation | None:
    """Return the generation in what a host printed by `READ`, None where there is none; HostError for a damaged one."""
    if not content:
        return None
    try:
        return parse(content.decode("ascii").removesuffix("\n"))
    except ValueError:
        hint = "If no other folder writes to this host, remove that file, then run again."
        raise HostError(host, f"{PATH} is damaged; nothing was changed on it.", hint) from None


def controller(user: str, machine: str) -> str:
    """Return how a controller is named to others: of what its user and machine are called, only plain characters."""
    return re.sub(r"[^A-Za-z0-9._@+-]", "-", f"{user}@{machine}")[:100]


def following(lineage: Lineage | None, nonce: str, now: datetime, by: str) -> Lineage:
    """Return a folder's lineage once it has taken the next generation. ``nonce``: 32 random hexadecimal digits."""
    number = min(lineage.now.number + 1, _MOST_NUMBER) if lineage else 1
    marks = lineage.marks if lineage else ()
    return Lineage(Generation(number, nonce, now.astimezone(UTC).replace(microsecond=0), by), marks[:_MOST_BEFORE])


def joined(lineage: Lineage | None, held: Iterable[Generation | None]) -> Lineage | None:
    """Return the lineage of a folder that knows all that hosts hold: it goes on from the highest of them."""
    found = [g for g in held if g is not None and standing(lineage, g) is not Standing.FOLLOWS]
    if not found:
        return lineage
    known = [*([lineage.now] if lineage else []), *found]
    now = max(known, key=lambda g: (g.number, g.written))
    marks = [*(g.mark for g in known), *(lineage.before if lineage else ())]
    return Lineage(now, tuple(mark for mark in dict.fromkeys(marks) if mark != now.mark)[:_MOST_BEFORE])


def standing(lineage: Lineage | None, held: Generation | None) -> Standing:
    """Say how a host that holds a generation stands to a folder."""
    if held is None or (lineage and held.mark in lineage.marks):
        return Standing.FOLLOWS
    if lineage is None:
        return Standing.LOST
    return Standing.NEWER if held.number > lineage.now.number else Standing.OTHER


def refusal(
    lineage: Lineage | None, held: Mapping[str, Generation | None], *, begun: bool = False
) -> StateError | None:
    """Return why a folder must not write to hosts, or None if each follows it.

    Arguments: ``held``: what hosts hold, by name; ``begun``: this run has written already, and stops.
    """
    others = {n: h for n, h in held.items() if h is not None and standing(lineage, h) is not Standing.FOLLOWS}
    if not others:
        return None
    name, theirs = max(others.items(), key=lambda item: (item[1].number, item[1].written, item[0]))
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    end = "Nothing more is changed." if begun else "Nothing was changed."
    what, hint = _sentences(lineage, f"{name}{more}", theirs)
    return StateError(f"{what} {end}", hint)


def _sentences(lineage: Lineage | None, host: str, theirs: Generation) -> tuple[str, str]:
    recover = "`sendwright keys recover`"
    if lineage is None:
        return (
            f"this state folder has never changed a host, but {host} follows one: that is at {theirs}.",
            f"It is the wrong folder, or it was lost: fetch the other one; where there is none any more, {recover}.",
        )
    ours = f"this one is at {lineage.now}"
    if standing(lineage, theirs) is Standing.NEWER:
        return (
            f"{host} follows a newer state folder than this one: that is at {theirs}; {ours}.",
            f"Fetch the newer folder, then run again; where it is lost, {recover}.",
        )
    age = "a newer one" if theirs.written > lineage.now.written else "an older one"
    return (
        f"{host} follows another state folder than this one, {age}: that is at {theirs}; {ours}.",
        f"Somebody else writes to these hosts: agree on one folder and fetch it; where it is this one, {recover}.",
    )
