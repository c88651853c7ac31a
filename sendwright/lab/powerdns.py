"""A small client of PowerDNS' HTTP API, spoken from inside a lab's namespace."""

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sendwright.errors import LabError
from sendwright.lab import netns
from sendwright.lab.spec import RRset

_PORT = 8081


@dataclass(frozen=True)
class PowerDns:
    """One PowerDNS server of a lab: the namespace to ask from, its address and its API key."""

    namespace: str
    address: str
    key: str = field(repr=False)

    def create(
        self, zone: str, records: Iterable[RRset], metadata: Mapping[str, tuple[str, ...]], *, readers: str
    ) -> None:
        """Create a signed zone on a primary, with its records and settings.

        ``readers`` is the name of the TSIG key with which the zone may be transferred.
        """
        body = {
            "kind": "Master",
            "dnssec": True,
            "api_rectify": True,
            "soa_edit_api": "INCREASE",
            "nameservers": [],
        }
        # The API wants it here and refuses it as metadata. Notifications are signed with it too.
        body["master_tsig_key_ids"] = [dotted(readers)]
        body["rrsets"] = [_as_json(rrset) for rrset in records]
        self._call("POST", "/zones", {"name": dotted(zone), **body})
        for kind, values in metadata.items():
            self._call("POST", f"/zones/{_key(zone)}/metadata", {"kind": kind, "metadata": list(values)})

    def forbid_transfer(self, zone: str) -> None:
        """Hand a zone to nobody any more, whatever key is used; copies that are there stay as they are."""
        self._call("PUT", f"/zones/{_key(zone)}", {"master_tsig_key_ids": []})

    def create_secondary(self, zone: str, primary: str, key: str) -> None:
        """Create a zone that is fetched from the primary at this address, with the TSIG key of this name."""
        body = {"kind": "Slave", "masters": [primary], "nameservers": [], "slave_tsig_key_ids": [dotted(key)]}
        self._call("POST", "/zones", {"name": dotted(zone), **body})

    def delegation_signers(self, zone: str) -> tuple[str, ...]:
        """Return the DS values (SHA-256 only) that the parent of a zone must hold."""
        keys = self._call("GET", f"/zones/{_key(zone)}/cryptokeys")
        return tuple(ds for key in keys for ds in key.get("ds", ()) if ds.split()[2] == "2")

    def records(self, zone: str) -> tuple[RRset, ...]:
        """Return every record set of a zone as this server stores it; LabError if it has no such zone."""
        answer = self._call("GET", f"/zones/{_key(zone)}")
        return tuple(
            RRset(
                rrset["name"].rstrip("."),
                rrset["type"],
                rrset["ttl"],
                tuple(sorted(record["content"] for record in rrset["records"])),
            )
            for rrset in sorted(answer["rrsets"], key=lambda each: (each["name"], each["type"]))
        )

    def replace(self, zone: str, records: Iterable[RRset]) -> None:
        """Replace whole record sets of a zone, all or none; one without values is removed."""
        changes = [{**_as_json(each), "changetype": "REPLACE" if each.values else "DELETE"} for each in records]
        self._call("PATCH", f"/zones/{_key(zone)}", {"rrsets": changes})

    def fetch_from(self, zone: str, primary: str) -> None:
        """Point a secondary zone at the primary at this address."""
        self._call("PUT", f"/zones/{_key(zone)}", {"kind": "Slave", "masters": [primary]})

    def retrieve(self, zone: str) -> None:
        """Have a secondary zone fetched now."""
        self._call("PUT", f"/zones/{_key(zone)}/axfr-retrieve")

    def add_tsig_key(self, name: str, algorithm: str, secret: str) -> None:
        """Make a TSIG key known to the server; the secret is base64."""
        self._call("POST", "/tsigkeys", {"name": name, "algorithm": algorithm, "key": secret})

    def answers(self) -> bool:
        """Whether the API answers at all."""
        try:
            self._call("GET", "")
        except LabError:
            return False
        return True

    def _call(self, method: str, path: str, body: object = None) -> Any:
        try:
            status, text = self._exchange(method, path, None if body is None else json.dumps(body))
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"PowerDNS at {self.address} does not answer: {error}.", "Is the lab up?") from error
        if status >= 300:
            raise LabError(f"PowerDNS at {self.address} answered {status} to {method} {path}: {text[:300]}")
        return json.loads(text) if text else None

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        with netns.inside(self.namespace):
            connection = http.client.HTTPConnection(self.address, _PORT, timeout=10)
            try:
                connection.request(method, f"/api/v1/servers/localhost{path}", body, {"X-API-Key": self.key})
                response = connection.getresponse()
                return response.status, response.read().decode()
            finally:
                connection.close()


def dotted(name: str) -> str:
    """Return a name with its last dot; the root is ``.``."""
    return name.rstrip(".") + "."


def _key(zone: str) -> str:
    # The API's own notation: the root zone's dot would vanish from the path.
    return "=2E" if zone == "." else dotted(zone)


def _as_json(rrset: RRset) -> dict[str, object]:
    records = [{"content": value, "disabled": False} for value in rrset.values]
    return {"name": dotted(rrset.name), "type": rrset.type, "ttl": rrset.ttl, "records": records}
