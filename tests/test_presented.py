"""What hosts show: DNS promises only what was seen."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sendwright import certs, sts
from sendwright.connections import Fleet
from sendwright.errors import HostError
from sendwright.presented import Eyes, Shown, look
from sendwright.stack import Address, Domain, Host, Stack
from sendwright.state.model import Certificate, State
from sendwright.verify.look import Fetched

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1, MX2 = "mx1.example.com", "mx2.example.com"


def host(name: str, number: int, **more: object) -> Host:
    """Return a host with certificates by ACME."""
    egress = [{"public": f"203.0.113.{number}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, "tls": "acme", **more})


HOSTS = (host(MX1, 1), host(MX2, 2))
STACK = Stack(hosts=HOSTS, domains=(Domain.model_validate({"name": "example.com", "dns": "main"}),))
MADE = {h.name: replace(certs.issue(h, NOW)[0], mode="acme") for h in HOSTS}
STATE = State(certificates=tuple(MADE.values()))
POLICY = (sts.policy(STACK, STACK.domains[0], ()) or "").encode()
RIGHT = Fetched(status=200, body=POLICY)


def der(certificate: Certificate) -> bytes:
    """Return a certificate as it is shown."""
    return x509.load_pem_x509_certificate(certificate.chain.encode()).public_bytes(Encoding.DER)


def showing(address: Address, port: int) -> bytes:
    """Show what each host should."""
    del port
    return der(MADE[MX1 if str(address).endswith(".1") else MX2])


def seen(
    greet: Callable[[Address, int], bytes] = showing,
    get: Callable[[str, Address], Fetched] = lambda *_: RIGHT,
    stack: Stack = STACK,
    hosts: tuple[str, ...] = (MX1, MX2),
    state: State = STATE,
) -> Shown:
    """Look through these eyes, with no host that could be asked by SSH."""
    fleet = Fleet(stack.hosts, Path())
    for name in (MX1, MX2):
        fleet.give_up(name, HostError(name, "no SSH."))
    return look(stack, state, hosts, fleet, Eyes(greet, get))


def raising(error: Exception) -> Callable[[Address, int], bytes]:
    """Fail for the second host only."""

    def greet(address: Address, port: int) -> bytes:
        if str(address).endswith(".2"):
            raise error
        return showing(address, port)

    return greet


def test_hosts_that_show_their_key_and_domains_whose_policy_is_served_are_named() -> None:
    """And there is no fault."""
    assert seen() == Shown(frozenset({MX1, MX2}), frozenset({"example.com"}))


def test_a_host_that_shows_another_key_is_not_among_them() -> None:
    """Its TLSA record would stop its mail; the other host's does not."""
    found = seen(lambda _address, _port: der(MADE[MX1]))

    assert found.hosts == {MX1}
    assert "port 25 at 203.0.113.2 shows another key" in found.faults[0]


@pytest.mark.parametrize(
    "error",
    [smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), ssl.SSLError("handshake failure")],
)
def test_a_host_that_shows_no_certificate_is_not_among_them(error: Exception) -> None:
    """It answered, so nobody else has to look."""
    found = seen(raising(error))

    assert found.hosts == {MX1}
    assert "shows no certificate" in found.faults[0]


def test_a_host_that_cannot_be_asked_from_here_nor_by_itself_is_not_among_them() -> None:
    """What nobody saw is not promised."""
    found = seen(raising(TimeoutError("timed out")))

    assert found.hosts == {MX1}
    assert found.faults


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Fetched(failure="the certificate is not accepted: self-signed certificate"), "cannot be fetched"),
        (Fetched(status=404), "is not the one that it should be (HTTP 404)"),
        (Fetched(status=200, body=POLICY.replace(b"testing", b"enforce")), "is not the one that it should be"),
        (Fetched(status=200, body=POLICY.replace(b"\r\n", b"\n")), "is not the one that it should be"),
    ],
)
def test_a_policy_that_one_host_does_not_serve_as_it_should_be_is_not_announced(reply: Fetched, words: str) -> None:
    """Senders ask any of the hosts."""
    found = seen(get=lambda _url, address: reply if str(address).endswith(".2") else RIGHT)

    assert found.policies == frozenset()
    assert words in found.faults[0]


def test_a_policy_is_asked_for_by_its_own_name_at_each_address() -> None:
    """Senders verify the certificate for that name (RFC 8461 section 3.3)."""
    asked: list[tuple[str, str]] = []

    def get(url: str, address: Address) -> Fetched:
        asked.append((url, str(address)))
        return RIGHT

    seen(get=get)

    url = "https://mta-sts.example.com/.well-known/mta-sts.txt"
    assert sorted(asked) == [(url, "203.0.113.1"), (url, "203.0.113.2")]


def test_a_policy_some_of_whose_hosts_nobody_looks_at_is_not_announced() -> None:
    """A host that failed in this run may serve anything."""
    assert seen(hosts=(MX1,)).policies == frozenset()


def test_every_port_that_is_declared_is_asked() -> None:
    """Each has a TLSA record of its own."""
    asked: list[int] = []

    def greet(address: Address, port: int) -> bytes:
        asked.append(port)
        return showing(address, port)

    stack = STACK.model_copy(update={"hosts": (host(MX1, 1, dane=[25, 465, 587]), HOSTS[1])})
    seen(greet, stack=stack, hosts=(MX1,))

    assert sorted(asked) == [25, 465, 587]


def test_what_a_server_says_reaches_no_terminal_unescaped() -> None:
    """Banners are hostile."""
    found = seen(raising(smtplib.SMTPConnectError(554, b"\x1b[2Jgo away")))

    assert "\x1b" not in found.faults[0]


def test_no_policy_is_told_of_while_a_host_takes_mail_with_a_certificate_that_nobody_trusts() -> None:
    """A host with more than a hundred names has several, and that of the policy may have come before that of mail."""
    begun = replace(MADE[MX2], mode="self-signed")

    assert seen().policies == {"example.com"}
    assert seen(state=State(certificates=(MADE[MX1], begun))).policies == frozenset()


@pytest.mark.parametrize("octets", [b"", b"no certificate", der(MADE[MX1])[:10] + b"\x01\x01" + der(MADE[MX1])[12:]])
def test_a_host_that_shows_what_is_no_certificate_is_not_among_them(octets: bytes) -> None:
    """Nor one of a version that does not exist; nothing of it is a traceback."""
    found = seen(lambda _address, _port: octets)

    assert found.hosts == frozenset()
    assert "shows another key" in found.faults[0]
