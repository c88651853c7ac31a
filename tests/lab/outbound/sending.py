"""Mail from our hosts to strangers, and what became of it, as their logs say."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from sendwright.errors import LabError
from sendwright.lab import LabHost, RRset
from sendwright.lab.waiting import until
from sendwright.rehearse import World
from sendwright.stack import Stack, TlsOverride
from tests.lab.outbound.receivers import ZONE, Stranger, policy_records

_LOG = ("journalctl", "--output=cat", "--identifier=postfix/smtp", "--identifier=postfix/error")
_DAEMONS = ("journalctl", "--output=cat", "--unit=sendwright-tlspolicy", "--unit=postfix-mta-sts-resolver")


@dataclass(frozen=True)
class Outcome:
    """What became of a message: delivered or not, by which host, why, and how far TLS was verified.

    ``tls``: Postfix's word for it (Verified, Trusted, Untrusted …), or nothing where there was none; ``log``: all that
    was logged since it was sent.
    """

    delivered: bool
    relay: str
    why: str
    tls: str
    log: str


@dataclass(frozen=True)
class Outbound:
    """The provisioned hosts, and what was declared of them."""

    world: World
    stack: Stack

    def override(self, overrides: Mapping[str, str]) -> None:
        """Provision with other overrides than before."""
        levels = {name: TlsOverride.model_validate(level) for name, level in overrides.items()}
        smtp = self.stack.smtp.model_copy(update={"tls_overrides": levels})
        self.world.declare(self.stack.model_copy(update={"smtp": smtp}))
        done = self.world.provision()
        assert done.returncode == 0, done.stdout + done.stderr

    def host(self, name: str) -> LabHost:
        """Return one of them."""
        return self.world.lab.host(name)

    def send(self, host: str, to: Stranger, count: int = 1) -> list[str]:
        """Have a host send messages; return their recipients."""
        recipients = [f"{uuid.uuid4().hex}@{to.domain}" for _ in range(count)]
        sender = f"somebody@{host.removeprefix('mx.')}"
        for recipient in recipients:
            text = f"From: {sender}\nTo: {recipient}\nSubject: a test\n\nHello.\n"
            self.host(host).run(["sendmail", "-f", sender, recipient], given=text)
        return recipients

    def outcome(self, host: str, recipient: str, *, status: str = "") -> Outcome:
        """Wait until a message has been tried, and tell what became of it; ``status``: wait for this one."""
        line = re.compile(
            rf"to=<{re.escape(recipient)}>.* relay=([^,]+),.* status=({status or '[a-z]+'}) \((.*)\)$", re.MULTILINE
        )

        def look() -> Outcome | None:
            log = self.log(host)
            return _outcome(log, found) if (found := line.search(log)) else None

        return until(
            look, lambda: LabError(f"{recipient} was not tried.", self.log(host)[-2000:]), nudge=self._flush(host)
        )

    def sent(self, host: str, to: Stranger) -> Outcome:
        """Send a message and tell what became of it."""
        return self.outcome(host, self.send(host, to)[0])

    def counts(self, host: str, recipients: Iterable[str]) -> Counter[str]:
        """Wait until all of these have been tried; return how often each status was logged."""
        for recipient in recipients:
            self.outcome(host, recipient)
        log = self.log(host)
        found = (re.findall(rf"to=<{re.escape(r)}>.* status=([a-z]+) ", log) for r in recipients)
        return Counter(status for each in found for status in each)

    def log(self, host: str) -> str:
        """Return what Postfix logged of what it sent."""
        self.host(host).run(["journalctl", "--sync"])
        return self.host(host).run(_LOG).stdout

    def policy_log(self, host: str) -> str:
        """Return what both daemons logged that tell Postfix what to demand."""
        self.host(host).run(["journalctl", "--sync"])
        return self.host(host).run(_DAEMONS).stdout

    def withdraw_policy(self, of: Stranger) -> None:
        """Take a stranger's policy away, as whoever answers in its name would: its record and its server's address."""
        self._policy(of, ())

    def publish_policy(self, of: Stranger) -> None:
        """Put it back."""
        self._policy(of, tuple(record for record in policy_records(of)))

    def _policy(self, of: Stranger, records: tuple[RRset, ...]) -> None:
        lab = self.world.lab
        gone = tuple(replace(record, values=()) for record in policy_records(of))
        lab.primary.replace(ZONE, records or gone)
        lab.secondary.retrieve(ZONE)
        for host in lab.hosts:
            host.run(["unbound-control", "flush_zone", ZONE])

    def _flush(self, host: str) -> Callable[[], object]:
        return lambda: self.host(host).run(["postqueue", "-f"], check=False)


def _outcome(log: str, found: re.Match[str]) -> Outcome:
    relay = found[1]
    shaken = re.findall(
        rf"(\w+) TLS connection established to {re.escape(relay.rpartition(':')[0])}", log[: found.end()]
    )
    return Outcome(found[2] == "sent", relay, found[3], shaken[-1] if shaken else "", log)
