"""The machine itself: its queue, its clock, its disk, the days of its certificate. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sendwright.certparts import STRANGE
from sendwright.deploys.base import chain_path
from sendwright.deploys.probe import Smtp
from sendwright.lifetime import overdue_from
from sendwright.stack import AcmeTls
from sendwright.state.model import Certificate
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside.facts import Facts, Trouble, converge, told
from sendwright.verify.inside.look import Room, Waiting
from sendwright.verify.remedy import renewal
from sendwright.verify.rules import hosts as rules

_HOUR = 3600.0
# Later than that most mail has gone, or its destination has trouble of its own.
_OLD = 4 * _HOUR
_MANY = 1000
_FIRST_QUEUES = frozenset({"incoming", "maildrop"})
# Signatures, TLS and TSIG tolerate minutes (RFC 8945 section 5.2.3: 300 s); a clock that is kept is off by none.
_CLOCK_FAIL, _CLOCK_WARN = 60.0, 5.0
_MEGABYTE, _GIGABYTE = 1024**2, 1024**3
# A tenth of a large disk is room enough.
_LARGE = 20 * _GIGABYTE


def queue(facts: Facts) -> Iterator[Finding]:
    """Judge how much mail waits, for how long, and whether anything keeps it from its first try."""
    found = facts.inside.queue
    if found is None:
        advice = "What does `postqueue -j` print on it?"
        yield rules.QUEUE.unknown(facts.subject, "the queue could not be read", advice)
        return
    now = facts.observation.clock
    messages, oldest = sum(q.messages for q in found.values()), min((q.oldest for q in found.values()), default=now)
    troubles = [*_aged(facts, messages, now - oldest), *_stuck(found, now), *_corrupt(facts)]
    fine = f"{_counted(messages)}" + (f", the oldest {_span(now - oldest)} old" if messages else "")
    yield from told(rules.QUEUE, facts, troubles, fine)


def _aged(facts: Facts, messages: int, age: float) -> Iterator[Trouble]:
    lifetime = facts.stack.smtp.queue_days * 24 * _HOUR
    advice = "`postqueue -p` on it says what each message waits for; `qshape deferred` which destinations."
    if age > lifetime + _HOUR:
        kept = f"mail is kept for {_span(lifetime)} at most"
        yield Trouble(f"the oldest of {_counted(messages)} is {_span(age)} old, and {kept}", advice, "age")
    elif age > _OLD:
        yield Trouble(f"the oldest of {_counted(messages)} is {_span(age)} old", advice, "age", Status.WARN)
    if messages > _MANY:
        advice = "If one login sent them, somebody may abuse it: look for sasl_username in the log."
        yield Trouble(f"{_counted(messages)} wait", advice, "length", Status.WARN)


def _stuck(found: Mapping[str, Waiting], now: float) -> Iterator[Trouble]:
    for name in sorted(_FIRST_QUEUES & found.keys()):
        if (age := now - found[name].oldest) > _HOUR:
            advice = "Is Postfix running, and does a milter answer? Look at `journalctl -u 'postfix*'` on it."
            yield Trouble(f"mail waits for its first try in {name} for {_span(age)}", advice, name)


def _corrupt(facts: Facts) -> Iterator[Trouble]:
    if facts.inside.corrupt:
        seen = f"{_counted(facts.inside.corrupt)} in /var/spool/postfix/corrupt: Postfix could not read them"
        yield Trouble(seen, "Look at the disk's health; `postcat` shows what is left of a message.", "corrupt")


def clock(facts: Facts) -> Iterator[Finding]:
    """Judge by this machine's clock, before and after the host said its own: what the way took is no mistake."""
    said = datetime.fromtimestamp(facts.observation.clock, UTC)
    off = max((facts.began - said).total_seconds(), (said - facts.ended).total_seconds(), 0.0)
    where = "behind" if said < facts.began else "ahead of"
    seen = f"it is {off:.1f} s {where} this machine's"
    advice = "Install and start systemd-timesyncd or chrony on it; is this machine's own clock right?"
    troubles = []
    if off > _CLOCK_WARN:
        troubles.append(Trouble(seen, advice, status=Status.FAIL if off > _CLOCK_FAIL else Status.WARN))
    yield from told(rules.CLOCK, facts, troubles, f"within {off:.1f} s of this machine's")


def disk(facts: Facts) -> Iterator[Finding]:
    """Judge the room where the queue lies, in bytes and in files."""
    room = facts.inside.room
    if room is None:
        yield rules.DISK.unknown(
            facts.subject, "there is no queue directory to look at", f"{converge(facts)} makes it."
        )
        return
    fine = f"{_size(room.free)} of {_size(room.size)} free where the queue lies"
    yield from told(rules.DISK, facts, _full(room, fine), fine)


def _full(room: Room, seen: str) -> Iterator[Trouble]:
    advice = "Make room: `du -x / | sort -n | tail` on it shows what takes it; logs are the usual ones."
    if room.free < 500 * _MEGABYTE:
        yield Trouble(seen, advice, "bytes")
    elif room.free < 2 * _GIGABYTE or (room.free * 10 < room.size and room.free < _LARGE):
        yield Trouble(seen, advice, "bytes", Status.WARN)
    # A message is a file, and for a moment two.
    if room.inodes and room.inodes_free * 10 < room.inodes:
        status = Status.FAIL if room.inodes_free < 1000 else Status.WARN
        yield Trouble(f"{room.inodes_free} of {room.inodes} inodes free", advice, "inodes", status)


def expiry(facts: Facts) -> Iterator[Finding]:
    """Judge the certificate by three places: the state folder, the host's disk, and what port 25 serves."""
    remembered = facts.certificate
    if remembered is None:
        advice = f"{converge(facts)} makes one."
        yield rules.EXPIRY.failed(facts.subject, "the state folder has no certificate for it", advice)
        return
    served = facts.inside.smtp.get(25)
    if not isinstance(served, Smtp) or not served.certificate:
        yield rules.EXPIRY.unknown(facts.subject, "port 25 serves no certificate that could be looked at")
        return
    try:
        leaf = x509.load_der_x509_certificate(served.certificate)
        troubles = [*_other(facts, remembered, leaf), *_ending(facts, leaf), *_hindered(facts)]
        left = leaf.not_valid_after_utc - facts.ended
    except STRANGE:
        yield rules.EXPIRY.failed(
            facts.subject, "what port 25 serves is no certificate", f"{converge(facts)} mends it."
        )
        return
    fine = f"served as declared, {_span(left.total_seconds())} left"
    yield from told(rules.EXPIRY, facts, troubles, fine)


def _other(facts: Facts, remembered: Certificate, leaf: x509.Certificate) -> Iterator[Trouble]:
    name, advice = facts.host.name, f"{converge(facts)} installs and loads the declared one."
    if not remembered.chain.startswith(leaf.public_bytes(Encoding.PEM).decode()):
        yield Trouble("port 25 serves another certificate than the state folder has", advice, "served")
    path = chain_path(remembered)
    declared = next((f for s in facts.services for f in s.files if f.path == path), None)
    lies = facts.observation.paths.get(path)
    if declared and (lies is None or lies.sha256 != declared.sha256):
        yield Trouble(f"{path} is not the certificate that the state folder has", advice, path)
    if name not in _names(leaf):
        yield Trouble(f"the certificate does not name {name}", advice, "name")


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def _ending(facts: Facts, leaf: x509.Certificate) -> Iterator[Trouble]:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    issued, advice = isinstance(facts.host.tls, AcmeTls), renewal(facts.host)
    if facts.ended >= ends:
        yield Trouble(f"the certificate ran out on {ends:%Y-%m-%d %H:%M} UTC", advice, "days")
    elif facts.ended >= overdue_from(begins, ends):
        left, life = ends - facts.ended, ends - begins
        seen = f"{_span(left.total_seconds())} of the certificate's {_span(life.total_seconds())} are left"
        status = Status.FAIL if issued else Status.WARN
        yield Trouble(f"{seen}: its renewal is overdue", advice, "days", status)


def _hindered(facts: Facts) -> Iterator[Trouble]:
    """Say why a host cannot renew by itself; once may be chance, and it tries again."""
    if (why := facts.hindered) is None:
        return
    many = "once" if why.failures == 1 else f"{why.failures} times in a row, since {why.since}"
    status = Status.WARN if why.failures == 1 else Status.FAIL
    yield Trouble(f"its own renewal failed {many}: {why.said}", renewal(facts.host), "renewal", status)


def _counted(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages:,} messages"


def _span(seconds: float) -> str:
    for size, name in ((24 * _HOUR, "days"), (_HOUR, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def _size(octets: int) -> str:
    return f"{octets / _GIGABYTE:.1f} GB" if octets >= _GIGABYTE else f"{octets // _MEGABYTE} MB"
