"""Certificates for unit tests of ``verify``, made in memory: good ones, and each way to be bad."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NOW = datetime.now(UTC).replace(microsecond=0)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Made:
    """A certificate and its key; ``issuers``: what a server sends after it."""

    certificate: x509.Certificate
    key: Key
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """As it is sent."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """As it is kept in files."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """All that a server sends, as it is sent."""
        return (self.der, *(c.public_bytes(serialization.Encoding.DER) for c in self.issuers))

    @property
    def spki(self) -> bytes:
        """Its public key, as TLSA means it."""
        public = self.certificate.public_key()
        return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def made(
    *names: str,
    issuer: Made | None = None,
    key: Key | None = None,
    begins: timedelta = timedelta(days=-10),
    ends: timedelta = timedelta(days=80),
    authority: bool = False,
    common: str = "a certificate",
) -> Made:
    """Make a certificate, self-signed without an ``issuer``; dates are counted from now."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Made(signed, key, (issuer.certificate, *issuer.issuers) if issuer else ())


def root(common: str = "a root") -> Made:
    """Make an authority."""
    return made(authority=True, common=common, begins=timedelta(days=-1000), ends=timedelta(days=1000))
