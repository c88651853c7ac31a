from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.transport import NoAnswer, Question
from sendwright.verify import zone as zone_checks
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Fetched, Look, Told
from sendwright.verify.rules.zone import CHECKS
from sendwright.verify.target import Target
from tests.verify.names import Names, zone
from tests.verify.nameservers import Nameservers

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
COM, NS1, NS2, NS2_SIX = "192.0.2.53", "192.0.2.1", "192.0.2.2", "2001:db8::2"
PARENT = """
com. IN SOA a.com. h.com. 1 3600 600 86400 300
com. IN NS a.com.
a.com. IN A 192.0.2.53
example.com. IN NS ns1.example.com.
example.com. IN NS ns2.example.net.
ns1.example.com. IN A 192.0.2.1
"""
CHILD = """
example.com. IN SOA ns1.example.com. h.example.com. 7 3600 600 86400 300
example.com. IN NS ns1.example.com.
example.com. IN NS ns2.example.net.
ns1.example.com. IN A 192.0.2.1
example.com. IN MX 10 mx.example.com.
example.com. IN TXT "v=spf1 mx -all"
example.com. IN CAA 0 issue "ca.example"
_dmarc.example.com. IN TXT "v=DMARC1; p=reject"
mx.example.com. IN A 192.0.2.25
www.example.com. IN A 192.0.2.80
"""
ELSEWHERE = """
ns2.example.net. IN A 192.0.2.2
ns2.example.net. IN AAAA 2001:db8::2
"""
DS = "example.com. IN DS 12345 13 2 " + "AB" * 32


def _signature(rdtype: str, left: timedelta, lasts: timedelta = timedelta(days=14)) -> str:
    ends, begins = NOW + left, NOW + left - lasts
    times = f"{ends:%Y%m%d%H%M%S} {begins:%Y%m%d%H%M%S}"
    return f"example.com. IN RRSIG {rdtype} 13 2 3600 {times} 12345 example.com. YWJj\n"


def _signed(left: timedelta = timedelta(days=10), **others: timedelta) -> str:
    key = "example.com. IN DNSKEY 257 3 13 " + "YWJj" * 21 + "YQ==\n"
    return CHILD + key + "".join(_signature(t, others.get(t, left)) for t in ("SOA", "MX", "DNSKEY"))


@dataclass(frozen=True)
class World:
    """A delegated zone with two servers at three addresses, and the resolver that knows it all."""

    parent: str = PARENT
    one: str = CHILD
    two: str = CHILD
    extra: str = ""
    secure: Collection[str] = ()
    told: Mapping[tuple[str, str], Told] = field(default_factory=dict)
    change: Callable[[Nameservers], Nameservers] = lambda servers: servers
    validates: bool = True
    selectors: tuple[str, ...] = ()
    wanted: frozenset[str] = frozenset()

    def found(self, domain: str = "example.com") -> list[Finding]:
        """Return what the checks of the zone find."""
        above = "".join(line + "\n" for line in self.parent.splitlines() if "example.com." not in line)
        names = Names(zone(above + self.one + ELSEWHERE + self.extra), self.told, self.secure)
        zones = {COM: {"com": self.parent}, NS1: {"example.com": self.one}}
        zones |= {address: {"example.com": self.two} for address in (NS2, NS2_SIX)}
        servers = self.change(Nameservers(zones))
        look = Look(names, servers, "192.0.2.99", lambda url, _: Fetched(failure=url), NOW, self.validates, self.wanted)
        found = list(zone_checks.check(Target(domain, self.selectors), look))
        assert len({f.identity for f in found}) == len(found)
        assert all(f.seen and bool(f.advice) is (f.status in {"fail", "warn"}) for f in found if f.status != "unknown")
        assert all(len(f.seen) < 500 for f in found)
        return found

    def of(self, name: str) -> list[Finding]:
        """Return what one check finds."""
        return [f for f in self.found() if f.check == f"dns.{name}"]


def _statuses(found: list[Finding]) -> set[Status]:
    return {f.status for f in found}


def test_a_zone_of_two_servers_that_validates_passes_every_check() -> None:
    """Once each; what the inventory wants is judged where there is one."""
    world = World(one=_signed(), two=_signed(), extra=DS, secure={"example.com"})

    found = world.found()

    assert [f.check for f in found] == [check.name for check in CHECKS if check.name != "dns.as-desired"]
    assert _statuses(found) == {Status.PASS}, found


def test_a_domain_that_does_not_exist_is_told_alone_and_first() -> None:
    """All else would follow from it."""
    found = World().found("nobody.example.com")

    assert [(f.check, f.status) for f in found] == [("dns.exists", Status.FAIL)]


def test_a_name_within_a_zone_is_judged_by_the_servers_of_the_zone() -> None:
    """It has no SOA of its own, and that is no fault."""
    found = World().found("www.example.com")

    assert found[0].status is Status.PASS
    assert "in the zone example.com" in found[0].seen
    assert {f.check: f.status for f in found}["dns.delegation"] is Status.PASS


def test_a_resolver_without_an_answer_leaves_it_open() -> None:
    """Nothing is said of a domain that could not be asked for."""
    nobody = dict.fromkeys([("example.com", "SOA"), ("com", "SOA")], Told.FAILED)

    assert [(f.check, f.status) for f in World(told=nobody).found()] == [("dns.exists", Status.UNKNOWN)]


def test_a_zone_whose_servers_are_all_silent_is_found_by_its_delegation() -> None:
    """The resolver can only say that it failed; the parent names the servers to blame."""
    gone = dict.fromkeys([NS1, NS2, NS2_SIX], NoAnswer("no answer within 2 s"))
    world = World(
        told={("example.com", t): Told.FAILED for t in ("SOA", "NS", "MX", "DS", "CAA")},
        change=lambda servers: replace(servers, silent=gone),
    )

    found = world.found()

    assert found[0].status is Status.PASS
    assert [f.target for f in found if f.check == "dns.servers-answer" and f.status is Status.FAIL] == [
        "ns1.example.com (192.0.2.1)",
        "ns2.example.net (192.0.2.2)",
        "ns2.example.net (2001:db8::2)",
    ]


@pytest.mark.parametrize(
    ("parent", "child", "status", "said"),
    [
        (PARENT, CHILD, Status.PASS, "both name ns1.example.com, ns2.example.net"),
        (PARENT.replace("example.com. IN NS ns2.example.net.\n", ""), CHILD, Status.WARN, "only the zone names ns2"),
        (PARENT, CHILD.replace("example.com. IN NS ns2.example.net.\n", ""), Status.WARN, "only com names ns2"),
        (PARENT, CHILD + "example.com. IN NS ns3.example.net.\n", Status.FAIL, "ns3.example.net does not speak"),
        (PARENT.replace("ns1.example.com. IN A 192.0.2.1\n", ""), CHILD, Status.FAIL, "without an address (glue)"),
        (PARENT + "ns1.example.com. IN A 192.0.2.9\n", CHILD, Status.WARN, "192.0.2.9 as address of ns1"),
    ],
)
def test_parent_and_zone_name_the_same_servers(parent: str, child: str, status: Status, said: str) -> None:
    """RFC 1034, 4.2.2: a server that only one side knows may be found by chance; one that does not speak is a fault."""
    (found,) = World(parent=parent, one=child, two=child).of("delegation")

    assert found.status is status
    assert said in found.seen


def test_a_parent_of_another_mind_altogether_fails() -> None:
    """A move that was never told the registrar."""
    parent = PARENT.replace("ns2.example.net.", "old.example.net.").replace("ns1.example.com.", "old.example.net.")
    world = World(parent, extra="old.example.net. IN A 192.0.2.2")

    assert "none in common" in world.of("delegation")[0].seen


def test_servers_that_have_parent_and_zone_show_no_delegation() -> None:
    """They answer from the zone itself."""
    both = {COM: {"com": PARENT, "example.com": CHILD}}
    (found,) = World(change=lambda s: replace(s, zones={**s.zones, **both})).of("delegation")

    assert found.status is Status.PASS
    assert "speak for example.com too" in found.seen


def test_a_parent_that_cannot_be_asked_leaves_the_delegation_open() -> None:
    """Its servers may be out of reach from here."""
    (found,) = World(change=lambda s: replace(s, silent={COM: NoAnswer("silent")})).of("delegation")

    assert found.status is Status.UNKNOWN


def test_the_name_of_a_server_is_no_alias() -> None:
    """RFC 2181, 10.3."""
    alias = "example.com. IN NS ns.example.org.\n"
    extra = "ns.example.org. IN CNAME ns2.example.net."
    (found,) = World(PARENT + alias, CHILD + alias, CHILD + alias, extra).of("ns-alias")

    assert found.status is Status.FAIL
    assert found.target == "ns.example.org"
    assert _statuses(World().of("ns-alias")) == {Status.PASS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: replace(s, lame={NS2}), "REFUSED"),
        (lambda s: replace(s, silent={NS2: NoAnswer("no answer within 2 s")}), "no answer within 2 s"),
        (lambda s: replace(s, zones={**s.zones, NS2: {"com": PARENT}}), "without authority"),
        (lambda s: replace(s, zones={**s.zones, NS2: {"com": "com. IN NS a.com."}}), "no zone example.com"),
    ],
)
def test_a_lame_server_fails_by_its_address(change: Callable[[Nameservers], Nameservers], said: str) -> None:
    """Refusal, silence, a referral, and one that knows of no such zone."""
    (found,) = World(change=change).of("servers-answer")

    assert (found.status, found.target) == (Status.FAIL, "ns2.example.net (192.0.2.2)")
    assert said in found.seen


def test_a_server_without_an_address_fails_by_its_name() -> None:
    """Nobody can ask it."""
    extra = "example.com. IN NS ns3.example.net.\n"
    (found,) = World(PARENT + extra, CHILD + extra, CHILD + extra).of("servers-answer")

    assert (found.status, found.target) == (Status.FAIL, "ns3.example.net")


def test_a_server_whose_address_nobody_could_tell_is_unknown() -> None:
    """The zone that it lies in may have its own trouble; it is not held against the delegation either."""
    extra = "example.com. IN NS ns3.example.net.\n"
    lost = dict.fromkeys([("ns3.example.net", "A"), ("ns3.example.net", "AAAA")], Told.FAILED)
    found = World(PARENT, CHILD + extra, CHILD + extra, told=lost).found()

    assert [(f.status, f.target) for f in found if f.check == "dns.servers-answer"] == [
        (Status.UNKNOWN, "ns3.example.net")
    ]
    assert [f.status for f in found if f.check == "dns.delegation"] == [Status.WARN]


def test_where_port_53_is_closed_on_the_way_out_nothing_is_held_against_servers() -> None:
    """Networks that let a machine ask its resolver only drop the rest: the zone above is as silent as the zone."""
    everybody = dict.fromkeys([COM, NS1, NS2, NS2_SIX], NoAnswer("no answer within 2 s"))

    found = World(change=lambda s: replace(s, silent=everybody)).found()

    assert [(f.status, f.target) for f in found if f.check == "dns.servers-answer"] == [(Status.UNKNOWN, "")]
    assert Status.FAIL not in _statuses(found)


def test_where_tcp_is_closed_on_the_way_out_nothing_is_held_against_servers() -> None:
    """If even the zone above says nothing over TCP it is this machine; if that answers it is the servers."""
    (found,) = World(change=lambda s: replace(s, mute=[COM, NS1, NS2, NS2_SIX])).of("tcp")

    assert found.status is Status.UNKNOWN
    assert _statuses(World(change=lambda s: replace(s, mute=[NS1, NS2, NS2_SIX])).of("tcp")) == {Status.FAIL}


def test_what_this_machine_has_no_route_to_is_unknown_once() -> None:
    """A controller without IPv6 says nothing about servers that have it, and the others are judged."""
    away = {NS2_SIX: NoAnswer("no route", no_route=True)}
    found = World(change=lambda s: replace(s, silent=away)).of("servers-answer")

    assert [(f.status, f.target) for f in found] == [(Status.UNKNOWN, "IPv6"), (Status.PASS, "")]


@pytest.mark.parametrize(
    ("old", "new", "target"),
    [
        ("10 mx.example.com", "10 old.example.com", "MX example.com"),
        ("v=spf1 mx -all", "v=spf1 -all", "TXT example.com"),
        ("p=reject", "p=none", "TXT _dmarc.example.com"),
        ("192.0.2.25", "192.0.2.26", "A mx.example.com"),
        ('r1._domainkey.example.com. IN TXT "v=DKIM1; p=YQ=="\n', "", "TXT r1._domainkey.example.com"),
    ],
)
def test_a_server_that_says_something_else_about_mail_fails(old: str, new: str, target: str) -> None:
    """Whatever its serial says: it may have another primary."""
    key = 'r1._domainkey.example.com. IN TXT "v=DKIM1; p=YQ=="\n'
    found = World(one=CHILD + key, two=(CHILD + key).replace(old, new), selectors=("r1",)).of("servers-agree")

    assert [(f.status, f.target) for f in found] == [(Status.FAIL, target)]
    assert "ns1.example.com (192.0.2.1)" in found[0].seen


def test_addresses_that_are_to_be_forgotten_soon_may_differ() -> None:
    """Large providers share load by DNS; a server that is behind is another matter."""
    other = CHILD.replace("192.0.2.25", "192.0.2.26")
    world = World(two=other, change=lambda s: replace(s, ttl=300))
    late = replace(world, two=other.replace(" 7 3600", " 6 3600"))

    assert _statuses(world.of("servers-agree")) == {Status.PASS}
    assert _statuses(late.of("servers-agree")) == {Status.FAIL}


def test_a_server_that_said_nothing_for_once_leaves_it_open() -> None:
    """It may limit its answers, and what it did not say does not differ."""
    found = World(change=lambda s: replace(s, speechless={(NS2, "MX")})).of("servers-agree")

    assert [(f.status, f.target) for f in found] == [(Status.UNKNOWN, "ns2.example.net (192.0.2.2)")]


def test_servers_that_fall_silent_together_are_told_of_once() -> None:
    """A zone of ill will has forty that answer NS and then nothing: that is one thing that is not known."""
    found = World(change=lambda s: replace(s, speechless={(NS1, "MX"), (NS2, "MX"), (NS2, "TXT")})).of("servers-agree")

    assert [f.status for f in found] == [Status.UNKNOWN]
    assert "ns1.example.com (192.0.2.1)" in found[0].seen
    assert "TXT example.com" in found[0].seen


def test_the_order_and_the_cutting_of_values_are_no_difference() -> None:
    """Record sets are sets, and a TXT record is its joined strings."""
    more = CHILD + 'example.com. IN TXT "another"\n'
    other = more.replace('"v=spf1 mx -all"', '"v=spf1 " "mx -all"')

    assert _statuses(World(one=more, two=other).of("servers-agree")) == {Status.PASS}


def test_a_serial_that_only_differs_is_a_warning() -> None:
    """A transfer is on its way, or never comes."""
    (found,) = World(two=CHILD.replace(" 7 3600", " 6 3600")).of("servers-agree")

    assert found.status is Status.WARN
    assert "6 at ns2.example.net (192.0.2.2)" in found.seen


def test_servers_of_two_primaries_count_for_themselves() -> None:
    """Two DNS providers with one zone have serials of their own."""
    other = CHILD.replace("SOA ns1.example.com.", "SOA dns.example.net.").replace(" 7 3600", " 2026112201 3600")

    assert _statuses(World(two=other).of("servers-agree")) == {Status.PASS}


def test_a_server_that_fails_for_one_name_only_does_not_agree() -> None:
    """As one that is broken does for a type that it does not know."""
    (found,) = World(
        two=CHILD.replace("_dmarc.example.com. IN TXT", "_dmarc.example.com. IN CNAME x.example.net. ;")
    ).of("servers-agree")

    assert "an alias of x.example.net" in found.seen


def test_a_server_has_to_answer_over_tcp() -> None:
    """RFC 7766, 5; one that drops what is not its own is asked about the zone before it is blamed."""
    found = World(change=lambda s: replace(s, mute={NS2})).of("tcp")

    assert [(f.status, f.target) for f in found] == [(Status.FAIL, "ns2.example.net (192.0.2.2)")]
    assert _statuses(World().of("tcp")) == {Status.PASS}


def test_one_name_server_alone_is_a_warning() -> None:
    """RFC 2182, 5; two names of one address are one server too."""
    parent, child = (text.replace("example.com. IN NS ns2.example.net.\n", "") for text in (PARENT, CHILD))
    twice = "example.com. IN NS ns3.example.com.\nns3.example.com. IN A 192.0.2.1\n"

    assert _statuses(World(parent, child, child).of("redundant")) == {Status.WARN}
    assert _statuses(World(parent + twice, child + twice, child).of("redundant")) == {Status.WARN}


def test_no_server_is_asked_the_same_twice() -> None:
    """A zone's servers are shared by many domains; over TCP they are asked about themselves."""
    servers = Nameservers({})

    def keep(found: Nameservers) -> Nameservers:
        nonlocal servers
        servers = found
        return found

    World(change=keep).found()

    assert len(servers.asked) == len(set(servers.asked))
    assert len([q for q in servers.asked if q.server == NS1]) < 10


def test_servers_are_asked_only_for_what_was_chosen() -> None:
    """A run over a thousand domains asks for few checks, and others' servers are to feel it."""
    servers = Nameservers({})

    def keep(found: Nameservers) -> Nameservers:
        nonlocal servers
        servers = found
        return found

    World(change=keep, wanted=frozenset({"dns.exists", "dns.redundant"})).found()

    assert {(q.server, q.type) for q in servers.asked} == {
        (COM, "NS"),
        *((address, rdtype) for address in (NS1, NS2, NS2_SIX) for rdtype in ("NS", "SOA")),
    }


def test_a_zone_that_the_resolver_validates_is_secure() -> None:
    """By the AD bit."""
    found = World(one=_signed(), two=_signed(), extra=DS, secure={"example.com"}).of("dnssec")

    assert _statuses(found) == {Status.PASS}


def test_what_a_resolver_can_tell_alone_is_asked_of_no_server() -> None:
    """A thousand domains of which only that is wanted take as many questions less."""
    asked: list[Nameservers] = []

    def keep(servers: Nameservers) -> Nameservers:
        asked.append(servers)
        return servers

    wanted = frozenset({"dns.exists", "dns.dnssec", "dns.caa"})
    world = World(one=_signed(), two=_signed(), extra=DS, secure={"example.com"}, change=keep, wanted=wanted)
    for domain in ("example.com", "mx.example.com"):
        found = {f.check: f.status for f in world.found(domain)}

        assert found.keys() == wanted
        assert found["dns.dnssec"] is Status.PASS
    assert not [question for servers in asked for question in servers.asked]


def test_a_bogus_zone_fails_and_is_told_why() -> None:
    """A DS record at the parent that no key of the zone matches: half of the world sees nothing."""
    told = {("example.com", rdtype): Told.BOGUS for rdtype in ("SOA", "NS", "MX", "CAA")}
    found = World(one=_signed(), two=_signed(), extra=DS, told=told).found()
    status = {f.check: f for f in found}

    assert status["dns.exists"].status is Status.PASS
    assert status["dns.dnssec"].status is Status.FAIL
    assert "no key of the zone matches the DS" in status["dns.dnssec"].seen
    assert status["dns.signatures"].status is Status.PASS
    assert "dns.caa" not in status


def test_caa_says_that_it_is_bogus_where_the_check_of_dnssec_was_not_chosen() -> None:
    """Authorities issue no certificate then (RFC 8659 section 5.6)."""
    told = {("example.com", rdtype): Told.BOGUS for rdtype in ("SOA", "CAA")}

    (found,) = World(told=told, wanted=frozenset({"dns.caa"})).of("caa")
    assert found.status is Status.FAIL


def test_an_unsigned_zone_is_a_warning_and_has_no_signatures_to_judge() -> None:
    """Answers can be forged."""
    found = World().found()

    assert [f.status for f in found if f.check == "dns.dnssec"] == [Status.WARN]
    assert not [f for f in found if f.check == "dns.signatures"]


def test_a_signed_zone_without_ds_is_told_what_to_publish() -> None:
    """Nobody can validate it before; it is not judged further."""
    (found,) = World(one=_signed(), two=_signed()).of("dnssec")

    assert found.status is Status.WARN
    assert "example.com. DS " in found.advice
    assert " 13 2 " in found.advice


def test_a_signed_zone_without_ds_is_known_by_the_resolver_alone() -> None:
    """It is not called unsigned where no server is asked."""
    (found,) = World(one=_signed(), two=_signed(), wanted=frozenset({"dns.dnssec"})).of("dnssec")

    assert "example.com. DS " in found.advice


def test_a_resolver_that_validates_nothing_leaves_it_open() -> None:
    """Without AD, secure and unsigned look the same."""
    assert _statuses(World(validates=False).of("dnssec")) == {Status.UNKNOWN}


@pytest.mark.parametrize("secure", [{"example.com"}, set()])
def test_an_algorithm_that_is_dead_is_a_warning(secure: set[str]) -> None:
    """SHA-1 does not sign any more (RFC 9905): some validators take such a zone for unsigned."""
    ds = DS.replace("13 2", "5 2")
    (found,) = World(one=_signed(), two=_signed(), extra=ds, secure=secure).of("dnssec")

    assert found.status is Status.WARN
    assert "RSASHA1" in found.seen


def test_ds_records_that_the_resolver_makes_nothing_of_are_a_warning() -> None:
    """It takes the zone for unsigned."""
    (found,) = World(one=_signed(), two=_signed(), extra=DS).of("dnssec")

    assert found.status is Status.WARN
    assert "takes it for unsigned" in found.seen


@pytest.mark.parametrize(
    ("left", "others", "status", "said"),
    [
        (timedelta(days=10), {}, Status.PASS, "10.0 days"),
        (timedelta(days=1), {}, Status.WARN, "24.0 hours"),
        (timedelta(days=-3), {}, Status.FAIL, "ran out 3.0 days ago"),
        (timedelta(days=9), {"MX": timedelta(hours=-2)}, Status.FAIL, "MX at ns2.example.net (192.0.2.2) ran out"),
        (timedelta(days=9), {"DNSKEY": timedelta(hours=30)}, Status.WARN, "DNSKEY at ns1.example.com"),
        (timedelta(days=15), {}, Status.FAIL, "begins in 24.0 hours only"),
    ],
)
def test_signatures_stay_valid_for_days(
    left: timedelta, others: Mapping[str, timedelta], status: Status, said: str
) -> None:
    """Of SOA, MX and DNSKEY, on every server."""
    text = _signed(left, **others)
    found = World(one=text, two=text, extra=DS, secure={"example.com"}).of("signatures")

    assert _statuses(found) == {status}
    assert any(said in f.seen for f in found)


def test_a_secondary_with_signatures_of_old_is_named() -> None:
    """It transfers nothing any more."""
    found = World(one=_signed(), two=_signed(timedelta(days=-1)), extra=DS, secure={"example.com"}).of("signatures")

    assert [(f.status, f.target) for f in found] == [
        (Status.FAIL, "ns2.example.net (192.0.2.2)"),
        (Status.FAIL, "ns2.example.net (2001:db8::2)"),
    ]


def test_a_server_without_the_signatures_of_a_secure_zone_fails() -> None:
    """Whoever validates refuses its answers."""
    found = World(one=_signed(), two=CHILD, extra=DS, secure={"example.com"}).of("signatures")

    assert {f.target for f in found} == {"ns2.example.net (192.0.2.2)", "ns2.example.net (2001:db8::2)"}
    assert "without signatures" in found[0].seen


def test_of_several_signatures_the_longest_counts() -> None:
    """While a key is rolled, one of the old key is left over."""
    text = _signed() + _signature("SOA", timedelta(days=-5))

    found = World(one=text, two=text, extra=DS, secure={"example.com"}).of("signatures")

    assert _statuses(found) == {Status.PASS}


def test_signatures_that_are_made_when_asked_may_be_short() -> None:
    """As of the largest providers: nothing lies there that could run out (RFC 9824)."""
    text = _signed(timedelta(hours=25)) + "example.com. IN NSEC \\000.example.com. NS SOA MX RRSIG NSEC\n"

    found = World(one=text, two=text, extra=DS, secure={"example.com"}).of("signatures")

    assert _statuses(found) == {Status.PASS}


STRANGE = [
    dns.rrset.from_text(name, 3600, rdclass, rdtype, *data)
    for name, rdclass, rdtype, *data in (
        ("example.com.", "IN", "NS", "ns1.example.com.", "ns2.example.net."),
        ("example.com.", "IN", "NS", ".", "\\000\\255.example.com."),
        ("example.com.", "IN", "NS", *(f"ns{i}.example.net." for i in range(100))),
        ("example.com.", "CH", "TXT", '"a"'),
        ("com.", "IN", "NS", "example.com."),
        (".", "IN", "NS", "a.example."),
        ("example.com.", "IN", "SOA", ". . 4294967295 0 0 0 0"),
        ("example.com.", "IN", "MX", "0 .", "10 \\200.example.com."),
        ("example.com.", "IN", "TXT", *(f'"{i}"' for i in range(300))),
        ("example.com.", "IN", "CNAME", "example.com."),
        ("example.com.", "IN", "RRSIG", "SOA 99 0 0 4294967295 0 1 . YQ=="),
        ("example.com.", "IN", "RRSIG", "DNSKEY 13 2 0 20261201000000 20261101000000 1 . YQ=="),
        ("example.com.", "IN", "DNSKEY", "0 0 0 YQ==", "257 3 200 YQ=="),
        ("example.com.", "IN", "NSEC", ". A", "\\000.example.com. A"),
        ("ns1.example.com.", "IN", "A", "192.0.2.1", *(f"192.0.2.{i}" for i in range(2, 250))),
        ("ns1.example.com.", "CH", "A", "a. 1"),
    )
]
SECTIONS = st.lists(st.sampled_from(STRANGE), max_size=6)


@settings(max_examples=30)
@given(SECTIONS, SECTIONS, SECTIONS, st.booleans(), st.sampled_from([0, 0, 2, 3, 5]), st.sampled_from(list(Told)))
def test_whatever_servers_say_there_are_findings(
    answer: list[dns.rrset.RRset],
    authority: list[dns.rrset.RRset],
    additional: list[dns.rrset.RRset],
    knows: bool,
    rcode: int,
    told: Told,
) -> None:
    """A bounded number of bounded ones, after a bounded number of questions, and no exception."""
    asked = []

    def ask(question: Question) -> dns.message.Message:
        asked.append(question)
        message = dns.message.make_response(dns.message.make_query(question.name + ".", question.type))
        message.answer, message.authority, message.additional = answer, authority, additional
        message.flags |= dns.flags.AA if knows else 0
        message.set_rcode(dns.rcode.Rcode(rcode))
        return message

    names = Names(zone(PARENT + CHILD + DS), {} if told is Told.FOUND else {("example.com", "SOA"): told})
    look = Look(names, ask, "192.0.2.99", lambda url, _: Fetched(failure=url), NOW)

    found = list(zone_checks.check(Target("example.com"), look))

    assert found
    assert len(found) < 100
    assert len(asked) < 1000
    assert all(len(f.seen) < 2000 for f in found)
