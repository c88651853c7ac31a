"""What hosts hold of the certificates of a lost state folder: keys above all, which TLSA records may tell of. Pure.

A new key in the place of one that senders know would have them keep their mail back (RFC 7672 section 2.2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509

from sendwright import foreign_chains, tlsa
from sendwright.acme import directories
from sendwright.deploys.remains import HeldTls, Remains
from sendwright.stack import AcmeTls, CertificateFile, Host, Stack
from sendwright.state import layout
from sendwright.state.model import Certificate


@dataclass(frozen=True)
class FoundTls:
    """What one host shows: its certificates, all of one key. ``pem``: that key."""

    host: str
    certificates: tuple[Certificate, ...]
    pem: bytes = field(repr=False)


def found(
    stack: Stack, remains: Mapping[str, Remains], known: Iterable[str]
) -> tuple[tuple[FoundTls, ...], tuple[str, ...]]:
    """Return what hosts hold and the folder does not, and a sentence for each that cannot be recovered.

    Arguments: ``remains``: what hosts hold, by name; ``known``: hosts whose certificates the folder has.
    """
    there, good, alone = set(known), [], []
    for host in stack.hosts:
        held = remains[host.name].tls if host.name in remains else None
        # What lies in a file of somebody's is read from there again.
        if held is None or host.name in there or isinstance(host.tls, CertificateFile):
            continue
        try:
            good.append(_of(stack, host, held))
        except ValueError:
            alone.append(f"The TLS key on {host.name} cannot be read, or its certificate is of another one.")
    return tuple(good), tuple(alone)


def _of(stack: Stack, host: Host, held: HeldTls) -> FoundTls:
    spki, key = tlsa.spki_of_key(held.pem), layout.tls_key(host.name, held.pem)
    certificates = []
    for number, chain in sorted(held.chains.items()):
        try:
            leaf = foreign_chains.wanted(chain, spki, ())
        except foreign_chains.Unusable as error:
            if number == 0:
                raise ValueError("the first certificate is none") from error
            continue  # The next run orders it.
        mode, issuer = _how(stack, host, leaf.chain)
        dates = leaf.not_before, leaf.not_after
        certificates.append(Certificate(host.name, mode, leaf.chain, key, *dates, number, issuer))
    if not certificates or certificates[0].number:
        raise ValueError("there is no first certificate")
    return FoundTls(host.name, tuple(certificates), held.pem)


def _how(stack: Stack, host: Host, chain: str) -> tuple[str, str | None]:
    """Return how a certificate was got: what is not by its own key is as the inventory says."""
    leaf = x509.load_pem_x509_certificate(chain.encode())
    if leaf.issuer == leaf.subject:
        return "self-signed", None
    return host.tls.mode, directories.url(stack.acme) if isinstance(host.tls, AcmeTls) else None
