"""TLS certificates for hosts: self-signed, from an internal authority, taken from files, or from an ACME authority.

Pure given the time, but for the library's randomness; ``issue`` in ``file`` mode reads the files (RFC 5280, RFC 6125).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from sendwright import certfile, certparts, foreign_chains
from sendwright.errors import AuthorityError, StateError
from sendwright.renewal import Held
from sendwright.service import Sealed
from sendwright.stack import AcmeTls, CertificateFile, Host, InternalCa
from sendwright.state import layout
from sendwright.state.model import Certificate

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
    key = certparts.generate("ecdsa")
    # A name of its own for each: clients that trust two of them must be able to tell them apart.
    mark = hashlib.sha256(certparts.spki(key.public_key())).hexdigest()[:8]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sendwright internal authority {mark}")])
    begun = (
        certparts.builder(name, name, key.public_key(), now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(certparts.usage(signs_certificates=True), critical=True)
    )
    return Authority(certparts.pem(certparts.sign(begun, key)), certparts.key_pem(key))


def issue(
    host: Host,
    now: datetime,
    authority: Authority | None = None,
    existing_key: bytes | None = None,
    base: Path = Path(),
) -> tuple[Certificate, bytes]:
    """Make the certificate that a host declares; return it and its private key as unencrypted PKCS#8 PEM.

    In ``acme`` mode it is the self-signed one that a host starts with.

    Arguments: ``authority``: needed in ``internal-ca`` mode, ValueError without; ``existing_key``: the PEM of a
    key to keep, so that TLSA records stay true; ``base``: where relative paths of ``file`` mode start. In that mode
    raises SecretError for files that cannot be read and UsageError for ones that do not fit the host.
    """
    if isinstance(host.tls, CertificateFile):
        chain, pem = certfile.read(host.name, host.tls, now, base)
        return _certificate(host, chain, pem), pem
    key = certparts.kept(existing_key) or certparts.generate(kind_wanted(host))
    life = timedelta(days=_UNTIL_ACME if isinstance(host.tls, AcmeTls) else host.tls.days)
    if not isinstance(host.tls, InternalCa):
        subject = certparts.subject(host.name)
        made = certparts.sign(
            certparts.leaf(certparts.builder(subject, subject, key.public_key(), now, life), host.name), key
        )
    elif authority is None:
        raise ValueError("internal-ca needs an authority")
    else:
        made = _signed_leaf(host.name, key.public_key(), now, life, authority)
    pem = certparts.key_pem(key)
    return _certificate(host, certparts.pem(made), pem), pem


def _signed_leaf(
    host: str, public: certparts.PublicKey, now: datetime, life: timedelta, authority: Authority
) -> x509.Certificate:
    signer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = certparts.kept(authority.key_pem)
    if key is None:
        raise ValueError("the authority's key is of no known kind")
    life = min(life, signer.not_valid_after_utc - now)
    identifier = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    from_signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    begun = certparts.leaf(certparts.builder(certparts.subject(host), signer.subject, public, now, life), host)
    return certparts.sign(begun.add_extension(from_signer, critical=False), key)


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
    if isinstance(host.tls, AcmeTls):
        return _start_due(certificate, host, now)
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


def _start_due(certificate: Certificate, host: Host, now: datetime) -> str | None:
    """Return why a host in acme mode needs a certificate of its own, until the authority's is there, or None.

    Whatever it had before serves on as long as it is good; the authority's is renewed by the authority alone.
    """
    if certificate.mode == "acme":
        return None
    leaf = _parsed(certificate.chain)
    if leaf is None or not certfile.covers(leaf, host.name):
        return f"it does not name {host.name}"
    if certificate.mode == "self-signed":
        return _ending(leaf, now)
    return None if now < leaf.not_valid_after_utc else f"it ended on {leaf.not_valid_after_utc:%Y-%m-%d}"


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
    except certparts.STRANGE:
        return None


def _certificate(host: Host, chain: str, pem: bytes) -> Certificate:
    leaf = x509.load_pem_x509_certificate(chain.encode())
    # What a host in acme mode begins with is none of the authority's.
    mode = "self-signed" if isinstance(host.tls, AcmeTls) else host.tls.mode
    key = layout.tls_key(host.name, pem)
    return Certificate(host.name, mode, chain, key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def new_key(kind: str) -> bytes:
    """Return a new private key as unencrypted PKCS#8 PEM: ``ecdsa`` (P-256) or ``rsa`` (2048 bits)."""
    return certparts.key_pem(certparts.generate(kind))


def kind_wanted(host: Host) -> Literal["ecdsa", "rsa"]:
    """Return the kind of key that a host declares."""
    return host.tls.key if isinstance(host.tls, AcmeTls) else "ecdsa"


def csr(key_pem: bytes, names: Sequence[str]) -> bytes:
    """Return a certificate signing request in PEM; its names stand in the SAN alone, as authorities want it today.

    Two requests for the same differ: an ECDSA signature is random. ValueError when ``key_pem`` is no unencrypted PEM.
    """
    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, certparts.PrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("a key of no known kind")  # noqa: TRY004 - a mistake in a file, not in a program
    begun = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    # A key of a kind that no authority takes is for the authority to refuse.
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = begun.add_extension(certparts.alternative(names), critical=False).sign(key, algorithm)
    return made.public_bytes(serialization.Encoding.PEM)


def kind_of(pem: str | bytes) -> str:
    """Return the kind of key of a chain or of an unencrypted private key: ``ecdsa``, ``rsa`` or ``other``.

    ValueError for PEM text that is neither.
    """
    data = pem.encode() if isinstance(pem, str) else pem
    if b"PRIVATE KEY-----" in data:
        return foreign_chains.kind(serialization.load_pem_private_key(data, None))
    return foreign_chains.kind(x509.load_pem_x509_certificate(data).public_key())


def held(certificate: Certificate) -> Held:
    """Return a certificate as renewals judge it; StateError for a damaged one."""
    try:
        leaf = foreign_chains.read(certificate.chain)
    except foreign_chains.Unusable as error:
        raise StateError(
            f"the certificate of {certificate.host} in the state folder {error}.", "Restore it from git or a backup."
        ) from None
    return Held(
        *(leaf.spki, leaf.kind, certificate.mode, leaf.names, leaf.not_before, leaf.not_after), certificate.issuer
    )


def from_chain(
    host: str,
    chain: str,
    key: Sealed,
    spki: str,
    names: Collection[str],
    *,
    mode: str = "acme",
    number: int = 0,
    issuer: str | None = None,
) -> Certificate:
    """Make a certificate of a chain that came from elsewhere, whatever is in it.

    Arguments: ``key``: the key that it was ordered for, and ``spki`` the digest of its public part (``tlsa``);
    ``names``: what it was ordered to name. Raises AuthorityError for anything else, in one sentence.
    """
    try:
        leaf = foreign_chains.wanted(chain, spki, names)
    except foreign_chains.Unusable as error:
        raise AuthorityError(host, f"what came as its certificate {error}.", "The one that it has stays.") from None
    return Certificate(host, mode, leaf.chain, key, leaf.not_before, leaf.not_after, number, issuer)
