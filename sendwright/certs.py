"""TLS certificates for hosts: self-signed, from an internal authority, or taken from files (RFC 5280, RFC 6125).

Pure given the time, but for the library's randomness; ``issue`` in ``file`` mode reads the files.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sendwright import certfile
from sendwright.service import Sealed
from sendwright.stack import AcmeTls, CertificateFile, Host, InternalCa
from sendwright.state import seal
from sendwright.state.model import Certificate

# Clocks of receivers and of fresh virtual machines run behind.
_BACKDATE = timedelta(hours=1)
_AUTHORITY_LIFE = timedelta(days=3650)
# What a host starts with, until the authority has looked at it.
_UNTIL_ACME = 90


@dataclass(frozen=True)
class Authority:
    """An internal authority, opened: its certificate as PEM text and its private key, which no repr shows."""

    certificate: str
    key_pem: bytes = field(repr=False)


def new_authority(now: datetime) -> Authority:
    """Make an authority for ten years that can sign hosts' certificates and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each: clients that trust two of them must be able to tell them apart.
    mark = hashlib.sha256(_spki(key.public_key())).hexdigest()[:8]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sendwright internal authority {mark}")])
    builder = (
        _builder(name, name, key.public_key(), now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return Authority(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def issue(
    host: Host,
    now: datetime,
    authority: Authority | None = None,
    existing_key: bytes | None = None,
    base: Path = Path(),
) -> tuple[Certificate, bytes]:
    """Make the certificate that a host declares; return it and its private key as unencrypted PKCS#8 PEM.

    Arguments: ``authority``: needed in ``internal-ca`` mode, ValueError without; ``existing_key``: the PEM of an ECDSA
    key to keep, so that TLSA records stay true; ``base``: where relative paths of ``file`` mode start. In that mode
    raises SecretError for files that cannot be read and UsageError for ones that do not fit the host.
    """
    if isinstance(host.tls, CertificateFile):
        chain, pem = certfile.read(host.name, host.tls, now, base)
        return _certificate(host, chain, pem), pem
    key = _kept(existing_key) or ec.generate_private_key(ec.SECP256R1())
    life = timedelta(days=_UNTIL_ACME if isinstance(host.tls, AcmeTls) else host.tls.days)
    if not isinstance(host.tls, InternalCa):
        subject = _subject(host.name)
        made = _leaf(_builder(subject, subject, key.public_key(), now, life), host.name).sign(key, hashes.SHA256())
    elif authority is None:
        raise ValueError("internal-ca needs an authority")
    else:
        made = _signed_leaf(host.name, key.public_key(), now, life, authority)
    pem = _key_pem(key)
    return _certificate(host, _pem(made), pem), pem


def _signed_leaf(
    host: str, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta, authority: Authority
) -> x509.Certificate:
    signer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = _kept(authority.key_pem)
    if key is None:
        raise ValueError("the authority's key is no ECDSA key")
    life = min(life, signer.not_valid_after_utc - now)
    identifier = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    from_signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = _leaf(_builder(_subject(host), signer.subject, public, now, life), host)
    return builder.add_extension(from_signer, critical=False).sign(key, hashes.SHA256())


def due(
    certificate: Certificate | None,
    host: Host,
    now: datetime,
    authority: str | None = None,
    declared_chain: str | None = None,
) -> str | None:
    """Return why a host needs a new certificate, or None.

    Arguments: ``authority``: the internal authority's certificate, as ``State.authority`` holds it; ``declared_chain``:
    in ``file`` mode the chain that lies in the declared file now (``certfile.read_chain``).
    """
    if certificate is None:
        return "there is none yet"
    if certificate.mode != host.tls.mode:
        return f"the inventory says {host.tls.mode}, it is {certificate.mode}"
    leaf = _parsed(certificate.chain)
    if leaf is None or not certfile.covers(leaf, host.name):
        return f"it does not name {host.name}"
    if isinstance(host.tls, CertificateFile):
        # Somebody else renews it: only another file is a reason.
        changed = declared_chain is not None and certfile.normal(declared_chain) != certificate.chain
        return "the declared file holds another one" if changed else None
    other = isinstance(host.tls, InternalCa) and authority is not None and not _signed_by(leaf, authority)
    return "it is from another authority" if other else _ending(leaf, now)


def authority_due(authority: str | None, now: datetime) -> str | None:
    """Return why a new internal authority is needed, or None; ``authority`` is its certificate as PEM text."""
    if authority is None:
        return "there is none yet"
    found = _parsed(authority)
    return "it is damaged" if found is None else _ending(found, now)


def _ending(found: x509.Certificate, now: datetime) -> str | None:
    left = found.not_valid_after_utc - now
    if left >= (found.not_valid_after_utc - found.not_valid_before_utc) / 3:
        return None
    return f"it ends on {found.not_valid_after_utc:%Y-%m-%d}, less than a third of its life is left"


def _signed_by(leaf: x509.Certificate, authority: str) -> bool:
    found = _parsed(authority)
    if found is None:
        return False
    try:
        leaf.verify_directly_issued_by(found)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _parsed(pem: str) -> x509.Certificate | None:
    # The state folder travels through git: what is in it may be anything.
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
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


def _leaf(builder: x509.CertificateBuilder, host: str) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    # An ECDSA key in TLS only signs; RFC 5280 section 4.2.1.3 has the rest for RSA and for authorities.
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


def _subject(host: str) -> x509.Name:
    # A common name holds 64 characters at most; nobody reads it since RFC 6125, but an issuer's name must not be empty.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host if len(host) <= 64 else host[-64:].lstrip(".-"))])


def _certificate(host: Host, chain: str, pem: bytes) -> Certificate:
    leaf = x509.load_pem_x509_certificate(chain.encode())
    key = Sealed(f"tls/{host.name}.key", seal.digest(pem))
    return Certificate(host.name, host.tls.mode, chain, key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _kept(pem: bytes | None) -> ec.EllipticCurvePrivateKey | None:
    """Return the key to keep, or None: one of another kind is from a time when the inventory said something else."""
    key = serialization.load_pem_private_key(pem, None) if pem else None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
