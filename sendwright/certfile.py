"""Certificates that somebody else renews: chain and key read from where the inventory says, and checked."""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sendwright import secrets
from sendwright.certparts import STRANGE
from sendwright.declared import FileSecret
from sendwright.errors import UsageError
from sendwright.stack import CertificateFile
from sendwright.state import seal


def read(host: str, tls: CertificateFile, now: datetime, base: Path) -> tuple[str, bytes]:
    """Return a host's chain (PEM, leaf first) and its private key (unencrypted PKCS#8 PEM).

    Raises SecretError when either cannot be read, UsageError when they do not belong together, do not name the host, or
    are not valid now.
    """
    chain = read_chain(host, tls, base)
    leaf = x509.load_pem_x509_certificate(chain.encode())
    try:
        pem = seal.plain_form(secrets.resolve(tls.key, base, f"the TLS key of {host}").encode())
    except ValueError:
        raise UsageError(f"{host}: the declared TLS key is no unencrypted private key in PEM.") from None
    if _public(serialization.load_pem_private_key(pem, None).public_key()) != _public(leaf.public_key()):
        raise UsageError(f"{host}: {tls.certificate} is not the certificate of the declared key.", "Name a pair.")
    if not covers(leaf, host):
        raise UsageError(f"{host}: {tls.certificate} does not name this host.", "It needs it as a DNS name in its SAN.")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        when = f"from {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
        raise UsageError(f"{host}: {tls.certificate} is valid {when}, not now.", "Renew it first.")
    return chain, pem


def read_chain(host: str, tls: CertificateFile, base: Path) -> str:
    """Return the chain in the declared file in its normal form; SecretError or UsageError when there is none."""
    text = secrets.resolve(FileSecret(file=tls.certificate), base, f"the certificate of {host}")
    try:
        return normal(text)
    except ValueError:
        raise UsageError(
            f"{host}: {tls.certificate} holds no certificate in PEM.", "Leaf first, then its issuers."
        ) from None


def normal(chain: str) -> str:
    """Return a chain as PEM without anything around it; ValueError when it is none."""
    try:
        found = x509.load_pem_x509_certificates(chain.encode())
    except STRANGE as error:
        raise ValueError(str(error)) from None
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode("ascii") for c in found)


def covers(leaf: x509.Certificate, host: str) -> bool:
    """Tell whether a certificate names a host (RFC 6125 section 6.4.3: a wildcard stands for one whole label)."""
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    names = {name.lower() for name in alternative.get_values_for_type(x509.DNSName)}
    return host in names or f"*.{host.partition('.')[2]}" in names


def _public(key: object) -> bytes:
    encode = key.public_bytes  # type: ignore[attr-defined]  # every kind of key has it, no common type says so
    return bytes(encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
