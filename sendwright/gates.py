"""What stands in the way of a key's next step: each gate answers with what to do or to wait for first, None if open."""

from datetime import datetime

from sendwright.lines import CLOCKS_DIFFER, Act, Held, HostSeen, Line, Seen, Step
from sendwright.state.model import DkimKey, KeyStage


def follow(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """The step that makes DNS hold what the story says."""
    found = seen.records.get(key.record_name)
    if found is None:
        return wait(line, key, "its record could not be looked at")
    wanted = {KeyStage.REVOKED: Held.EMPTY, KeyStage.REMOVED: Held.NOTHING}.get(key.stage, Held.KEY)
    if found.held is Held.OTHER:
        # Where nothing of ours should be, what is somebody else's concerns nobody.
        why = f"another key, or several, stand at {key.txt_name}: nothing was changed"
        return None if wanted is Held.NOTHING else Step(Act.BLOCKED, line, key, why)
    if found.held is Held.EMPTY and wanted is Held.KEY:
        return Step(Act.BLOCKED, line, key, f"DNS says at {key.txt_name} that it is revoked: nothing was changed")
    if found.held is wanted and key.stage is not KeyStage.GENERATED:
        return None
    return Step(Act.PUBLISH, line, key, f"DNS holds {found.held}, and should hold {wanted}")


def copied(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """A key whose only copy may vanish is not published."""
    if key.stage is not KeyStage.GENERATED or line.policy.pushed:
        return None
    reached = tuple(h for h in line.hosts if h in seen.hosts)
    if any(key.record_name in seen.hosts[h].holds for h in reached):
        return None
    if reached:
        return Step(Act.CONVERGE, line, key, "a copy of it comes before its publication", reached)
    return wait(line, key, "no host can be reached that would hold a copy of it", line.hosts)


def lacking(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """Bring the key to each host that was seen without it, or whose signers may not have loaded what lies there.

    A run that died between both leaves a host that has the key and cannot prove it.
    """
    reached = [(h, seen.hosts[h]) for h in line.hosts if h in seen.hosts]
    without = tuple(h for h, host in reached if key.record_name not in host.holds or host.signs is None)
    return Step(Act.CONVERGE, line, key, "every host holds it before any signs with it", without) if without else None


def absent(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    """Wait for each host that counts and was not seen, or whose clock is not ours."""
    away = tuple(h for h in line.used_by(key) if h not in seen.hosts)
    if away:
        lost = tuple(h for h in away if h not in seen.given_up)
        left = tuple(h for h in away if h in seen.given_up)
        said = (
            f"{', '.join(lost)} cannot be reached" if lost else "",
            f"{', '.join(left)} was given up" if left else "",
        )
        return wait(line, key, ", and ".join(filter(None, said)), away)
    return untimely(line, key, seen, now)


def untimely(line: Line, key: DkimKey | None, seen: Seen, now: datetime) -> Step | None:
    """What stands in the way of remembering the time: nobody confirms our clock, or somebody contradicts it."""
    reached = tuple(h for h in (line.used_by(key) if key else line.hosts) if h in seen.hosts)
    if not reached:
        return wait(line, key, "no host that sends for it can be reached", line.hosts)
    wrong = tuple(h for h in reached if abs(seen.hosts[h].clock - now) > CLOCKS_DIFFER)
    return wait(line, key, f"the clock of {', '.join(wrong)} is not ours", wrong) if wrong else None


def served(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """Wait until every server says what the story says; an alias that leads elsewhere only its owner can mend."""
    record = seen.records[key.record_name]
    if record.astray:
        return Step(Act.BLOCKED, line, key, f"{'; '.join(record.behind)}: its owner has to mend that alias")
    return None if record.served else wait(line, key, "; ".join(record.behind) or "it is not served by all yet")


def visible(line: Line, key: DkimKey, seen: Seen, now: datetime, *, hurry: bool) -> Step | None:
    """Wait until no cache can hold that the key does not exist; in a ``hurry`` only until every server has it."""
    fresh_at = seen.records[key.record_name].fresh_at
    if (step := served(line, key, seen)) or hurry or fresh_at is None or now >= fresh_at:
        return step
    return wait(line, key, "caches may hold that it does not exist", until=fresh_at)


def unproven(line: Line, key: DkimKey, hosts: tuple[str, ...]) -> Step | None:
    """Probe on each of the hosts that has not proven the key."""
    without = tuple(h for h in hosts if h not in key.proven_on)
    return Step(Act.PROVE, line, key, "only a proven key signs", without) if without else None


def used(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """Converge each host that was seen to sign with the key, or that may."""
    using = tuple(h for h in line.used_by(key) if h in seen.hosts and may_sign(seen.hosts[h], key))
    return Step(Act.CONVERGE, line, key, "they sign with it, or may", using) if using else None


def may_sign(host: HostSeen, key: DkimKey) -> bool:
    """Return whether a host signs with a key, or is not known not to."""
    return host.signs is None or key.record_name in host.signs


def wait(line: Line, key: DkimKey | None, why: str, hosts: tuple[str, ...] = (), until: datetime | None = None) -> Step:
    """Return a step that does nothing now."""
    return Step(Act.WAIT, line, key, why, hosts, until)
