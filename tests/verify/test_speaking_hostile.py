import socket
import time
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.speaking.conversation import Endpoint, Silence
from sendwright.verify.speaking.speak import speak
from sendwright.verify.target import Server as Target
from tests.verify import misbehaving
from tests.verify.certificates import made
from tests.verify.servers import Serve, Server, context, refuses_strangers, serving
from tests.verify.spoken import HERE, MX, MX1, spoken

MISBEHAVING = (
    misbehaving.endless_banner,
    misbehaving.endless_line,
    misbehaving.drip,
    misbehaving.silent,
    misbehaving.no_smtp,
    misbehaving.gone,
    misbehaving.deaf,
)


def test_what_cannot_be_connected_to_is_silent_each_in_its_way() -> None:
    """A firewall, a missing route and a closed port are three things."""
    said = {
        Silence.FILTERED: TimeoutError(),
        Silence.REFUSED: ConnectionRefusedError(111, "Connection refused"),
        Silence.NO_ROUTE: OSError(101, "Network is unreachable"),
        Silence.BROKEN: ConnectionResetError(104, "Connection reset by peer"),
    }
    for silence, error in said.items():

        def fail(_endpoint: Endpoint, _timeout: float, error: OSError = error) -> socket.socket:
            raise error

        talks = speak(MX, timeout=1, trust=None, wanted=frozenset(CHECKS), helo="a.example", opened=fail)
        assert [(t.silence, bool(t.why)) for t in talks] == [(silence, True)]


def test_where_one_address_is_filtered_the_others_are_waited_for_in_a_hurry() -> None:
    """A network without port 25 must not cost minutes, and no server is given up for another address of it."""
    waited: list[float] = []

    def fail(_: Endpoint, timeout: float) -> socket.socket:
        waited.append(timeout)
        raise TimeoutError

    many = Target(MX1, tuple(ip_address(f"192.0.2.{n}") for n in range(1, 9)), ("example.com",), (587,))

    talks = speak(many, timeout=10, trust=None, wanted=frozenset(CHECKS), helo="a.example", opened=fail)

    assert {talk.silence for talk in talks} == {Silence.FILTERED}
    assert waited == [10, *[4] * 15]


def test_a_server_that_keeps_strangers_waiting_is_given_up_as_a_whole() -> None:
    """Sixteen addresses that each answer at the last moment must not take a quarter of an hour; the rest is unknown."""
    now, began = 0.0, list[float]()

    def late(_: Endpoint, timeout: float) -> socket.socket:
        nonlocal now
        began.append(now)
        now += timeout
        raise ConnectionResetError

    many = Target(MX1, tuple(ip_address(f"192.0.2.{n}") for n in range(1, 17)), ("example.com",))
    wanted = frozenset(CHECKS)

    talks = speak(many, timeout=10, trust=None, wanted=wanted, helo="a.example", opened=late, clock=lambda: now)

    assert max(began) == 60
    assert [t.silence for t in talks] == [Silence.BROKEN] * 7 + [Silence.NO_ROUTE] * 9
    assert "not asked" in talks[-1].why


def test_what_a_slow_server_said_counts_and_the_rest_is_unasked() -> None:
    """A tarpit that has greeted is judged by that; offers of weak TLS that would take hours are not made."""
    now = [0.0]

    def says(command: str) -> str:
        if command.startswith("RCPT"):
            now[0] = 1000
        return refuses_strangers(command)

    with serving({25: Server(tls=context(made(MX1)), says=says)}) as connect:
        talk, *_ = speak(
            MX,
            timeout=5,
            trust=None,
            wanted=frozenset(CHECKS),
            helo="a.example",
            opened=connect,
            clock=lambda: now[0],
        )

    assert talk.silence is None
    assert talk.greeting is not None
    assert talk.tls is not None
    assert "not asked" in talk.tls.unasked
    assert talk.parameters is not None
    assert "not asked" in talk.parameters.unasked


def test_a_server_of_a_thousand_addresses_is_asked_at_few() -> None:
    """The others are told to be unasked."""
    addresses = tuple(ip_address(0x7F000001 + n) for n in range(1000))

    talks = spoken({25: Server(before=())}, Target(MX1, addresses, ("example.com",)))

    assert len(talks) == 1000
    assert sum(t.silence is None for t in talks) == 16


@pytest.mark.parametrize("serve", MISBEHAVING)
def test_a_server_that_misbehaves_is_let_go_soon(serve: Serve) -> None:
    """Banners and lines without end, octets one at a time, silence, other protocols, and hanging up."""
    began = time.monotonic()

    (talk,) = spoken({25: serve}, timeout=0.3)

    assert talk.silence is Silence.BROKEN
    assert 0 < len(talk.why) < 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("serve", [misbehaving.tls_that_never_ends, misbehaving.flood_in_handshake])
def test_a_tls_peer_that_never_finishes_is_let_go_soon(serve: Serve) -> None:
    """Neither time nor memory is its to take."""
    began = time.monotonic()

    (talk,) = spoken({25: serve}, timeout=0.3, wanted=frozenset({"tls.offered"}))

    assert talk.tls is None
    assert talk.tls_failure
    assert time.monotonic() - began < 2


def test_421_may_come_at_any_time() -> None:
    """What was said before stays said."""
    replies = iter(["250 Ok", "250 Ok", "250 Ok", "421 4.3.2 Shutting down"])

    (talk,) = spoken({25: Server(before=(), says=lambda _: next(replies, "421 4.3.2 Shutting down"))})

    assert talk.silence is None
    assert list(talk.recipients) == ["postmaster@example.com"]
    assert talk.unasked


_PARTS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"250 mx\r\n", b"421 no\r\n", b"220-\r\n", b"\x16\x03\x03"]
    ),
)


@given(st.lists(_PARTS, max_size=8))
@settings(max_examples=30, deadline=None)
def test_whatever_a_server_sends_comes_to_an_end(parts: list[bytes]) -> None:
    """Any octets at any stage: a conversation comes of it, and nothing is raised."""

    def serve(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)
            sock.settimeout(0.01)
            with suppress(TimeoutError):
                sock.recv(4096)

    for port in (25, 465):
        target = MX if port == 25 else Target(MX1, HERE, submits=(465,))
        (talk,) = spoken({port: serve}, target, timeout=1)
        assert talk.endpoint.port == port
        assert talk.silence or talk.greeting or talk.tls_failure
