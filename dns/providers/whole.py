"""Whole zones of one server, by transfer: what they delegate, and the record sets that somebody asks for next.

To know which zone each of many names lies in takes the same transfer as to read them, so it is kept in between.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import dns.tsig

from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.providers.transfer import Bounds, NotTransferred, transfer


@dataclass(frozen=True)
class _Seen:
    """What a transfer told: every record set at these names, and every NS."""

    names: frozenset[str]
    found: Mapping[Key, RecordSet]


@dataclass
class Transfers:
    """The zones that a server hands over to a key."""

    server: str
    port: int
    key: dns.tsig.Key = field(repr=False)
    bounds: Bounds
    _kept: dict[str, _Seen | None] = field(default_factory=dict, repr=False)

    def delegated(self, zone: str, names: Collection[str]) -> frozenset[str] | None:
        """Return the names that a zone has NS for, or None if it is not handed over.

        Arguments: ``names``: those that ``read`` will be asked about next.
        """
        seen = self._kept[zone] = self._transferred(zone, frozenset(names))
        return None if seen is None else frozenset(name for name, rdtype in seen.found if rdtype == "NS")

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...] | None:
        """Return those of the wanted record sets that stand in a zone, and aliases at their names; None as above."""
        names = frozenset(name for name, rdtype in wanted if rdtype != "NS")
        # Kept for one reading: who reads again wants to know what is there by then.
        seen = self._kept.pop(zone) if zone in self._kept else self._transferred(zone, names)
        if seen is not None and not names <= seen.names:
            seen = self._transferred(zone, names)
        if seen is None:
            return None
        sought = {*wanted, *((name, "CNAME") for name, _ in wanted)}
        return tuple(seen.found[key] for key in sorted(sought) if key in seen.found)

    def _transferred(self, zone: str, names: frozenset[str]) -> _Seen | None:
        def keep(key: Key) -> bool:
            return key[0] in names or key[1] == "NS"

        try:
            return _Seen(names, transfer(self.server, self.port, zone, self.key, keep, self.bounds))
        except NotTransferred:
            return None
