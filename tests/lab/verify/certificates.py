"""Certificates for servers that are broken on purpose, and an authority that signs them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
# Of 1,024 bits.
SHORT_PRIME = """\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAPL+OGv3Slhac8Jtzhz90DxVOUeR8fWL2/noI14dA2OaZeuFiLXzz+qP
1S3HoTZfXgBIqryG88d1N1mFk+vkcTonBAW367AXIJ2tDz7/gzh+hZV/O7lhLtwX
VAlli7IP0CeuA/zvFyQ7QWix271xT+RPerruEUxtWwPzqTT+OSz3AgEC
-----END DH PARAMETERS-----
"""
_DAY = timedelta(days=1)
_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class Signed:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        """Key and certificate as Postfix and nginx read them."""
        return self.private + self.public

    @property
    def public(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def private(self) -> str:
        """The key alone."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def curve() -> Key:
    """Make an ordinary key."""
    return ec.generate_private_key(ec.SECP256R1())


def short() -> Key:
    """Make a key that is too short."""
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose


def rsa_key() -> Key:
    """Make an ordinary RSA key."""
    return rsa.generate_private_key(65537, 2048)


def authority() -> Signed:
    """Make an authority."""
    key, name = curve(), _name("The lab's authority")
    made = _builder(name, name, key, datetime.now(UTC) - _DAY, _LIFE)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = made.add_extension(usage, critical=True)
    return Signed(made.sign(key, hashes.SHA256()), key)


def leaf(by: Signed | None, *names: str, key: Key | None = None, ended: timedelta = -_LIFE) -> Signed:
    """Make a server's certificate, signed by its own key without an authority; ``ended``: how long ago it ran out."""
    key = key or curve()
    until = datetime.now(UTC) - ended
    subject = _name(names[0])
    issuer = by.certificate.subject if by else subject
    made = _builder(subject, issuer, key, until - _LIFE - _DAY, _LIFE + _DAY)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    if by:
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        made = made.add_extension(identifier, critical=False)
    return Signed(made.sign(by.key if by else key, hashes.SHA256()), key)


def with_sha1(by: Signed, name: str) -> Signed:
    """Make a certificate that is signed with SHA-1, which `cryptography` refuses to do."""
    good = leaf(by, name)
    old = crypto.X509.from_cryptography(good.certificate)
    old.sign(crypto.PKey.from_cryptography_key(by.key), "sha1")
    return Signed(old.to_cryptography(), good.key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, begins: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
