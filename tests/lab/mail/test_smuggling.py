"""One message or none arrives, whatever bytes pretend to end it (SMTP smuggling, RFC 5321 section 2.3.8)."""

import email
import re
import smtplib
import uuid
from collections import Counter
from collections.abc import Iterable
from itertools import product

import pytest

from sendwright.lab.clients import Clients

pytestmark = pytest.mark.lab

# Everything that some server has once taken for the end of a message, but what is one (RFC 5321 section 4.1.1.4).
_LINE_ENDS = (b"\n", b"\r", b"\r\n", b"\r\r\n")
ENDS = [end for a, b in product(_LINE_ENDS, _LINE_ENDS) if b"\r\n.\r\n" not in (end := a + b"." + b)]
ENDS += [b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\x0b\r\n", b"\n\n.\n\n", b"\r\n..\r\n", b"\n..\n"]


def smuggle(client: smtplib.SMTP, sender: str, recipient: str, end: bytes) -> tuple[str, str]:
    """Send one message that holds a second one behind a false end; return the subjects of both."""
    outer, inner = uuid.uuid4().hex, uuid.uuid4().hex
    fields = f"From: {sender}\r\nTo: {recipient}\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nSubject: "
    envelope = f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
    body = (fields + outer + "\r\n\r\nfirst").encode() + end
    body += (envelope + fields + inner + "\r\n\r\nsecond\r\n.\r\n").encode()
    client.ehlo()
    assert client.mail(sender)[0] == 250
    assert client.rcpt(recipient)[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(body)
    client.getreply()
    return outer, inner


def second(pairs: Iterable[tuple[bytes, tuple[str, str]]], messages: Iterable[bytes]) -> dict[bytes, object]:
    """Return the false ends behind which a second message came, or by which the first came twice."""
    subjects = Counter(str(email.message_from_bytes(message)["Subject"]) for message in messages)
    return {end: subjects for end, (outer, inner) in pairs if subjects[inner] or subjects[outer] > 1}


def test_strangers_smuggle_nothing_in(clients: Clients, host: str) -> None:
    """From outside of mynetworks, on port 25."""
    sent = []
    for end in ENDS:
        with clients.connected(host, 25) as client:
            sent.append((end, smuggle(client, "stranger@inbox.example", "postmaster@example.com", end)))
    clients.settled(host)
    folder = clients.lab.host(host).root / "var/mail/sendwright/example.com/postmaster/new"
    kept = [file.read_bytes() for file in folder.glob("*")]

    assert second(sent, kept) == {}
    # A line that ends in a bare newline is text, and the message that holds it is taken.
    assert any(outer.encode() in message for _, (outer, _) in sent for message in kept)


def test_mail_programs_smuggle_nothing_out(clients: Clients, host: str) -> None:
    """With a credential: neither this host nor the next one, however lax, is shown a second message."""
    sent = []
    for end in ENDS:
        with clients.logged_in(host, "alice") as client:
            sent.append((end, smuggle(client, "alice@example.com", "somebody@inbox.example", end)))
    clients.settled(host)
    messages = [each.raw for each in clients.lab.inbox.messages()]

    assert second(sent, messages) == {}
    ours = [m for _, (outer, _) in sent for m in messages if f"Subject: {outer}".encode() in m]
    assert ours
    # A bare carriage return that left here might end a line elsewhere.
    assert not any(re.search(rb"\r(?!\n)", message) for message in ours)
