"""A world whose certificates come from an authority: four hosts that take mail, and strangers who enforce their TLS."""

import hashlib
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sendwright import inventory, tlsa
from sendwright.lab.netns import inside
from sendwright.lab.senders import Senders, Stream, streaming
from sendwright.stack import Stack
from sendwright.state.model import Certificate
from tests.lab.killing import Running, begun
from tests.lab.living import SERVER, Living, sending

#: Their policy is of both; each proves its names in its own way. One is Debian 12 as root, one 13 by sudo.
ONE, TWO = "mx1.both.example", "mx2.both.example"
#: These renew by themselves: Debian 12, and 13.
THREE, FOUR = "mx.third.example", "mx.fourth.example"
ADDRESSES = {ONE: "203.0.113.10", TWO: "203.0.113.20", THREE: "203.0.113.30", FOUR: "203.0.113.40"}
BOTH, THIRD, FOURTH = "both.example", "third.example", "fourth.example"
ZONES = (BOTH, THIRD, FOURTH)
#: Of both hosts: a sender chooses one of them for each message.
RECIPIENTS = (f"postmaster@{BOTH}", f"abuse@{BOTH}")
#: Short: a third of it is two days.
VALIDITY = timedelta(days=6)
# Longer than any TLSA record is remembered, or that there is none.
CACHES = timedelta(hours=2)
_BY_ITSELF = {"mode": "acme", "challenge": "http-01", "renewal": "host"}


def stack(*, authority: bool = True, **more: Any) -> Stack:
    """Return the stack; without ``authority``, the two hosts of one domain have certificates of their own.

    ``more``: other settings, by host name.
    """
    tls: dict[str, Any] = {ONE: {"mode": "acme"}, TWO: {"mode": "acme", "challenge": "http-01"}} if authority else {}
    tls |= {THREE: _BY_ITSELF, FOUR: _BY_ITSELF}
    hosts = []
    for name, address in ADDRESSES.items():
        settings: dict[str, Any] = {"tls": tls[name]} if name in tls else {}
        settings |= {"dane": [25, 465, 587]} if name == ONE and authority else {}
        settings |= {"ssh_user": "admin", "_sudo": True} if name == TWO else {}
        hosts.append((name, sending(address, **{**settings, **more.get(name, {})})))
    enforced = {"dns": "main", "mta_sts": {"mode": "enforce"}}
    both = {**enforced, "hosts": [ONE, TWO]} if authority else {"dns": "main", "hosts": [ONE, TWO]}
    domains = {BOTH: both, THIRD: {**enforced, "hosts": [THREE]}, FOURTH: {**enforced, "hosts": [FOUR]}}
    return inventory.parse(hosts, {"dns": {"main": SERVER}, "domains": domains}, "a test")


@dataclass(frozen=True)
class Tls(Living):
    """The world, once it is provisioned; ``began``: what came of its first provisions, see the fixture."""

    senders: Senders
    began: dict[str, "subprocess.CompletedProcess[str]"] = field(default_factory=dict)
    issued: list[Stream] = field(default_factory=list)

    def certs(self, verb: str, *argv: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run a verb of ``certs``, whatever comes of it; nothing that a person could mend is a traceback."""
        done = self.world.sendwright("certs", verb, str(self.world.folder), *argv, timeout=timeout)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def renew(self, *argv: str) -> str:
        """Renew what is due; nothing fails. Return what is said."""
        done = self.certs("renew", *argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def renewing(self, *argv: str) -> Iterator[Running]:
        """Begin ``certs renew``; what still runs at the end is ended."""
        running = begun(self.world, "certs renew", *argv)
        try:
            yield running
        finally:
            running.process.kill()

    def provision(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Provision; nothing fails."""
        done = self.world.provision(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def at_rest(self) -> None:
        """Bring the world to where nothing is left to do, whatever was before."""
        for _ in range(6):
            self.settle()
            if self.provision("--no-wait").stdout == "no changes\n":
                return
            self.pass_time(CACHES)
        raise AssertionError(self.provision("--no-wait").stdout)

    def pass_time(self, span: timedelta, *, caches: bool = True) -> None:
        """Let time pass, for what strangers know of DNS too."""
        super().pass_time(span, caches=caches)
        if caches:
            self.senders.forget()

    def certificate(self, host: str) -> Certificate:
        """Return the certificate that a host has, as it is remembered."""
        found = self.folder.load().certificate_of(host)
        assert found is not None
        return found

    def key(self, host: str) -> str:
        """Return the digest of its key."""
        return tlsa.spki_of_chain(self.certificate(host).chain)

    def following(self, host: str) -> str:
        """Return the digest of the key after that."""
        found = self.folder.load().next_of(host)
        assert found is not None, f"{host} has no next key"
        return found.spki

    def aged(self, host: str, life: timedelta = timedelta(days=90), left: float = 1 / 4) -> None:
        """Let a host's certificate be one of which a part of its life is left; the host has another one yet."""
        certificate, now = self.certificate(host), datetime.now(UTC).replace(microsecond=0)
        with self.folder.lock():
            key = self.folder.open(certificate.key)
            begins, ends = now - life * (1 - left), now + life * left
            chain = self.world.lab.authority.issued(key, names_of(certificate.chain), begins, ends)
            self.folder.save_certificate(replace(certificate, chain=chain, not_before=begins, not_after=ends))

    def published(self, host: str, port: int = 25) -> set[str]:
        """Return the digests of the keys that DNS tells of for a port of a host."""
        return {value.split()[-1] for value in self.at(f"_{port}._tcp.{host}", "TLSA")}

    def shown(self, host: str, port: int = 25) -> bytes:
        """Return the certificate (DER) that a port of a host shows to a stranger."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with inside(self.world.lab.namespace):
            if port == 443:
                return self._site(host, context)
            client = smtplib.SMTP(ADDRESSES[host], port, timeout=20)
            with client:
                client.starttls(context=context)
                channel = client.sock
                assert isinstance(channel, ssl.SSLSocket)
                return channel.getpeercert(binary_form=True) or b""

    def _site(self, host: str, context: ssl.SSLContext) -> bytes:
        name = f"mta-sts.{host.partition('.')[2]}"
        raw = socket.create_connection((ADDRESSES[host], 443), 20)
        with raw, context.wrap_socket(raw, server_hostname=name) as channel:
            return channel.getpeercert(binary_form=True) or b""

    @contextmanager
    def mail(self, recipients: Sequence[str] = RECIPIENTS) -> Iterator[None]:
        """Have both strangers write all the time; at the end not one message was deferred, and each was verified."""
        with streaming(self.senders, recipients) as streams:
            yield
        unharmed(streams)

    def fresh_log(self, host: str) -> str:
        """Return the end of what a host's Postfix logged."""
        return self.world.lab.host(host).run(["journalctl", "-n", "30", "-o", "cat", "-t", "postfix/smtpd"]).stdout


def unharmed(streams: Sequence[Stream]) -> None:
    """Assert that each message was delivered at its first try, over TLS that its sender verified."""
    for stream in streams:
        found = stream.told
        assert (found.deferred, found.why) == (0, ())
        assert found.delivered == len(stream.submitted) > 0
        assert found.verified == found.delivered, found.handshakes


def names_of(chain: str) -> list[str]:
    """Return the names of a chain's first certificate."""
    leaf = x509.load_pem_x509_certificate(chain.encode())
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(found.get_values_for_type(x509.DNSName))


def spki(der: bytes) -> str:
    """Return the digest of a certificate's key."""
    key = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def leaf(chain: str) -> bytes:
    """Return the first certificate of a chain (DER)."""
    return x509.load_pem_x509_certificate(chain.encode()).public_bytes(Encoding.DER)
