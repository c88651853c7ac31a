"""Hand a message to a host as a mail program would: with a credential, over TLS, checking the certificate."""

import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

TIMEOUT = 30


@dataclass(frozen=True)
class Credential:
    """A login and its password, and the address that it sends as."""

    login: str
    password: str
    address: str


def message(sender: str, recipient: str, subject: str, now: datetime) -> EmailMessage:
    """Return a plain message as a mail program writes it (RFC 5322 section 3.6)."""
    made = EmailMessage()
    made["From"] = f"Rehearsal <{sender}>"
    made["To"] = recipient
    made["Subject"] = subject
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{subject.replace(' ', '-')}.{now.timestamp():.0f}@{sender.partition('@')[2]}>"
    made.set_content("This message was written by sendwright to see whether it arrives.\n")
    return made


def pinned(chain: str) -> ssl.SSLContext:
    """Return a context that takes the first certificate of a chain and no other, whoever issued it; PEM text."""
    end = "-----END CERTIFICATE-----\n"
    context = ssl.create_default_context(cadata=chain.partition(end)[0] + end)
    # An authority's chain comes without its root: what is pinned is where trust ends.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def submit(
    host: str, port: int, chain: str, who: Credential, recipient: str, mail: EmailMessage, envelope: str | None = None
) -> None:
    """Submit a message through 587 (STARTTLS) or 465 (implicit TLS, RFC 8314).

    ``chain`` is the PEM text of the certificate that the host must show; ``envelope`` the envelope sender, the
    credential's address by default. Errors: those of smtplib and ssl.
    """
    context = pinned(chain)
    if port == 465:
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
    else:
        client = smtplib.SMTP(host, port, timeout=TIMEOUT)
    with client:
        if port != 465:
            client.starttls(context=context)
        client.login(who.login, who.password)
        client.send_message(mail, envelope or who.address, [recipient])


def deliver(server: str, helo: str, envelope: str, recipient: str, raw: bytes) -> None:
    """Hand the bytes of a message to a receiving server on port 25, as another server would."""
    with smtplib.SMTP(server, 25, local_hostname=helo, timeout=TIMEOUT) as client:
        client.sendmail(envelope, [recipient], raw)
