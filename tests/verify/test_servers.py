from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from sendwright import inventory
from sendwright.dns.transport import NoAnswer, Question
from sendwright.state.model import State
from sendwright.verify.look import Fetched, Look, Told
from sendwright.verify.servers import MOST_SERVERS, mail_hosts, servers
from sendwright.verify.target import Declared, Server, Target
from tests.verify.names import Names, zone

HOST = {"ssh_host_key": "SHA256:" + "a" * 43}
SERVER = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}


def _found(world: str, *targets: Target, told: dict[tuple[str, str], Told] | None = None) -> dict[str, Server]:
    def silent(question: Question) -> None:
        raise NoAnswer(question.name)

    names = Names(zone(world), told or {})
    look = Look(names, silent, "192.0.2.53", lambda url, _: Fetched(failure=url), datetime.now(UTC))  # type: ignore[arg-type]
    return {server.name: server for server in servers(targets, look)}


def test_a_server_of_many_domains_is_one_server() -> None:
    """However many there are, and whatever its other names are for."""
    world = "mx.example. IN A 192.0.2.1\nmx.example. IN AAAA 2001:db8::1\n"
    world += "".join(f"d{i}.example. IN MX 10 mx.example.\n" for i in range(1000))

    found = _found(world, *(Target(f"d{i}.example") for i in range(1000)))

    assert list(found) == ["mx.example"]
    assert len(found["mx.example"].takes) == 1000
    assert found["mx.example"].addresses == (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
    assert found["mx.example"].ports == (25,)


@pytest.mark.parametrize(
    ("world", "names"),
    [
        ("a.example. IN MX 20 two.example.\na.example. IN MX 10 one.example.", ("one.example", "two.example")),
        ("a.example. IN MX 0 .", ()),
        ("a.example. IN A 192.0.2.1", ("a.example",)),
        ("b.example. IN A 192.0.2.1", ("a.example",)),
    ],
)
def test_mail_goes_to_the_mx_by_preference_or_to_the_domain_itself(world: str, names: tuple[str, ...]) -> None:
    """RFC 5321 section 5.1 and RFC 7505: without MX the domain is its own, and a null MX takes none."""
    assert mail_hosts("a.example", Names(zone(world)).ask("a.example", "MX")) == names


def test_an_answer_that_is_not_known_names_no_server() -> None:
    """The address of the domain may be that of its web server."""
    told = {("a.example", "MX"): Told.BOGUS}

    assert not _found("a.example. IN A 192.0.2.1", Target("a.example"), told=told)


def test_a_name_without_address_is_no_server() -> None:
    """The check of MX says so, and nobody can be spoken to."""
    assert not _found("a.example. IN MX 10 mx.example.", Target("a.example"))


def test_a_stranger_does_not_have_us_speak_to_our_own_network() -> None:
    """Loopback, private and link-local addresses: `mx.address` tells of them, and nothing is connected to."""
    inside = "".join(f"mx.example. IN A {address}\n" for address in ("127.0.0.1", "10.0.0.5", "169.254.169.254"))
    world = "a.example. IN MX 10 mx.example.\n" + inside

    assert not _found(world, Target("a.example"))
    assert _found(world + "mx.example. IN A 192.0.2.1\n", Target("a.example"))["mx.example"].addresses == (
        ip_address("192.0.2.1"),
    )


def test_submission_is_where_the_services_say() -> None:
    """RFC 6186 and RFC 8314; at their own ports only, for a stranger's record could name any."""
    world = """
_submission._tcp.a.example. IN SRV 0 1 587 mail.example.
_submissions._tcp.a.example. IN SRV 0 1 465 mail.example.
_submission._tcp.b.example. IN SRV 0 1 22 victim.example.
_submissions._tcp.b.example. IN SRV 0 0 0 .
a.example.    IN MX 0 .
b.example.    IN MX 0 .
mail.example. IN A 192.0.2.1
victim.example. IN A 192.0.2.2
"""
    found = _found(world, Target("a.example"), Target("b.example"))

    assert list(found) == ["mail.example"]
    assert found["mail.example"].ports == (587, 465)


def test_a_domain_sends_us_to_few_servers() -> None:
    """A thousand MX records of a stranger are not spoken to."""
    world = "".join(f"a.example. IN MX {i} mx{i}.example.\nmx{i}.example. IN A 192.0.2.1\n" for i in range(200))

    assert list(_found(world, Target("a.example"))) == [f"mx{i}.example" for i in range(MOST_SERVERS)]


@pytest.mark.parametrize(("state", "ports"), [("active", (25, 587, 465)), ("draining", (25,))])
def test_a_host_of_the_inventory_is_a_server_of_its_own(state: str, ports: tuple[int, ...]) -> None:
    """At its declared addresses while DNS has none; people submit to it while it is active."""
    egress = [{"public": "203.0.113.10"}]
    stack = inventory.parse(
        [
            ("mx1.example.com", {**HOST, "egress": egress, "state": state}),
            ("mx2.example.com", {**HOST, "egress": [{"public": "203.0.113.11"}]}),
        ],
        {"dns": {"main": SERVER}, "domains": {"example.com": {"dns": "main"}}},
        "inventory.py",
    )
    declared = Declared(stack, State(), stack.domains[0])

    found = _found("example.com. IN MX 10 mx1.example.com.", Target("example.com", declared=declared))

    server = found["mx1.example.com"]
    assert (server.ports, server.addresses) == (ports, (ip_address("203.0.113.10"),))
    assert (server.host, server.stack, server.takes) == (stack.hosts[0], stack, ("example.com",))
