"""What tests of keys and policies share: a look at records in memory, keys of all sizes, and a declared domain."""

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import dns.message
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sendwright.dns.rdata import txt as quoted
from sendwright.dns.transport import NoAnswer, Question
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage, State
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Fetched, Look
from sendwright.verify.target import Declared, Target
from tests.verify.names import Names, zone

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
# A modulus needs no primes to be read: verifiers find that out when they verify.
ED25519 = base64.b64encode(bytes(range(32))).decode()
Statuses = dict[tuple[str, str], Status]


def look(text: str, pages: Mapping[str, Fetched] | None = None, **more: Any) -> Look:
    """Return a look at the records of a zone file, every name whole, and at pages by their address."""

    def fetch(url: str, limit: int) -> Fetched:
        assert limit > 0
        return (pages or {}).get(url, Fetched(failure="no such page", unreachable=True))

    def nobody(question: Question) -> dns.message.Message:
        raise NoAnswer(question.server)

    return Look(Names(zone(text), **more), nobody, "192.0.2.53", fetch, NOW)


def by_check(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by their check, and the worst of several; every one has its sentences and an identity."""
    found = list(findings)
    assert len({f.identity for f in found}) == len(found)
    for finding in found:
        assert finding.seen
        assert len(finding.seen) < 1000
        assert bool(finding.advice) is (finding.status in {"fail", "warn"}) or finding.status == "unknown", finding
    order = [Status.PASS, Status.UNKNOWN, Status.WARN, Status.FAIL]
    return {f.check.partition(".")[2]: f for f in sorted(found, key=lambda f: order.index(f.status))}


def rsa_key(bits: int = 2048, exponent: int = 65537, *, bare: bool = False) -> str:
    """Return a public key in base64: as SubjectPublicKeyInfo, or as the RSAPublicKey alone."""
    return base64.b64encode(_rsa(bits, exponent, bare)).decode()


@cache
def _rsa(bits: int, exponent: int, bare: bool) -> bytes:
    numbers = _integer((1 << (bits - 1)) + 12345) + _integer(exponent)
    key = _element(0x30, numbers)
    if bare:
        return key
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return _element(0x30, algorithm + _element(0x03, b"\0" + key))


def real_key(bits: int) -> str:
    """Return a public key that a library made, in base64."""
    public = rsa.generate_private_key(65537, bits).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(public.public_bytes(serialization.Encoding.DER, form)).decode()


def _integer(number: int) -> bytes:
    return _element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _element(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def txt(name: str, *values: str) -> str:
    """Return a name's TXT records as lines of a zone file, each value in strings of at most 255 octets."""
    lines = []
    for value in values:
        octets = value.encode("latin-1")
        strings = [octets[i : i + 255] for i in range(0, len(octets), 255)] or [b""]
        lines.append(f"{name}. IN TXT {' '.join(map(quoted, strings))}")
    return "\n".join(lines) + "\n"


def key(selector: str = "r1", stage: KeyStage = KeyStage.SIGNING, **more: Any) -> DkimKey:
    """Return a story of an RSA key of example.com."""
    public = more.pop("public", rsa_key())
    return DkimKey("example.com", selector, DkimAlgorithm.RSA, public, "0" * 64, NOW, stage, **more)


def declared(*keys: DkimKey, claims: Iterable[Claim] = (), selectors: tuple[str, ...] = (), **domain: Any) -> Target:
    """Return example.com as an inventory declares it, sent by one host, with the stories of its keys."""
    host = {"name": "mx1.example.com", "ssh": {"hostname": "mx1.example.com"}, "egress": [{"public": "192.0.2.10"}]}
    data = {"hosts": [host], "domains": [{"name": "example.com", "dns": "main", **domain}]}
    stack = Stack.model_validate(data)
    state = State(keys=keys, claims=tuple(claims))
    return Target("example.com", selectors, Declared(stack, state, stack.domains[0]))
