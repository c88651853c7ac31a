"""When a published value may be relied on: served by all, for longer than anything older can be remembered. Pure.

*Served*: every address of every authoritative server answers the value, and a validating resolver does not say bogus.
*Fresh*: served without a break for the longest of what resolvers may still hold, plus a margin for the nodes of an
anycast address that we cannot see. A server that does not answer means wait; a break restarts the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sendwright.dns.records import Record


@dataclass(frozen=True, order=True)
class Target:
    """A value that is to be served; ``value`` is canonical text (``rdata``)."""

    zone: str
    name: str
    type: str
    value: str

    @classmethod
    def of(cls, zone: str, record: Record) -> "Target":
        """Return a desired record as something to wait for."""
        return cls(zone, record.name, record.type, record.value)


@dataclass(frozen=True)
class Timing:
    """What resolvers may hold, in seconds: that the name does not exist, the old record set, a wildcard's answer.

    Seen *before* publishing. After a killed run only ``replaced`` is lost: the zone's negative TTL and the wildcard
    can still be asked for, and a selector that never existed replaces nothing. So nothing is remembered: a look at
    any later time, joined by ``|`` with what was seen, is never shorter for a new name. For a record set that an
    earlier, killed run has changed, the look finds its present TTL, which is the old one too unless the plan said
    that the TTL changes.
    """

    negative: int = 0
    replaced: int = 0
    wildcard: int = 0

    def __or__(self, other: "Timing") -> "Timing":
        return Timing(
            max(self.negative, other.negative),
            max(self.replaced, other.replaced),
            max(self.wildcard, other.wildcard),
        )


@dataclass(frozen=True)
class Look:
    """One look at one target: ``behind`` names each server that does not serve it and why; empty when served.

    ``astray``: it is an alias, and some server leads elsewhere: no time mends that.
    """

    target: Target
    behind: tuple[str, ...] = ()
    astray: bool = False


@dataclass(frozen=True)
class Waiting:
    """What a target waits for: servers by name, or, once it is served, only the clock (``until``).

    ``astray``: as in ``Look``.
    """

    target: Target
    behind: tuple[str, ...] = ()
    until: datetime | None = None
    astray: bool = False

    def __str__(self) -> str:
        place = f"{self.target.type} {self.target.name}"
        if self.until is None:
            return f"{place}: {'; '.join(self.behind)}"
        return f"{place}: served by all; caches may hold older answers until {self.until:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class Progress:
    """Since when each target is served without a break, as far as we saw, and what is still waited for."""

    since: Mapping[Target, datetime]
    waiting: tuple[Waiting, ...]

    @property
    def done(self) -> bool:
        """Whether nothing is waited for."""
        return not self.waiting

    @property
    def served(self) -> bool:
        """Whether every target is served, fresh or not."""
        return not any(w.behind for w in self.waiting)


def fresh_at(served_since: datetime, timing: Timing, margin: timedelta) -> datetime:
    """Return when a value may be relied on that is served without a break since then."""
    longest = max(timing.negative, timing.replaced, timing.wildcard)
    return served_since + timedelta(seconds=longest) + margin


def step(
    since: Mapping[Target, datetime],
    looks: Iterable[Look],
    timings: Mapping[Target, Timing],
    margin: timedelta,
    now: datetime,
) -> Progress:
    """Take in looks and say what is still waited for, for every target of ``timings``.

    Arguments: ``since``: from the step before, or from the state folder; ``looks``: at all targets, or at those that
    were behind; ``timings``: what caches may hold; ``now``: when the looks *ended*, so that no clock starts too
    early.
    """
    looked = {found.target: found for found in looks}
    behind = {target: found.behind for target, found in looked.items()}
    served: dict[Target, datetime] = {}
    waiting: list[Waiting] = []
    for target, timing in sorted(timings.items(), key=lambda item: item[0]):
        if behind.get(target) or (target not in behind and target not in since):
            astray = target in looked and looked[target].astray
            waiting.append(Waiting(target, behind.get(target) or ("not looked at yet",), astray=astray))
            continue
        served[target] = since.get(target, now)
        until = fresh_at(served[target], timing, margin)
        if now < until:
            waiting.append(Waiting(target, until=until))
    return Progress(served, tuple(waiting))
