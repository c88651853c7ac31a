"""What certificates and requests are put together from (RFC 5280). Pure but for the library's randomness."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# Clocks of receivers and of fresh virtual machines run behind.
_BACKDATE = timedelta(hours=1)
# What every sender takes and authorities sign; 112 bits of strength (NIST SP 800-57).
_RSA_BITS = 2048

#: All that the library raises for certificates that nobody should have signed.
STRANGE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def generate(kind: str) -> PrivateKey:
    """Return a new private key: ``ecdsa`` on P-256, or ``rsa``."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, _RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def kept(pem: bytes | None) -> PrivateKey | None:
    """Return the key that is to be kept, or None; one that is neither ECDSA nor RSA is not."""
    key = serialization.load_pem_private_key(pem, None) if pem else None
    return key if isinstance(key, PrivateKey) else None


def key_pem(key: PrivateKey) -> bytes:
    """Return a private key as it is installed: unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def spki(key: PublicKey) -> bytes:
    """Return a public key in DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def builder(
    subject: x509.Name, issuer: x509.Name, public: PublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    """Return what every certificate of ours has."""
    # Certificates count in seconds.
    now = now.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def leaf(begun: x509.CertificateBuilder, host: str) -> x509.CertificateBuilder:
    """Add what a server's certificate has."""
    return (
        begun.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternative([host]), critical=False)
    )


def alternative(names: Sequence[str]) -> x509.SubjectAlternativeName:
    """Return the names that a certificate holds."""
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key is for: in TLS it only signs; RFC 5280 section 4.2.1.3 has the rest for authorities."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def subject(host: str) -> x509.Name:
    """Return a host's name as a subject.

    A common name holds 64 characters at most; nobody reads it since RFC 6125, but an issuer's name must not be empty.
    """
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host if len(host) <= 64 else host[-64:].lstrip(".-"))])


def sign(begun: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    """Return the certificate, signed."""
    return begun.sign(key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
