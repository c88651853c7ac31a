"""Mail programs and strangers' servers, at the controller's place: not in any host's mynetworks, in no SPF record."""

import smtplib
import ssl
import time
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
from sendwright.submission import Credential

_SECONDS = 20
_MAILDIRS = "var/mail/sendwright"


@dataclass(frozen=True)
class Clients:
    """Clients of a lab's hosts: ``chains`` are the certificates that they trust, by host; ``logins`` their own."""

    lab: Lab
    chains: Mapping[str, str]
    logins: Mapping[str, Credential]

    def context(self, host: str) -> ssl.SSLContext:
        """Return a context that trusts this host's certificate only; its name is not checked, as none is resolved."""
        context = ssl.create_default_context(cadata=self.chains[host])
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
                smtplib.SMTP_SSL(address, port, helo, timeout=_SECONDS, context=self.context(host))
                if port == 465
                else smtplib.SMTP(address, port, helo, timeout=_SECONDS)
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
        """Wait for a message that was written here to reach the inbox; LabError if it does not."""
        return self.lab.inbox.wait_for(lambda each: each.message["Subject"] == mail["Subject"])

    def kept(self, host: str, mailbox: str, mark: str) -> bytes:
        """Wait for a message with a mark in it in a host's Maildir ``domain/local part``; LabError if none comes."""
        folder = self.lab.host(host).root / _MAILDIRS / mailbox / "new"
        found: list[bytes] = []

        def look() -> bool:
            found.extend(content for file in folder.glob("*") if mark.encode() in (content := file.read_bytes()))
            return bool(found)

        wait(look, f"{mailbox} of {host} holds no message with {mark}")
        return found[0]

    def settled(self, host: str) -> None:
        """Wait until nothing is in a host's queue: all that it took was delivered or bounced."""
        queue = ["postqueue", "-j"]
        wait(lambda: not self.lab.host(host).run(queue).stdout.strip(), f"the queue of {host} does not become empty")


def wait(condition: Callable[[], bool], otherwise: str, *, timeout: float = _SECONDS) -> None:
    """Wait until something is true, ``timeout`` in seconds; LabError with a sentence if it does not become so."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{otherwise}, not within {timeout:.0f} s.")
        time.sleep(0.05)
