"""Stage 1: keys and certificates are made and persisted before anything is published or installed."""

from datetime import datetime
from pathlib import Path

from sendwright import certfile, certs, dkim, planning
from sendwright.stack import CertificateFile, InternalCa, Stack
from sendwright.state.folder import StateFolder


def generate_missing(stack: Stack, folder: StateFolder, now: datetime) -> int:
    """Generate and persist every DKIM key that the stack lacks; return how many. StateError, PassphraseError."""
    state = folder.load()
    missing = planning.missing_keys(stack, state.keys)
    taken = {d.name: {k.selector for k in state.keys_of(d.name)} for d in stack.domains}
    for domain, algorithm in missing:
        key, pem = dkim.generate(domain.name, algorithm, now, taken[domain.name], domain.dkim.rsa_bits)
        taken[domain.name].add(key.selector)
        folder.save_key(key, pem)
    return len(missing)


def declared_chains(stack: Stack, base: Path) -> dict[str, str]:
    """Return the chains that lie in the declared files of hosts in ``file`` mode; SecretError if one cannot be read."""
    return {h.name: certfile.read_chain(h.name, h.tls, base) for h in stack.hosts if isinstance(h.tls, CertificateFile)}


def renew_certificates(stack: Stack, folder: StateFolder, base: Path, now: datetime) -> int:
    """Issue and persist every certificate that is due; return how many.

    A certificate of our own keeps its key, so that TLSA records stay true. StateError, PassphraseError, SecretError.
    """
    due = planning.certificates_due(stack, folder.load(), declared_chains(stack, base), now)
    for name in due:
        host = stack.host(name)
        old = folder.load().certificate_of(name)
        kept = folder.open(old.key) if old and old.mode == host.tls.mode != "file" else None
        authority = _authority(folder, now) if isinstance(host.tls, InternalCa) else None
        certificate, pem = certs.issue(host, now, authority, kept, base)
        folder.save_certificate(certificate, pem)
    return len(due)


def _authority(folder: StateFolder, now: datetime) -> certs.Authority:
    found = folder.authority()
    if found is None or certs.authority_due(found.certificate, now):
        found = certs.new_authority(now)
        folder.save_authority(found)
    return found
