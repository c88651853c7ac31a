from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from sendwright.dns.authority import Server, discover, discover_all, zones_of
from sendwright.dns.freshness import Progress, Target, Timing
from sendwright.dns.propagation import World, look, timings, wait
from sendwright.dns.transport import NoAnswer, Question
from sendwright.errors import DnsError, ServerUnreachable

ZONE = "example.com"
RESOLVER = "127.0.0.1"
NS1, NS2, NS2V6, PARENT = "192.0.2.1", "192.0.2.2", "2001:db8::2", "192.0.2.53"
KEY = Target(ZONE, f"r1._domainkey.{ZONE}", "TXT", '"v=DKIM1; p=YQ=="')
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
SOA = f"{ZONE}. 900 IN SOA ns1.{ZONE}. h.{ZONE}. 1 3600 600 86400 300"


@dataclass
class Net:
    """A world of name servers that answer from lines of master files; every question is remembered."""

    holds: dict[str, list[str]]
    silent: dict[str, NoAnswer] = field(default_factory=dict)
    bogus: set[str] = field(default_factory=set)
    lame: set[str] = field(default_factory=set)
    asked: list[Question] = field(default_factory=list)

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer as the server would."""
        self.asked.append(question)
        if question.server in self.silent:
            raise self.silent[question.server]
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        if question.server in self.lame or (question.name in self.bogus and question.recurse and question.checked):
            answer.set_rcode(dns.rcode.SERVFAIL if question.recurse else dns.rcode.REFUSED)
            return answer
        if not question.recurse:
            answer.flags |= dns.flags.AA
        answer.answer = list(self._found(question))
        return answer

    def _found(self, question: Question) -> Iterable[dns.rrset.RRset]:
        for line in self.holds.get(question.server, []):
            name, ttl, _, rdtype, data = line.split(" ", 4)
            if (name, rdtype) == (question.name + ".", question.type):
                yield dns.rrset.from_text(name, int(ttl), "IN", rdtype, data)


def _net(*published: str) -> Net:
    apex = [SOA, f"{ZONE}. 60 IN NS ns1.{ZONE}."]
    resolver = [
        f"{ZONE}. 60 IN NS ns1.{ZONE}.",
        "com. 60 IN SOA a.com. h.com. 1 1 1 1 1",
        "com. 60 IN NS a.com.",
        f"a.com. 60 IN A {PARENT}",
        f"ns1.{ZONE}. 60 IN A {NS1}",
        f"ns2.{ZONE}. 60 IN A {NS2}",
        f"ns2.{ZONE}. 60 IN AAAA {NS2V6}",
    ]
    parent = [f"{ZONE}. 60 IN NS ns2.{ZONE}."]
    servers = {address: [*apex, *published] for address in (NS1, NS2, NS2V6)}
    return Net({RESOLVER: resolver, PARENT: parent, **servers})


PUBLISHED = f'r1._domainkey.{ZONE}. 3600 IN TXT "v=DKIM1; " "p=YQ=="'


def _world(net: Net) -> World:
    return World.around([ZONE], net, RESOLVER)


def test_the_servers_are_those_of_parent_and_child_together_with_every_address() -> None:
    """The delegation and the zone often disagree, and resolvers follow either."""
    assert discover(ZONE, _net(), RESOLVER) == (
        Server(f"ns1.{ZONE}", NS1),
        Server(f"ns2.{ZONE}", NS2),
        Server(f"ns2.{ZONE}", NS2V6),
    )


def test_a_zone_without_servers_is_an_error_for_people() -> None:
    """An undelegated zone can never be served."""
    with pytest.raises(DnsError, match="knows no name server"):
        discover("example.net", _net(), RESOLVER)


def test_a_silent_resolver_is_named() -> None:
    """It is this machine's own matter."""
    net = _net()
    net.silent[RESOLVER] = NoAnswer("no answer within 2 s")

    with pytest.raises(ServerUnreachable, match=RESOLVER):
        discover(ZONE, net, RESOLVER)


def test_no_resolver_is_asked_about_a_name_before_all_servers_have_it() -> None:
    """It would remember that there is none, and our own look would spoil it (RFC 2308)."""
    net = _net(PUBLISHED)
    net.holds[NS2].remove(PUBLISHED)
    world = _world(net)

    timings(world, [KEY])
    (found,) = look(world, [KEY])

    assert found.behind == (f"ns2.{ZONE} ({NS2}) does not have it yet",)
    assert not [q for q in net.asked if q.recurse and q.name == KEY.name]


def test_a_value_that_everybody_serves_is_served_however_it_is_split() -> None:
    """Joined values are compared."""
    (found,) = look(_world(_net(PUBLISHED)), [KEY])

    assert found.behind == ()


def test_a_bogus_answer_is_not_served() -> None:
    """Validating receivers would see nothing at all (RFC 4035 section 5.5)."""
    net = _net(PUBLISHED)
    net.bogus.add(KEY.name)

    (found,) = look(_world(net), [KEY])

    assert "DNSSEC is broken" in found.behind[0]


@pytest.mark.parametrize(
    ("silence", "said"),
    [(NoAnswer("no answer within 2 s"), "does not answer"), (NoAnswer("no route", no_route=True), "no route")],
)
def test_a_server_that_does_not_answer_means_wait_by_name(silence: NoAnswer, said: str) -> None:
    """Whether it is down or out of our reach, nobody knows what it serves."""
    net = _net(PUBLISHED)
    world = _world(net)
    net.silent[NS1] = silence

    (found,) = look(world, [KEY])

    assert f"ns1.{ZONE}" in found.behind[0]
    assert said in found.behind[0]


def test_an_address_without_a_route_is_excused_if_its_server_answers_by_another() -> None:
    """A controller without IPv6 can still see every server."""
    net = _net(PUBLISHED)
    world = _world(net)
    net.silent[NS2V6] = NoAnswer("no route", no_route=True)

    assert look(world, [KEY])[0].behind == ()


def test_a_server_that_does_not_speak_for_the_zone_is_behind() -> None:
    """A lame delegation is as bad as a missing record."""
    net = _net(PUBLISHED)
    world = _world(net)
    net.lame.add(NS1)

    assert "does not speak for example.com: it answers REFUSED" in look(world, [KEY])[0].behind[0]


def test_the_negative_ttl_is_the_lesser_of_the_soa_ttl_and_its_last_field() -> None:
    """RFC 2308 section 5."""
    assert timings(_world(_net()), [KEY]) == {KEY: Timing(negative=300)}


def test_the_old_record_set_and_the_wildcard_that_covered_the_name_are_waited_out() -> None:
    """Resolvers hold what was there before."""
    policy = Target(ZONE, f"_dmarc.{ZONE}", "TXT", '"v=DMARC1; p=reject"')
    net = _net(f'_dmarc.{ZONE}. 7200 IN TXT "v=DMARC1; p=none"', f'*.{ZONE}. 1800 IN TXT "parked"')

    assert timings(_world(net), [policy]) == {policy: Timing(300, 7200, 1800)}


def test_a_key_that_is_served_already_replaced_nothing() -> None:
    """After a killed run nothing needs to be remembered: a selector is never used twice."""
    assert timings(_world(_net(PUBLISHED)), [KEY]) == {KEY: Timing(negative=300)}


def test_without_any_server_nobody_knows_how_long_to_wait() -> None:
    """A wait that is too short would be worse than none."""
    net = _net()
    world = _world(net)
    net.silent |= dict.fromkeys((NS1, NS2, NS2V6), NoAnswer("no answer within 2 s"))

    with pytest.raises(ServerUnreachable, match="none of its name servers"):
        timings(world, [KEY])


# --- the loop ------------------------------------------------------------------------------------------------------


class Time:
    """A clock that only sleeping moves; things may happen meanwhile."""

    def __init__(self, then: Callable[[datetime], None] = lambda _now: None) -> None:
        self.now, self.then = START, then

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.then(self.now)


def _wait(net: Net, time: Time, deadline: timedelta) -> tuple[Progress, list[Progress]]:
    reports: list[Progress] = []
    progress = wait(
        _world(net),
        {KEY: Timing(negative=300)},
        timedelta(seconds=60),
        START + deadline,
        clock=lambda: time.now,
        sleep=time.sleep,
        report=reports.append,
    )
    return progress, reports


def test_waiting_ends_when_the_value_is_fresh() -> None:
    """Published after 20 seconds at the last server, fresh six minutes after that."""
    net = _net(PUBLISHED)
    net.holds[NS2].remove(PUBLISHED)

    def publish(now: datetime) -> None:
        if now >= START + timedelta(seconds=20) and PUBLISHED not in net.holds[NS2]:
            net.holds[NS2].append(PUBLISHED)

    time = Time(publish)

    progress, reports = _wait(net, time, timedelta(hours=1))

    assert progress.done
    assert time.now == progress.since[KEY] + timedelta(seconds=360)
    assert timedelta(seconds=20) <= progress.since[KEY] - START < timedelta(seconds=40)
    assert not reports[0].served


def test_waiting_ends_at_its_deadline_and_says_who_is_behind() -> None:
    """Being late is no error: running again goes on."""
    net = _net(PUBLISHED)
    net.holds[NS1].remove(PUBLISHED)
    time = Time()

    progress, _ = _wait(net, time, timedelta(minutes=5))

    assert time.now - START <= timedelta(minutes=5, seconds=1)
    assert f"ns1.{ZONE}" in str(progress.waiting[0])


def test_hundreds_of_names_are_waited_for_with_few_questions() -> None:
    """Those behind are asked often, the rest only when it can end the wait."""
    net = _net(PUBLISHED)
    others = [Target(ZONE, f"h{i}.{ZONE}", "A", "203.0.113.1") for i in range(300)]
    for address in (NS1, NS2, NS2V6):
        net.holds[address] += [f"{t.name}. 60 IN A 203.0.113.1" for t in others]
    net.holds[NS1].remove(PUBLISHED)
    time = Time()

    wait(
        _world(net),
        dict.fromkeys([KEY, *others], Timing()),
        timedelta(),
        START + timedelta(minutes=30),
        clock=lambda: time.now,
        sleep=time.sleep,
        report=lambda _progress: None,
    )

    assert len([q for q in net.asked if q.name != KEY.name]) < 5 * len(others)


def test_what_many_zones_have_in_common_is_asked_once() -> None:
    """The parent, its servers and shared name servers: a zone more costs what is its own, and not a whole search."""
    zones = [f"z{n}.example" for n in range(20)]
    common = [
        "example. 60 IN SOA a.example. h.example. 1 1 1 1 1",
        "example. 60 IN NS a.example.",
        f"a.example. 60 IN A {PARENT}",
        f"ns.example. 60 IN A {NS1}",
    ]
    net = Net({RESOLVER: [*common, *(f"{zone}. 60 IN NS ns.example." for zone in zones)], PARENT: [], NS1: []})

    found = discover_all([*zones, "z.example"], net, RESOLVER)

    assert {zone: found[zone] for zone in zones} == dict.fromkeys(zones, (Server("ns.example", NS1),))
    assert isinstance(found["z.example"], DnsError)
    asked = Counter(net.asked)
    assert max(asked.values()) == 1
    assert len([q for q in asked if q.server == RESOLVER]) == len(zones) + 1 + 1 + 1 + 2 * 2


ALIAS = Target(ZONE, f"s1._domainkey.{ZONE}", "CNAME", f"s1.{ZONE}._domainkey.ours.example.")


@pytest.mark.parametrize(
    ("data", "said", "astray"),
    [
        (None, "does not have it yet", False),
        ("Elsewhere.example.", "leads to elsewhere.example instead", True),
    ],
)
def test_an_alias_that_leads_elsewhere_is_told_from_one_that_is_not_there_yet(
    data: str | None, said: str, astray: bool
) -> None:
    """Time mends the one, and only its owner the other; each server that differs is named."""
    net = _net(f"{ALIAS.name}. 60 IN CNAME {ALIAS.value}")
    net.holds[NS2] = [f"{ALIAS.name}. 60 IN CNAME {data}"] if data else []

    (found,) = look(_world(net), [ALIAS])

    assert found.behind == (f"ns2.{ZONE} ({NS2}) {said}",)
    assert found.astray is astray


def test_an_alias_that_every_server_has_is_served_whatever_its_case() -> None:
    """Names are compared as DNS does."""
    net = _net(f"{ALIAS.name}. 60 IN CNAME {ALIAS.value.upper()}")

    assert look(_world(net), [ALIAS])[0].behind == ()


def test_the_zone_of_a_name_is_what_its_resolver_says_and_nothing_below_it_is_asked() -> None:
    """A selector that is not there yet must not be remembered as missing."""
    net = _net()
    net.holds[RESOLVER].append(f"www.{ZONE}. 60 IN SOA ns1.{ZONE}. h.{ZONE}. 1 3600 600 86400 300")

    found = zones_of([f"www.{ZONE}", "lost.example"], net, RESOLVER)

    assert found == {f"www.{ZONE}": f"www.{ZONE}", "lost.example": "lost.example"}
    assert {q.name for q in net.asked} == {f"www.{ZONE}", "lost.example"}
