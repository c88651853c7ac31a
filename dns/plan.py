"""What one zone needs, as data: values that come, change, go or stay, and what is in the way."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sendwright.dns.records import Record
from sendwright.errors import ForeignRecord
from sendwright.plan import Stage
from sendwright.state.model import Claim


@dataclass(frozen=True)
class Create:
    """A value that is not there yet. ``adds``: the terms of an SPF record, which become ours."""

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage
    adds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """A value in the place of another, or the same with another TTL. ``seen``: the old text exactly as read.

    Of an SPF record that is changed in more than one stage, ``seen`` is what the write before leaves. ``adds`` and
    ``drops``: the terms of an SPF record that become ours and that go; all other terms stay as they are.
    """

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage
    seen: str
    seen_ttl: int
    adds: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delete:
    """A value that goes; ``seen``: its text exactly as read; ``drops``: the terms of an SPF record, all of it ours."""

    name: str
    type: str
    why: str
    stage: Stage
    seen: str
    drops: tuple[str, ...] = ()


Write = Create | Update | Delete


@dataclass(frozen=True)
class Conflict:
    """Somebody else's record in the way of ours; it stays, and so does the rest of that record set."""

    name: str
    type: str
    what: str
    hint: str


@dataclass(frozen=True)
class Held:
    """A value of ours that is no longer declared and stays until then; None: the clock has not started."""

    claim: Claim
    until: datetime | None


@dataclass(frozen=True)
class Offer:
    """A value, or a term of an SPF record, that is not ours and that ``sendwright dns adopt`` makes ours."""

    name: str
    type: str
    value: str
    mechanism: bool = False


@dataclass(frozen=True)
class Changes:
    """What one zone needs.

    ``standing``: records that are there as declared and are not ours; ``gone``: claims on what is neither seen nor to
    be written, to be struck; ``leaving``: claims whose clock of withdrawal starts; ``returned``: claims whose clock
    stops, because they are declared again; ``held``: what stays although it is no longer declared; ``notes``: sentences
    for people; ``expected``: each declared record that nothing is in the way of, with the value that stands there once
    its stage is applied (of an SPF record, everybody's terms); ``offers``: what could be adopted.
    """

    zone: str
    writes: tuple[Write, ...] = ()
    standing: tuple[Record, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    gone: tuple[Claim, ...] = ()
    leaving: tuple[Claim, ...] = ()
    returned: tuple[Claim, ...] = ()
    held: tuple[Held, ...] = ()
    notes: tuple[str, ...] = ()
    expected: tuple[Record, ...] = ()
    offers: tuple[Offer, ...] = ()

    @classmethod
    def combined(cls, zone: str, parts: Iterable["Changes"]) -> "Changes":
        """Return the changes of several record sets as one, the writes in the order of their stages."""
        parts = tuple(parts)
        names = [f.name for f in fields(cls) if f.name != "zone"]
        found = {name: tuple(item for part in parts for item in getattr(part, name)) for name in names}
        found["writes"] = tuple(sorted(found["writes"], key=lambda w: (w.stage, w.name, w.type, _text(w))))
        return cls(zone, **found)

    @property
    def empty(self) -> bool:
        """Whether the zone is as it should be, no clock is to be set, and nothing is in the way."""
        return not (self.writes or self.conflicts or self.leaving or self.returned)

    def at(self, *stages: Stage) -> "Changes":
        """Return the same with the writes of some stages only; clocks of withdrawal start at CONTRACT."""
        leaving = self.leaving if Stage.CONTRACT in stages else ()
        return replace(self, writes=tuple(w for w in self.writes if w.stage in stages), leaving=leaving)

    def raise_conflicts(self) -> None:
        """Raise one ForeignRecord that names everything in the way and what to do about it, if anything is."""
        if self.conflicts:
            what = "; ".join(c.what for c in self.conflicts)
            raise ForeignRecord(self.zone, what + ".", " ".join(dict.fromkeys(c.hint for c in self.conflicts)))


def _text(write: Write) -> str:
    return write.seen if isinstance(write, Delete) else write.value
