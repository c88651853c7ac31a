"""Mail that waits in a host's queue for as long as a test wants, and what becomes of it then."""

import json
import re
import smtplib
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sendwright.errors import LabError
from sendwright.lab.clients import wait
from sendwright.lab.netns import inside
from sendwright.lab.traffic import Judged
from sendwright.lab.waiting import until
from sendwright.received import Results, as_sent, results
from tests.lab.rotation.world import Rotating


@dataclass(frozen=True)
class Held:
    """A message on hold in a host's queue, by its number there."""

    host: str
    number: str
    subject: str


def held(rotating: Rotating, host: str, login: str) -> Held:
    """Submit a message that its receiver does not take yet, and put it on hold in a host's queue."""
    before = set(_deferred(rotating, host))
    subject = rotating.queue(host, login)
    wait(lambda: bool(_deferred(rotating, host).keys() - before), f"no message waits on {host}")
    (number,) = _deferred(rotating, host).keys() - before
    rotating.world.lab.host(host).run(["postsuper", "-h", number])
    return Held(host, number, subject)


def _deferred(rotating: Rotating, host: str) -> dict[str, str]:
    lines = (json.loads(line) for line in rotating.clients.queue(host).splitlines())
    waiting = (line for line in lines if line["recipients"][0]["address"].startswith("deferred@"))
    return {line["queue_id"]: line["queue_name"] for line in waiting}


def made_older(rotating: Rotating, mail: Held, span: timedelta) -> None:
    """Have a message wait for longer: its queue file says when it came, in a record of that type."""
    queues = rotating.world.lab.host(mail.host).root / "var/spool/postfix"
    (file,) = (found for name in ("hold", "deferred") for found in (queues / name).rglob(mail.number))
    content = file.read_bytes()
    found = re.search(rb"T.(\d{10}) ", content, re.DOTALL)
    assert found
    with file.open("r+b") as writing:
        writing.seek(found.start(1))
        writing.write(str(int(found[1]) - int(span.total_seconds())).encode())


def released(rotating: Rotating, mail: Held) -> Judged:
    """Have a message on hold delivered, and return how it was judged."""
    rotating.world.lab.host(mail.host).run(["postsuper", "-H", mail.number])
    return rotating.delivered(mail.host, mail.subject)


def again(rotating: Rotating, mail: Held) -> Results:
    """Bring the receiver a message once more, as whoever still has it would, and return how it is judged."""
    mailbox = uuid.uuid4().hex
    inbox, host = rotating.world.lab.inbox, rotating.world.lab.host(mail.host)
    seen = [each for each in inbox.messages() if mail.subject.encode() in each.raw]
    with inside(host.namespace), smtplib.SMTP(inbox.machine.addresses[0], 25, mail.host, timeout=60) as client:
        client.sendmail(seen[0].sender, f"{mailbox}@{inbox.domain}", as_sent(seen[0].raw))

    def arrived() -> Results | None:
        found = (results(m.raw, inbox.machine.name) for m in inbox.messages() if m.recipient.startswith(mailbox))
        return next(found, None)

    return until(arrived, lambda: LabError(f"{mail.subject} did not arrive again."))
