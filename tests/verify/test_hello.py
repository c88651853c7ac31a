"""What is offered and what is answered, as octets."""

from contextlib import suppress
from ssl import PROTOCOL_TLS_SERVER, MemoryBIO, SSLContext, SSLError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify.speaking import suites
from sendwright.verify.speaking.hello import HEADER, Answer, Malformed, agreed, answer, offer, size
from sendwright.verify.speaking.suites import CURVES, FINITE_FIELD, STATIC, Weakness
from tests.verify.hellos import CERTIFICATE, DONE, NOTED, REFUSED, key_exchange, offered, record, server_hello

DHE = FINITE_FIELD[0]
PRIME = 2**2047 + 1
EVERYTHING = (*CURVES, *FINITE_FIELD, *STATIC, *suites.weak(()))


def read(*flights: bytes, of: tuple[int, ...] = EVERYTHING) -> Answer | None:
    """What a flight of whole records says."""
    return answer(split(b"".join(flights)), of)


def split(flight: bytes) -> list[bytes]:
    """Take a flight apart into its records."""
    records = []
    while flight:
        end = HEADER + size(flight[:HEADER])
        records.append(flight[:end])
        flight = flight[end:]
    return records


@pytest.mark.parametrize("name", ["mx1.example.com", "", "not a name", "x" * 300])
def test_openssl_understands_what_is_offered(name: str) -> None:
    """It looks for a suite that both know, and misses only that: the hello is as TLS says."""
    heard, said = MemoryBIO(), MemoryBIO()
    server = SSLContext(PROTOCOL_TLS_SERVER).wrap_bio(heard, said, server_side=True)
    heard.write(offer(suites.weak(()), name, bytes(32)))

    with pytest.raises(SSLError, match="NO_SHARED_CIPHER"):
        server.do_handshake()

    assert read(said.read()) == Answer()


def test_what_is_offered_is_what_was_asked_for() -> None:
    """And the signalling suite of RFC 5746."""
    assert offered(offer(FINITE_FIELD, "mx1.example.com", bytes(32))) == (*FINITE_FIELD, 0x00FF)


def test_a_suite_that_does_not_protect_is_in_no_other_offer() -> None:
    """Nor is one offered for two reasons; without certificates none that has one is offered."""
    weak = suites.weak(())

    assert len(set(weak)) == len(weak)
    assert not set(weak) & {*FINITE_FIELD, *CURVES}
    assert {suites.weakness(suites.name(code)) for code in weak} == set(Weakness)
    assert "anon" not in suites.name(suites.weak((Weakness.ANONYMOUS,))[0])


def test_the_chosen_suite_compression_and_renegotiation_are_read() -> None:
    """RFC 5246 section 7.4.1.3; RFC 5746 section 3.6."""
    good, bad = server_hello(CURVES[0]), server_hello(STATIC[0], compression=1, secure=False)

    assert read(record(good)) == Answer(CURVES[0], compresses=False, renegotiates=True)
    assert read(record(bad)) == Answer(STATIC[0], compresses=True, renegotiates=False)
    assert read(NOTED, record(good)) == Answer(CURVES[0], compresses=False, renegotiates=True)


def test_the_prime_is_waited_for_however_its_flight_is_cut_into_records() -> None:
    """Messages may share a record, and one may span several."""
    flight = server_hello(DHE) + CERTIFICATE + key_exchange(PRIME) + DONE
    pieces = [record(flight[place : place + 700]) for place in range(0, len(flight), 700)]

    assert read(record(flight)) == Answer(DHE, renegotiates=True, group=2048)
    assert read(*pieces) == Answer(DHE, renegotiates=True, group=2048)
    assert read(*pieces[:-1]) is None
    assert agreed(split(pieces[0]))


@pytest.mark.parametrize(
    "said", [REFUSED, record(b"\x01\x00", 21), record(server_hello(DHE)) + REFUSED], ids=["alert", "close", "late"]
)
def test_an_alert_that_ends_it_is_a_refusal(said: bytes) -> None:
    """A warning is none: it goes on."""
    assert read(said) == Answer()
    assert read(NOTED) is None
    assert not agreed(split(NOTED))


@pytest.mark.parametrize(
    "flight",
    [
        server_hello(0x1301),
        server_hello(CURVES[0], version=0x0304),
        server_hello(CURVES[0], compression=64),
        CERTIFICATE,
        server_hello(DHE) + DONE,
        server_hello(DHE) + key_exchange(0),
        server_hello(DHE) + b"\x0c\x00\x00\x03\xff\xff\x01",
        b"\x02\x00\x00\x02\x03\x03",
        b"\x02\xff\xff\xff",
        server_hello(CURVES[0])[:-2].replace(b"\x02\x00\x004", b"\x02\x00\x002"),
    ],
    ids=["suite", "version", "compression", "order", "done", "no prime", "short prime", "short", "long", "extension"],
)
def test_what_was_not_offered_or_is_cut_short_is_no_answer(flight: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        read(record(flight))


@pytest.mark.parametrize(
    "header",
    [b"220 m", b"\x17\x03\x03\x00\x01", b"\x16\x02\x03\x00\x01", b"\x16\x03\x03\x00\x00", b"\x16\x03\x03\x40\x01"],
)
def test_what_is_no_record_of_a_handshake_is_told_by_its_header(header: bytes) -> None:
    """Text, data, other versions, and records that are empty or too long."""
    with pytest.raises(Malformed):
        size(header)


@given(st.lists(st.tuples(st.sampled_from([21, 22]), st.binary(min_size=1, max_size=100)), max_size=5))
def test_any_octets_are_an_answer_or_none(noise: list[tuple[int, bytes]]) -> None:
    """Servers are strangers."""
    with suppress(Malformed):
        found = answer([record(body, kind) for kind, body in noise], EVERYTHING)
        assert found is None or found.suite is None or found.suite in EVERYTHING


@given(st.integers(0, 6000), st.integers(0, 255), st.integers(0, 6000))
def test_a_bent_flight_is_an_answer_or_none(place: int, value: int, end: int) -> None:
    """One octet is wrong, or it stops in the middle."""
    flight = bytearray(server_hello(DHE) + CERTIFICATE + key_exchange(PRIME) + DONE)
    flight[place % len(flight)] = value

    for some in (flight, flight[:end]):
        with suppress(Malformed):
            found = answer([record(bytes(some))], EVERYTHING) if some else None
            assert found is None or found.suite is None or found.suite in EVERYTHING
