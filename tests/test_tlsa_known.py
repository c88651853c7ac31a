"""What senders can know of a host's keys is what every server tells, and who is silent may tell anything."""

from collections.abc import Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.authority import Server
from sendwright.dns.propagation import World
from sendwright.dns.transport import NoAnswer, Question
from sendwright.renewal import Known
from sendwright.tlsa_known import Held, Seen, known, look

COM, MX1 = "example.com", "mx1.example.com"
SMTP, SUBMISSION = f"_25._tcp.{MX1}", f"_587._tcp.{MX1}"
NS1, NS2 = Server("ns1.example.net", "192.0.2.1"), Server("ns2.example.net", "192.0.2.2")
ONE, TWO, THREE = "a" * 64, "b" * 64, "c" * 64
Zone = Mapping[str, tuple[str, ...]]


def _look(zones: Mapping[str, Zone | Exception | str]) -> Seen:
    """Look at servers by what each address has: TLSA records, a failure, or an rcode."""

    def ask(question: Question) -> dns.message.Message:
        has = zones[question.server]
        if isinstance(has, Exception):
            raise has
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        if isinstance(has, str):
            answer.set_rcode(dns.rcode.from_text(has))
            return answer
        answer.flags |= dns.flags.AA
        if values := has.get(question.name):
            rdtype = "CNAME" if values[0].endswith(".") else "TLSA"
            answer.answer = [dns.rrset.from_text(f"{question.name}.", 300, "IN", rdtype, *values)]
        return answer

    servers = tuple(s for s in (NS1, NS2, Server(NS1.name, "2001:db8::1")) if s.address in zones)
    return look(World(ask, "192.0.2.53", {COM: servers}), COM, MX1)


def _told(*keys: str) -> Zone:
    return {SMTP: tuple(f"3 1 1 {key.upper()}" for key in keys)}


def _known(seen: Seen, *keys: str, expected: tuple[str, ...] = (SMTP,), ledger: bool = True) -> Known:
    return known(seen, keys, expected, ledger=ledger)


def test_what_all_servers_tell_is_known() -> None:
    """In whatever case the digests are written."""
    found = _known(_look({NS1.address: _told(ONE, TWO), NS2.address: _told(TWO, ONE)}), ONE, TWO)

    assert found == Known(told=True, served=frozenset({ONE, TWO}))


def test_a_server_that_is_behind_is_named() -> None:
    """Whoever asks it knows only the other key."""
    found = _known(_look({NS1.address: _told(ONE, TWO), NS2.address: _told(ONE)}), ONE, TWO)

    assert found.served == {ONE}
    assert found.behind == f"TLSA {SMTP}: {NS2} does not tell of every key of the host yet"


def test_servers_that_are_behind_alike_are_told_in_one_sentence() -> None:
    """Three ports at four addresses are twelve answers, and one thing to wait for."""
    behind = {SMTP: _told(ONE)[SMTP], SUBMISSION: _told(ONE)[SMTP]}

    found = known(_look({NS1.address: behind, NS2.address: behind}), [TWO], (SMTP, SUBMISSION), ledger=True)

    assert found.behind == f"TLSA {SMTP} and 1 more: {NS1}, {NS2} do not tell of every key of the host yet"


@pytest.mark.parametrize(
    ("has", "said"), [(NoAnswer("no answer within 2 s"), "does not answer"), ("REFUSED", "it answers REFUSED")]
)
def test_a_server_that_does_not_say_may_tell_anything(has: Exception | str, said: str) -> None:
    """So nothing is known for sure, not even that nobody is told anything."""
    found = _known(_look({NS1.address: _told(ONE), NS2.address: has}), ONE)
    bare = _known(_look({NS1.address: {}, NS2.address: has}), expected=(), ledger=False)

    assert found.served == frozenset()
    assert f"{NS2} does" in found.behind
    assert said in found.behind
    assert bare.told


def test_an_address_without_a_way_to_it_is_excused_by_the_other_of_the_same_server() -> None:
    """A controller without IPv6 can ask all the same; a server that it cannot reach at all it cannot."""
    far = NoAnswer("no route", no_route=True)

    excused = _known(_look({NS1.address: _told(ONE), "2001:db8::1": far, NS2.address: _told(ONE)}), ONE)
    mute = _known(_look({NS1.address: far, NS2.address: _told(ONE)}), ONE)

    assert excused.served == {ONE}
    assert mute.served == frozenset()
    assert "no route" in mute.behind


def test_nothing_is_told_where_no_record_stands_and_the_ledger_knows_none() -> None:
    """Then a key is changed at once, without waiting for anybody."""
    nothing = _look({NS1.address: {}, NS2.address: {}})

    assert _known(nothing, ONE, expected=(), ledger=False) == Known()
    # What was withdrawn just now is in caches.
    assert _known(nothing, ONE, expected=(), ledger=True).told


def test_what_somebody_else_tells_counts_as_much() -> None:
    """Senders do not know who wrote it; a certificate or a key in another form is told, and cannot be matched."""
    for record in (f"3 1 1 {THREE}", "2 0 1 " + ONE, "hosted.example.net."):
        found = _known(_look({NS1.address: {SMTP: (record,)}}), ONE, expected=(), ledger=False)

        assert found.told
        assert ONE not in found.served


def test_a_key_is_known_only_when_every_port_tells_of_it() -> None:
    """Each has senders of its own; a port of which nothing is told asks for nothing."""
    both = {SMTP: _told(ONE, TWO)[SMTP], SUBMISSION: _told(ONE)[SMTP]}

    assert _known(_look({NS1.address: both}), ONE, TWO).served == {ONE}
    assert _known(_look({NS1.address: _told(ONE, TWO)}), ONE, TWO).served == {ONE, TWO}
    assert _known(_look({NS1.address: _told(ONE)}), ONE, expected=(SMTP, SUBMISSION)).served == frozenset()


_VALUES = st.frozensets(st.sampled_from([f"3 1 1 {ONE}", f"3 1 1 {TWO}", f"2 1 1 {THREE}"]))
_HELD = st.one_of(
    st.builds(Held, st.dictionaries(st.sampled_from([SMTP, SUBMISSION]), _VALUES)), st.just(Held({}, "is silent"))
)
_SEEN = st.dictionaries(st.sampled_from([NS1, NS2]), _HELD)


@given(_SEEN, st.sets(st.sampled_from([SMTP, SUBMISSION])), st.booleans())
def test_no_sender_can_hold_records_without_a_key_that_is_said_to_be_served(
    seen: Seen, expected: set[str], ledger: bool
) -> None:
    """Whatever the servers say: each of their non-empty sets has every served key, and all of them spoke."""
    found = known(seen, (ONE, TWO), expected, ledger=ledger)

    for spki in found.served:
        assert not any(held.fault for held in seen.values())
        assert all(f"3 1 1 {spki}" in values for held in seen.values() for values in held.values.values() if values)
    if not found.told:
        assert not any(held.fault or any(held.values.values()) for held in seen.values())
