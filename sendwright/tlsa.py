"""TLSA records of hosts: which keys senders are told of (RFC 6698, RFC 7672). Pure.

Always ``3 1 1``: the key itself, whatever certificate is around it. A renewal that keeps its key needs no new record.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sendwright.stack import Host
from sendwright.state.model import State


@dataclass(frozen=True)
class TlsFacts:
    """What records rest on besides the declaration and the DKIM keys.

    ``keys``: the digests of the public keys that a host has and will have, by host; ``secure``: hosts whose names
    lie in zones that a validating resolver vouches for, or that have TLSA records of ours already; ``policies``: the
    ``id`` of the policy that a domain's hosts serve, or will (``sts.policy_id``), by domain.
    """

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secure: frozenset[str] = frozenset()
    policies: Mapping[str, str] = field(default_factory=dict)


NO_TLS = TlsFacts()


@lru_cache(maxsize=4096)
def spki_of_chain(chain: str) -> str:
    """Return the SHA-256 digest, in hexadecimal, of the public key of a chain's first certificate (RFC 6698 2.1.2).

    Arguments: ``chain``: PEM text. ValueError when it holds no certificate.
    """
    return _digest(x509.load_pem_x509_certificate(chain.encode()).public_key())


def spki_of_key(pem: bytes) -> str:
    """Return the same of a private key in unencrypted PEM; ValueError when it is none."""
    return _digest(serialization.load_pem_private_key(pem, None).public_key())


def value(spki: str) -> str:
    """Return the record data for a key, in canonical master-file text."""
    return f"3 1 1 {spki}"


def name(host: str, port: int) -> str:
    """Return the name of a service's TLSA record (RFC 6698 section 3)."""
    return f"_{port}._tcp.{host}"


def keys_of(hosts: Iterable[Host], state: State) -> dict[str, tuple[str, ...]]:
    """Return the digests of the keys that hosts have and will have; none for a host without a certificate."""
    found: dict[str, tuple[str, ...]] = {}
    for host in hosts:
        certificate, coming = state.certificate_of(host.name), state.next_of(host.name)
        if certificate is not None:
            found[host.name] = (spki_of_chain(certificate.chain), *([coming.spki] if coming else []))
    return found


def _digest(key: object) -> str:
    encode = key.public_bytes  # type: ignore[attr-defined]  # every kind of key has it, no common type says so
    spki = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()
