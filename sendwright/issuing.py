"""Stage 1: keys and certificates are made and persisted before anything is published or installed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sendwright import certfile, certs, dkim, planning, signing, tlsa
from sendwright.errors import StateError
from sendwright.service import Sealed
from sendwright.stack import AcmeTls, CertificateFile, DkimAlgorithm, Domain, Host, InternalCa, Stack
from sendwright.state import layout
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate, DkimKey, NextKey, State

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
    """Issue and persist a host's certificate; in ``acme`` mode the one that it starts with.

    It keeps the key that the host had, so that TLSA records stay true, unless somebody else made that. StateError,
    PassphraseError; in ``file`` mode SecretError and UsageError.
    """
    authority = _authority(folder, now) if isinstance(host.tls, InternalCa) else None
    certificate, pem = certs.issue(host, now, authority, _kept(host, folder), base)
    folder.save_certificate(certificate, pem)
    if not isinstance(host.tls, AcmeTls):
        # Those are for policies, which only hosts with an authority's certificates serve.
        folder.forget_certificates(host.name, (c.number for c in folder.certificates() if c.host == host.name))


def first(host: Host, folder: StateFolder, now: datetime) -> Certificate:
    """Issue and persist the self-signed certificate that a host in ``acme`` mode starts with; it keeps a key."""
    certificate, pem = certs.issue(host, now, None, _kept(host, folder))
    folder.save_certificate(certificate, pem)
    return certificate


def _kept(host: Host, folder: StateFolder) -> bytes | None:
    if isinstance(host.tls, CertificateFile):
        return None
    old = _of(folder, host.name)
    if old is None:
        return folder.untold_key(host.name)
    # A key from a file is on other machines, too. Senders that know it by TLSA would refuse any other, though.
    return folder.open(old.key) if old.mode != "file" or host.dane else None


@dataclass(frozen=True)
class Issued:
    """What an authority issued: the certificate ``number`` of a host, for ``names``; ``chain``: PEM, leaf first."""

    number: int
    names: tuple[str, ...]
    chain: str


def make_next(host: Host, folder: StateFolder, now: datetime) -> NextKey:
    """Return the key that a host's certificates will have next; made and persisted unless there is one of its kind."""
    kind = certs.kind_wanted(host)
    there = next((k for k in folder.next_keys() if k.host == host.name), None)
    if there is not None and there.kind == kind:
        return there
    pem = certs.new_key(kind)
    made = NextKey(host.name, layout.tls_key(host.name, pem), tlsa.spki_of_key(pem), now, None, kind)
    folder.save_next_key(made, pem)
    return made


def take(host: str, issued: Sequence[Issued], folder: StateFolder, issuer: str) -> tuple[Certificate, ...]:
    """Persist certificates that an authority issued for a host's present key, all at once.

    Arguments: ``issuer``: the URL of its directory. Raises AuthorityError for chains that are not what was ordered, and
    StateError.
    """
    old = _of(folder, host)
    if old is None:
        raise StateError(f"{host} has no key in the state folder any more.", "Restore the folder, then run again.")
    return _take(host, issued, folder, issuer, old.key, tlsa.spki_of_chain(old.chain))


def promote(host: str, issued: Sequence[Issued], folder: StateFolder, issuer: str) -> tuple[Certificate, ...]:
    """Persist certificates that an authority issued for a host's next key, which is its present one from then on.

    All at once: a kill leaves the old key with its certificates, or the new one with these. Certificates of the host
    that are not among ``issued`` go, because they are of the old key. Raises as ``take`` does.
    """
    coming = next((k for k in folder.next_keys() if k.host == host), None)
    if coming is None:
        raise StateError(f"the next key of {host} is not in the state folder any more.", "Run again.")
    return _take(host, issued, folder, issuer, coming.key, coming.spki)


def renew_with_next(host: Host, folder: StateFolder, base: Path, now: datetime) -> Certificate:
    """Issue and persist a host's certificate with its next key, where we issue ourselves; as ``promote`` does."""
    coming = next(k for k in folder.next_keys() if k.host == host.name)
    authority = _authority(folder, now) if isinstance(host.tls, InternalCa) else None
    made, _ = certs.issue(host, now, authority, folder.open(coming.key), base)
    certificate = replace(made, key=coming.key)
    folder.save_certificates((certificate,))
    return certificate


def _take(
    host: str, issued: Sequence[Issued], folder: StateFolder, issuer: str, key: Sealed, spki: str
) -> tuple[Certificate, ...]:
    made = tuple(certs.from_chain(host, i.chain, key, spki, i.names, number=i.number, issuer=issuer) for i in issued)
    folder.save_certificates(made)
    for one in made:
        folder.forget_order(host, one.number)
    return made


def _of(folder: StateFolder, host: str) -> Certificate | None:
    return next((c for c in folder.certificates() if c.host == host and c.number == 0), None)


def _authority(folder: StateFolder, now: datetime) -> certs.Authority:
    found = folder.authority()
    if found is None or certs.authority_due(found.certificate, now):
        found = certs.new_authority(now)
        folder.save_authority(found)
    return found
