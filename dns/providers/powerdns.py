"""A PowerDNS server by its HTTP API: zones are read whole, and each change of a zone is one atomic request.

The API has no conditional write. So a zone is read again right before it is changed, and refused if it is no longer as
it was planned; what somebody else writes in the milliseconds between the two is overwritten, in the same record set
only. Who cannot have that uses dynamic updates (``rfc2136``), whose prerequisites the server itself checks.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.parts import apply_parts
from sendwright.dns.providers.powerdns_api import LIST, ZONE, Api, ApiSet
from sendwright.dns.rdata import canonical, plain_name
from sendwright.dns.zones import ancestry, common_parent, delegation_above, not_kept
from sendwright.errors import DnsError, NotAllowed, SecretError, WorldMoved
from sendwright.escape import plain
from sendwright.providers import PowerDns
from sendwright.secrets import resolve

# The server takes bodies of up to 2 MB, unless `webserver-max-bodysize` says otherwise.
_MOST_BYTES = 1_500_000
_COPIES = {"slave", "secondary", "consumer"}


@dataclass(frozen=True)
class PowerDnsServer:
    """A server that is changed by its API."""

    api: Api
    margin: int

    @classmethod
    def of(cls, config: PowerDns, base: Path) -> "PowerDnsServer":
        """Return the server that the inventory describes; SecretError if its key has no value or is none."""
        what = f"the key of the PowerDNS API at {config.url}"
        key = resolve(config.key, base, what).strip()
        if not (key.isascii() and key.isprintable()):
            # Nothing that cannot travel in a header may reach the client: its error would quote it.
            raise SecretError(f"{what} holds what no such key does.", "Take it from `api-key` of pdns.conf.")
        return cls(Api(config.url, config.server_id, key), config.margin)

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return self.api.title

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in, by one request (see ``Provider``)."""
        names = sorted(set(names))
        if not names:
            return {}
        kinds = {
            plain_name(zone.name): zone.kind for zone in self.api.get(common_parent(names), "/zones?dnssec=false", LIST)
        }
        found = {name: next((n for n in ancestry(name) if n in kinds), None) for name in names}
        failures = {
            name: "it has no such zone" if zone is None else f"its zone {zone} is a copy of another server's"
            for name, zone in found.items()
            if zone is None or kinds[zone].lower() in _COPIES
        }
        if failures:
            raise not_kept(failures, self.title)
        return {name: zone for name, zone in found.items() if zone}

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that exist, by one request (see ``Provider``)."""
        # Never one name at a time: such an answer leaves out what is disabled.
        sets = self._sets(zone)
        self._refuse_delegated(zone, sets, {name for name, _ in wanted})
        keys = {*wanted, *((name, "CNAME") for name, _ in wanted)}
        found = (self._served(zone, sets[key]) for key in sorted(keys) if key in sets)
        return tuple(records for records in found if records)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply all edits in one request, or none (see ``Provider``); over 1.5 MB it takes several, each whole."""
        ordered = sorted(edits, key=lambda e: (e.name, e.type))
        if not ordered:
            return
        sets = self._sets(zone)
        self._refuse_delegated(zone, sets, {e.name for e in ordered})
        for edit in ordered:
            self._refuse_moved(zone, sets, edit)
        changes = [(edit, json.dumps(_change(edit, sets.get((edit.name, edit.type))))) for edit in ordered]
        apply_parts(_parts(changes), len(ordered), lambda part: self._send(zone, part))

    def _send(self, zone: str, changes: Sequence[tuple[Edit, str]]) -> None:
        body = '{"rrsets":[' + ",".join(text for _, text in changes) + "]}"
        self.api.patch(zone, f"/zones/{zone}.", body.encode())

    def _sets(self, zone: str) -> dict[Key, ApiSet]:
        content = self.api.get(zone, f"/zones/{zone}.", ZONE)
        return {(plain_name(each.name), each.type): each for each in content.rrsets}

    def _served(self, zone: str, found: ApiSet) -> RecordSet | None:
        """Return what is served of a record set, each value being what its type asks for; None if all is disabled."""
        values = sorted(record.content for record in found.records if not record.disabled)
        for value in values:
            try:
                canonical(found.type, value)
            except ValueError:
                what = f"{self.title} has {found.type} data at {plain(found.name)} that is none: {plain(value)}."
                raise DnsError(zone, what, "Mend that record on the server.") from None
        return RecordSet(plain_name(found.name), found.type, found.ttl, tuple(values)) if values else None

    def _refuse_delegated(self, zone: str, sets: Mapping[Key, ApiSet], names: Iterable[str]) -> None:
        cuts = {
            name
            for (name, rdtype), found in sets.items()
            if rdtype == "NS" and name != zone and not all(record.disabled for record in found.records)
        }
        for name in sorted(names):
            if cut := delegation_above(name, zone, cuts):
                raise NotAllowed(
                    zone,
                    f"{self.title} delegates {cut} to other servers, so nothing at {name} can be kept in this zone.",
                    f"Declare {cut} as a domain of its own, kept by the server that is primary for it.",
                )

    def _refuse_moved(self, zone: str, sets: Mapping[Key, ApiSet], edit: Edit) -> None:
        found = sets.get((edit.name, edit.type))
        now = self._served(zone, found) if found else None
        alias = sets.get((edit.name, "CNAME")) if edit.type != "CNAME" and edit.before is None else None
        if _comparable(now) != _comparable(edit.before) or (alias and self._served(zone, alias)):
            raise WorldMoved(
                zone,
                f"somebody else changed {edit.type} at {edit.name} since it was read; nothing was applied.",
                "Plan again and look at what is new.",
            )


def _change(edit: Edit, found: ApiSet | None) -> dict[str, Any]:
    """Return an edit as the API takes it: what is disabled stays, byte for byte; comments are not mentioned."""
    values = edit.after.values if edit.after else ()
    records = [{"content": value, "disabled": False} for value in values]
    # The API refuses the same data twice: what is switched on is no longer off.
    kept = [record for record in found.records if record.disabled and record.content not in values] if found else []
    records += [{"content": record.content, "disabled": True} for record in kept]
    change = {"name": edit.name + ".", "type": edit.type, "changetype": "REPLACE" if records else "DELETE"}
    if not records:
        return change
    ttl = edit.after.ttl if edit.after else found.ttl if found else 0
    return {**change, "ttl": ttl, "records": records}


def _parts(changes: Sequence[tuple[Edit, str]]) -> Iterable[Sequence[tuple[Edit, str]]]:
    part: list[tuple[Edit, str]] = []
    size = 0
    for change in changes:
        size += len(change[1]) + 1
        if part and size > _MOST_BYTES:
            yield part
            part, size = [], len(change[1]) + 1
        part.append(change)
    yield part


def _comparable(records: RecordSet | None) -> tuple[int, list[str]] | None:
    return (records.ttl, sorted(records.values)) if records else None
