"""What ``sendwright certs`` shows and answers, as data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from sendwright import certs, renewal, sts
from sendwright.errors import SendwrightError
from sendwright.inventory import Inventory
from sendwright.provision import Result
from sendwright.renewal import Held
from sendwright.stack import AcmeTls, CertificateFile, Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate, State


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. ``limit``: host names, empty for all; ``new_key``: change the key, too.

    ``force``: order even what is not due; ``wait``: stay until clocks ran out.
    """

    limit: frozenset[str] = frozenset()
    new_key: bool = False
    force: bool = False
    wait: bool = True
    trust_new_hosts: bool = False


@dataclass(frozen=True)
class Listed:
    """One certificate, as the state folder has it.

    ``mode``: how it was got; ``wanted``: how the inventory wants it; ``kind``: ``ecdsa`` or ``rsa``; ``spki``: the
    digest of its key; ``used``: where it is shown, as ``smtp mx1.example.com`` or ``https mta-sts.example.com``;
    ``renew_from``: when its renewal begins, None where nobody here renews it; ``next_spki``: of the key after this one;
    ``next_fresh_at``: from when that may be used; ``renewed_by``: ``controller``, ``host`` or ``somebody else``.
    """

    host: str
    number: int
    mode: str
    wanted: str
    names: tuple[str, ...]
    issuer: str
    kind: str
    spki: str
    not_before: datetime
    not_after: datetime
    renew_from: datetime | None
    renewed_by: str
    used: tuple[str, ...] = ()
    next_spki: str | None = None
    next_fresh_at: datetime | None = None


@dataclass(frozen=True)
class Done:
    """What came of one certificate; ``what`` is ``kept``, ``issued``, ``renewed``, ``new key`` or ``waiting``."""

    host: str
    number: int
    what: str
    why: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``done``: host by host; ``waiting``: for what, until when."""

    result: Result
    done: tuple[Done, ...] = ()
    errors: tuple[SendwrightError, ...] = ()
    waiting: tuple[str, ...] = ()
    listed: tuple[Listed, ...] = field(default=())


def listed(declared: Inventory) -> tuple[Listed, ...]:
    """Return the certificates of the hosts of an inventory, by host and number. StateError; needs no passphrase."""
    stack, state = declared.stack, StateFolder.of(declared).load()
    return tuple(found for host in stack.hosts for found in _of_host(stack, host, state))


def _of_host(stack: Stack, host: Host, state: State) -> Iterator[Listed]:
    coming = state.next_of(host.name)
    for certificate in state.certificates_of(host.name):
        held = certs.held(certificate)
        ours = held.mode == host.tls.mode and not isinstance(host.tls, CertificateFile)
        yield Listed(
            host=host.name,
            number=certificate.number,
            mode=held.mode,
            wanted=host.tls.mode,
            names=tuple(sorted(held.names, key=lambda name: (name != host.name, name))),
            issuer=_issuer(certificate),
            kind=held.kind,
            spki=held.spki,
            not_before=held.not_before,
            not_after=held.not_after,
            renew_from=renewal.renew_from(held, host.name) if ours else None,
            renewed_by=_renewed_by(host),
            used=_used(stack, host, certificate, held),
            next_spki=coming.spki if coming else None,
            next_fresh_at=coming.fresh_at if coming else None,
        )


def _used(stack: Stack, host: Host, certificate: Certificate, held: Held) -> tuple[str, ...]:
    smtp = (f"smtp {host.name}",) if certificate.number == 0 else ()
    return (*smtp, *(f"https {name}" for name in sts.names(stack, host)[1:] if name in held.names))


def _renewed_by(host: Host) -> str:
    if isinstance(host.tls, CertificateFile):
        return "somebody else"
    return host.tls.renewal if isinstance(host.tls, AcmeTls) else "controller"


def _issuer(certificate: Certificate) -> str:
    """Return whose it is: the organisation, and which of its certificates signed it."""
    issuer = x509.load_pem_x509_certificate(certificate.chain.encode()).issuer
    kinds = (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
    return " ".join(str(found[0].value) for kind in kinds if (found := issuer.get_attributes_for_oid(kind)))
