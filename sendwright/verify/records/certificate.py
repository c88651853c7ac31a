"""What can be read from a certificate that a stranger sent: its names, dates, key and signature. Pure."""

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from sendwright.certparts import STRANGE

# What a stranger's certificate gets wrong is told in findings; a warning of the library would come between them.
warnings.filterwarnings(
    "ignore", category=CryptographyDeprecationWarning, module=r"sendwright\.verify\.(certificate|tlsa)$"
)

_LEAST_RSA = 2048
_LEAST_CURVE = 256
_WEAK = (hashes.MD5, hashes.SHA1)
# ACME clients renew with a third of the lifetime left: at two ninths, renewal is overdue by a third of that time.
_DUE = 2 / 9
_SOON = timedelta(days=21)
_MOST_NAMES = 1000


@dataclass(frozen=True)
class Read:
    """A certificate. ``problem``: why it could not be read, and then everything else is empty.

    ``names``: of its SAN, lower case; ``key``: its key in words, and ``weak_key`` whether it is too weak; ``spki``: its
    public key in DER; ``signature``: the digest that it is signed with, and ``weak_signature``; ``own``: it is
    its own issuer.
    """

    der: bytes
    problem: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: str = ""
    weak_key: bool = False
    spki: bytes = b""
    signature: str = ""
    weak_signature: bool = False
    own: bool = False
    issuer: str = ""

    @property
    def soon(self) -> timedelta:
        """How much time must be left so that nobody has to worry: two ninths of its life, three weeks at most."""
        if self.not_before is None or self.not_after is None:
            return _SOON
        return min(_SOON, (self.not_after - self.not_before) * _DUE)


def read(der: bytes) -> Read:
    """Read a certificate; what is wrong with it is said, and never raised."""
    try:
        found = x509.load_der_x509_certificate(der)
        key = found.public_key()
        words, weak = _strength(key)
        digest = found.signature_hash_algorithm
        return Read(
            der,
            names=_names(found),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
            key=words,
            weak_key=weak,
            spki=_public_key(found.tbs_certificate_bytes),
            signature=digest.name.upper() if digest is not None else "its key's own digest",
            weak_signature=isinstance(digest, _WEAK),
            own=found.issuer == found.subject,
            issuer=_common_name(found.issuer),
        )
    except STRANGE as error:
        return Read(der, problem=f"it cannot be read ({str(error)[:100] or type(error).__name__})")


def first_of(pem: str) -> bytes:
    """Return the first certificate of a chain in PEM form as DER; nothing for a damaged one: nobody serves that."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    except ValueError:
        return b""


def covers(names: tuple[str, ...], name: str) -> bool:
    """Tell whether one of a certificate's names is this one; a wildcard stands for one whole label (RFC 9525, 6.3)."""
    above = name.partition(".")[2]
    return name in names or (bool(above) and f"*.{above}" in names)


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = extension.get_values_for_type(x509.DNSName)[:_MOST_NAMES]
    return tuple(name.lower().removesuffix(".") for name in names)


def _strength(key: CertificatePublicKeyTypes) -> tuple[str, bool]:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA, {key.key_size:,} bits", key.key_size < _LEAST_RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA, {key.curve.name}", key.curve.key_size < _LEAST_CURVE
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448", False
    return f"{type(key).__name__.removesuffix('PublicKey').strip('_')}, which mail servers do not use", True


def _public_key(body: bytes) -> bytes:
    """Return the public key as its certificate writes it: TLSA is about those octets, not about an equal key."""
    place, _ = _element(body, 0)
    # version (if there is one), serial number, algorithm, issuer, validity, subject (RFC 5280, 4.1)
    for _ in range(6 if body[place] == 0xA0 else 5):
        _, place = _element(body, place)
    _, end = _element(body, place)
    return body[place:end]


def _element(body: bytes, place: int) -> tuple[int, int]:
    """Return where the content of the DER element at a place begins, and where it ends."""
    try:
        length, start = body[place + 1], place + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(body[place + 2 : start], "big")
    except IndexError:
        raise ValueError("its body is cut short") from None
    return start, start + length


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME) or name.get_attributes_for_oid(
        x509.NameOID.ORGANIZATION_NAME
    )
    return str(found[0].value)[:100] if found else "nobody"
