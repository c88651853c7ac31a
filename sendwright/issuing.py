"""Stage 1: keys and certificates are made and persisted before anything is published or installed."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sendwright import certfile, certs, dkim, planning, signing
from sendwright.stack import CertificateFile, DkimAlgorithm, Domain, Host, InternalCa, Stack
from sendwright.state.folder import StateFolder


def generate_missing(stack: Stack, folder: StateFolder, now: datetime) -> int:
    """Generate and persist every DKIM key that the stack lacks; return how many. StateError, PassphraseError."""
    missing = planning.missing_keys(stack, folder.load().keys)
    generate(folder, missing, now)
    return len(missing)


def generate(folder: StateFolder, wanted: Iterable[tuple[Domain, DkimAlgorithm]], now: datetime) -> None:
    """Generate and persist a DKIM key for each domain and algorithm. StateError, PassphraseError."""
    of = signing.by_domain(folder.load().keys)
    taken: dict[str, set[str]] = {}
    for domain, algorithm in wanted:
        used = taken.setdefault(domain.name, {k.selector for k in of[domain.name]})
        key, pem = dkim.generate(domain.name, algorithm, now, used, domain.dkim.rsa_bits)
        used.add(key.selector)
        folder.save_key(key, pem)


def declared_chain(host: Host, base: Path) -> str | None:
    """Return the chain in the declared file of a host in ``file`` mode, else None; SecretError or UsageError."""
    return certfile.read_chain(host.name, host.tls, base) if isinstance(host.tls, CertificateFile) else None


def renew_certificate(host: Host, folder: StateFolder, base: Path, now: datetime) -> None:
    """Issue and persist a host's certificate.

    A certificate of our own keeps its key, so that TLSA records stay true. StateError, PassphraseError; in ``file``
    mode SecretError and UsageError.
    """
    old = folder.load().certificate_of(host.name)
    kept = folder.open(old.key) if old and old.mode == host.tls.mode != "file" else None
    authority = _authority(folder, now) if isinstance(host.tls, InternalCa) else None
    certificate, pem = certs.issue(host, now, authority, kept, base)
    folder.save_certificate(certificate, pem)


def _authority(folder: StateFolder, now: datetime) -> certs.Authority:
    found = folder.authority()
    if found is None or certs.authority_due(found.certificate, now):
        found = certs.new_authority(now)
        folder.save_authority(found)
    return found
