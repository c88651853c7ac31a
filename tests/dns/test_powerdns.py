import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.providers.powerdns import PowerDnsServer
from sendwright.dns.providers.powerdns_api import Api
from sendwright.errors import DnsError, NotAllowed, WorldMoved

ZONE = "example.com"
Respond = Callable[[str, str, bytes], tuple[int, bytes]]


class PowerDnsStandIn:
    """The documented behaviour of the API, as far as it is used here; ``requests`` are those that came."""

    def __init__(self, zones: dict[str, list[dict[str, Any]]], kind: str = "Native") -> None:
        self.zones = zones
        self.kind = kind
        self.requests: list[str] = []

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request."""
        self.requests.append(f"{method} {path}")
        found = path.removeprefix("/api/v1/servers/localhost/zones").partition("?")[0].strip("/")
        if not found:
            return 200, json.dumps([{"name": name, "kind": self.kind, "serial": 1} for name in self.zones]).encode()
        if found not in self.zones:
            return 404, b"Not Found"
        if method == "PATCH":
            for change in json.loads(body)["rrsets"]:
                self._change(self.zones[found], change)
            return 204, b""
        return 200, json.dumps({"name": found, "kind": self.kind, "rrsets": self.zones[found]}).encode()

    def _change(self, rrsets: list[dict[str, Any]], change: dict[str, Any]) -> None:
        old = [r for r in rrsets if (r["name"], r["type"]) == (change["name"], change["type"])]
        for each in old:
            rrsets.remove(each)
        if change["changetype"] == "REPLACE":
            comments = old[0]["comments"] if old else []
            rrsets.append({**{k: change[k] for k in ("name", "type", "ttl", "records")}, "comments": comments})


Serving = Callable[[Respond], AbstractContextManager[str]]


def _provider(url: str) -> PowerDnsServer:
    return PowerDnsServer(Api(url, "localhost", "correct-horse", 5.0), 0)


def _rrset(name: str, rdtype: str, *values: str, off: tuple[str, ...] = (), ttl: int = 60) -> dict[str, Any]:
    records = [{"content": v, "disabled": d} for d, those in ((False, values), (True, off)) for v in those]
    return {"name": f"{name}.", "type": rdtype, "ttl": ttl, "records": records, "comments": [{"content": "theirs"}]}


def _create(name: str, value: str) -> Edit:
    return Edit(name, "A", None, RecordSet(name, "A", 60, (value,)))


def test_zones_are_found_by_one_request_the_deepest_first(http_serving: Serving) -> None:
    """For any number of names; the root zone, which a server may hold too, is nobody's."""
    there = PowerDnsStandIn({"example.com.": [], "sub.example.com.": [], ".": []})
    names = [f"n{i}.{ZONE}" for i in range(50)]

    with http_serving(there) as url:
        provider = _provider(url)
        found = provider.zones([*names, "x.sub.example.com", ZONE])

    assert found == dict.fromkeys([*names, ZONE], ZONE) | {"x.sub.example.com": "sub.example.com"}
    assert there.requests == ["GET /api/v1/servers/localhost/zones?dnssec=false"]


@pytest.mark.parametrize(("kind", "why"), [("Native", "no such zone"), ("Slave", "copy of another")])
def test_a_zone_that_is_not_kept_here_is_named_once(http_serving: Serving, kind: str, why: str) -> None:
    """Whatever the number of its names; a secondary's copy cannot be changed."""
    zone = "example.com." if kind == "Slave" else "example.org."

    with http_serving(PowerDnsStandIn({zone: []}, kind)) as url, pytest.raises(NotAllowed, match=why) as caught:
        _provider(url).zones([f"a.{ZONE}", f"b.a.{ZONE}", ZONE])

    assert caught.value.zone == ZONE
    assert f"the zone of {ZONE}, nor of 2 names below" in caught.value.what


def test_any_number_of_names_is_read_by_one_request_and_written_by_two(http_serving: Serving) -> None:
    """The second reading is what stands in for the condition that the API lacks."""
    there = PowerDnsStandIn({"example.com.": [_rrset(f"n{i}.{ZONE}", "A", "192.0.2.1") for i in range(500)]})

    with http_serving(there) as url:
        provider = _provider(url)
        found = provider.read(ZONE, [(f"n{i}.{ZONE}", "A") for i in range(501)])
        provider.apply(ZONE, [Edit(r.name, "A", r, None) for r in found])

    assert len(found) == 500
    assert [request.split()[0] for request in there.requests] == ["GET", "GET", "PATCH"]
    assert there.zones["example.com."] == []


def test_what_is_disabled_is_absent_and_kept_byte_for_byte(http_serving: Serving) -> None:
    """It is not served; comments are kept by not mentioning them."""
    odd = '"off"   "\\097"'
    there = PowerDnsStandIn(
        {"example.com.": [_rrset(ZONE, "TXT", '"on"', off=(odd,)), _rrset(f"x.{ZONE}", "A", off=("192.0.2.9",))]}
    )

    with http_serving(there) as url:
        provider = _provider(url)
        (found,) = provider.read(ZONE, [(ZONE, "TXT"), (f"x.{ZONE}", "A")])
        more = RecordSet(ZONE, "TXT", 120, ('"on"', '"new"'))
        provider.apply(ZONE, [Edit(ZONE, "TXT", found, more), _create(f"x.{ZONE}", "192.0.2.1")])
        changed = list(there.zones["example.com."])
        provider.apply(ZONE, [Edit(ZONE, "TXT", more, None)])

    assert found == RecordSet(ZONE, "TXT", 60, ('"on"',))
    assert changed == [
        _rrset(ZONE, "TXT", '"on"', '"new"', off=(odd,), ttl=120),
        _rrset(f"x.{ZONE}", "A", "192.0.2.1", off=("192.0.2.9",)),
    ]
    assert there.zones["example.com."][-1] == _rrset(ZONE, "TXT", off=(odd,), ttl=120)


def test_what_is_written_and_was_disabled_is_switched_on(http_serving: Serving) -> None:
    """The API refuses the same data twice in a record set."""
    there = PowerDnsStandIn({"example.com.": [_rrset(ZONE, "A", off=("192.0.2.1", "192.0.2.2"))]})

    with http_serving(there) as url:
        provider = _provider(url)
        provider.apply(ZONE, [_create(ZONE, "192.0.2.1")])

    assert there.zones["example.com."] == [_rrset(ZONE, "A", "192.0.2.1", off=("192.0.2.2",))]


@pytest.mark.parametrize(
    "before",
    [
        None,
        RecordSet(ZONE, "A", 60, ("192.0.2.7",)),
        RecordSet(ZONE, "A", 60, ("192.0.2.1", "192.0.2.2")),
        RecordSet(ZONE, "A", 61, ("192.0.2.1",)),
    ],
)
def test_what_somebody_changed_since_the_reading_is_refused_whole(
    http_serving: Serving, before: RecordSet | None
) -> None:
    """Value, number of values, and TTL; nothing else of the edits is applied either."""
    there = PowerDnsStandIn({"example.com.": [_rrset(ZONE, "A", "192.0.2.1")]})

    with http_serving(there) as url, pytest.raises(WorldMoved, match=f"changed A at {ZONE}"):
        _provider(url).apply(ZONE, [_create(f"x.{ZONE}", "192.0.2.5"), Edit(ZONE, "A", before, None)])

    assert not any(request.startswith("PATCH") for request in there.requests)


def test_an_alias_is_shown_and_nothing_is_created_beside_it(http_serving: Serving) -> None:
    """RFC 1034 section 3.6.2; one that is disabled is in nobody's way."""
    rrsets = [_rrset(f"w.{ZONE}", "CNAME", "x.example."), _rrset(f"off.{ZONE}", "CNAME", off=("x.example.",))]

    with http_serving(PowerDnsStandIn({"example.com.": rrsets})) as url:
        provider = _provider(url)
        found = provider.read(ZONE, [(f"w.{ZONE}", "TXT"), (f"off.{ZONE}", "A")])
        provider.apply(ZONE, [_create(f"off.{ZONE}", "192.0.2.1")])
        with pytest.raises(WorldMoved):
            provider.apply(ZONE, [_create(f"w.{ZONE}", "192.0.2.1")])

    assert found == (RecordSet(f"w.{ZONE}", "CNAME", 60, ("x.example.",)),)


def test_what_lies_below_a_delegation_is_not_kept_in_the_zone(http_serving: Serving) -> None:
    """Nobody would ever see it (RFC 1034 section 4.2.1); the zone's own NS records are no delegation."""
    there = PowerDnsStandIn(
        {"example.com.": [_rrset(ZONE, "NS", "ns.example."), _rrset(f"cut.{ZONE}", "NS", "ns.example.")]}
    )

    with http_serving(there) as url:
        provider = _provider(url)
        assert provider.read(ZONE, [(f"x.{ZONE}", "A")]) == ()
        for act in (
            lambda: provider.read(ZONE, [(f"a.cut.{ZONE}", "A")]),
            lambda: provider.apply(ZONE, [_create(f"cut.{ZONE}", "192.0.2.1")]),
        ):
            with pytest.raises(NotAllowed, match=rf"delegates cut\.{ZONE}"):
                act()


def test_no_edits_are_no_request(http_serving: Serving) -> None:
    """An unchanged zone is not touched."""
    there = PowerDnsStandIn({"example.com.": []})

    with http_serving(there) as url:
        provider = _provider(url)
        provider.apply(ZONE, [])

    assert there.requests == []


def _fails_at(number: int, there: PowerDnsStandIn) -> Respond:
    def respond(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        patches = sum(request.startswith("PATCH") for request in there.requests)
        if method == "PATCH" and patches + 1 == number:
            return 422, b'{"error": "no"}'
        return there(method, path, body)

    return respond


def test_what_exceeds_the_servers_limit_goes_in_parts_and_a_failure_says_how_far_it_came(http_serving: Serving) -> None:
    """PowerDNS takes bodies of 2 MB; each part is whole."""
    there = PowerDnsStandIn({"example.com.": []})
    names = [f"n{i:03d}.{ZONE}" for i in range(200)]
    text = '"' + "M" * 20_000 + '"'
    edits = [Edit(n, "TXT", None, RecordSet(n, "TXT", 60, (text,))) for n in names]

    with http_serving(_fails_at(3, there)) as url, pytest.raises(DnsError) as caught:
        _provider(url).apply(ZONE, edits)

    done = len(there.zones["example.com."])
    assert sum(request.startswith("PATCH") for request in there.requests) == 2
    assert 100 < done < 200
    assert caught.value.hint.endswith(f" The first {done} of 200 record sets were changed; running again is safe.")


def test_data_that_is_none_of_its_type_is_named(http_serving: Serving) -> None:
    """Nothing that cannot be parsed goes any further."""
    there = PowerDnsStandIn({"example.com.": [_rrset(ZONE, "A", "not an\x07address")]})

    with http_serving(there) as url, pytest.raises(DnsError, match=r"A data at example\.com\. that is none") as caught:
        _provider(url).read(ZONE, [(ZONE, "A")])

    assert "not an\\x07address" in caught.value.what
