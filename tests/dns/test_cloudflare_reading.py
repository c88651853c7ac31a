"""Cloudflare: whom the token lets in, which zones there are, and what is read of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Edit, open_provider
from sendwright.dns.providers.cloudflare import CloudflareDns
from sendwright.errors import DnsError, ForeignRecord, NotAllowed, SecretError
from sendwright.providers import Cloudflare
from tests.dns.cloudflare_http import Answer
from tests.dns.cloudflare_standin import EDIT, LIST, SERVERS, TOKEN, StandIn
from tests.dns.cloudflare_world import ZONE, many, opened, rrset, zone_id


@pytest.mark.parametrize(
    ("arrange", "act", "said"),
    [
        (lambda s: s.grants.discard(EDIT), lambda p: p.read(ZONE, []), "Zone.DNS:Edit for example.com"),
        (lambda s: s.grants.discard(LIST), lambda p: p.zones([ZONE]), "Zone.Zone:Read and Zone.DNS:Edit"),
        (
            lambda s: s.faults.update({("batch", 1): Answer.error(403, 10000, "Authentication error")}),
            lambda p: p.apply(ZONE, many(1)),
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
        act(opened(standin))

    assert said in str(caught.value)
    assert "zone example.com: " in str(caught.value)
    assert TOKEN not in str(caught.value) + repr(caught.value)


def test_a_token_that_is_none_is_refused_once_however_many_names_ask(standin: StandIn) -> None:
    """Name by name it would be refused as often as there are domains."""
    provider = opened(standin, token="wrong")

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

    assert opened(standin).zones([ZONE]) == {ZONE: ZONE}


def test_each_name_lies_in_the_longest_zone_above_it(standin: StandIn) -> None:
    """Zones may lie in zones; that one's name ends like another's means nothing."""
    for name in ("sub.example.com", "badexample.com", "example.co.uk"):
        standin.add_zone(name)

    names = [ZONE, "a.b.example.com", "x.sub.example.com", "notsub.example.com", "m.example.co.uk"]

    assert [*opened(standin).zones(names).values()] == [ZONE, ZONE, "sub.example.com", ZONE, "example.co.uk"]


def test_a_name_in_no_zone_is_named(standin: StandIn) -> None:
    """The others are still found, and nothing is asked twice."""
    standin.add_zone("example.org")
    provider = opened(standin)

    with pytest.raises(NotAllowed, match=r"zone a\.example\.net: Cloudflare shows this token no zone"):
        provider.zones(["a.example.com", "a.example.net", "example.org"])

    assert provider.zones(["a.example.com"]) == {"a.example.com": ZONE}
    assert standin.count("zones") == 1


@pytest.mark.parametrize(("zones", "names", "requests"), [(120, 120, 3), (120, 1, 1), (400, 2, 3), (49, 50, 1)])
def test_zones_are_found_with_the_fewest_requests(standin: StandIn, zones: int, names: int, requests: int) -> None:
    """One for each page of 50, or one for each end of a name where that is less."""
    for i in range(zones):
        standin.add_zone(f"zone{i}.example")

    found = opened(standin).zones([f"mail.zone{i}.example" for i in range(min(zones, names))])

    assert [*found.values()] == [f"zone{i}.example" for i in range(min(zones, names))]
    assert standin.count("zones") == requests


@pytest.mark.parametrize(("page", "requests"), [(5_000_000, 1), (100, 3), (250, 1), (249, 2)])
def test_a_zone_is_read_in_one_request_for_each_page_that_the_api_gives(
    standin: StandIn, page: int, requests: int
) -> None:
    """As many records as its description allows are asked for; it may still give less."""
    standin.records_a_page = page
    for i in range(250):
        standin.add(zone_id(standin), f"h{i:03}.{ZONE}", "A", "192.0.2.1")

    found = opened(standin).read(ZONE, [(f"h{i:03}.{ZONE}", "A") for i in range(250)])

    assert len(found) == 250
    assert standin.count("records") == requests
    assert {query["per_page"] for kind, query in standin.asked if kind == "records"} == {"5000000"}


def test_pages_that_do_not_add_up_are_not_believed(standin: StandIn) -> None:
    """A record that was overlooked would be written a second time."""
    standin.faults["records", 1] = Answer.of([], result_info={"total_count": 7, "total_pages": 1})

    with pytest.raises(DnsError, match="gave 0 of 7"):
        opened(standin).read(ZONE, [])


def test_only_wanted_sets_are_read_and_aliases_at_their_names(standin: StandIn) -> None:
    """A CNAME there is in the way; a TTL of 1 is served as 300."""
    zone = zone_id(standin)
    standin.add(zone, f"A.{ZONE}".upper(), "A", "192.0.2.1", ttl=1)
    standin.add(zone, f"b.{ZONE}", "CNAME", "elsewhere.example")
    standin.add(zone, f"*.{ZONE}", "A", "192.0.2.9")

    found = opened(standin).read(ZONE, [(f"a.{ZONE}", "A"), (f"b.{ZONE}", "TXT"), (f"c.{ZONE}", "A")])

    assert found == (rrset(f"a.{ZONE}", "A", "192.0.2.1"), rrset(f"b.{ZONE}", "CNAME", "elsewhere.example."))


def test_the_ns_of_a_zone_are_those_that_its_delegation_has_to_name(standin: StandIn) -> None:
    """They are no records there, and nobody writes them."""
    provider = opened(standin)

    (servers,) = provider.read(ZONE, [(ZONE, "NS")])

    assert servers.values == tuple(f"{name}." for name in SERVERS)
    with pytest.raises(DnsError, match="itself keeps the NS"):
        provider.apply(ZONE, [Edit(ZONE, "NS", servers, None)])


def test_a_zone_that_is_not_active_is_said_to_be_so(standin: StandIn) -> None:
    """It explains most of what else goes wrong there."""
    standin.zones[zone_id(standin)]["status"] = "pending"
    standin.faults["batch", 1] = Answer.error(400, 1004, "DNS Validation Error")

    with pytest.raises(DnsError, match=f"“pending”: it is served once its registrar names {SERVERS[0]}"):
        opened(standin).apply(ZONE, many(1))


def test_of_two_zones_of_one_name_the_active_one_is_meant(standin: StandIn) -> None:
    """A zone that waits in another account is not the one that anybody sees; of two of these none is chosen."""
    standin.zones[zone_id(standin)]["status"] = "pending"
    active = standin.add_zone(ZONE)

    opened(standin).apply(ZONE, many(1))

    assert len(standin.records[active]) == 1
    standin.zones[active]["status"] = "moved"
    with pytest.raises(DnsError, match="2 zones of that name"):
        opened(standin).read(ZONE, [])


def test_addresses_behind_the_proxy_are_in_the_way_of_mail(standin: StandIn) -> None:
    """The address looks right in the API, and receivers see another."""
    standin.add(zone_id(standin), f"mx1.{ZONE}", "A", "192.0.2.1", proxied=True)

    with pytest.raises(ForeignRecord, match=r"addresses of mx1\.example\.com are proxied.*DNS only"):
        opened(standin).read(ZONE, [(f"mx1.{ZONE}", "A")])


def test_a_record_that_cannot_be_read_is_an_error_of_its_zone_only_if_it_is_wanted(standin: StandIn) -> None:
    """Others' records may be whatever they are."""
    standin.add(zone_id(standin), f"a.{ZONE}", "A", "\x1b[2Jnot an address")
    provider = opened(standin)

    assert provider.read(ZONE, [(f"b.{ZONE}", "A")]) == ()
    with pytest.raises(DnsError, match=r"zone example.com: Cloudflare has A records at 'a.example.com'"):
        provider.read(ZONE, [(f"a.{ZONE}", "A")])
