"""From edits to the batches that carry them out: as few as the API allows, in an order that never leaves a gap. Pure.

A batch is one transaction, executed as deletes, patches, puts, posts, whatever its order in the request. All that an
edit needs goes in one batch: a value takes the place of its predecessor there, or neither happens. Over several batches
what only goes is put last, after all that comes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.cloudflare_records import Remote, body, retimed
from sendwright.dns.rdata import canonical
from sendwright.dns.slots import revokes, slot

# The least of all plans; 3,500 is the most of the others (developers.cloudflare.com, "Batch record changes").
LIMIT = 200

Bodies = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Batch:
    """One request: the operations of some edits. ``signs``: a DKIM key comes with it; ``unsigns``: one goes."""

    edits: tuple[Edit, ...]
    deletes: Bodies = ()
    patches: Bodies = ()
    puts: Bodies = ()
    posts: Bodies = ()
    signs: bool = False
    unsigns: bool = False

    @property
    def size(self) -> int:
        """The number of its operations."""
        return len(self.deletes) + len(self.patches) + len(self.puts) + len(self.posts)

    @property
    def only_withdraws(self) -> bool:
        """Whether nothing would be missed if it never happened: it belongs after all others."""
        return self.unsigns or len(self.deletes) == self.size

    def __add__(self, other: "Batch") -> "Batch":
        return Batch(
            self.edits + other.edits,
            self.deletes + other.deletes,
            self.patches + other.patches,
            self.puts + other.puts,
            self.posts + other.posts,
            self.signs or other.signs,
            self.unsigns or other.unsigns,
        )


def batches(edits: Collection[Edit], have: Mapping[Key, Collection[Remote]], limit: int = LIMIT) -> tuple[Batch, ...]:
    """Return the requests that turn what the zone has into what the edits say; none if it is so already.

    Arguments: ``limit``: the most operations of one request.

    Raises ValueError if an edit has a value that cannot be written, or is too large for one request.
    """
    units = [unit for unit in _units(edits, have) if unit.size]
    for unit in units:
        if unit.size > limit:
            edit = unit.edits[0]
            raise ValueError(f"{edit.type} {edit.name} needs {unit.size} operations, and {limit} fit into one request")
    packed: list[Batch] = []
    for unit in sorted(units, key=lambda u: (u.only_withdraws, u.unsigns)):
        if packed and _fit(packed[-1], unit, limit):
            packed[-1] += unit
        else:
            packed.append(unit)
    return tuple(packed)


def _fit(batch: Batch, unit: Batch, limit: int) -> bool:
    # What is in one batch reaches the name servers in no known order: were an old key gone before the new one is
    # there, mail on its way would verify with neither.
    both = (batch.signs or unit.signs) and (batch.unsigns or unit.unsigns)
    return batch.size + unit.size <= limit and not both


def _units(edits: Collection[Edit], have: Mapping[Key, Collection[Remote]]) -> Iterator[Batch]:
    """Yield what may not be parted: an edit's operations, or all at a name where an alias comes or goes."""
    ordered = sorted(edits, key=lambda e: (e.name, e.type))
    for _, group in groupby(ordered, key=lambda e: e.name):
        parts = [_operations(edit, have.get((edit.name, edit.type), ())) for edit in group]
        if any(part.edits[0].type == "CNAME" for part in parts):
            # An alias stands alone (RFC 1034 section 3.6.2): it cannot come before the others went.
            first, *others = parts
            yield sum(others, first)
        else:
            yield from parts


def _operations(edit: Edit, records: Iterable[Remote]) -> Batch:
    standing = [(record, record.value) for record in records]
    before, after = _values(edit.before), _values(edit.after)
    there = {value for _, value in standing}
    # Neither before nor after: somebody else's, since just now. It is not mentioned, so it stays.
    leaving = [record for record, value in standing if value in before and value not in after]
    coming = [text for value, text in after.items() if value not in there]
    ttl = edit.after.ttl if edit.after else 0
    retime = edit.before is not None and edit.after is not None and edit.before.ttl != ttl
    patches = [
        retimed(record, ttl) for record, value in standing if retime and value in after and record.seconds != ttl
    ]
    bodies = [body(edit.name, edit.type, ttl, text) for text in coming]
    return Batch(
        (edit,),
        deletes=tuple({"id": record.id} for record in leaving[len(bodies) :]),
        patches=tuple(patches),
        puts=tuple({"id": record.id, **new} for record, new in zip(leaving, bodies, strict=False)),
        posts=tuple(bodies[len(leaving) :]),
        signs=any(_is_key(edit, text) and not revokes(edit.name, edit.type, text) for text in coming),
        unsigns=any(_is_key(edit, record.value) for record in leaving)
        or any(revokes(edit.name, edit.type, text) for text in coming),
    )


def _values(records: RecordSet | None) -> dict[str, str]:
    return {canonical(records.type, text): text for text in records.values} if records else {}


def _is_key(edit: Edit, value: str) -> bool:
    return slot(edit.name, edit.type, value) == "DKIM"
