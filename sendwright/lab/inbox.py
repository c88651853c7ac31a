"""A strict receiving server, and what it received."""

import datetime as dt
import email
import email.policy
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from sendwright.errors import LabError
from sendwright.lab.machine import File, Machine, enable, write
from sendwright.lab.spec import RESOLVER
from sendwright.lab.waiting import SECONDS, until
from sendwright.lab.world import render

_FOLDER = "var/mail/inbox/received/new"
# A user of nobody's: the mailbox is read from outside, as root.
_UID = 5000


@dataclass(frozen=True)
class Received:
    """One accepted message: envelope sender and recipient, and its bytes as they were stored."""

    sender: str
    recipient: str
    raw: bytes = field(repr=False)

    @cached_property
    def message(self) -> EmailMessage:
        """The parsed message."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def authentication_results(self) -> tuple[str, ...]:
        """What the inbox found out about SPF, DKIM and DMARC: its Authentication-Results, unfolded."""
        return tuple(" ".join(str(each).split()) for each in self.message.get_all("Authentication-Results", []))


@dataclass(frozen=True)
class Inbox:
    """The receiving server of a lab: its domain and its machine.

    It takes mail for every mailbox of the domain but ``refused@`` (550) and ``deferred@`` (450), from clients
    whose address, name and HELO agree. It refuses nothing for SPF, DKIM or DMARC, and reports all three.
    """

    domain: str
    machine: Machine

    def messages(self) -> tuple[Received, ...]:
        """Return what was received so far, oldest first."""
        files = sorted((self.machine.root / _FOLDER).glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return tuple(_received(file.read_bytes()) for file in files)

    def wait_for(
        self,
        wanted: Callable[[Received], bool],
        *,
        timeout: float = SECONDS,
        nudge: Callable[[], object] = lambda: None,
    ) -> Received:
        """Return the first received message that is wanted, waiting for it for ``timeout`` seconds.

        ``nudge`` is called every few seconds meanwhile. Raises LabError with what the server logged, if none comes.
        """
        return until(
            lambda: next((message for message in self.messages() if wanted(message)), None),
            lambda: LabError(
                f"no such message came to {self.domain} within {timeout:.0f} s.", f"Its log:\n{self.log()}"
            ),
            timeout=timeout,
            nudge=nudge,
        )

    @contextmanager
    def relenting(self) -> Iterator[None]:
        """Take mail for ``deferred@``, too, while the block runs."""
        self._set("busy=")
        try:
            yield
        finally:
            self._set(f"busy={_busy(self.domain)}")

    def receive_for(self, *domains: str) -> None:
        """Take mail for any mailbox of these other domains, too, and of no others that were named before."""
        self._set(f"virtual_mailbox_domains={' '.join((self.domain, *domains))}")

    def forget(self) -> None:
        """Have its verifier forget the keys that it knows: libunbound keeps answers in each process that uses it."""
        # It reads its configuration anew with the next connection, and begins with an empty cache.
        self.machine.run(["systemctl", "kill", "--signal=USR1", "opendkim"])

    def _set(self, setting: str) -> None:
        self.machine.run(["postconf", "-e", setting])
        self.machine.run(["postfix", "reload"])

    def log(self, *, lines: int = 20) -> str:
        """Return the last lines that the server's mail daemons logged."""
        units = ("postfix@-", "opendkim", "opendmarc")
        selection = [f"--unit={unit}.service" for unit in units]
        return self.machine.run(["journalctl", "--output=cat", f"--lines={lines}", *selection]).stdout


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate with its key, in PEM, and the digest that a TLSA 3 1 1 record holds."""

    pem: str = field(repr=False)
    tlsa: str


def certificate(server: str) -> Certificate:
    """Make the certificate of the receiving server of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(server)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = (private + signed.public_bytes(Encoding.PEM)).decode()
    return Certificate(pem, hashlib.sha256(public).hexdigest())


def prepare(machine: Machine, domain: str, pem: str) -> None:
    """Write the configuration of the receiving server into the mounted machine."""
    values = {
        "server": machine.name,
        "domain": domain,
        "uid": str(_UID),
        "busy": _busy(domain),
        "resolver": ",".join(RESOLVER),
    }
    files = {
        "/etc/postfix/main.cf": File(render("main.cf", **values)),
        "/etc/postfix/master.cf": File(render("master.cf", **values)),
        "/etc/postfix/inbox.pem": File(pem, 0o600),
        "/etc/opendkim.conf": File(render("opendkim.conf", **values)),
        "/etc/opendmarc.conf": File(render("opendmarc.conf", **values)),
        "/etc/postfix-policyd-spf-python/policyd-spf.conf": File(render("policyd-spf.conf", **values)),
    }
    write(machine.root, files)
    mailbox = machine.root / "var/mail/inbox"
    mailbox.mkdir(parents=True)
    os.chown(mailbox, _UID, _UID)
    enable(machine.root, {f"{unit}.service": f"{unit}.service" for unit in ("postfix", "opendkim", "opendmarc")})


def _busy(domain: str) -> str:
    return f"check_recipient_access inline:{{ {{ deferred@{domain} = 450 4.2.1 this mailbox is busy }} }}"


def _received(raw: bytes) -> Received:
    # virtual(8) writes both as the first header fields: RFC 5321 section 4.4, and Postfix' own Delivered-To.
    fields = email.message_from_bytes(raw)
    return Received(str(fields["Return-Path"]).strip("<>"), str(fields["X-Original-To"]), raw)
