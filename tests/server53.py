"""A name server in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.errors import DnsError, WorldMoved


@dataclass
class Server53:
    """A name server in memory that keeps the promises of a Provider.

    ``fails``: what applying in a zone ends with; ``foreign``: names below its zones that lie elsewhere.
    """

    keeps: tuple[str, ...] = ("example.com", "example.org")
    held: dict[str, dict[Key, RecordSet]] = field(default_factory=dict)
    fails: dict[str, BaseException] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    title: str = "the server in memory"
    margin: int = 0

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Find the zone of each name."""
        where = {n: next((z for z in self.keeps if n == z or n.endswith("." + z)), None) for n in names}
        if lost := [n for n, zone in where.items() if zone is None or n in self.foreign]:
            raise DnsError(lost[0], "it is not kept here.")
        return {n: zone for n, zone in where.items() if zone is not None}

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Read what is wanted."""
        keys = {*wanted, *((name, "CNAME") for name, _ in wanted)}
        return tuple(found for key, found in self.held.get(zone, {}).items() if key in keys)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply all or nothing."""
        if zone in self.fails:
            raise self.fails[zone]
        held = self.held.setdefault(zone, {})
        if any(held.get((e.name, e.type)) != e.before for e in edits):
            raise WorldMoved(zone, "lost race")
        for edit in edits:
            held.pop((edit.name, edit.type), None)
            if edit.after:
                held[edit.after.key] = edit.after

    def put(self, zone: str, name: str, rdtype: str, *values: str) -> None:
        """Write as somebody else would."""
        self.held.setdefault(zone, {})[name, rdtype] = RecordSet(name, rdtype, 3600, values)

    def values(self, zone: str, name: str, rdtype: str) -> tuple[str, ...]:
        """Return what stands at a name."""
        found = self.held.get(zone, {}).get((name, rdtype))
        return found.values if found else ()
