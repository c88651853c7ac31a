"""Strangers' servers that enforce what they know of the TLS of others, and mail that they bring all the time.

Both are Postfix: one believes TLSA records (RFC 7672), one policies of MTA-STS (RFC 8461). Each message goes by a
connection of its own to one exchange only, so that whatever an exchange does wrong defers a message.
"""

import re
import smtplib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from itertools import cycle
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab.lab import Lab
from sendwright.lab.machine import File, write
from sendwright.lab.netns import inside
from sendwright.lab.spec import DANE_SENDER, STS_SENDER
from sendwright.lab.waiting import SECONDS, until
from sendwright.lab.world import render
from sendwright.lab.zones import DANE_SENDER_NAME, STS_SENDER_NAME

# Two of them, each with an address of its own: a host takes 120 connections a minute from one.
_PAUSE = 0.55
_RESOLVER = "postfix-mta-sts-resolver"
_POLICIES = "/etc/mta-sts-daemon.yml"
# It looks for another policy whenever one is a second old: whoever changes his is to be seen at once.
_DAEMON = "host: 127.0.0.1\nport: 8461\ncache_grace: 1\ncache:\n  type: internal\ndefault_zone:\n  timeout: 4\n"
_TLS = re.compile(r"postfix/smtp\[\d+\]: (\w+) TLS connection established to ([\w.-]+)\[")
_STATUS = re.compile(r"postfix/(?:smtp|error)\[\d+\]: .* relay=([\w.-]+).*, status=(\w+) \((.*)\)$")


class Level(StrEnum):
    """What the one that believes TLSA does where there are none: it takes what TLS there is, or does not deliver."""

    WHERE_PUBLISHED = "dane"
    ALWAYS = "dane-only"


@dataclass(frozen=True)
class Tally:
    """What became of a sender's mail: messages by their status, handshakes by how Postfix judged the certificate.

    ``why``: what was said of each message that was not delivered.
    """

    statuses: Counter[str]
    handshakes: Counter[tuple[str, str]]
    why: tuple[str, ...]

    @property
    def delivered(self) -> int:
        """How many messages were delivered."""
        return self.statuses["sent"]

    @property
    def deferred(self) -> int:
        """How often a message was deferred."""
        return self.statuses["deferred"]

    @property
    def verified(self) -> int:
        """How many handshakes showed what the sender demands."""
        return sum(count for (verdict, _), count in self.handshakes.items() if verdict == "Verified")


def tally(lines: Sequence[str]) -> Tally:
    """Return what lines of a sender's log tell."""
    found = [match for line in lines if (match := _STATUS.search(line))]
    shaken = [match for line in lines if (match := _TLS.search(line))]
    return Tally(
        Counter(match[2] for match in found),
        Counter((match[1], match[2]) for match in shaken),
        tuple(f"{match[1]}: {match[3]}" for match in found if match[2] != "sent"),
    )


@dataclass(frozen=True)
class Sender:
    """A stranger's server: its name, its address, where it takes what it is to send, and what it enforces how."""

    lab: Lab
    title: str
    name: str
    address: str
    port: int
    enforcing: str

    @property
    def unit(self) -> str:
        """The unit that it runs as."""
        return f"sendwright-sender-{self.title}"

    @property
    def log(self) -> list[str]:
        """What it logged so far."""
        file = self._path("log")
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    @property
    def waiting(self) -> int:
        """How many messages are in its queue: deferred, or on their way."""
        folders = (self._path("queue") / name for name in ("maildrop", "incoming", "active", "deferred"))
        return sum(1 for folder in folders for file in folder.rglob("*") if file.is_file())

    def submit(self, recipient: str) -> str:
        """Hand a message over to it; return its subject."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"stranger@{self.name}", recipient, uuid.uuid4().hex
        with inside(self.lab.world.namespace), smtplib.SMTP("127.0.0.1", self.port, timeout=SECONDS) as client:
            client.send_message(mail)
        return str(mail["Subject"])

    def judged(self, since: int = 0, count: int | None = None) -> Tally:
        """Wait until each message has been tried, and return what became of all since a line of its log.

        ``count``: how many there are. LabError if some are not tried within two minutes.
        """

        def done() -> bool:
            found = tally(self.log[since:])
            return sum(found.statuses.values()) >= count if count is not None else self._active() == 0

        until(done, lambda: LabError(f"{self.name} has not tried all of its mail.", self.tail()), timeout=120)
        return tally(self.log[since:])

    def tail(self) -> str:
        """Return the end of its log."""
        return "Its log:\n" + "\n".join(self.log[-8:])

    def discard(self) -> None:
        """Delete all that waits."""
        self.lab.world.run(["sh", "-c", f"postsuper -c {self._etc} -d ALL"])

    def start(self) -> None:
        """Write its configuration and start it; LabError with the end of its log if it does not come up."""
        values = {
            "queue": f"/var/spool/{self.unit}",
            "data": f"/var/lib/{self.unit}",
            "log": f"/var/log/{self.unit}.log",
            "server": self.name,
            "address": self.address,
            "port": str(self.port),
            "enforcing": self.enforcing,
        }
        machine = self.lab.world
        files = {f"{self._etc}/{name}.cf": File(render(f"sender-{name}.cf", **values)) for name in ("main", "master")}
        write(machine.root, files)
        folders = f"mkdir -p {values['queue']} {values['data']} && chown postfix: {values['data']}"
        machine.run(["sh", "-c", folders])
        command = ["systemd-run", "--quiet", "--collect", f"--unit={self.unit}", "postfix", "-c", self._etc, "start-fg"]
        machine.run(command)
        until(self._greets, lambda: LabError(f"{self.name} did not come up.", self.tail()), timeout=30)

    def configure(self, *settings: str) -> None:
        """Change settings, written ``name=value``; a delivery that begins afterwards follows them."""
        self.lab.world.run(["postconf", "-c", self._etc, "-e", *settings])
        self.forget()

    def forget(self) -> None:
        """Have it forget TLSA records: each process of Postfix that delivers keeps them for their TTL."""
        self.lab.world.run(["postfix", "-c", self._etc, "reload"])

    @property
    def _etc(self) -> str:
        return f"/etc/{self.unit}"

    def _path(self, what: str) -> Path:
        below = {"queue": f"var/spool/{self.unit}", "log": f"var/log/{self.unit}.log"}[what]
        return self.lab.world.root / below

    def _active(self) -> int:
        folders = (self._path("queue") / name for name in ("maildrop", "incoming", "active"))
        return sum(1 for folder in folders for file in folder.rglob("*") if file.is_file())

    def _greets(self) -> bool:
        try:
            with inside(self.lab.world.namespace), smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False


@dataclass(frozen=True)
class Senders:
    """The two of them."""

    dane: Sender
    sts: Sender

    def __iter__(self) -> Iterator[Sender]:
        """Go through both."""
        return iter((self.dane, self.sts))

    def believe(self, level: Level) -> None:
        """Set what the one that believes TLSA does where there are none."""
        self.dane.configure(f"smtp_tls_security_level={level}")

    def forget(self) -> None:
        """Have both forget what they know of DNS, as if its TTL had run out; policies are remembered."""
        for sender in self:
            sender.forget()

    def policies_not_fetched(self) -> list[str]:
        """Return what the resolver of policies said of those that it could not fetch."""
        log = self.sts.lab.world.run(["journalctl", "-u", _RESOLVER, "-o", "cat"]).stdout
        return [line for line in log.splitlines() if "failed" in line or "rror" in line]


def start(lab: Lab) -> Senders:
    """Start both on the world's machine of a lab with an authority, which they trust."""
    dane = f"smtp_tls_security_level = {Level.WHERE_PUBLISHED}\nsmtp_dns_support_level = dnssec\nsmtp_host_lookup = dns"
    sts = (
        "smtp_tls_security_level = may\nsmtp_tls_CApath = /etc/ssl/certs\n"
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix"
    )
    write(lab.world.root, {_POLICIES: File(_DAEMON)})
    lab.world.run(["systemctl", "start", _RESOLVER])
    senders = Senders(
        Sender(lab, "dane", DANE_SENDER_NAME, DANE_SENDER[0], 10025, dane),
        Sender(lab, "sts", STS_SENDER_NAME, STS_SENDER[0], 10026, sts),
    )
    for sender in senders:
        sender.start()
    return senders


@dataclass
class Stream:
    """Mail that one sender brings all the time: what it was given, and what became of that, once it is over."""

    sender: Sender
    submitted: list[str] = field(default_factory=list)
    result: Tally | None = None

    @property
    def told(self) -> Tally:
        """What became of it; LabError before its end."""
        if self.result is None:
            raise LabError("the stream still flows.")
        return self.result

    def line(self) -> str:
        """Say in a line what became of it."""
        found = self.told
        by = Counter[str]()
        for (verdict, _), count in found.handshakes.items():
            by[verdict] += count
        shaken = ", ".join(f"{verdict.lower()} {count}" for verdict, count in sorted(by.items()))
        told = f"submitted {len(self.submitted)}, delivered {found.delivered}, deferred {found.deferred}"
        return f"{self.sender.title}: {told}, bounced {found.statuses['bounced']}; TLS {shaken}"


@contextmanager
def streaming(senders: Senders, recipients: Sequence[str], pause: float = _PAUSE) -> Iterator[tuple[Stream, Stream]]:
    """Have both senders write to these addresses in turn while the block runs, every ``pause`` seconds.

    At its end each message has been tried, and what became of all is printed, a line a sender.
    """
    ended = threading.Event()
    streams = Stream(senders.dane), Stream(senders.sts)
    begun = [len(stream.sender.log) for stream in streams]
    start = time.monotonic()

    def bring(stream: Stream) -> None:
        for recipient in cycle(recipients):
            stream.submitted.append(stream.sender.submit(recipient))
            if ended.wait(pause):
                return

    threads = [threading.Thread(target=bring, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    try:
        yield streams
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - start
        for stream, since in zip(streams, begun, strict=True):
            stream.result = stream.sender.judged(since, len(stream.submitted))
            print(f"{stream.line()}, in {seconds:.0f} s")
