"""What mail fails because a key leaked, and how long forgeries verify: said when ``rotate`` replaces it, and after."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from sendwright.deploys.guard import SESSION
from sendwright.escape import printable
from sendwright.lines import NEW, Held, HostSeen, Line, Seen, Step
from sendwright.state.model import DkimKey, KeyStage

_NAMES = 3
_REVOKED = "revoked"


@dataclass(frozen=True)
class Leak:
    """Keys that leaked and of which the same is true.

    ``state``: whether they are revoked, in words; ``sentences``: what fails, and until when.
    """

    names: tuple[str, ...]
    state: str
    sentences: tuple[str, ...]

    @property
    def revoked(self) -> bool:
        """Whether DNS was seen to say so."""
        return self.state == _REVOKED


def leaks(lines: Iterable[Line], done: Iterable[Step], seen: Seen) -> tuple[Leak, ...]:
    """Return what mail fails because of leaked keys, until it is over with each of them.

    It is over in the run after the one that saw every server say that the key is revoked. Arguments: ``done``: what was
    just done; ``seen``: the last look at their records, and at hosts, for what waits in queues.
    """
    moved = {step.key.record_name for step in done if step.key}
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for line in lines:
        for key in line.keys:
            if key.leaked and _concerns(key, moved):
                state = _state(key, seen)
                same = (state, tuple(_sentences(line, key, seen.hosts, revoked=state == _REVOKED)))
                found.setdefault(same, []).append(key.record_name)
    return tuple(Leak(tuple(names), state, sentences) for (state, sentences), names in found.items())


def leak_lines(found: Sequence[Leak]) -> list[str]:
    """Return leaks as people read them."""
    lines = ["", click.style("Leaked", bold=True)] if found else []
    for leak in found:
        more = f" and {len(leak.names) - _NAMES} more" if len(leak.names) > _NAMES else ""
        lines += [printable(f"  {', '.join(leak.names[:_NAMES])}{more}: {leak.state}")]
        lines += [printable(f"    - {sentence}") for sentence in leak.sentences]
    return lines


def _concerns(key: DkimKey, moved: Iterable[str]) -> bool:
    if key.stage is KeyStage.REVOKED:
        return key.revoked is None or key.record_name in moved
    return key.stage is not KeyStage.REMOVED


def _state(key: DkimKey, seen: Seen) -> str:
    """What is told as revoked was seen in DNS: the story says so before a provider was asked, and it may refuse."""
    if key.stage is not KeyStage.REVOKED:
        return "revoked as soon as no host signs with it"
    record = seen.records.get(key.record_name)
    held_empty = record is not None and record.held is Held.EMPTY
    return _REVOKED if key.revoked or held_empty else "to be revoked: DNS still holds it"


def _sentences(line: Line, key: DkimKey, hosts: Mapping[str, HostSeen], *, revoked: bool) -> Iterator[str]:
    then = "fails" if revoked else "will fail"
    if key.signing_since is None and key.stage in NEW:
        yield "it has signed nothing, so no mail of yours fails"
    else:
        yield f"mail that it signed and that still waits {then}: {_queues(line, hosts)}"
        yield f"a mail program that stays connected signs with it for up to {_span(SESSION)}, and is then refused once"
        yield from _successor(line, key)
    forged = f"caches may hold its record for up to {_span(line.policy.ttl)} after it is revoked: forgeries verify"
    if key.revoked is None:
        yield f"{forged} until then"
    else:
        yield f"{forged} until {_minute(key.revoked + line.policy.ttl)} UTC"


def _queues(line: Line, hosts: Mapping[str, HostSeen]) -> str:
    # A look takes off how long a session may go on (signers.host_seen): here it is mail that counts.
    seen = [(h, found + SESSION) for h in line.hosts if h in hosts and (found := hosts[h].oldest)]
    oldest = [f"{host} holds mail since {since:%Y-%m-%d %H:%M} UTC" for host, since in seen]
    ours = f"in our queues ({', '.join(oldest)})" if oldest else "in our queues"
    return f"{ours}, and for up to {_span(line.policy.others)} in those of smarthosts and forwarders"


def _successor(line: Line, key: DkimKey) -> Iterator[str]:
    """Where the successor signs in a hurry, caches were not waited for."""
    current = line.signing[-1] if line.signing else None
    hurried = current is None or current == key or (current.signing_since or key.created) >= (key.leaked or key.created)
    if key.stage is KeyStage.SIGNING or hurried:
        yield (
            "its successor signs before every cache is fresh: its mail fails where a resolver remembers that the new "
            "name does not exist, for as long as the zone's negative TTL says"
        )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC) + timedelta(seconds=59, microseconds=999_999):%Y-%m-%d %H:%M}"


def _span(span: timedelta) -> str:
    """A length of time as people say it, to the minute above it."""
    minutes = -(-span // timedelta(minutes=1))
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    parts = ((days, "day" if days == 1 else "days"), (hours, "h"), (left, "min"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "no time"
