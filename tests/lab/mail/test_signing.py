"""Mail leaves signed or not at all."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from sendwright.lab import LabHost
from sendwright.lab.clients import Clients, wait

pytestmark = pytest.mark.lab

MILTERS = {
    "sendwright-opendkim@rsa.service": "opendkim/rsa.sock",
    "sendwright-opendkim@ed25519.service": "opendkim/ed25519.sock",
    "sendwright-guard.service": "sendwright-guard/guard.sock",
}
SIGNERS = list(MILTERS)[:2]
LOG = ("journalctl", "--output=cat", "--identifier=postfix/cleanup")
REFUSALS = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)


@contextmanager
def down(clients: Clients, unit: str, *, crashed: bool = False) -> Iterator[None]:
    """Keep a milter of every host down, stopped in order or killed; at the end it listens again."""
    machines = clients.lab.hosts
    for machine in machines:
        if crashed:
            # Its socket stays behind, and nobody listens there.
            machine.run(["systemctl", "kill", "--signal=KILL", unit])
        # A milter in order takes up to five seconds to stop: all at once.
        machine.run(["systemctl", "stop", "--no-block", unit])
    for machine in machines:
        wait(partial(ended, machine, unit), f"{unit} does not stop")
    try:
        yield
    finally:
        for machine in machines:
            machine.run(["systemctl", "reset-failed", unit], check=False)
            machine.run(["systemctl", "start", unit])
            wait(partial(accepts, machine.root / "var/spool/postfix" / MILTERS[unit]), f"{unit} does not listen")


def ended(host: LabHost, unit: str) -> bool:
    """Tell whether a unit of a host does not run any more."""
    return host.run(["systemctl", "is-active", unit], check=False).stdout.strip() in {"inactive", "failed"}


def accepts(path: Path) -> bool:
    """Tell whether somebody listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def refused_since(host: LabHost, cursor: str) -> bool:
    """Tell whether a signer's absence has kept local mail of a host back since a point in its log."""
    return "milter-reject" in host.run([*LOG, f"--after-cursor={cursor}"]).stdout


def code(answer: BaseException) -> int:
    """Return the SMTP code by which a message was turned away."""
    if isinstance(answer, smtplib.SMTPRecipientsRefused):
        return next(iter(answer.recipients.values()))[0]
    assert isinstance(answer, smtplib.SMTPResponseException)
    return answer.smtp_code


@pytest.mark.parametrize("unit", MILTERS)
def test_mail_waits_at_its_author_while_a_milter_is_down(clients: Clients, unit: str) -> None:
    """A temporary failure by both ports, and to who was logged in before: nothing leaves unsigned or unguarded."""
    answers, subjects = [], []

    def turned_away(client: smtplib.SMTP) -> None:
        mail = clients.written("alice")
        subjects.append(mail["Subject"])
        client.send_message(mail)

    with ExitStack() as stack:
        early = [stack.enter_context(clients.logged_in(host.name, "alice")) for host in clients.lab.hosts]
        stack.enter_context(down(clients, unit))
        for client in early:
            with pytest.raises(REFUSALS) as answer:
                turned_away(client)
            answers.append(code(answer.value))
        for host, port in product(clients.lab.hosts, (587, 465)):
            with pytest.raises(REFUSALS) as answer, clients.logged_in(host.name, "alice", port) as client:
                turned_away(client)
            answers.append(code(answer.value))
    for host in clients.lab.hosts:
        clients.settled(host.name)

    assert all(400 <= each < 500 for each in answers), answers
    assert not {each.message["Subject"] for each in clients.lab.inbox.messages()} & set(subjects)


@pytest.mark.parametrize("unit", SIGNERS)
def test_local_mail_waits_on_the_host_while_a_signer_is_down(clients: Clients, unit: str) -> None:
    """What a cron job mails out stays in the queue, and leaves with both signatures when the signer is back."""
    sendmail = ["sendmail", "-f", "alice@example.com"]
    waiting = {host.name: clients.written("alice") for host in clients.lab.hosts}
    subjects = {mail["Subject"] for mail in waiting.values()}

    with down(clients, unit, crashed=True):
        for host in clients.lab.hosts:
            cursor = host.run([*LOG, "--show-cursor", "--lines=0"]).stdout.partition("cursor: ")[2].strip()
            host.run([*sendmail, "somebody@inbox.example"], given=waiting[host.name].as_string())
            wait(partial(refused_since, host, cursor), f"{host.name} does not try to sign")
        early = subjects & {each.message["Subject"] for each in clients.lab.inbox.messages()}
    for host in clients.lab.hosts:
        # Local mail that could not be signed is looked at again within a minute, or when the next one comes.
        host.run([*sendmail, f"postmaster@{host.name}"], given=clients.written("alice").as_string())
    late = [clients.arrival(mail) for mail in waiting.values()]

    assert not early
    assert [" ".join(each.authentication_results).count("dkim=pass") for each in late] == [2, 2]
