"""What servers agree to that are offered weak TLS."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from sendwright.verify.speaking import offering, suites
from sendwright.verify.speaking.conversation import Endpoint, Parameters
from sendwright.verify.speaking.suites import CURVES, FINITE_FIELD, STATIC
from sendwright.verify.speaking.wire import Unreached, Wire, reach
from sendwright.verify.target import Server as Target
from tests.lab.verify.certificates import SHORT_PRIME
from tests.verify.certificates import made
from tests.verify.hellos import CERTIFICATE, NOTED, REFUSED, Choosing, key_exchange, record, server_hello
from tests.verify.servers import Server, context, serving
from tests.verify.spoken import HERE, MX1, spoken

DHE = FINITE_FIELD[0]
WEAK = frozenset(suites.weak(()))
NULL, RC4, DES3, ANONYMOUS = 0x0001, 0x0005, 0x000A, 0x00A7


def gathered(server: Choosing, port: int = 25, wanted: frozenset[str] = offering.CHECKS) -> Parameters:
    """What a server agrees to that speaks TLS from the first octet."""
    endpoint = Endpoint(MX1, ip_address("127.0.0.1"), port)
    with serving({port: server}) as connect:

        @contextmanager
        def begun() -> Iterator[Wire]:
            wire = Wire(reach(endpoint, 1, connect), time.monotonic, 0.5)
            yield wire
            wire.close()

        return offering.gather(begun, endpoint, wanted)


def choosing(*order: int, compresses: bool = False, secure: bool = True) -> Callable[[tuple[int, ...]], bytes]:
    """Take the first of some suites that is offered, with compression and renegotiation as they are told."""

    def answers(offered: tuple[int, ...]) -> bytes:
        chosen = next((code for code in order if code in offered), None)
        if chosen is None:
            return REFUSED
        flight = record(server_hello(chosen, compression=int(compresses), secure=secure))
        return flight + record(CERTIFICATE + key_exchange(2**1023)) if chosen in FINITE_FIELD else flight

    return answers


def test_a_good_server_refuses_weak_suites_and_shows_its_prime() -> None:
    """Two offers are enough where it has finite-field Diffie-Hellman."""
    server = Choosing(choosing(CURVES[0], DHE))

    assert gathered(server) == Parameters((), 1024, compresses=False, renegotiates=True)
    assert [set(heard) <= {*WEAK, 0x00FF} for heard in server.heard] == [True, False]


def test_curves_alone_have_no_prime() -> None:
    """Then a third offer asks for compression and renegotiation."""
    server = Choosing(choosing(*CURVES))

    assert gathered(server) == Parameters((), 0, static=False, compresses=False, renegotiates=True)
    assert len(server.heard) == 3


def test_what_is_worse_is_not_hidden_behind_what_is_less_weak() -> None:
    """A server that prefers the least weak is offered the others again, without that; but not for ever."""
    all_of_them = Choosing(choosing(ANONYMOUS, DES3, RC4, NULL))

    named = gathered(all_of_them, 587, frozenset({"tls.ciphers"}))

    assert named.weak == ("DH_anon_WITH_AES_256_GCM_SHA384", "RSA_WITH_3DES_EDE_CBC_SHA", "RSA_WITH_RC4_128_SHA")
    assert len(all_of_them.heard) == 3


def test_suites_without_a_certificate_are_not_offered_between_servers() -> None:
    """Postfix takes them on purpose, of senders that would not look at it."""
    server = Choosing(choosing(ANONYMOUS, NULL))

    assert gathered(server, 25, frozenset({"tls.ciphers"})).weak == ("RSA_WITH_NULL_MD5",)
    assert not any(ANONYMOUS in heard for heard in server.heard)


def test_compression_and_renegotiation_are_seen_in_any_answer() -> None:
    """Whatever suite it is given with."""
    found = gathered(Choosing(choosing(STATIC[0], compresses=True, secure=False)))

    assert (found.compresses, found.renegotiates, found.static) == (True, False, True)


@pytest.mark.parametrize("said", [REFUSED, b""], ids=["alert", "hangs up"])
def test_who_hangs_up_refuses_as_who_says_so(said: bytes) -> None:
    """Some servers say nothing."""
    found = gathered(Choosing(lambda _: said))

    assert found == Parameters((), 0, static=False, refused=True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "longer than"),
        (b"220 injected\r\n", "no TLS"),
        (NOTED * 1000, "does not end"),
        (record(server_hello(0x1301)), "not offered"),
        (record(server_hello(DHE)), "not offered"),
    ],
    ids=["silence", "text", "warnings", "another suite", "of another offer"],
)
def test_what_is_no_answer_ends_the_asking(said: bytes | None, why: str) -> None:
    """It is said why, and nothing more is asked."""
    server = Choosing(lambda _: said)

    found = gathered(server)

    assert why in found.unasked
    assert (found.weak, found.group, found.compresses, len(server.heard)) == (None, None, None, 1)


def test_what_was_heard_before_it_broke_off_is_kept() -> None:
    """A server that agrees and then falls silent has agreed."""
    server = Choosing(lambda heard: choosing(NULL)(heard) if NULL in heard else None)

    found = gathered(server)

    assert found.weak == ("RSA_WITH_NULL_MD5",)
    assert "longer than" in found.unasked


def test_only_what_is_wanted_is_asked() -> None:
    """One offer for a check, and none for checks of other things."""
    for name, most in (("tls.ciphers", 1), ("tls.key-exchange", 1), ("tls.legacy", 1)):
        server = Choosing(choosing(CURVES[0], DHE))
        gathered(server, wanted=frozenset({name}))
        assert len(server.heard) == most

    plain = Server(tls=context(made(MX1)))
    (talk,) = spoken({25: plain}, wanted=frozenset({"tls.offered"}))
    assert (talk.parameters, plain.connections) == (None, 1)


def test_who_cannot_be_reached_again_is_not_judged() -> None:
    """It is said why."""
    endpoint = Endpoint(MX1, ip_address("127.0.0.1"), 25)

    @contextmanager
    def begun() -> Iterator[Wire]:
        with serving({}) as connect:
            yield Wire(reach(endpoint, 1, connect), time.monotonic, 1)

    with pytest.raises(Unreached), begun():
        pass
    assert offering.gather(begun, endpoint, offering.CHECKS) == Parameters(unasked="the connection was refused")


def test_openssl_that_takes_everything_is_seen_through(tmp_path: Path) -> None:
    """A real server: no encryption, no certificate, a prime of 1,024 bits; and what is injected is forgotten."""
    key = rsa.generate_private_key(65537, 2048)
    tls = context(made(MX1, key=key), most=SSL.TLS1_2_VERSION)
    tls.set_cipher_list(b"ALL:eNULL:@SECLEVEL=0")
    prime = tmp_path / "dh.pem"
    prime.write_text(SHORT_PRIME)
    tls.load_tmp_dh(str(prime).encode())
    everything = Server(tls=tls, starttls="220 Go ahead\r\n220 injected")
    first = Server(tls=tls, implicit=True)

    at_25, at_465 = spoken({25: everything, 465: first}, Target(MX1, HERE, ("example.com",), (465,)))

    assert at_25.parameters == Parameters(("RSA_WITH_NULL_MD5",), 1024, compresses=False, renegotiates=True)
    assert at_465.parameters is not None
    assert at_465.parameters.weak == ("RSA_WITH_NULL_MD5", "DH_anon_WITH_AES_128_CBC_SHA")
