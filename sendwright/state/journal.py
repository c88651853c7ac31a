"""What was written to zones, apply by apply, from before it was sent; for undo, and for git.

Each is a file, ``applies/ZONE/TIME.json``. Record data is public, so nothing here is secret. The last ones of each zone
are kept.
"""

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from string import ascii_lowercase
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, TypeAdapter

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.errors import NotAllowed, StateError, WorldMoved
from sendwright.names import Identifier, RecordName, RecordType
from sendwright.state import files, stories
from sendwright.state.model import Claim

KEPT = 50
"""How many applies of a zone are remembered."""

# Aliases, delegations and what a zone itself is made of are never written from here, so no undo brings them.
_WRITTEN = frozenset({"A", "AAAA", "MX", "TXT", "SRV", "CAA", "TLSA"})
_LONGEST_NAME = 253


ApplyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*-]{1,255}/[0-9]{8}T[0-9]{6}[a-z]*$")]
"""How an apply is called: its zone and its time in UTC, with letters behind it when there were several in a second."""


class Outcome(StrEnum):
    """What came of an apply. ``sent`` stays where a run died or no answer came: it may be there wholly or in part."""

    SENT = "sent"
    APPLIED = "applied"
    REFUSED = "refused"


@dataclass(frozen=True)
class Content:
    """A record set's TTL in seconds and its values, as master-file texts exactly as they were read or written."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    ttl: Annotated[int, Field(ge=0, lt=2**32)]
    values: tuple[str, ...]


@dataclass(frozen=True)
class Edited:
    """What became of one record set; None: there was none, or there is none any more."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: RecordName
    type: RecordType
    before: Content | None
    after: Content | None


@dataclass(frozen=True)
class Apply:
    """One apply to one zone.

    ``dns``: the entry of the inventory that keeps the zone; ``entered`` and ``struck``: what the ledger gained before
    it and lost after it; ``undoes``: the apply that it reversed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: ApplyId
    zone: RecordName
    dns: Identifier
    at: AwareDatetime
    outcome: Outcome
    edits: tuple[Edited, ...]
    entered: tuple[Claim, ...] = ()
    struck: tuple[Claim, ...] = ()
    undoes: ApplyId | None = None


_APPLY = TypeAdapter(Apply)


class Journal:
    """The applies that one state folder remembers. Every method raises StateError when the folder cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(
        self,
        zone: str,
        dns: str,
        edits: Iterable[Edit],
        now: datetime,
        *,
        entered: Iterable[Claim] = (),
        struck: Iterable[Claim] = (),
        undoes: str | None = None,
    ) -> Apply:
        """Remember what is about to be sent; durable when this returns. The zone's oldest applies are forgotten."""
        ordered = sorted(edits, key=lambda e: (e.name, e.type))
        done = tuple(Edited(e.name, e.type, _content(e.before), _content(e.after)) for e in ordered)
        self._refuse_link(zone)
        name = self._free(zone, now)
        apply = Apply(name, zone, dns, now, Outcome.SENT, done, tuple(entered), tuple(struck), undoes)
        self._save(apply, at_once=True)
        for path in files.below(self._path / zone, ".json")[:-KEPT]:
            files.remove(path)
        return apply

    def end(self, apply: Apply, outcome: Outcome) -> None:
        """Remember what came of an apply."""
        # Lost in a crash, it is one of which nobody knows what came: that is true, and no undo rests on more.
        self._save(replace(apply, outcome=outcome), at_once=False)

    @contextlib.contextmanager
    def watching(self, apply: Apply) -> Iterator[None]:
        """Remember what came of the block that carries an apply out: whether the provider took it or refused it."""
        try:
            yield
        except (WorldMoved, NotAllowed):
            self.end(apply, Outcome.REFUSED)
            raise
        self.end(apply, Outcome.APPLIED)

    def applies(self) -> tuple[Apply, ...]:
        """Return every apply that is remembered, oldest first."""
        found = (self._read(path) for path in files.below(self._path, ".json"))
        return tuple(sorted((a for a in found if a), key=lambda a: (a.at, a.id)))

    def _free(self, zone: str, now: datetime) -> str:
        time = f"{now.astimezone(UTC):%Y%m%dT%H%M%S}"
        taken = (path.stem for path in files.below(self._path / zone, ".json"))
        last = max((name for name in taken if name.startswith(time)), default="")
        # Sorted as text they are in order of time: 000750, 000750a … 000750y, 000750za …
        later = ("z" * n + letter for n in itertools.count() for letter in ascii_lowercase[:-1])
        return f"{zone}/{next(time + suffix for suffix in itertools.chain(('',), later) if time + suffix > last)}"

    def _refuse_link(self, zone: str) -> None:
        # A link that came through git would have files elsewhere written, and forgotten as if they were applies.
        for folder in (self._path, self._path / zone):
            if folder.is_symlink():
                raise StateError(f"{folder} is a link, and no folder.", "Remove it; nothing was tried.")

    def _save(self, apply: Apply, *, at_once: bool) -> None:
        files.write(self._path / f"{apply.id}.json", stories.dump(_APPLY, apply), at_once=at_once)

    def _read(self, path: Path) -> Apply | None:
        content = files.read(path)
        if content is None:
            return None
        found = stories.parse(_APPLY, content, path)
        if (found.id, found.zone) != (f"{path.parent.name}/{path.stem}", path.parent.name):
            raise files.damaged(path, "it tells of another apply")
        if fault := _fault(found):
            raise files.damaged(path, fault)
        return found


def find(applies: Collection[Apply], name: str | None) -> Apply | None:
    """Return the apply of that name, or the last one that may have reached its zone; None if there is none."""
    if name is not None:
        return next((a for a in applies if a.id == name), None)
    return next((a for a in reversed(tuple(applies)) if a.outcome is not Outcome.REFUSED), None)


def _fault(apply: Apply) -> str | None:
    """Return what was never written from here: it came by git, and gates compare names as we write them."""
    seen = set()
    for edit in apply.edits:
        if edit.name != edit.name.rstrip(".").lower() or len(edit.name) > _LONGEST_NAME:
            return f"{edit.name[:_LONGEST_NAME]} is no name as it is written here"
        if edit.name != apply.zone and not edit.name.endswith("." + apply.zone):
            return f"{edit.name} does not lie in the zone"
        if edit.type not in _WRITTEN:
            return f"records of type {edit.type} are never written from here"
        if (edit.name, edit.type) in seen:
            return f"{edit.type} {edit.name} stands in it twice"
        seen.add((edit.name, edit.type))
    return None


def _content(found: RecordSet | None) -> Content | None:
    return None if found is None else Content(found.ttl, found.values)
