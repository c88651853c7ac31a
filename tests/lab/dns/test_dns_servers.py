"""Records are read, changed and waited for at real servers, which differ in what they answer and how they are asked.

PowerDNS by its API, PowerDNS by dynamic updates, Knot by dynamic updates.
"""

import base64
import contextlib
import dataclasses
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dns.tsig
import pytest

from sendwright.dns.diff import diff, wanted
from sendwright.dns.edits import claims_of, edits
from sendwright.dns.providers.base import Edit, Provider, RecordSet
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.providers.transfer import NotTransferred, transfer
from sendwright.dns.rdata import joined, txt
from sendwright.dns.records import Record
from sendwright.dns.transport import query
from sendwright.errors import NotAllowed, WorldMoved
from sendwright.lab import Lab
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary

pytestmark = pytest.mark.lab


def _set(name: str, rdtype: str, *values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(name, rdtype, ttl, values)


def _swap(provider: Provider, zone: str, name: str, rdtype: str, after: RecordSet | None) -> None:
    before = next(iter(provider.read(zone, [(name, rdtype)])), None)
    provider.apply(zone, [Edit(name, rdtype, before, after)])


def _create(name: str, value: str = "203.0.113.1") -> Edit:
    return Edit(name, "A", None, _set(name, "A", value))


def test_values_are_created_changed_and_withdrawn(primary: Primary, provider: Provider) -> None:
    """What is read afterwards is what was written, long TXT data and TTLs included."""
    key = f"r1._domainkey.{primary.zone}"
    long, short = _set(key, "TXT", txt("p=" + "A" * 700), ttl=3600), _set(key, "TXT", txt("p=B"))
    swap = partial(_swap, provider, primary.zone, key, "TXT")

    swap(long)
    (created,) = provider.read(primary.zone, [(key, "TXT")])
    swap(short)
    changed = provider.read(primary.zone, [(key, "TXT")])
    swap(dataclasses.replace(short, ttl=120))
    (retimed,) = provider.read(primary.zone, [(key, "TXT")])
    swap(None)

    assert (created.ttl, joined(*created.values)) == (3600, b"p=" + b"A" * 700)
    assert changed == (short,)
    assert retimed.ttl == 120
    assert provider.read(primary.zone, [(key, "TXT")]) == ()


def test_a_lost_race_is_refused_whole(primary: Primary, provider: Provider) -> None:
    """Somebody else's change since the reading is never overwritten, and nothing else of the edits is applied."""
    name, other = f"race.{primary.zone}", f"other.{primary.zone}"
    theirs = _set(name, "A", "203.0.113.1", "203.0.113.2")
    _swap(provider, primary.zone, name, "A", theirs)
    stale = Edit(name, "A", _set(name, "A", "203.0.113.1"), None)
    absent = Edit(name, "A", None, theirs)

    for edit in (stale, absent):
        with pytest.raises(WorldMoved, match=f"zone {primary.zone}: .*nothing was applied"):
            provider.apply(primary.zone, [_create(other), edit])

    assert provider.read(primary.zone, [(name, "A"), (other, "A")]) == (theirs,)
    _swap(provider, primary.zone, name, "A", None)


def test_a_wrong_key_is_explained_alike(primary: Primary, provider: Provider, tmp_path: Path) -> None:
    """PowerDNS says REFUSED without a signature, Knot BADSIG or BADKEY, the API 401: for a person it is one thing."""
    secret = base64.b64encode(b"x" * 32).decode()
    keys = [{"secret": secret}, {"name": "nobody"}, {"algorithm": "hmac-sha512"}]
    edit = _create(f"x.{primary.zone}")

    for wrong in keys if "tsig" in primary.entry else keys[:1]:
        with pytest.raises(NotAllowed) as caught:
            primary.provider(tmp_path, **wrong).apply(primary.zone, [edit])

        key = wrong.get("name", "sendwright-lab")
        said = re.sub(r"\(\w+\)", "(…)", caught.value.what.replace(provider.title, "SERVER"))
        assert said in {
            f"zone {primary.zone}: SERVER does not let the TSIG key {key} change the zone (…); nothing was applied.",
            f"zone {primary.zone}: SERVER does not accept the API key (…).",
        }
        assert caught.value.hint.startswith("Check the key")
        assert secret not in str(caught.value)


@pytest.mark.parametrize("more", [0, 5])
def test_what_only_a_wildcard_answers_does_not_stand_at_the_name(
    primary: Primary, provider: Provider, more: int
) -> None:
    """Until it does: a name that is created with the wildcard's own value is then there, read alone or among others."""
    wildcard, name = f"*.wild.{primary.zone}", f"x.wild.{primary.zone}"
    looked = [(name, "TXT"), *((f"n{i}.wild.{primary.zone}", "TXT") for i in range(more))]
    _swap(provider, primary.zone, wildcard, "TXT", _set(wildcard, "TXT", txt("same")))

    before = provider.read(primary.zone, looked)
    provider.apply(primary.zone, [Edit(name, "TXT", None, _set(name, "TXT", txt("same")))])
    after = provider.read(primary.zone, looked)

    assert (before, after) == ((), (_set(name, "TXT", txt("same")),))
    for done in (name, wildcard):
        _swap(provider, primary.zone, done, "TXT", None)


def test_planning_again_after_applying_is_empty_and_others_values_stay(primary: Primary, provider: Provider) -> None:
    """The whole way: zones, reading, diff, update, reading again."""
    zone = primary.zone
    theirs = _set(zone, "TXT", txt("v=spf1 -all"))
    _swap(provider, zone, zone, "TXT", theirs)
    desired = [
        Record(zone, "TXT", 3600, txt("ours=1"), "why"),
        Record(f"h.{zone}", "AAAA", 3600, "2001:db8::1", "why"),
        Record(f"_smtp._tls.{zone}", "TXT", 3600, txt("v=TLSRPTv1; rua=mailto:a@example.com"), "why"),
        Record(f"_submissions._tcp.{zone}", "SRV", 3600, f"0 1 465 h.{zone}.", "why"),
    ]
    assert set(provider.zones({r.name for r in desired}).values()) == {zone}
    served = provider.read(zone, wanted(zone, desired, []))
    plan = partial(diff, zone, now=datetime.now(UTC), retention=lambda _: timedelta())
    changes = plan(desired, served, [])
    claims = claims_of(changes, datetime.now(UTC), "main")

    provider.apply(zone, edits(changes, served))
    again = provider.read(zone, wanted(zone, desired, claims))

    assert plan(desired, again, claims).empty
    assert theirs.values[0] in next(s for s in again if s.type == "TXT" and s.name == zone).values
    withdrawal = plan([], again, claims)
    provider.apply(zone, edits(withdrawal, again))
    left = provider.read(zone, wanted(zone, desired, claims))
    assert [(s.name, s.type, s.values) for s in left] == [(zone, "TXT", theirs.values)]
    provider.apply(zone, [Edit(zone, "TXT", left[0], None)])


def test_a_zone_is_transferred_where_that_is_allowed(dns_lab: Lab, second: Knot, inside: None) -> None:  # noqa: ARG001 - requested for its place
    """And read by questions, with the same outcome, where it is not."""
    key = dns.tsig.Key(dns_lab.tsig_name, dns_lab.tsig_secret, dns_lab.tsig_algorithm)
    open_, closed = {}, {}
    for zones, there in (
        (("example.com", "example.org"), dns_lab.primary),
        (("knot.example", "quiet.example"), second),
    ):
        open_[zones[0]], closed[zones[1]] = there.address, there.address
    allowed = set()

    for zone, server in {**open_, **closed}.items():
        provider = DynamicUpdate(server, 53, 0, key, query)
        names = [f"n{i}.{zone}" for i in range(6)]
        provider.apply(zone, [_create(name) for name in names])
        with contextlib.suppress(NotTransferred):
            assert {name for name, _ in transfer(server, 53, zone, key, lambda _: True).sets} >= set(names)
            allowed.add(zone)
        found = provider.read(zone, [(name, "A") for name in [*names, f"absent.{zone}"]])
        provider.apply(zone, [Edit(r.name, "A", r, None) for r in found])
        assert found == tuple(_set(name, "A", "203.0.113.1") for name in names)

    assert allowed == set(open_)


def test_a_zone_that_is_not_served_is_named_once(primary: Primary, provider: Provider) -> None:
    """Whatever the number of names in it; what the server keeps is found."""
    with pytest.raises(NotAllowed) as caught:
        provider.zones(["nowhere.example", "mx.nowhere.example", "_dmarc.nowhere.example", primary.zone])

    assert caught.value.zone == "nowhere.example"
    assert f"{provider.title} does not keep the zone of nowhere.example, nor of 2 names below: " in caught.value.what
    with pytest.raises(NotAllowed):
        provider.apply("nowhere.example", [_create("mx.nowhere.example")])
