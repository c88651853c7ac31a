"""Cloudflare through its own SDK, against a stand-in that keeps state, limits and faults."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendwright.dns.providers.base import Edit, Key, RecordSet, open_provider
from sendwright.dns.providers.cloudflare import LIMIT, CloudflareDns
from sendwright.dns.providers.cloudflare_api import Api
from sendwright.dns.providers.limiter import Allowance, Limiter
from sendwright.dns.rdata import canonical
from sendwright.errors import DnsError, ForeignRecord, NotAllowed, SecretError, ServerUnreachable, WorldMoved
from sendwright.providers import Cloudflare
from tests.dns.cloudflare_standin import (
    BROKEN,
    DIE,
    EDIT,
    HALF,
    HANG,
    LIST,
    LOST,
    RUBBISH,
    SERVERS,
    TOKEN,
    Answer,
    Fault,
    StandIn,
)

ZONE = "example.com"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """Return a stand-in that has one zone; whatever it is sent has to be as the SDK's types have it."""
    with StandIn().serving() as found:
        found.add_zone(ZONE)
        yield found
    assert found.invalid == []


def _opened(standin: StandIn, token: str = TOKEN, limiter: Limiter | None = None, seconds: float = 5) -> CloudflareDns:
    return CloudflareDns.by(Api(token, limiter or _limiter(standin), standin.url, seconds), 900)


def _limiter(standin: StandIn, patience: float = 600) -> Limiter:
    clock = standin.clock
    return Limiter("Cloudflare", Allowance(LIMIT), patience, clock, clock.sleep, lambda _: None)


def _zone(standin: StandIn) -> str:
    return next(iter(standin.zones))


def _held(standin: StandIn) -> dict[str, Any]:
    return standin.records[_zone(standin)]


def _set(name: str, rdtype: str, *values: str, ttl: int = 300) -> RecordSet:
    return RecordSet(name, rdtype, ttl, values)


def _new(name: str, rdtype: str, *values: str) -> Edit:
    return Edit(name, rdtype, None, _set(name, rdtype, *values))


def _many(count: int) -> list[Edit]:
    return [_new(f"k{i:03}.{ZONE}", "TXT", f'"{i}"') for i in range(count)]


def _as_is(records: tuple[RecordSet, ...]) -> dict[Key, tuple[int, set[str]]]:
    return {r.key: (r.ttl, {canonical(r.type, text) for text in r.values}) for r in records}


def test_1000_foreign_records_stay_byte_for_byte(standin: StandIn) -> None:
    """Whatever is created, replaced, retimed and withdrawn among them."""
    for i in range(1000):
        more = {"comment": f"mine {i}", "tags": [f"team:{i % 7}"], "proxied": i % 2 == 0}
        standin.add(_zone(standin), f"h{i}.{ZONE}", "A", "198.51.100.7", ttl=1, **more)
    foreign = json.dumps(_held(standin))
    ours = [standin.add(_zone(standin), f"k{i}.{ZONE}", "TXT", f'"{i}"') for i in range(3)]
    provider = _opened(standin)
    sets = [_set(r["name"], "TXT", r["content"]) for r in ours]

    provider.apply(
        ZONE,
        [
            Edit(sets[0].name, "TXT", sets[0], None),
            Edit(sets[1].name, "TXT", sets[1], _set(sets[1].name, "TXT", '"other"')),
            Edit(sets[2].name, "TXT", sets[2], _set(sets[2].name, "TXT", '"2"', ttl=600)),
            *_many(50),
        ],
    )

    assert json.dumps({i: r for i, r in _held(standin).items() if r["name"].startswith("h")}) == foreign


def test_foreign_values_within_a_set_keep_id_comment_and_tags(standin: StandIn) -> None:
    """Only the values that differ are mentioned in a request, not the set."""
    verification = standin.add(
        _zone(standin), ZONE, "TXT", "google-site-verification=x", 1, comment="Anna's", tags=["a:b"]
    )
    standin.add(_zone(standin), ZONE, "TXT", '"v=spf1 ~all"')
    before = copy.deepcopy(verification)
    provider = _opened(standin)
    (seen,) = provider.read(ZONE, [(ZONE, "TXT")])

    provider.apply(ZONE, [Edit(ZONE, "TXT", seen, _set(ZONE, "TXT", seen.values[0], '"v=spf1 -all"', '"more"'))])

    assert _held(standin)[before["id"]] == before
    assert {r["content"] for r in _held(standin).values()} == {before["content"], '"v=spf1 -all"', '"more"'}


def test_450_changes_go_in_3_batches(standin: StandIn) -> None:
    """200 operations are the most that a batch of a free plan holds; the zone is read once, and found once."""
    provider = _opened(standin)

    provider.apply(ZONE, _many(450))

    assert len(_held(standin)) == 450
    assert [sum(map(len, body.values())) for body in standin.batches] == [200, 200, 50]
    assert (standin.count("zones"), standin.count("records")) == (1, 1)


def test_429_with_retry_after_is_waited_out(standin: StandIn) -> None:
    """The SDK alone gives up after 1.6 seconds."""
    standin.faults["batch", 1] = Answer.error(429, 971, "Please wait", retry_after="120")
    provider = _opened(standin)

    provider.apply(ZONE, _many(3))

    assert standin.clock.slept == [120.0]
    assert len(_held(standin)) == 3


def test_a_limit_that_is_used_up_is_not_run_into(standin: StandIn) -> None:
    """The headers say when there is room again, so no request is refused at all."""
    standin.limit = 4
    provider = _opened(standin)

    provider.apply(ZONE, _many(450))
    provider.apply(ZONE, [])
    provider.read(ZONE, [])

    assert standin.count("refused") == 0
    assert standin.clock.slept == [300.0]


def test_one_limiter_serves_two_zones_of_a_run(standin: StandIn) -> None:
    """The limit is the token's, not a zone's; so is what was learned about it."""
    standin.limit = 5
    standin.add_zone("example.org")
    limiter = _limiter(standin)
    first, second = (_opened(standin, limiter=limiter) for _ in range(2))

    first.apply(ZONE, _many(1))
    second.apply("example.org", [_new("a.example.org", "A", "192.0.2.1")])

    assert standin.count("refused") == 0
    assert standin.clock.slept == [300.0]


def test_all_who_use_a_token_share_its_limiter(tmp_path: Path) -> None:
    """However many entries of ``dns`` name it, and however often they are opened."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "other").write_text("another\n")

    def limiter(file: str) -> Limiter:
        config = Cloudflare.model_validate({"provider": "cloudflare", "token": {"file": file}})
        found = open_provider(config, tmp_path)
        assert isinstance(found, CloudflareDns)
        assert TOKEN not in repr(found)
        return found.api.limiter

    assert limiter("token") is limiter("token")
    assert limiter("token") is not limiter("other")


def test_patience_ends_with_an_error_that_names_the_wait(standin: StandIn) -> None:
    """Nobody waits an hour without having been asked."""
    standin.faults["records", 1] = Answer.error(429, 971, "Please wait", retry_after="3600")

    with pytest.raises(ServerUnreachable, match=r"zone example.com: Cloudflare takes no more .* another 3600 s"):
        _opened(standin).read(ZONE, [])
    assert standin.clock.slept == []


@pytest.mark.parametrize("fault", [BROKEN, RUBBISH, DIE, LOST, Answer.error(400, 1004, "DNS Validation Error")])
def test_a_batch_that_fails_in_the_middle_leaves_a_state_from_which_running_again_converges(
    standin: StandIn, fault: Fault
) -> None:
    """Each batch happened or did not; the next run reads what is there and does the rest."""
    standin.faults["batch", 2] = fault
    edits = _many(450)

    with pytest.raises(DnsError, match=r"The first 200 of 450 record sets were changed; running again is safe\."):
        _opened(standin).apply(ZONE, edits)
    again = _opened(standin)
    seen = {r.key: r for r in again.read(ZONE, [(e.name, e.type) for e in edits])}
    again.apply(ZONE, [e for e in edits if seen.get((e.name, e.type)) != e.after])

    assert again.read(ZONE, [(e.name, e.type) for e in edits]) == tuple(e.after for e in edits)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (HANG, "no answer in 0.2 s"),
        (LOST, "gave no answer"),
        (HALF, "gave no answer"),
        (RUBBISH, "not its API's"),
        (BROKEN, "HTTP 500"),
    ],
)
def test_a_write_without_a_proper_answer_is_unknown_and_not_tried_again(
    standin: StandIn, fault: Fault, said: str
) -> None:
    """It may have happened: only a fresh look can tell."""
    provider = _opened(standin, seconds=0.2)
    provider.zones([ZONE])
    standin.faults["batch", 1] = fault

    with pytest.raises(DnsError, match=said) as caught:
        provider.apply(ZONE, _many(1))

    assert "zone example.com" in str(caught.value)
    assert "unknown" in caught.value.hint
    assert standin.count("batch") == 1


@pytest.mark.parametrize("kind", ["zones", "records"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (HANG, "no answer in 0.1 s"),
        (DIE, "does not answer"),
        (HALF, "does not answer"),
        (BROKEN, "HTTP 500"),
        (RUBBISH, "API's"),
    ],
)
def test_a_read_that_fails_is_tried_again_and_then_named(standin: StandIn, kind: str, fault: Fault, said: str) -> None:
    """Three times if there may be another answer; rubbish is not asked for again."""
    provider = _opened(standin, seconds=0.1)
    standin.faults |= {(kind, n): fault for n in (1, 2, 3)}

    with pytest.raises(DnsError, match=said) as caught:
        provider.read(ZONE, [(ZONE, "A")])

    assert "zone example.com: Cloudflare" in str(caught.value)
    assert standin.count(kind) == (1 if fault is RUBBISH else 3)


def test_a_read_that_fails_once_is_no_failure(standin: StandIn) -> None:
    """Another try costs little."""
    standin.faults["records", 1] = BROKEN

    assert _opened(standin).read(ZONE, [(ZONE, "A")]) == ()


def test_an_api_that_is_not_there_is_unreachable() -> None:
    """Nothing was sent, and it says so."""
    standin = StandIn(port=1)

    with pytest.raises(
        ServerUnreachable, match="Cloudflare does not answer when asked to list its zones: ConnectError"
    ):
        _opened(standin).zones([ZONE])


@pytest.mark.parametrize(
    ("arrange", "act", "said"),
    [
        (lambda s: s.grants.discard(EDIT), lambda p: p.read(ZONE, []), "Zone.DNS:Edit for example.com"),
        (lambda s: s.grants.discard(LIST), lambda p: p.zones([ZONE]), "Zone.Zone:Read and Zone.DNS:Edit"),
        (
            lambda s: s.faults.update({("batch", 1): Answer.error(403, 10000, "Authentication error")}),
            lambda p: p.apply(ZONE, _many(1)),
            "let the token change its records (HTTP 403, 10000: Authentication error); nothing was applied.",
        ),
        (
            lambda s: s.faults.update(
                {("zones", 1): Answer.error(400, 6003, "Invalid request headers", (6111, f"format of {TOKEN}"))}
            ),
            lambda p: p.zones([ZONE]),
            "is none to Cloudflare (HTTP 400, 6003: Invalid request headers; 6111: format of …)",
        ),
    ],
)
def test_a_token_without_the_right_permission_is_explained(
    standin: StandIn, arrange: Callable[[StandIn], None], act: Callable[[CloudflareDns], None], said: str
) -> None:
    """Which permission, for which zone; the token itself never shows, even where the API repeats it."""
    arrange(standin)

    with pytest.raises(NotAllowed) as caught:
        act(_opened(standin))

    assert said in str(caught.value)
    assert "zone example.com: " in str(caught.value)
    assert TOKEN not in str(caught.value) + repr(caught.value)


def test_a_token_that_is_none_is_refused_once_however_many_names_ask(standin: StandIn) -> None:
    """Name by name it would be refused as often as there are domains."""
    provider = _opened(standin, token="wrong")

    for names in ([f"a{i}.example" for i in range(9)], ["a1.example"], ["a2.example"]):
        with pytest.raises(NotAllowed, match="9109: Invalid access token"):
            provider.zones(names)

    assert standin.count("zones") == 1


@pytest.mark.parametrize("token", ["two words", "tökén", "a\nb"])
def test_a_token_that_can_be_none_is_refused_without_being_shown(tmp_path: Path, token: str) -> None:
    """It is a secret even when it is wrong."""
    (tmp_path / "token").write_text(token)
    config = Cloudflare.model_validate({"provider": "cloudflare", "token": {"file": "token"}})

    with pytest.raises(SecretError) as caught:
        open_provider(config, tmp_path)

    assert token not in str(caught.value)


def test_an_old_key_in_the_environment_does_not_take_the_place_of_the_token(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would send it, and the token not at all."""
    monkeypatch.setenv("CLOUDFLARE_EMAIL", "old@example.com")
    monkeypatch.setenv("CLOUDFLARE_API_KEY", "old")

    assert _opened(standin).zones([ZONE]) == {ZONE: ZONE}


def test_each_name_lies_in_the_longest_zone_above_it(standin: StandIn) -> None:
    """Zones may lie in zones; that one's name ends like another's means nothing."""
    for name in ("sub.example.com", "badexample.com", "example.co.uk"):
        standin.add_zone(name)

    names = [ZONE, "a.b.example.com", "x.sub.example.com", "notsub.example.com", "m.example.co.uk"]

    assert [*_opened(standin).zones(names).values()] == [ZONE, ZONE, "sub.example.com", ZONE, "example.co.uk"]


def test_a_name_in_no_zone_is_named(standin: StandIn) -> None:
    """The others are still found, and nothing is asked twice."""
    standin.add_zone("example.org")
    provider = _opened(standin)

    with pytest.raises(NotAllowed, match=r"zone a\.example\.net: Cloudflare shows this token no zone"):
        provider.zones(["a.example.com", "a.example.net", "example.org"])

    assert provider.zones(["a.example.com"]) == {"a.example.com": ZONE}
    assert standin.count("zones") == 1


@pytest.mark.parametrize(("zones", "names", "requests"), [(120, 120, 3), (120, 1, 1), (400, 2, 3), (49, 50, 1)])
def test_zones_are_found_with_the_fewest_requests(standin: StandIn, zones: int, names: int, requests: int) -> None:
    """One for each page of 50, or one for each end of a name where that is less."""
    for i in range(zones):
        standin.add_zone(f"zone{i}.example")

    found = _opened(standin).zones([f"mail.zone{i}.example" for i in range(min(zones, names))])

    assert [*found.values()] == [f"zone{i}.example" for i in range(min(zones, names))]
    assert standin.count("zones") == requests


@pytest.mark.parametrize(("page", "requests"), [(5_000_000, 1), (100, 3), (250, 1), (249, 2)])
def test_a_zone_is_read_in_one_request_for_each_page_that_the_api_gives(
    standin: StandIn, page: int, requests: int
) -> None:
    """As many records as its description allows are asked for; it may still give less."""
    standin.records_a_page = page
    for i in range(250):
        standin.add(_zone(standin), f"h{i:03}.{ZONE}", "A", "192.0.2.1")

    found = _opened(standin).read(ZONE, [(f"h{i:03}.{ZONE}", "A") for i in range(250)])

    assert len(found) == 250
    assert standin.count("records") == requests
    assert {query["per_page"] for kind, query in standin.asked if kind == "records"} == {"5000000"}


def test_pages_that_do_not_add_up_are_not_believed(standin: StandIn) -> None:
    """A record that was overlooked would be written a second time."""
    standin.faults["records", 1] = Answer.of([], result_info={"total_count": 7, "total_pages": 1})

    with pytest.raises(DnsError, match="gave 0 of 7"):
        _opened(standin).read(ZONE, [])


def test_only_wanted_sets_are_read_and_aliases_at_their_names(standin: StandIn) -> None:
    """A CNAME there is in the way; a TTL of 1 is served as 300."""
    zone = _zone(standin)
    standin.add(zone, f"A.{ZONE}".upper(), "A", "192.0.2.1", ttl=1)
    standin.add(zone, f"b.{ZONE}", "CNAME", "elsewhere.example")
    standin.add(zone, f"*.{ZONE}", "A", "192.0.2.9")

    found = _opened(standin).read(ZONE, [(f"a.{ZONE}", "A"), (f"b.{ZONE}", "TXT"), (f"c.{ZONE}", "A")])

    assert found == (_set(f"a.{ZONE}", "A", "192.0.2.1"), _set(f"b.{ZONE}", "CNAME", "elsewhere.example."))


def test_the_ns_of_a_zone_are_those_that_its_delegation_has_to_name(standin: StandIn) -> None:
    """They are no records there, and nobody writes them."""
    provider = _opened(standin)

    (servers,) = provider.read(ZONE, [(ZONE, "NS")])

    assert servers.values == tuple(f"{name}." for name in SERVERS)
    with pytest.raises(DnsError, match="itself keeps the NS"):
        provider.apply(ZONE, [Edit(ZONE, "NS", servers, None)])


def test_a_zone_that_is_not_active_is_said_to_be_so(standin: StandIn) -> None:
    """It explains most of what else goes wrong there."""
    standin.zones[_zone(standin)]["status"] = "pending"
    standin.faults["batch", 1] = Answer.error(400, 1004, "DNS Validation Error")

    with pytest.raises(DnsError, match=f"“pending”: it is served once its registrar names {SERVERS[0]}"):
        _opened(standin).apply(ZONE, _many(1))


def test_of_two_zones_of_one_name_the_active_one_is_meant(standin: StandIn) -> None:
    """A zone that waits in another account is not the one that anybody sees; of two of these none is chosen."""
    standin.zones[_zone(standin)]["status"] = "pending"
    active = standin.add_zone(ZONE)

    _opened(standin).apply(ZONE, _many(1))

    assert len(standin.records[active]) == 1
    standin.zones[active]["status"] = "moved"
    with pytest.raises(DnsError, match="2 zones of that name"):
        _opened(standin).read(ZONE, [])


def test_addresses_behind_the_proxy_are_in_the_way_of_mail(standin: StandIn) -> None:
    """The address looks right in the API, and receivers see another."""
    standin.add(_zone(standin), f"mx1.{ZONE}", "A", "192.0.2.1", proxied=True)

    with pytest.raises(ForeignRecord, match=r"addresses of mx1\.example\.com are proxied.*DNS only"):
        _opened(standin).read(ZONE, [(f"mx1.{ZONE}", "A")])


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
    edits = [_new(f"{rdtype.lower()}.{ZONE}", rdtype, *found) for rdtype, found in values.items()]
    provider = _opened(standin)

    provider.apply(ZONE, edits)

    found = provider.read(ZONE, [(e.name, e.type) for e in edits])
    assert _as_is(found) == _as_is(tuple(e.after for e in edits if e.after))
    assert {r["comment"] for r in _held(standin).values()} == {"sendwright"}
    written = [p for body in standin.batches for p in body["posts"] if p["type"] in {"A", "AAAA", "CNAME"}]
    assert [p["proxied"] for p in written] == [False] * 3


def test_a_value_that_takes_anothers_place_keeps_its_id(standin: StandIn) -> None:
    """One operation in one transaction: there is no moment without either."""
    old = standin.add(_zone(standin), ZONE, "TXT", '"v=spf1 ~all"')
    before, after = _set(ZONE, "TXT", '"v=spf1 ~all"'), _set(ZONE, "TXT", '"v=spf1 -all"')

    _opened(standin).apply(ZONE, [Edit(ZONE, "TXT", before, after)])

    assert [(r["id"], r["content"]) for r in _held(standin).values()] == [(old["id"], '"v=spf1 -all"')]


def test_a_ttl_is_changed_without_mentioning_the_rest(standin: StandIn) -> None:
    """Comment, tags and content stay as they are."""
    old = copy.deepcopy(standin.add(_zone(standin), ZONE, "TXT", '"x" "y"', 3600, comment="c", tags=["t:1"]))
    before = _set(ZONE, "TXT", '"x" "y"', ttl=3600)

    _opened(standin).apply(ZONE, [Edit(ZONE, "TXT", before, _set(ZONE, "TXT", '"xy"', ttl=60))])

    assert _held(standin)[old["id"]] == {**old, "ttl": 60}


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda s: s.add(_zone(s), f"k000.{ZONE}", "TXT", '"other"'),
        lambda s: s.add(_zone(s), f"k001.{ZONE}", "CNAME", "other.example"),
    ],
)
def test_a_world_that_has_moved_is_seen_before_anything_is_written(
    standin: StandIn, meanwhile: Callable[[StandIn], None]
) -> None:
    """The sets are read again right before they are changed."""
    meanwhile(standin)

    with pytest.raises(WorldMoved, match=r"zone example.com: TXT k00[01].example.com .* nothing was applied"):
        _opened(standin).apply(ZONE, _many(2))

    assert standin.batches == []


def test_an_identical_record_that_appears_in_between_counts_as_there(standin: StandIn) -> None:
    """It stands as it should, whoever wrote it: it stays as it is, and the rest of the batch is not lost."""
    standin.meanwhile[1] = lambda: standin.add(_zone(standin), f"k001.{ZONE}", "TXT", '"1"', comment="theirs")

    _opened(standin).apply(ZONE, _many(3))

    assert sorted(r["content"] for r in _held(standin).values()) == ['"0"', '"1"', '"2"']
    assert [r["comment"] for r in _held(standin).values() if r["content"] == '"1"'] == ["theirs"]


def test_a_record_that_goes_in_between_is_a_world_that_has_moved(standin: StandIn) -> None:
    """A batch is whole or nothing: what else was in it did not happen."""
    old = standin.add(_zone(standin), ZONE, "TXT", '"a"')
    standin.meanwhile[1] = lambda: _held(standin).pop(old["id"])

    with pytest.raises(WorldMoved, match="nothing was applied"):
        _opened(standin).apply(ZONE, [Edit(ZONE, "TXT", _set(ZONE, "TXT", '"a"'), None), *_many(1)])

    assert _held(standin) == {}


def test_a_full_zone_is_named_as_such(standin: StandIn) -> None:
    """A free zone holds 200 records."""
    standin.most_records = 200

    with pytest.raises(DnsError, match="quota is used up, nothing was applied"):
        _opened(standin).apply(ZONE, _many(201))


def test_a_record_that_cannot_be_read_is_an_error_of_its_zone_only_if_it_is_wanted(standin: StandIn) -> None:
    """Others' records may be whatever they are."""
    standin.add(_zone(standin), f"a.{ZONE}", "A", "\x1b[2Jnot an address")
    provider = _opened(standin)

    assert provider.read(ZONE, [(f"b.{ZONE}", "A")]) == ()
    with pytest.raises(DnsError, match=r"zone example.com: Cloudflare has A records at 'a.example.com'"):
        provider.read(ZONE, [(f"a.{ZONE}", "A")])


def test_no_edits_are_no_request(standin: StandIn) -> None:
    """An unchanged zone is not touched."""
    _opened(standin).apply(ZONE, [])

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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=worlds(), after=worlds(), more=st.integers(0, 3))
def test_applying_edits_makes_the_zone_what_they_say(
    standin: StandIn, before: dict[Key, RecordSet], after: dict[Key, RecordSet], more: int
) -> None:
    """For any sets before and after; what no edit names is not touched."""
    zone = _zone(standin)
    standin.records[zone] = {}
    for records in before.values():
        for value in records.values:
            priority, _, content = value.rpartition(" ") if records.type == "MX" else ("", "", value)
            extra = {"priority": int(priority)} if priority else {}
            standin.add(zone, records.name, records.type, content.rstrip(".") or ".", records.ttl, **extra)
    foreign = [copy.deepcopy(standin.add(zone, f"z{i}.{ZONE}", "A", "192.0.2.9", proxied=True)) for i in range(more)]
    provider = _opened(standin)
    seen = {r.key: r for r in provider.read(ZONE, before.keys() | after.keys())}
    edits = [
        Edit(*key, seen.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]

    provider.apply(ZONE, edits)

    assert _as_is(tuple(seen.values())) == _as_is(tuple(before.values()))
    assert _as_is(provider.read(ZONE, before.keys() | after.keys())) == _as_is(tuple(after.values()))
    assert [r for r in _held(standin).values() if r["name"].startswith("z")] == foreign
