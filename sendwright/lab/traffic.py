"""Mail that flows while something changes: submitted by logins, and brought by a stranger's server that follows MX."""

import random
import re
import smtplib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser

import dns.exception
import dns.resolver

from sendwright import submission
from sendwright.errors import LabError
from sendwright.lab.clients import Clients
from sendwright.lab.netns import inside
from sendwright.lab.waiting import SECONDS, until
from sendwright.lab.zones import CONTROLLER_NAME
from sendwright.received import Results, case, results

_PAUSE = 0.3
# All strangers come from one address, and a host takes 120 connections a minute from one.
_STRANGERS_PAUSE = 0.8
# Mail may be deferred once on its way and tried again.
_ARRIVES = 120.0
# RFC 6376 section 3.5: the tag s= of a signature.
_SELECTOR = re.compile(r"(?:^|;)\s*s=\s*([^;\s]+)")


@dataclass(frozen=True)
class Route:
    """One stream of submitted mail: by which host, with which login."""

    host: str
    login: str


@dataclass(frozen=True)
class Judged:
    """What became of a message that was sent: the address that the inbox saw it come from, and how it judged it.

    ``selectors``: of the keys that it says it is signed with.
    """

    route: Route
    client: str
    results: Results
    selectors: frozenset[str] = frozenset()


@dataclass
class Flow:
    """What was sent while it flowed, in order: subject to route; ``inbound``: how many messages a stranger brought.

    ``refused``: what a server said when it did not take a message, for good or for a whole minute; ``delayed``: when it
    took one only at another try, as a mail program and a server make.
    """

    sent: dict[str, Route] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    delayed: list[str] = field(default_factory=list)
    inbound: int = 0


@contextmanager
def flowing(clients: Clients, routes: tuple[Route, ...], inbound: tuple[str, ...] = ()) -> Iterator[Flow]:
    """Send mail all the time while the block runs, and once more at its end: by each route, and to each domain.

    Arguments: ``inbound``: domains whose postmaster a stranger writes to, at whatever host their MX leads to.
    """
    flow, ended = Flow(), threading.Event()

    def stranger() -> None:
        for domain in inbound:
            _bring(clients, domain, flow)
            time.sleep(_STRANGERS_PAUSE)

    tasks: list[Callable[[], None]] = [lambda route=route: _submit(clients, route, flow) for route in routes]  # type: ignore[misc]
    tasks += [stranger] if inbound else []
    threads = [threading.Thread(target=_repeat, args=(task, ended), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield flow
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def verdicts(clients: Clients, flow: Flow) -> list[Judged]:
    """Wait until everything that was sent has arrived, and return what the inbox made of it, in the order of sending.

    LabError with what the inbox refused, if something does not come.
    """
    inbox, found = clients.lab.inbox, dict[str, Judged]()

    def missing() -> set[str]:
        for each in inbox.messages():
            header = BytesHeaderParser().parsebytes(each.raw)
            subject = str(header["Subject"])
            if subject in flow.sent and subject not in found:
                seen = case(each.raw)
                client = seen.client if seen else ""
                signed = " ; ".join(header.get_all("DKIM-Signature", []))
                judged = results(each.raw, inbox.machine.name), frozenset(_SELECTOR.findall(signed))
                found[subject] = Judged(flow.sent[subject], client, *judged)
        return flow.sent.keys() - found.keys()

    def failure() -> LabError:
        lost = [flow.sent[subject] for subject in missing()]
        log = [line for line in inbox.log(lines=2000).splitlines() if "reject:" in line]
        return LabError(f"{len(lost)} of {len(flow.sent)} messages are lost: {lost[:3]}.", "\n".join(log[-5:]))

    until(lambda: not missing(), failure, timeout=_ARRIVES, nudge=clients.flush)
    return [found[subject] for subject in flow.sent]


def _repeat(task: Callable[[], None], ended: threading.Event) -> None:
    last = False
    while not last:
        last = ended.is_set()
        task()
        time.sleep(_PAUSE)


def _submit(clients: Clients, route: Route, flow: Flow) -> None:
    author = clients.logins[route.login].address
    mail = submission.message(author, f"somebody@{clients.lab.inbox.domain}", uuid.uuid4().hex, datetime.now(UTC))

    def hand_over() -> None:
        with clients.logged_in(route.host, route.login) as client:
            client.send_message(mail)

    if _taken(f"{route.login} by {route.host}", hand_over, flow):
        flow.sent[str(mail["Subject"])] = route


def _bring(clients: Clients, domain: str, flow: Flow) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"stranger@{CONTROLLER_NAME}", f"postmaster@{domain}"
    mail["Subject"] = uuid.uuid4().hex

    def hand_over() -> None:
        address = _exchange(clients, domain)
        with inside(clients.lab.namespace), smtplib.SMTP(address, 25, CONTROLLER_NAME, timeout=SECONDS) as client:
            client.send_message(mail)

    if _taken(f"to {domain}", hand_over, flow):
        flow.inbound += 1


def _taken(what: str, hand_over: Callable[[], None], flow: Flow) -> bool:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            hand_over()
        except (OSError, smtplib.SMTPException, dns.exception.DNSException) as error:
            said = f"{datetime.now(UTC):%T} {what}: {type(error).__name__}: {error}"
            if _permanent(error) or time.monotonic() > deadline:
                flow.refused.append(said)
                return False
            flow.delayed.append(said)
        else:
            return True
        time.sleep(_PAUSE)


def _permanent(error: Exception) -> bool:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return any(code >= 500 for code, _ in error.recipients.values())
        case smtplib.SMTPResponseException():
            return error.smtp_code >= 500
        case _:
            return False


def _exchange(clients: Clients, domain: str) -> str:
    """Return the address of one of a domain's best exchanges; several share the mail (RFC 5321 section 5.1)."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [clients.lab.resolver]
    with inside(clients.lab.namespace):
        answers = list(resolver.resolve(domain, "MX"))
        best = min(mx.preference for mx in answers)
        chosen = random.choice([mx for mx in answers if mx.preference == best])  # noqa: S311 - to share, not to hide
        return str(resolver.resolve(chosen.exchange, "A")[0])
