"""Cloudflare through its own SDK, against a stand-in that keeps state: what is written, and what is left alone."""

import copy
import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.errors import DnsError, WorldMoved
from tests.dns.cloudflare_standin import StandIn
from tests.dns.cloudflare_world import ZONE, as_is, held, many, new, opened, rrset, zone_id


def test_1000_foreign_records_stay_byte_for_byte(standin: StandIn) -> None:
    """Whatever is created, replaced, retimed and withdrawn among them."""
    for i in range(1000):
        more = {"comment": f"mine {i}", "tags": [f"team:{i % 7}"], "proxied": i % 2 == 0}
        standin.add(zone_id(standin), f"h{i}.{ZONE}", "A", "198.51.100.7", ttl=1, **more)
    foreign = json.dumps(held(standin))
    ours = [standin.add(zone_id(standin), f"k{i}.{ZONE}", "TXT", f'"{i}"') for i in range(3)]
    provider = opened(standin)
    sets = [rrset(r["name"], "TXT", r["content"]) for r in ours]

    provider.apply(
        ZONE,
        [
            Edit(sets[0].name, "TXT", sets[0], None),
            Edit(sets[1].name, "TXT", sets[1], rrset(sets[1].name, "TXT", '"other"')),
            Edit(sets[2].name, "TXT", sets[2], rrset(sets[2].name, "TXT", '"2"', ttl=600)),
            *many(50),
        ],
    )

    assert json.dumps({i: r for i, r in held(standin).items() if r["name"].startswith("h")}) == foreign


def test_foreign_values_within_a_set_keep_id_comment_and_tags(standin: StandIn) -> None:
    """Only the values that differ are mentioned in a request, not the set."""
    verification = standin.add(
        zone_id(standin), ZONE, "TXT", "google-site-verification=x", 1, comment="Anna's", tags=["a:b"]
    )
    standin.add(zone_id(standin), ZONE, "TXT", '"v=spf1 ~all"')
    before = copy.deepcopy(verification)
    provider = opened(standin)
    (seen,) = provider.read(ZONE, [(ZONE, "TXT")])

    provider.apply(ZONE, [Edit(ZONE, "TXT", seen, rrset(ZONE, "TXT", seen.values[0], '"v=spf1 -all"', '"more"'))])

    assert held(standin)[before["id"]] == before
    assert {r["content"] for r in held(standin).values()} == {before["content"], '"v=spf1 -all"', '"more"'}


def test_450_changes_go_in_3_batches(standin: StandIn) -> None:
    """200 operations are the most that a batch of a free plan holds; the zone is read once, and found once."""
    provider = opened(standin)

    provider.apply(ZONE, many(450))

    assert len(held(standin)) == 450
    assert [sum(map(len, body.values())) for body in standin.batches] == [200, 200, 50]
    assert (standin.count("zones"), standin.count("records")) == (1, 1)


def test_what_we_write_is_never_proxied_and_carries_our_mark(standin: StandIn) -> None:
    """Every type that mail needs; the stand-in holds each body against the SDK's own types."""
    values = {
        "A": ("192.0.2.1",),
        "AAAA": ("2001:db8::1",),
        "CNAME": ("other.example.",),
        "MX": ("10 mx.example.", "0 ."),
        "TXT": ('"' + "x" * 700 + '"', r'"a \"quoted\" word; \195\164"'),
        "SRV": ("0 1 465 mx.example.",),
        "CAA": (r'0 issue "ca.example; validationmethods=dns-01"',),
        "TLSA": ("3 1 1 " + "ab" * 32,),
        "NS": ("ns.example.",),
        "PTR": ("mx.example.",),
    }
    edits = [new(f"{rdtype.lower()}.{ZONE}", rdtype, *found) for rdtype, found in values.items()]
    provider = opened(standin)

    provider.apply(ZONE, edits)

    found = provider.read(ZONE, [(e.name, e.type) for e in edits])
    assert as_is(found) == as_is(tuple(e.after for e in edits if e.after))
    assert {r["comment"] for r in held(standin).values()} == {"sendwright"}
    written = [p for body in standin.batches for p in body["posts"] if p["type"] in {"A", "AAAA", "CNAME"}]
    assert [p["proxied"] for p in written] == [False] * 3


def test_a_value_that_takes_anothers_place_keeps_its_id(standin: StandIn) -> None:
    """One operation in one transaction: there is no moment without either."""
    old = standin.add(zone_id(standin), ZONE, "TXT", '"v=spf1 ~all"')
    before, after = rrset(ZONE, "TXT", '"v=spf1 ~all"'), rrset(ZONE, "TXT", '"v=spf1 -all"')

    opened(standin).apply(ZONE, [Edit(ZONE, "TXT", before, after)])

    assert [(r["id"], r["content"]) for r in held(standin).values()] == [(old["id"], '"v=spf1 -all"')]


def test_a_ttl_is_changed_without_mentioning_the_rest(standin: StandIn) -> None:
    """Comment, tags and content stay as they are."""
    old = copy.deepcopy(standin.add(zone_id(standin), ZONE, "TXT", '"x" "y"', 3600, comment="c", tags=["t:1"]))
    before = rrset(ZONE, "TXT", '"x" "y"', ttl=3600)

    opened(standin).apply(ZONE, [Edit(ZONE, "TXT", before, rrset(ZONE, "TXT", '"xy"', ttl=60))])

    assert held(standin)[old["id"]] == {**old, "ttl": 60}


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda s: s.add(zone_id(s), f"k000.{ZONE}", "TXT", '"other"'),
        lambda s: s.add(zone_id(s), f"k001.{ZONE}", "CNAME", "other.example"),
    ],
)
def test_a_world_that_has_moved_is_seen_before_anything_is_written(
    standin: StandIn, meanwhile: Callable[[StandIn], None]
) -> None:
    """The sets are read again right before they are changed."""
    meanwhile(standin)

    with pytest.raises(WorldMoved, match=r"zone example.com: TXT k00[01].example.com .* nothing was applied"):
        opened(standin).apply(ZONE, many(2))

    assert standin.batches == []


def test_an_identical_record_that_appears_in_between_counts_as_there(standin: StandIn) -> None:
    """It stands as it should, whoever wrote it: it stays as it is, and the rest of the batch is not lost."""
    standin.meanwhile[1] = lambda: standin.add(zone_id(standin), f"k001.{ZONE}", "TXT", '"1"', comment="theirs")

    opened(standin).apply(ZONE, many(3))

    assert sorted(r["content"] for r in held(standin).values()) == ['"0"', '"1"', '"2"']
    assert [r["comment"] for r in held(standin).values() if r["content"] == '"1"'] == ["theirs"]


def test_a_record_that_goes_in_between_is_a_world_that_has_moved(standin: StandIn) -> None:
    """A batch is whole or nothing: what else was in it did not happen."""
    old = standin.add(zone_id(standin), ZONE, "TXT", '"a"')
    standin.meanwhile[1] = lambda: held(standin).pop(old["id"])

    with pytest.raises(WorldMoved, match="nothing was applied"):
        opened(standin).apply(ZONE, [Edit(ZONE, "TXT", rrset(ZONE, "TXT", '"a"'), None), *many(1)])

    assert held(standin) == {}


def test_a_full_zone_is_named_as_such(standin: StandIn) -> None:
    """A free zone holds 200 records."""
    standin.most_records = 200

    with pytest.raises(DnsError, match="quota is used up, nothing was applied"):
        opened(standin).apply(ZONE, many(201))


def test_no_edits_are_no_request(standin: StandIn) -> None:
    """An unchanged zone is not touched."""
    opened(standin).apply(ZONE, [])

    assert standin.asked == []


TEXTS = st.sampled_from(['"a"', '"b"', '"c" "d"', '"' + "e" * 300 + '"', '"v=spf1 -all"'])
ADDRESSES = st.sampled_from([f"192.0.2.{i}" for i in range(1, 5)])
EXCHANGES = st.sampled_from(["10 mx1.example.", "20 mx2.example.", "0 ."])
VALUES = {"TXT": TEXTS, "A": ADDRESSES, "MX": EXCHANGES, "CNAME": st.sampled_from(["a.example.", "b.example."])}
TTLS = st.sampled_from([60, 300, 3600])


@st.composite
def worlds(draw: st.DrawFn) -> dict[Key, RecordSet]:
    """Draw the record sets of a zone: at each name an alias, or some others."""
    found = {}
    for name in (f"{label}.{ZONE}" for label in "abc"):
        rdtypes = draw(st.sampled_from([("CNAME",), ("TXT", "A", "MX"), ("TXT",), ()]))
        for rdtype in rdtypes:
            values = draw(st.lists(VALUES[rdtype], max_size=1 if rdtype == "CNAME" else 3, unique=True))
            if values:
                found[name, rdtype] = RecordSet(name, rdtype, draw(TTLS), tuple(values))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=worlds(), after=worlds(), more=st.integers(0, 3))
def test_applying_edits_makes_the_zone_what_they_say(
    standin: StandIn, before: dict[Key, RecordSet], after: dict[Key, RecordSet], more: int
) -> None:
    """For any sets before and after; what no edit names is not touched."""
    zone = zone_id(standin)
    standin.records[zone] = {}
    for records in before.values():
        for value in records.values:
            priority, _, content = value.rpartition(" ") if records.type == "MX" else ("", "", value)
            extra = {"priority": int(priority)} if priority else {}
            standin.add(zone, records.name, records.type, content.rstrip(".") or ".", records.ttl, **extra)
    foreign = [copy.deepcopy(standin.add(zone, f"z{i}.{ZONE}", "A", "192.0.2.9", proxied=True)) for i in range(more)]
    provider = opened(standin)
    seen = {r.key: r for r in provider.read(ZONE, before.keys() | after.keys())}
    edits = [
        Edit(*key, seen.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]

    provider.apply(ZONE, edits)

    assert as_is(tuple(seen.values())) == as_is(tuple(before.values()))
    assert as_is(provider.read(ZONE, before.keys() | after.keys())) == as_is(tuple(after.values()))
    assert [r for r in held(standin).values() if r["name"].startswith("z")] == foreign
