from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.verify.blocklist import check, check_server
from sendwright.verify.look import Told
from sendwright.verify.records.blocklists import LISTS, read
from sendwright.verify.target import Server, Target
from tests.verify.names import Names, zone
from tests.verify.worlds import by_check, host, look_at

V4, V6 = ip_address("192.0.2.10"), ip_address("2001:db8::10")
OURS = Server("mx1.example.com", (V4,), host=host("mx1.example.com", "192.0.2.10", "2001:db8::10"))
THEIRS = Server("mx.example.org", (V4,), takes=("example.org",))
TARGET = Target("example.com")
ZEN, COP, PSBL, DBL, SURBL, URIBL = (blocklist.zone for blocklist in LISTS)
ALIVE = "".join(f"2.0.0.127.{zone_}. IN A 127.0.0.2\n" for zone_ in (ZEN, COP, PSBL))
ALIVE += f"dbltest.com.{DBL}. IN A 127.0.1.2\ntest.surbl.org.{SURBL}. IN A 127.0.0.254\ntest.{URIBL}. IN A 127.0.0.14\n"


def _server(world: str, server: Server = OURS) -> list[tuple[str, str]]:
    return [(f.status.value, f.target) for f in check_server(server, (), look_at(ALIVE + world))]


def _domain(world: str) -> list[tuple[str, str]]:
    return [(f.status.value, f.target) for f in check(TARGET, look_at(ALIVE + world))]


def test_what_is_on_no_list_passes_once() -> None:
    """The lists that could tell are named."""
    (server,) = check_server(OURS, (), look_at(ALIVE))
    (domain,) = check(TARGET, look_at(ALIVE))

    assert (server.status, server.check) == ("pass", "blocklist.address")
    assert (domain.status, domain.check) == ("pass", "blocklist.domain")
    assert "192.0.2.10, 2001:db8::10: on none of 3 lists" in server.seen


def test_a_listed_address_is_a_failure_with_the_reason_and_where_to_ask() -> None:
    """Of either family: IPv6 is asked about nibble by nibble (RFC 5782, 2.4)."""
    nibbles = V6.reverse_pointer.removesuffix(".ip6.arpa")
    world = f"10.2.0.192.{ZEN}. IN A 127.0.0.3\n10.2.0.192.{ZEN}. IN A 127.0.0.4\n{nibbles}.{ZEN}. IN A 127.0.0.2\n"

    four, six, rest = check_server(OURS, (), look_at(ALIVE + world))

    assert (four.status, four.target, six.status, six.target) == ("fail", f"{V4} {ZEN}", "fail", f"{V6} {ZEN}")
    assert "CSS" in four.seen
    assert "XBL" in four.seen
    assert "check.spamhaus.org" in four.advice
    assert (rest.status, "2 lists" in rest.seen) == ("pass", True)


def test_a_listed_domain_is_a_failure() -> None:
    """On any of the lists, with its own codes."""
    assert _domain(f"example.com.{DBL}. IN A 127.0.1.4\n")[0] == ("fail", f"example.com {DBL}")
    assert _domain(f"example.com.{SURBL}. IN A 127.0.0.80\n")[0] == ("fail", f"example.com {SURBL}")
    assert _domain(f"example.com.{URIBL}. IN A 127.0.0.2\n")[0] == ("fail", f"example.com {URIBL}")
    assert _domain(f"example.com.{URIBL}. IN A 127.0.0.4\n")[0] == ("warn", f"example.com {URIBL}")


def test_a_range_without_mail_servers_is_a_failure_of_a_sender_only() -> None:
    """Others' servers may only receive there; spam that came from them says that they send."""
    policy, spam = f"10.2.0.192.{ZEN}. IN A 127.0.0.10\n", f"10.2.0.192.{ZEN}. IN A 127.0.0.2\n"

    assert _server(policy)[0][0] == "fail"
    assert _server(policy, THEIRS)[0][0] == "warn"
    assert _server(spam, THEIRS)[0][0] == "fail"


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (f"10.2.0.192.{ZEN}. IN A 127.255.255.254\n", "public resolvers"),
        (f"2.0.0.127.{ZEN}. IN A 127.255.255.255\n", "too many questions"),
        (f"1.0.0.127.{ZEN}. IN A 127.0.0.2\n10.2.0.192.{ZEN}. IN A 127.0.0.2\n", "lists everything"),
        (f"10.2.0.192.{ZEN}. IN A 198.51.100.7\n", "sold"),
        (f"10.2.0.192.{ZEN}. IN A 127.0.0.1\n", "refuses"),
    ],
)
def test_a_list_that_cannot_tell_is_said_once(world: str, said: str) -> None:
    """Not once an address, and never as a listing; the other lists stand."""
    alive = ALIVE.replace(f"2.0.0.127.{ZEN}. IN A 127.0.0.2\n", "") if "2.0.0.127" in world else ALIVE

    unknown, rest = check_server(OURS, (), look_at(alive + world))

    assert (unknown.status, unknown.target, rest.status) == ("unknown", ZEN, "pass")
    assert said in unknown.seen
    assert "--resolver" in unknown.advice


def test_a_list_whose_test_entry_is_gone_cannot_tell() -> None:
    """A dead list lists nobody, and that is no pass."""
    found = [(f.status.value, f.target) for f in check_server(OURS, (), look_at(""))]

    assert found == [("unknown", ZEN), ("unknown", COP), ("unknown", PSBL)]


def test_a_listing_counts_for_nothing_where_the_test_entry_is_gone() -> None:
    """Such a list is not to be used (RFC 5782, 7)."""
    found = check_server(THEIRS, (), look_at(f"10.2.0.192.{ZEN}. IN A 127.0.0.2\n"))

    assert {f.status for f in found} == {"unknown"}


def test_a_list_that_does_not_answer_cannot_tell() -> None:
    """SERVFAIL and time-outs, of the test entry or of the question itself."""
    dead = Names(zone(ALIVE), {(f"2.0.0.127.{ZEN}", "A"): Told.FAILED})
    slow = Names(zone(ALIVE), {(f"example.com.{SURBL}", "A"): Told.FAILED})

    assert [(f.status.value, f.target) for f in check_server(OURS, (), look_at(dead))] == [
        ("unknown", ZEN),
        ("pass", ""),
    ]
    assert [(f.status.value, f.target) for f in check(TARGET, look_at(slow))] == [("unknown", SURBL), ("pass", "")]


@pytest.mark.parametrize(("zone_", "code"), [(URIBL, "127.0.0.1"), (SURBL, "127.0.0.1"), (DBL, "127.0.1.255")])
def test_a_refusal_of_a_list_of_domains_is_no_listing(zone_: str, code: str) -> None:
    """They answer it to resolvers that ask too much."""
    assert _domain(f"example.com.{zone_}. IN A {code}\n")[0] == ("unknown", zone_)


def test_the_test_entries_of_the_rfc_are_enough() -> None:
    """A list that has TEST, and not INVALID, is alive (RFC 5782, 5)."""
    world = f"test.{DBL}. IN A 127.0.1.2\ntest.{SURBL}. IN A 127.0.0.64\ntest.{URIBL}. IN A 127.0.0.2\n"

    assert [f.status for f in check(TARGET, look_at(world))] == ["pass"]


def test_no_list_is_asked_about_addresses_that_are_not_public_or_do_not_send() -> None:
    """They would only make noise there."""
    names = Names({})

    assert not list(check_server(replace(THEIRS, addresses=(ip_address("10.0.0.1"),)), (), look_at(names)))
    assert not list(check_server(Server("smtp.example.org", (V4,), submits=(587,)), (), look_at(names)))
    assert not names.asked


def test_other_lists_can_be_asked() -> None:
    """They are data."""
    own = replace(LISTS[0], zone="bl.example.org", title="Ours")
    world = "2.0.0.127.bl.example.org. IN A 127.0.0.2\n10.2.0.192.bl.example.org. IN A 127.0.0.77\n"

    (found,) = check_server(THEIRS, (), look_at(world), (own,))

    assert (found.status, found.seen) == ("fail", "192.0.2.10 is on Ours: code 127.0.0.77.")


@pytest.mark.parametrize("blocklist", LISTS, ids=lambda blocklist: blocklist.zone)
def test_every_code_of_every_list_has_a_meaning(blocklist: object) -> None:
    """And where to ask for removal."""
    each = next(one for one in LISTS if one is blocklist)

    assert each.delisting.startswith("https://")
    assert all(read(each, [code]).listed == (meaning,) for code, meaning in each.codes.items())
    assert all(read(each, [f"127.0.0.{bit}"]).listed == (meaning,) for bit, meaning in each.bits.items())


CODES = st.ip_addresses(v=4).map(str) | st.sampled_from(["127.0.0.2", "127.255.255.254", "127.0.0.0"])
WORLDS = st.lists(st.builds("{}.{}. IN A {}\n".format, st.sampled_from(["10.2.0.192", "1.0.0.127", "example.com",
    "test"]), st.sampled_from([ZEN, COP, DBL, URIBL]), CODES), max_size=6).map("".join)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(world=WORLDS)
def test_any_answer_is_read_without_a_crash(world: str) -> None:
    """Each list says something, or can tell nothing."""
    found = by_check([*check_server(OURS, (), look_at(ALIVE + world)), *check(TARGET, look_at(ALIVE + world))])

    assert found.keys() == {"address", "domain"}


def test_the_documents_name_every_list_and_where_to_ask() -> None:
    """An administrator can see whom a run asks."""
    text = (Path(__file__).parents[2] / "docs" / "verify-senders.md").read_text()

    for each in LISTS:
        address = each.delisting.partition(" ")[0]
        assert f"| `{each.zone}` | {'addresses' if each.families else 'domains'}" in text
        assert f"<{address}>" in text
