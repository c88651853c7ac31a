"""Certificates as authorities of others issue them, for tests of what is taken from elsewhere."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_ISSUER = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])


def signed(pem: bytes, names: Sequence[str], now: datetime, life: timedelta = timedelta(days=90)) -> str:
    """Return a chain for a private key: a certificate with these names, and one of an authority behind it."""
    public = serialization.load_pem_private_key(pem, None).public_key()
    return leaf(public, names, now, life) + _authority(now)


def leaf(key: PublicKeyTypes, names: Sequence[str], now: datetime, life: timedelta = timedelta(days=90)) -> str:
    """Return a certificate of a public key as PEM; without names it has no SAN at all."""
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    builder = (
        x509.CertificateBuilder(_ISSUER, x509.Name([]), key, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + life)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=True)
    made = builder.sign(_signer(), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


@cache
def _signer() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _authority(now: datetime) -> str:
    return leaf(_signer().public_key(), [], now, timedelta(days=3650))
