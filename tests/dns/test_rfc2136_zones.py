"""Where names lie, by the fewest questions: against a server that keeps zones, delegates some, and hands over some."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.providers.atlas import Atlas
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.providers.transfer import Copy, NotTransferred
from sendwright.dns.transport import Question, query
from sendwright.dns.zones import ancestry, verdicts
from sendwright.errors import NotAllowed, ServerUnreachable

ZONE = "example.com"
A, TXT = "IN A 192.0.2.1", 'IN TXT "x"'


class Server(Protocol):
    """What ``serving`` of the conftest yields."""

    port: int
    key: dns.tsig.Key
    got: list[dns.message.Message]
    asked: list[dns.message.Message]


Reply = Callable[[dns.message.Message], Iterable[bytes]]
Serving = Callable[[Reply], AbstractContextManager[Server]]


def _rrset(name: str, text: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name + ".", 60, *text.split(" ", 2))


@dataclass(frozen=True)
class Keeper:
    """What a server keeps: the records of each zone, by name. ``closed``: zones that it does not hand over."""

    zones: Mapping[str, Mapping[str, str]]
    closed: Collection[str] = ()

    def start(self, zone: str) -> dns.rrset.RRset:
        """Return a zone's SOA."""
        return _rrset(zone, f"IN SOA ns.{zone}. h.{zone}. 7 60 60 600 60")

    def answer(self, message: dns.message.Message) -> dns.message.Message:
        """Answer about the SOA of a name as RFC 1034 section 4.3.2 has it."""
        name = message.question[0].name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(message)
        zone = next((above for above in ancestry(name) if above in self.zones), None)
        if zone is None:
            answer.set_rcode(dns.rcode.REFUSED)
            return answer
        for above in ancestry(name):
            text = self.zones[zone].get(above, "")
            if text.startswith("IN NS") and above != zone:
                answer.authority = [_rrset(above, text)]
                return answer
        answer.flags |= dns.flags.AA
        section = answer.answer if name == zone else answer.authority
        section.append(self.start(zone))
        return answer

    def records(self, zone: str) -> Iterator[dns.rrset.RRset]:
        """Yield a zone as a transfer does."""
        yield self.start(zone)
        for name, text in self.zones[zone].items():
            yield _rrset(name, text)
        yield self.start(zone)

    def reply(self, message: dns.message.Message) -> Iterator[bytes]:
        """Answer whatever comes; every update is taken."""
        zone = message.question[0].name.to_text(omit_final_dot=True)
        answers = [dns.message.make_response(message)]
        if message.question[0].rdtype == dns.rdatatype.AXFR:
            if zone in self.closed or zone not in self.zones:
                answers[0].set_rcode(dns.rcode.REFUSED)
            else:
                records = list(self.records(zone))
                answers = [dns.message.make_response(message) for _ in range(0, len(records), 500)]
                for i, answer in enumerate(answers):
                    answer.answer = records[500 * i : 500 * (i + 1)]
        elif message.opcode() == dns.opcode.QUERY:
            answers = [self.answer(message)]
        context = None
        for answer in answers:
            wire = answer.to_wire(multi=len(answers) > 1, tsig_ctx=context)
            context = answer.tsig_ctx
            yield len(wire).to_bytes(2, "big") + wire


def _opened(server: Server, patience: float = 20.0) -> DynamicUpdate:
    ask = partial(query, port=server.port)
    return DynamicUpdate("127.0.0.1", server.port, 0, server.key, ask, patience)


def _asked(server: Server) -> list[str]:
    """What was asked over UDP, in order of names."""
    return sorted(m.question[0].name.to_text(omit_final_dot=True) for m in server.asked)


def _names(domain: str) -> list[str]:
    return [domain, *(f"{label}.{domain}" for label in ("_dmarc", "r1._domainkey", "r2._domainkey", "_smtp._tls"))]


@pytest.mark.parametrize("apex", [True, False], ids=["with its apex", "hosts alone"])
def test_ten_thousand_names_take_one_question_one_transfer_and_one_update(serving: Serving, apex: bool) -> None:
    """To find their zone, to read it and to change it: the least that the interfaces allow."""
    hosts = [f"h{i}.{ZONE}" for i in range(10_000)]
    names = [*([ZONE] if apex else []), *hosts]

    with serving(Keeper({ZONE: dict.fromkeys(hosts[:9_900], A)}).reply) as server:
        provider = _opened(server)
        where = provider.zones(names)
        found = provider.read(ZONE, {(ZONE, "NS"), *((name, "A") for name in names)})
        provider.apply(ZONE, [Edit(n, "A", None, RecordSet(n, "A", 60, ("192.0.2.1",))) for n in hosts[9_900:]])

    assert where == dict.fromkeys(names, ZONE)
    assert {r.name for r in found} == set(hosts[:9_900])
    assert len(server.asked) == 1
    assert [m.opcode() for m in server.got] == [dns.opcode.QUERY, dns.opcode.UPDATE]


def test_a_zone_that_is_read_again_or_was_written_to_is_transferred_again(serving: Serving) -> None:
    """A transfer serves who finds the zone and who then reads it, once; later it is no news any more."""
    names = _names(ZONE)
    wanted = {(name, "TXT") for name in names}

    with serving(Keeper({ZONE: {ZONE: TXT}}).reply) as server:
        provider = _opened(server)
        provider.zones(names)
        provider.read(ZONE, wanted)
        provider.read(ZONE, {*wanted, (f"withdrawn.{ZONE}", "A")})
        provider.zones(names)
        provider.apply(ZONE, [Edit(f"x.{ZONE}", "A", None, RecordSet(f"x.{ZONE}", "A", 60, ("192.0.2.1",)))])
        provider.read(ZONE, wanted)

    types = [dns.rdatatype.to_text(m.question[0].rdtype) for m in server.got]
    assert types == ["AXFR", "AXFR", "AXFR", "SOA", "AXFR"]


def test_names_below_a_delegation_lie_in_the_child_zone(serving: Serving) -> None:
    """The zone above says so; of the child, which the server keeps too, one question and one transfer tell the rest."""
    child = f"sub.{ZONE}"
    keeper = Keeper({ZONE: {ZONE: TXT, child: f"IN NS ns.{ZONE}."}, child: {child: TXT}})

    with serving(keeper.reply) as server:
        where = _opened(server).zones([*_names(ZONE), *_names(child), f"mx.{child}"])

    assert where == dict.fromkeys(_names(ZONE), ZONE) | dict.fromkeys([*_names(child), f"mx.{child}"], child)
    assert _asked(server) == [ZONE, child]
    assert len(server.got) == 2


def test_what_is_delegated_away_is_refused_by_name(serving: Serving) -> None:
    """The server refers to others, who are to be asked."""
    child = f"sub.{ZONE}"

    with (
        serving(Keeper({ZONE: {ZONE: TXT, child: "IN NS ns.elsewhere.example."}}).reply) as server,
        pytest.raises(NotAllowed, match=f"zone of {child}, nor of 4 names below: it refers to other servers"),
    ):
        _opened(server).zones([*_names(ZONE), *_names(child)])


def test_a_child_zone_that_nothing_delegates_is_found_as_long_as_the_zone_above_has_nothing_of_it(
    serving: Serving,
) -> None:
    """That takes a question for each domain that the zone above knows nothing of; what was published takes none."""
    child, new, old = (f"{label}.{ZONE}" for label in ("child", "new", "old"))
    keeper = Keeper({ZONE: {ZONE: TXT, f"_dmarc.{old}": TXT}, child: {}}, closed=[child])
    names = [name for domain in (ZONE, child, new, old) for name in _names(domain)]

    with serving(keeper.reply) as server:
        where = _opened(server).zones(names)

    assert where == {name: child if name in _names(child) else ZONE for name in names}
    assert _asked(server) == sorted([ZONE, new, *_names(child)])


def test_where_no_transfer_is_to_be_had_every_name_is_asked_for_once(serving: Serving) -> None:
    """And the transfer is not tried again, whoever asks."""
    names = _names(ZONE)

    with serving(Keeper({ZONE: {ZONE: TXT}}, closed=[ZONE]).reply) as server:
        provider = _opened(server)
        for _ in range(2):
            assert provider.zones(names) == dict.fromkeys(names, ZONE)
            assert _asked(server) == sorted(names)
        provider.atlas.transferred(ZONE, lambda _: True)

    assert len(server.got) == 1


def test_many_zones_take_a_question_and_a_transfer_each(serving: Serving) -> None:
    """What the server does not keep is asked about once, also by who then asks for each domain by itself."""
    domains = [f"d{i}.example" for i in range(8)]
    kept = {domain: {domain: TXT} for domain in domains}

    with serving(Keeper(kept).reply) as server:
        provider = _opened(server)
        with pytest.raises(NotAllowed, match="nowhere"):
            provider.zones(["nowhere.example", *(name for domain in domains for name in _names(domain))])
        for domain in domains:
            assert provider.zones(_names(domain)) == dict.fromkeys(_names(domain), domain)
        with pytest.raises(NotAllowed, match="nowhere"):
            provider.zones(["nowhere.example"])

    assert _asked(server) == sorted(["nowhere.example", *domains])
    assert len(server.got) == len(domains)


def test_transfers_that_hang_are_waited_for_once(serving: Serving) -> None:
    """Whatever the number of zones and readings; errors say that it was so."""
    zones = {f"d{i}.example": {f"d{i}.example": TXT} for i in range(5)}
    keeper = Keeper(zones)

    def reply(message: dns.message.Message) -> Iterator[bytes]:
        if message.question[0].rdtype == dns.rdatatype.AXFR or message.opcode() == dns.opcode.UPDATE:
            time.sleep(1.5)
        return keeper.reply(message)

    with serving(reply) as server:
        provider = _opened(server, patience=0.5)
        started = time.monotonic()
        where = provider.zones(name for zone in zones for name in _names(zone))
        waited = time.monotonic() - started
        with pytest.raises(ServerUnreachable, match=r"AXFR over TCP\) hang, too"):
            provider.apply("d0.example", [Edit("d0.example", "A", None, None)])

    assert where == {name: zone for zone in zones for name in _names(zone)}
    assert 0.5 <= waited < 2.0
    assert [m.opcode() for m in server.got][:1] == [dns.opcode.QUERY]


_DOMAINS = [ZONE, f"a.{ZONE}", f"b.{ZONE}", f"c.a.{ZONE}", f"d.c.a.{ZONE}", "example.org"]


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Keeper, Sequence[str]]:
    """Draw zones, each delegated by the next above or unknown to it, and names that are wanted of some domains."""
    kept = draw(st.sets(st.sampled_from(_DOMAINS)))
    zones: dict[str, dict[str, str]] = {zone: {} for zone in kept}
    for domain in _DOMAINS:
        above = next((n for n in ancestry(domain.partition(".")[2]) if n in kept), None)
        if above and draw(st.booleans()):
            # Delegated to this server or to another; or, where it is no zone, something that is published.
            delegated = draw(st.booleans()) or domain in kept
            zones[above][domain] = "IN NS ns.elsewhere.example." if delegated else TXT
    wanted = draw(st.sets(st.sampled_from(_DOMAINS), min_size=1))
    names = [name for domain in sorted(wanted) for name in (*_names(domain), f"mx.{domain}")]
    return Keeper(zones, draw(st.sets(st.sampled_from(_DOMAINS)))), names


@settings(max_examples=100, deadline=None)
@given(_worlds())
def test_the_zone_of_every_name_is_the_one_that_a_question_about_it_names(world: tuple[Keeper, Sequence[str]]) -> None:
    """However zones are cut, delegated and handed over; and no question is put twice."""
    keeper, names = world
    asked: list[str] = []

    def ask(question: Question) -> dns.message.Message:
        asked.append(question.name)
        return keeper.answer(dns.message.make_query(question.name + ".", question.type))

    def fetch(zone: str, keep: Callable[[Key], bool]) -> Copy:
        if zone in keeper.closed:
            raise NotTransferred("REFUSED")
        keys = ((name, text.split(" ")[1], list(_rrset(name, text))) for name, text in keeper.zones[zone].items())
        return Copy(zone, {(name, kind): (60, data) for name, kind, data in keys if keep((name, kind))})

    atlas = Atlas("192.0.2.1", "the server", ask, fetch)
    try:
        found: Mapping[str, str] | set[str] = atlas.locate(names)
    except NotAllowed as error:
        found = {error.what}

    assert len(asked) == len(set(asked))
    one_by_one = verdicts(names, ask, "192.0.2.1", "the server")
    if isinstance(found, set):
        assert not all(isinstance(zone, str) for zone in one_by_one.values())
    else:
        assert found == one_by_one
