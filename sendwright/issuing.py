"""Stage 1: keys and certificates are made and persisted before anything is published or installed."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sendwright import certfile, certs, dkim, planning, signing
from sendwright.stack import CertificateFile, DkimAlgorithm, Domain, Host, InternalCa, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, State

# While some keys are flushed to the disk, others are computed.
_AT_ONCE = (os.cpu_count() or 1) + 2
_PROGRESS = 100


def generate_missing(
    stack: Stack, folder: StateFolder, now: datetime, report: Callable[[str], None] = lambda _: None
) -> int:
    """Generate and persist every DKIM key that the stack lacks; return how many. See ``generate``."""
    return len(generate(folder, planning.missing_keys(stack, folder.load().keys), now, report))


def generate(
    folder: StateFolder,
    wanted: Iterable[tuple[Domain, DkimAlgorithm]],
    now: datetime,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[DkimKey, ...]:
    """Generate and persist a DKIM key for each domain and algorithm; return their stories in that order.

    A domain whose fixed selectors are all in use gets none. Several are made at a time, because an RSA key takes long.
    Each is persisted as soon as it is made: a run that is stopped has lost none. ``report`` gets a line for every
    hundred keys. Raises StateError, PassphraseError.
    """
    orders = tuple(_orders(wanted, folder.load(), now))

    def make(order: _Order) -> DkimKey:
        domain = order.domain
        key, pem = dkim.generate(domain.name, order.algorithm, now, rsa_bits=domain.dkim.rsa_bits, place=order.place)
        folder.save_key(key, pem)
        return key

    made = []
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for key in pool.map(make, orders):
            made.append(key)
            if len(made) % _PROGRESS == 0:
                report(f"{len(made)} of {len(orders)} DKIM keys are made")
    finally:
        # Ctrl-C, or a folder that cannot be written: what has not begun is left for the next run.
        pool.shutdown(cancel_futures=True)
    return tuple(made)


@dataclass(frozen=True)
class _Order:
    domain: Domain
    algorithm: DkimAlgorithm
    place: dkim.Place


def _orders(wanted: Iterable[tuple[Domain, DkimAlgorithm]], state: State, now: datetime) -> Iterator[_Order]:
    """Decide where each key goes before the first is made: several may be of the same domain."""
    of, standing = {**signing.by_domain(state.keys)}, state.standing
    for domain, algorithm in wanted:
        taken = of.get(domain.name, ())
        if place := dkim.place(domain, algorithm, now, taken, standing):
            coming = DkimKey(domain.name, place.selector, algorithm, "", "", now, target=place.target)
            of[domain.name] = (*taken, coming)
            yield _Order(domain, algorithm, place)


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
