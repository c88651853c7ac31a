"""DKIM keys: made, named, and as the record that tells of them (RFC 6376, RFC 8301, RFC 8463)."""

import base64
import hashlib
import itertools
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from sendwright.delegated import free, slots
from sendwright.stack import DkimAlgorithm, Domain
from sendwright.state import seal
from sendwright.state.model import DkimKey, KeyStage

_PREFIX = {DkimAlgorithm.RSA: "r", DkimAlgorithm.ED25519: "e"}
Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_REVOKED = frozenset({KeyStage.REVOKED, KeyStage.REMOVED})


@dataclass(frozen=True)
class Place:
    """Where a new key is published: its selector, and the name that verifiers are led to if that is an alias."""

    selector: str
    target: str | None = None


def place(
    domain: Domain, algorithm: DkimAlgorithm, now: datetime, keys: Iterable[DkimKey], standing: Container[str] = ()
) -> Place | None:
    """Return where a domain's next key is published; None: its selectors are fixed, and each is in use yet.

    Arguments: ``keys``: all stories of the domain; ``standing``: names of records of ours that may stand.
    """
    keys = tuple(keys)
    if domain.dkim.delegate_to is None:
        return Place(selector(algorithm, now, {key.selector for key in keys}))
    slot = free(slots(domain, algorithm, keys, standing), now)
    return Place(slot.selector, slot.target) if slot else None


def generate(
    domain: str,
    algorithm: DkimAlgorithm,
    now: datetime,
    taken: Collection[str] = (),
    rsa_bits: int = 2048,
    place: Place | None = None,
) -> tuple[DkimKey, bytes]:
    """Make a key; return its story and its private part as unencrypted PKCS#8 PEM, the form that OpenDKIM reads.

    Arguments: ``taken``: selectors that the domain has or had; ``rsa_bits``: at least 2048, as RFC 8301 section 3.2
    asks of signers; ``place``: where it is published, if that is decided already. Raises ValueError for fewer bits.
    """
    if rsa_bits < 2048:
        raise ValueError("RSA keys of fewer than 2048 bits are not made (RFC 8301 section 3.2)")
    private = (
        rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        if algorithm is DkimAlgorithm.RSA
        else ed25519.Ed25519PrivateKey.generate()
    )
    return story(domain, place or Place(selector(algorithm, now, taken)), private, now)


def story(domain: str, place: Place, private: Private, now: datetime) -> tuple[DkimKey, bytes]:
    """Return the story of a key that begins ``now``, and its private part as unencrypted PKCS#8 PEM."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = DkimKey(
        domain=domain,
        selector=place.selector,
        algorithm=DkimAlgorithm.RSA if isinstance(private, rsa.RSAPrivateKey) else DkimAlgorithm.ED25519,
        public=base64.b64encode(_public(private)).decode(),
        pem_sha256=hashlib.sha256(pem).hexdigest(),
        created=now,
        target=place.target,
    )
    return key, pem


def of_private(domain: str, selector: str, pem: bytes, created: datetime) -> tuple[DkimKey, bytes]:
    """Return the story of a private key that lay elsewhere, and the key as hosts get it; ValueError if it is none.

    Errors never hold a part of the key.
    """
    private = serialization.load_pem_private_key(seal.plain_form(pem), None)
    if not isinstance(private, Private):
        raise ValueError("neither an RSA nor an Ed25519 key")  # noqa: TRY004 - like what cannot be read
    return story(domain, Place(selector), private, created)


def bits(key: DkimKey) -> int | None:
    """Return the size of a key, None if its public part cannot be read."""
    if key.algorithm is DkimAlgorithm.ED25519:
        return 256
    try:
        public = serialization.load_der_public_key(base64.b64decode(key.public))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public.key_size if isinstance(public, rsa.RSAPublicKey) else None


def selector(algorithm: DkimAlgorithm, now: datetime, taken: Collection[str]) -> str:
    """Return a new selector, as in ``r202611``: the algorithm, the month, and a letter when there was one already."""
    month = f"{_PREFIX[algorithm]}{now.astimezone(UTC):%Y%m}"
    return next(name for suffix in _suffixes() if (name := month + suffix) not in taken)


def record_text(key: DkimKey) -> str:
    """Return the value of a key's TXT record (RFC 6376 section 3.6.1); revoked keys have an empty ``p=``.

    The private part of a revoked key may stand in its notes (``n=``), for everybody to forge with.
    """
    if key.stage not in _REVOKED:
        return live_text(key)
    notes = f"n={key.disclosed}; " if key.disclosed else ""
    return f"v=DKIM1; k={key.algorithm}; h=sha256; {notes}p="


def live_text(key: DkimKey) -> str:
    """Return the value of a key's TXT record while mail is verified with it, whatever its story says.

    ``h=sha256`` because RFC 8301 section 3.1 ended SHA-1. Strings of 255 octets are made where it is written to DNS.
    """
    return f"v=DKIM1; k={key.algorithm}; h=sha256; p={key.public}"


def disclosure(pem: bytes) -> str:
    """Return a private key as it is published after its revocation: PKCS #8 in base64url without padding."""
    private = serialization.load_pem_private_key(pem, None)
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return base64.urlsafe_b64encode(der).decode().rstrip("=")


def _public(private: Private) -> bytes:
    if isinstance(private, rsa.RSAPrivateKey):
        return private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    # RFC 8463 section 4: the 32 bytes themselves, without the ASN.1 around them.
    return private.public_key().public_bytes_raw()


def _suffixes() -> Iterator[str]:
    letters = "bcdefghijklmnopqrstuvwxyz"
    return itertools.chain(("",), letters, (f"{first}{second}" for first in letters for second in letters))
