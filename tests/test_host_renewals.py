"""What a host renewed by itself is taken over only when it is the same certificate, and better."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendwright import inventory
from sendwright.deploys.base import chain_path
from sendwright.host_renewals import newer
from sendwright.service import Sealed
from sendwright.stack import Stack
from sendwright.state.model import Certificate

HOST, POLICY, GONE = "mx1.example.com", "mta-sts.example.com", "mta-sts.gone.example"
NOW = datetime.now(UTC).replace(microsecond=0)
KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def stack() -> Stack:
    """Return a host that renews by itself, and its domain."""
    host = {"egress": [{"public": "203.0.113.10"}], "tls": {"mode": "acme", "renewal": "host"}}
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    data = {"dns": {"main": server}, "domains": {"example.com": {"dns": "main"}}}
    return inventory.parse([(HOST, host)], data, "a test")


def chain(*names: str, left: timedelta = timedelta(60), key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """Return a certificate, PEM."""
    subject = x509.Name([])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 3, NOW - timedelta(days=30), NOW + left)
    sans = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    made = builder.add_extension(sans, critical=True).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


OLD = Certificate(
    HOST, "acme", chain(HOST, POLICY, GONE), Sealed("tls/key", "a" * 64), NOW - timedelta(30), NOW + timedelta(60)
)


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ((HOST, POLICY, GONE), True),
        ((HOST, POLICY), True),
        ((HOST,), False),
        ((POLICY, GONE), False),
    ],
    ids=["the same", "without what nobody declares any more", "without a policy's", "without its own"],
)
def test_a_renewed_certificate_has_every_name_that_is_still_declared(names: tuple[str, ...], taken: bool) -> None:
    """A host leaves out what is not declared any more, as its name leads elsewhere by then."""
    found = list(newer(stack(), [OLD], {chain_path(OLD): chain(*names, left=timedelta(90))}))

    assert [c.not_after for c in found] == ([NOW + timedelta(90)] if taken else [])
    assert all((c.key, c.mode, c.number) == (OLD.key, "acme", 0) for c in found)


@pytest.mark.parametrize(
    "lies",
    [
        chain(HOST, POLICY, GONE, left=timedelta(59)),
        chain(HOST, POLICY, GONE, left=timedelta(90), key=OTHER),
        OLD.chain,
        "nothing of the kind",
    ],
    ids=["ends earlier", "another key", "what is known", "no certificate"],
)
def test_anything_else_is_not_taken_over(lies: str) -> None:
    """A provision puts back what was there."""
    assert not list(newer(stack(), [OLD], {chain_path(OLD): lies}))


def test_each_certificate_of_a_host_is_judged_by_itself() -> None:
    """By the path that it lies at; one that is not there says nothing."""
    second = replace(OLD, number=1, chain=chain(POLICY))

    found = list(newer(stack(), [OLD, second], {chain_path(second): chain(POLICY, left=timedelta(90))}))

    assert [c.number for c in found] == [1]
