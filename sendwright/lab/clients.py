"""Mail programs and strangers' servers, at the controller's place: not in any host's mynetworks, in no SPF record."""

import smtplib
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

from sendwright import submission
from sendwright.errors import LabError
from sendwright.lab.inbox import Received
from sendwright.lab.lab import Lab
from sendwright.lab.netns import inside
from sendwright.lab.waiting import SECONDS, until
from sendwright.submission import Credential

_MAILDIRS = "var/mail/sendwright"


@dataclass(frozen=True)
class Clients:
    """Clients of a lab's hosts: ``chains`` are the certificates that they trust, by host; ``logins`` their own."""

    lab: Lab
    chains: Mapping[str, str]
    logins: Mapping[str, Credential]

    def context(self, host: str) -> ssl.SSLContext:
        """Return a context that trusts this host's certificate only; its name is not checked, as none is resolved."""
        context = submission.pinned(self.chains[host])
        context.check_hostname = False
        return context

    @contextmanager
    def connected(
        self, host: str, port: int, *, family: int = 4, helo: str = "client.example", place: str | None = None
    ) -> Iterator[smtplib.SMTP]:
        """Connect to a port of a host by IPv4 or 6; TLS from the first byte on 465, and nothing said yet.

        ``place``: the namespace to come from, if not the controller's.
        """
        address = next(a for a in self.lab.host(host).addresses if (":" in a) == (family == 6))
        with inside(place or self.lab.namespace):
            client = (
                smtplib.SMTP_SSL(address, port, helo, timeout=SECONDS, context=self.context(host))
                if port == 465
                else smtplib.SMTP(address, port, helo, timeout=SECONDS)
            )
        with client:
            yield client

    @contextmanager
    def logged_in(
        self, host: str, login: str, port: int = 587, *, family: int = 4, helo: str = "client.example"
    ) -> Iterator[smtplib.SMTP]:
        """Connect as a mail program does: over TLS, with a credential."""
        with self.connected(host, port, family=family, helo=helo) as client:
            if port != 465:
                client.starttls(context=self.context(host))
            client.login(login, self.logins[login].password)
            yield client

    def written(self, login: str, recipient: str = "somebody@inbox.example") -> EmailMessage:
        """Write a message as a login would; its subject is its own."""
        return submission.message(self.logins[login].address, recipient, uuid.uuid4().hex, datetime.now(UTC))

    def arrival(self, mail: EmailMessage) -> Received:
        """Wait for a message that was written here to reach the inbox, however a host has to try; LabError."""
        return self.lab.inbox.wait_for(lambda each: each.message["Subject"] == mail["Subject"], nudge=self.flush)

    def kept(self, host: str, mailbox: str, mark: str) -> bytes:
        """Wait for a message with a mark in it in a host's Maildir ``domain/local part``; LabError if none comes."""
        folder = self.lab.host(host).root / _MAILDIRS / mailbox / "new"
        return until(
            lambda: next((raw for file in folder.glob("*") if mark.encode() in (raw := file.read_bytes())), None),
            lambda: LabError(f"{mailbox} of {host} holds no message with {mark}.", f"Its queue:\n{self.queue(host)}"),
        )

    def queue(self, host: str) -> str:
        """Return what waits in a host's queue, and why: a JSON object a line, nothing if the queue is empty."""
        return self.lab.host(host).run(["postqueue", "-j"]).stdout.strip()

    def flush(self) -> None:
        """Have every host try at once what it would try again in some minutes."""
        for host in self.lab.hosts:
            # One whose Postfix does not run has nothing to try.
            host.run(["postqueue", "-f"], check=False)

    def discard(self) -> None:
        """Delete all that waits on any host."""
        for host in self.lab.hosts:
            host.run(["postsuper", "-d", "ALL", "maildrop", "hold", "incoming", "active", "deferred"])

    def settled(self, host: str) -> None:
        """Wait until nothing is in a host's queue, however often it has to try: all was delivered or bounced."""
        until(
            # Twice: what moves between queues, and a bounce that takes the place of its message, may be missed once.
            lambda: not self.queue(host) and not self.queue(host),
            lambda: LabError(f"the queue of {host} does not become empty.", f"In it:\n{self.queue(host)}"),
            nudge=self.flush,
        )


def wait(condition: Callable[[], bool], otherwise: str, *, timeout: float = SECONDS) -> None:
    """Wait until something is true, ``timeout`` in seconds; LabError with a sentence if it does not become so."""
    until(condition, lambda: LabError(f"{otherwise}, not within {timeout:.0f} s."), timeout=timeout)
