"""Stage 4: wait until what mail relies on is served and fresh, and what proves it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import sleep

from sendwright.dkim import record_text
from sendwright.dns.freshness import Progress as Freshness
from sendwright.dns.freshness import Target, Timing
from sendwright.dns.propagation import World, wait
from sendwright.dns.rdata import canonical, txt
from sendwright.dns.transport import query
from sendwright.state.model import DkimKey, KeyStage

# How long servers may take to serve what was published, besides the clocks that have to run out.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class Published:
    """What is waited for: who serves it, what caches may hold, since when it is served, the margin on top."""

    world: World
    known: Mapping[Target, Timing]
    since: Mapping[Target, datetime]
    margin: timedelta

    def without(self, dropped: Callable[[Target], bool]) -> "Published":
        """Return the same without some targets."""
        return replace(self, known={t: timing for t, timing in self.known.items() if not dropped(t)})


NOTHING = Published(World(query, "", {}), {}, {}, timedelta())


def target(zone: str, key: DkimKey) -> Target:
    """Return a key's record as something to wait for."""
    return Target(zone, key.txt_name, "TXT", txt(record_text(key)))


def alias(zone: str, key: DkimKey) -> Target | None:
    """Return the alias by which verifiers find a delegated key, as something to wait for in the zone that it lies in.

    None for a key whose record stands at the very name that they ask for, and for one that is revoked: nobody has to
    find that any more.
    """
    if key.target is None or key.stage in {KeyStage.REVOKED, KeyStage.REMOVED}:
        return None
    return Target(zone, key.record_name, "CNAME", canonical("CNAME", f"{key.target}."))


def by_place(targets: Iterable[Target]) -> Mapping[tuple[str, str], Target]:
    """Return targets by name and type: the record of an imported key may say the same in other words."""
    return {(target.name, target.type): target for target in targets}


def way(key: DkimKey, known: Mapping[tuple[str, str], Target]) -> tuple[Target, ...]:
    """Return what leads verifiers to a key, its record last; nothing if any of it is not ``known``."""
    led = alias("", key)
    found = [known.get(place) for place in ([(led.name, led.type)] if led else []) + [(key.txt_name, "TXT")]]
    return tuple(target for target in found if target) if all(found) else ()


def until_fresh(published: Published, report: Callable[[str], None], *, stay: bool) -> Freshness:
    """Wait until everything is served and fresh, saying for what; without ``stay`` only look once.

    A deadline of half an hour over the longest clock keeps this bounded; the answer says what is still waited for.
    """
    longest = max((max(t.negative, t.replaced, t.wildcard) for t in published.known.values()), default=0)
    patience = _PATIENCE + timedelta(seconds=longest) + published.margin if stay else timedelta()
    return wait(
        published.world,
        published.known,
        published.margin,
        _now() + patience,
        since=published.since,
        clock=_now,
        sleep=sleep,
        report=lambda progress: report(_summary(progress)) if progress.waiting else None,
    )


def served(keys: Iterable[DkimKey], published: Published, fresh: Freshness) -> tuple[DkimKey, ...]:
    """Return the keys whose ``served_since`` changed by what was seen: a break forgets it, not looking does not."""
    known = by_place(published.known)
    looked_at = ((key, found) for key in keys if (found := way(key, known)))
    changed = ((key, replace(key, served_since=_all_since(found, fresh.since))) for key, found in looked_at)
    return tuple(now for before, now in changed if now != before)


def _all_since(found: Iterable[Target], since: Mapping[Target, datetime]) -> datetime | None:
    times = [since.get(target) for target in found]
    return None if None in times else max(time for time in times if time)


def lookup(name: str) -> bytes | None:
    """Return the joined TXT value of a name by the system's resolver; None if there is none or nobody answers."""
    import dns.exception
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name, "TXT", search=False)
    except dns.exception.DNSException:
        return None
    return b"".join(answer[0].strings)


def _summary(progress: Freshness) -> str:
    behind = [w for w in progress.waiting if w.behind]
    shown = behind or sorted(progress.waiting, key=lambda w: w.until or _now(), reverse=True)
    more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
    return f"waiting: {shown[0]}{more}"


def _now() -> datetime:
    return datetime.now(UTC)
