"""Mail that flows while something changes: submitted by logins, and brought by a stranger's server that follows MX."""

import smtplib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage

import dns.exception
import dns.resolver

from sendwright import submission
from sendwright.lab.clients import Clients, wait
from sendwright.lab.netns import inside
from sendwright.received import Results, results

_PAUSE = 0.3
# Mail may be deferred once on its way and tried again.
_ARRIVES = 90.0


@dataclass(frozen=True)
class Route:
    """One stream of submitted mail: by which host, with which login."""

    host: str
    login: str


@dataclass
class Flow:
    """What was sent while it flowed: subject to route; ``refused``: what a server said when it took a message not."""

    sent: dict[str, Route] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    inbound: int = 0


@contextmanager
def flowing(clients: Clients, routes: tuple[Route, ...], inbound: tuple[str, ...] = ()) -> Iterator[Flow]:
    """Send mail all the time while the block runs, and once more at its end: by each route, and to each domain.

    Arguments: ``inbound``: domains whose postmaster a stranger writes to, at whatever host their MX leads to.
    """
    flow, ended = Flow(), threading.Event()
    tasks: list[Callable[[], None]] = [lambda route=route: _submit(clients, route, flow) for route in routes]  # type: ignore[misc]
    tasks += [lambda domain=domain: _bring(clients, domain, flow) for domain in inbound]  # type: ignore[misc]
    threads = [threading.Thread(target=_repeat, args=(task, ended), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield flow
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def verdicts(clients: Clients, flow: Flow) -> dict[str, Results]:
    """Wait until everything that was sent has arrived, and return what the inbox found, by subject; LabError."""
    inbox, found = clients.lab.inbox, dict[str, Results]()

    def all_there() -> bool:
        for each in inbox.messages():
            subject = str(each.message["Subject"])
            if subject in flow.sent and subject not in found:
                found[subject] = results(each.raw, inbox.machine.name)
        return flow.sent.keys() <= found.keys()

    wait(all_there, "not every message that was sent arrives", timeout=_ARRIVES)
    return found


def _repeat(task: Callable[[], None], ended: threading.Event) -> None:
    last = False
    while not last:
        last = ended.is_set()
        task()
        time.sleep(_PAUSE)


def _submit(clients: Clients, route: Route, flow: Flow) -> None:
    mail = submission.message(
        clients.logins[route.login].address, "somebody@inbox.example", uuid.uuid4().hex, datetime.now(UTC)
    )
    try:
        with clients.logged_in(route.host, route.login) as client:
            client.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        flow.refused.append(f"{route.login} by {route.host}: {type(error).__name__}: {error}")
    else:
        flow.sent[str(mail["Subject"])] = route


def _bring(clients: Clients, domain: str, flow: Flow) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "stranger@inbox.example", f"postmaster@{domain}", uuid.uuid4().hex
    try:
        address = _exchange(clients, domain)
        with inside(clients.lab.namespace), smtplib.SMTP(address, 25, "client.example", timeout=20) as client:
            client.send_message(mail)
    except (OSError, smtplib.SMTPException, dns.exception.DNSException) as error:
        flow.refused.append(f"to {domain}: {type(error).__name__}: {error}")
    else:
        flow.inbound += 1


def _exchange(clients: Clients, domain: str) -> str:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [clients.lab.resolver]
    with inside(clients.lab.namespace):
        exchanges = sorted(resolver.resolve(domain, "MX"), key=lambda mx: mx.preference)
        return str(resolver.resolve(exchanges[0].exchange, "A")[0])
