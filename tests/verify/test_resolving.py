import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from sendwright.errors import SendwrightError, UsageError
from sendwright.verify.asking.resolving import Dns, patient, resolver_at, validates
from sendwright.verify.look import Told
from tests.verify.loopback import Answering, from_records, serving
from tests.verify.names import Names, zone

WORLD = """
example.com.        IN SOA NS1.example.com. h.example.com. 1 2 3 4 5
example.com.        IN MX  10 MX1.example.com.
example.com.        IN MX  20 mx2.example.com.
example.com.        IN TXT "v=spf1 " "-all"
example.com.        IN TXT "caf\\233"
mx1.example.com.    IN A   192.0.2.1
mx1.example.com.    IN AAAA 2001:db8::1
www.example.com.    IN CNAME mx1.example.com.
far.example.com.    IN CNAME www.example.com.
_submission._tcp.example.com. IN SRV 0 1 587 Mail.example.com.
_imap._tcp.example.com. IN SRV 0 0 0 .
null.example.       IN MX  0 .
"""
QUESTIONS = (
    ("example.com", "SOA"),
    ("Example.COM.", "MX"),
    ("example.com", "TXT"),
    ("example.com", "AAAA"),
    ("www.example.com", "A"),
    ("far.example.com", "AAAA"),
    ("far.example.com", "CNAME"),
    ("far.example.com", "TXT"),
    ("nobody.example.com", "A"),
    ("_submission._tcp.example.com", "SRV"),
    ("_imap._tcp.example.com", "SRV"),
    ("null.example", "MX"),
)


def test_over_sockets_the_answers_are_those_of_the_resolver_in_memory() -> None:
    """What checks are tested with is what they get."""
    names = Names(zone(WORLD), secure={"example.com"})

    with serving(from_records(zone(WORLD), secure={"example.com"})) as server:
        answers = Dns(server.resolver()).ask_all(QUESTIONS)

    for question, answer in zip(QUESTIONS, answers, strict=True):
        wanted = names.ask(*question)
        assert (answer.name, answer.type, answer.told) == (wanted.name, wanted.type, wanted.told)
        assert (answer.values, answer.strings) == (wanted.values, wanted.strings)
        assert (answer.aliases, answer.secure) == (wanted.aliases, wanted.secure)


def test_each_question_is_asked_once_by_however_many_threads() -> None:
    """Who comes later waits for the first."""
    answering = from_records(zone(WORLD))

    def slowly(message: bytes, stream: bool) -> Sequence[bytes]:
        time.sleep(0.02)
        return answering(message, stream)

    with serving(slowly) as server:
        dns_, got = Dns(server.resolver(every=2)), []
        threads = [
            threading.Thread(target=lambda: got.append(dns_.ask_all((*QUESTIONS, *QUESTIONS)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # One more: of an alias without an answer its end is asked for.
    assert len(server.asked) == len(QUESTIONS) + 1
    assert len(set(got)) == 1


def test_what_does_not_fit_into_udp_comes_over_tcp() -> None:
    """Up to the 64 KiB that a message may have."""
    many = "\n".join(f'big.example. IN TXT "{number:04} {"x" * 240}"' for number in range(240))

    with serving(from_records(zone(many))) as server:
        answer = Dns(server.resolver(every=2)).ask("big.example", "TXT")

    assert len(answer.values) == 240
    assert [stream for _, stream in server.asked] == [False, True]


def test_servfail_is_bogus_only_if_there_is_an_answer_without_validation() -> None:
    """And only if it happens again: a resolver may have had a bad moment."""
    answering = from_records(zone(WORLD))

    def validating(message: bytes, stream: bool) -> Sequence[bytes]:
        query = dns.message.from_wire(message)
        if query.flags & dns.flags.CD:
            return answering(message, stream)
        return (_failing(query, "signature expired"),)

    with serving(validating) as server:
        answer = Dns(server.resolver()).ask("example.com", "MX")

    assert answer.told is Told.BOGUS
    assert "signature expired" in answer.why
    assert len(server.asked) == 3


def test_servfail_once_is_forgiven() -> None:
    """What the resolver says when it is asked again holds."""
    answering, said = from_records(zone(WORLD)), []

    def stumbling(message: bytes, stream: bool) -> Sequence[bytes]:
        said.append(message)
        return answering(message, stream) if len(said) > 1 else (_failing(dns.message.from_wire(message), ""),)

    with serving(stumbling) as server:
        answer = Dns(server.resolver()).ask("mx1.example.com", "A")

    assert answer.values == ("192.0.2.1",)


def test_servfail_without_validation_too_is_a_failure() -> None:
    """Nothing is known of DNSSEC then."""
    with serving(lambda message, _: (_failing(dns.message.from_wire(message), ""),)) as server:
        answer = Dns(server.resolver()).ask("mx1.example.com", "A")

    assert answer.told is Told.FAILED
    assert "SERVFAIL" in answer.why


def _failing(query: dns.message.Message, why: str) -> bytes:
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.SERVFAIL)
    if why:
        answer.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.SIGNATURE_EXPIRED, why)])
    return answer.to_wire()


def _forged(message: bytes, stream: bool) -> Sequence[bytes]:
    good = from_records(zone(WORLD))(message, stream)[0]
    evil = from_records(zone("mx1.example.com. IN A 198.51.100.66"))(message, stream)[0]
    other_id = bytes([evil[0] ^ 1]) + evil[1:]
    other_question = evil.replace(b"\x03mx1", b"\x03mx2")
    return (b"", b"\0", other_id, other_question, message, good)


def test_only_the_answer_to_the_question_counts() -> None:
    """Other ids, other questions, an echo and scraps are passed over."""
    with serving(_forged) as server:
        answer = Dns(server.resolver()).ask("mx1.example.com", "A")

    assert answer.values == ("192.0.2.1",)
    assert len(server.asked) == 1


def _loop(message: bytes, stream: bool) -> Sequence[bytes]:
    return from_records(zone("a.example. IN CNAME b.example.\nb.example. IN CNAME a.example."))(message, stream)


def _endless(message: bytes, _: bool) -> Sequence[bytes]:
    query = dns.message.from_wire(message)
    name = query.question[0].name.to_text()
    answer = dns.message.make_response(query)
    answer.answer = [dns.rrset.from_text(name, 1, "IN", "CNAME", f"n{len(name)}.{name[-200:]}")]
    return (answer.to_wire(),)


def _garbage(message: bytes, _: bool) -> Sequence[bytes]:
    return (message[:2] + b"\x81\x80" + b"\0\1\0\5\0\0\0\0" + message[12:] + b"\xc0\xff" * 9,)


def _silence(_: bytes, __: bool) -> Sequence[bytes]:
    return ()


def _always_cut(message: bytes, _: bool) -> Sequence[bytes]:
    answer = dns.message.make_response(dns.message.from_wire(message))
    answer.flags |= dns.flags.TC
    return (answer.to_wire(),)


def _flood(message: bytes, _: bool) -> Sequence[bytes]:
    return (bytes([message[0] ^ 1]) + message[1:],) * 2000


@pytest.mark.parametrize("answering", [_loop, _endless, _garbage, _silence, _always_cut, _flood])
def test_ill_will_is_a_failure_within_bounds(answering: Answering) -> None:
    """Loops, chains without end, scraps, silence, floods: never an exception, and not for long."""
    began = time.monotonic()

    with serving(answering) as server:
        answer = Dns(server.resolver(every=0.1)).ask("a.example", "A")

    assert answer.told is Told.FAILED
    assert answer.why
    assert len(server.asked) < 40
    assert time.monotonic() - began < 5


def test_an_answer_that_drips_over_tcp_ends() -> None:
    """Twice the patience of one try, however it drips."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        port = door.getsockname()[1]
        udp.bind(("127.0.0.1", port))

        def drip() -> None:
            message, peer = udp.recvfrom(4096)
            udp.sendto(_always_cut(message, False)[0], peer)
            channel, _ = door.accept()
            with channel:
                channel.sendall(struct.pack("!H", 60000))
                for _ in range(40):
                    try:
                        channel.sendall(b"\0")
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        answer = Dns(replace(resolver_at(f"127.0.0.1:{port}"), every=0.2)).ask("a.example", "A")

    assert answer.told is Told.FAILED
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "name", ["a..b", "x" * 64 + ".example", "ex\xe4mple.com", "a." * 130, "\\300.example", "\ud800"]
)
def test_a_name_that_cannot_be_asked_for_is_a_failure(name: str) -> None:
    """Names come out of hostile records."""
    with serving(_silence) as server:
        answer = Dns(server.resolver()).ask(name, "A")

    assert answer.told is Told.FAILED
    assert not server.asked


@pytest.mark.parametrize(("timeout", "waited"), [(0.3, 0.3), (60, 10)])
def test_a_resolver_is_waited_for_no_longer_than_a_run_has_patience(timeout: float, waited: float) -> None:
    """A shorter patience holds for it too; a longer one, meant for slow servers, makes nobody wait for a dead one."""
    with serving(_silence) as server:
        resolver = patient(resolver_at(f"127.0.0.1:{server.port}"), timeout)
        assert resolver.every * resolver.tries == pytest.approx(waited)
        if waited < 1:
            began = time.monotonic()
            assert f"within {waited:g} s" in Dns(resolver).ask("a.example", "A").why
            assert time.monotonic() - began < 1
            assert len(server.asked) == 5


def test_nobody_at_the_port_is_said_without_waiting_long() -> None:
    """The system says so at once; it is asked again, for it may be starting."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    began = time.monotonic()

    answer = Dns(resolver_at(f"127.0.0.1:{port}")).ask("a.example", "A")

    assert answer.told is Told.FAILED
    assert "refused" in answer.why
    assert time.monotonic() - began < 2


def test_a_resolver_that_validates_is_told_from_one_that_does_not() -> None:
    """The root is signed: without AD there, AD says nothing anywhere."""
    root = zone(". IN SOA a. b. 1 2 3 4 5")

    with serving(from_records(root, secure={"."})) as one, serving(from_records(root)) as other:
        assert validates(Dns(one.resolver()))
        assert not validates(Dns(other.resolver()))


def test_a_resolver_that_says_nothing_ends_the_run() -> None:
    """A thousand unknowns would say the same."""
    with serving(_silence) as server, pytest.raises(SendwrightError, match="did not answer"):
        validates(Dns(server.resolver(every=0.05)))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("192.0.2.1", "192.0.2.1:53"),
        ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("2001:db8::1", "[2001:db8::1]:53"),
        ("[2001:db8::1]", "[2001:db8::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
    ],
)
def test_a_resolver_is_named_by_address_and_port(text: str, at: str) -> None:
    """As an authority of a URL has them (RFC 3986, 3.2.2)."""
    assert str(resolver_at(text)) == at


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "::1]:53"])
def test_what_is_no_resolver_is_refused(text: str) -> None:
    """With what it should look like."""
    with pytest.raises(UsageError, match="ADDRESS"):
        resolver_at(text)


def test_without_one_the_machine_has_its_own() -> None:
    """A scope is the system's business."""
    assert str(resolver_at(None, system=lambda: "192.0.2.53")) == "192.0.2.53:53"


def test_a_tlsa_record_that_is_malformed_does_not_hide_those_beside_it() -> None:
    """It is handed on as what is unknown is written (RFC 3597 section 5): senders ignore that one only."""
    name = "_25._tcp.mx1.example.com"
    good = zone(f"{name}. IN TLSA 3 1 1 {'ab' * 32}")
    bad = dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.TLSA, b"\3\1\1\xab")
    records = {(name, "TLSA"): [*good[name, "TLSA"], bad]}

    with serving(from_records(records)) as server:
        answer = Dns(server.resolver()).ask(name, "TLSA")

    assert answer.values == ("3 1 1 " + "ab" * 32, "\\# 4 030101ab")
