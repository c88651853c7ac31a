import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sendwright.verify.asking.dns_message import NotAnAnswer, Query, _name, belongs, plain, read

TYPES = ("A", "AAAA", "MX", "TXT", "SRV", "SOA", "TLSA", "CAA", "DS", "DNSKEY", "PTR", "NS")
QUERY = Query("example.com", "TXT")


def _answer(query: Query, *lines: str) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query.message(7)))
    for line in lines:
        name, ttl, rdclass, rdtype, text = line.split(" ", 4)
        message.answer.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, text))
    return message.to_wire()


@given(st.sampled_from(TYPES), st.binary(max_size=300), st.integers(0, 0xFFFF), st.integers(0, 40))
@example("TXT", b"\xc0\x0c\0\x10\0\1\0\0\0\0\0\2\5a", 0x8180, 1)
@example("A", b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1", 0x8180, 1)
def test_any_octets_are_read_or_are_no_answer(rdtype: str, octets: bytes, flags: int, count: int) -> None:
    """Nothing else is raised, whatever stands behind the question."""
    query = Query("example.com", rdtype)
    header = b"\0\7" + flags.to_bytes(2, "big") + b"\0\1" + count.to_bytes(2, "big") + b"\0\0\0\0"

    try:
        reply = read(header + query.octets + octets, query)
    except NotAnAnswer:
        return

    assert len(reply.values) <= count
    assert all(isinstance(value, str) for value in reply.values)


@given(st.binary(max_size=100))
def test_any_octets_may_come_instead_of_an_answer(octets: bytes) -> None:
    """They belong to no question."""
    assert not belongs(octets, 7, QUERY.octets)


@given(st.text(max_size=300), st.sampled_from((*TYPES, "NONSENSE", "")))
@example("a." * 128, "A")
@example("\\255.example", "A")
def test_a_name_is_a_question_or_none(name: str, rdtype: str) -> None:
    """ValueError is all that comes of the rest."""
    try:
        octets = Query(name, rdtype).octets
    except ValueError:
        return

    assert len(octets) <= 255 + 4


@given(st.binary(max_size=120), st.integers(0, 119))
@example(b"\3abc\xc0\0", 0)
@example(b"\3abc\xc0\0", 4)
@example(b"\1a\xc0\0\1b\xc0\0", 4)
def test_names_are_read_as_dnspython_reads_them(octets: bytes, at: int) -> None:
    """The short way and the long way are one, in what they refuse too; pointers never lead in a circle."""
    try:
        name, used = dns.name.from_wire(octets, at)
    except (dns.exception.DNSException, ValueError, IndexError):
        with pytest.raises((dns.exception.DNSException, ValueError, IndexError)):
            _name(octets, at)
    else:
        assert _name(octets, at) == (plain(name), at + used)


def test_common_names_are_sent_as_dnspython_would() -> None:
    """The short way and the long way are one."""
    for name in ("example.com", "_dmarc.example.com", "a-b.c_d.x", "x" * 63 + ".example"):
        assert Query(name, "A").octets == dns.name.from_text(name + ".").to_digestable() + b"\0\1\0\1"


def test_a_question_asks_for_the_verdict_and_can_ask_without_validation() -> None:
    """RD and AD, and CD where it is not to be checked; EDNS with room for an unfragmented answer."""
    message, unchecked = (dns.message.from_wire(Query("a.example", "A", c).message(7)) for c in (True, False))

    assert message.id == 7
    assert message.flags == dns.flags.RD | dns.flags.AD
    assert unchecked.flags == dns.flags.RD | dns.flags.AD | dns.flags.CD
    assert (message.edns, message.payload, message.ednsflags) == (0, 1232, 0)


def test_records_of_other_names_types_and_classes_are_not_the_answer() -> None:
    """A resolver of ill will may send what it likes."""
    wire = _answer(
        QUERY,
        "evil.example. 60 IN TXT v=spf1",
        "example.com. 60 IN A 192.0.2.1",
        "example.com. 60 CH TXT chaos",
        "example.com. 60 IN TXT good",
    )

    assert read(wire, QUERY).values == ("good",)


def test_an_alias_is_followed_and_the_least_time_to_live_counts() -> None:
    """The chain as it came, in lower case."""
    wire = _answer(
        QUERY,
        "Example.com. 300 IN CNAME One.example.",
        "one.example. 20 IN CNAME two.example.",
        "two.example. 60 IN TXT a",
    )

    reply = read(wire, QUERY)

    assert reply.aliases == ("one.example", "two.example")
    assert (reply.values, reply.ttl) == (("a",), 20)


@pytest.mark.parametrize(
    ("rdtype", "text", "value"),
    [
        ("MX", "10 MX.Example.", "10 mx.example"),
        ("MX", "0 .", "0 ."),
        ("SRV", "0 1 587 Mail.Example.", "0 1 587 mail.example"),
        ("SRV", "0 0 0 .", "0 0 0 ."),
        ("NS", "Ns.Example.", "ns.example"),
        ("SOA", "Ns.Example. H.Example. 1 2 3 4 5", "ns.example h.example 1 2 3 4 5"),
        ("TLSA", "3 1 1 " + "AB" * 32, "3 1 1 " + "ab" * 32),
        ("CAA", '0 issue "CA.example"', '0 issue "CA.example"'),
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
    ],
)
def test_values_are_in_the_form_that_checks_read(rdtype: str, text: str, value: str) -> None:
    """Names in lower case without the last dot, all else as in master files."""
    query = Query("example.com", rdtype)

    assert read(_answer(query, f"example.com. 60 IN {rdtype} {text}"), query).values == (value,)
