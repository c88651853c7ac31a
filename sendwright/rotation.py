"""What comes next in the life of DKIM keys: pure, so that "never unsigned, never unverifiable" can be proven.

The story of a key (``DkimKey``) moves by one step at a time. DNS and the hosts follow the story, never the other way
round, and each move waits for what was *seen*, never for what was sent.

=========  =============================================================================================================
GENERATED  a private key that nobody has seen: published once a copy of it is safe elsewhere (a host, or pushed)
PUBLISHED  its record is written: served by all, fresh, held by every sending host, proven there by a probe
PROVEN     as PUBLISHED; proven on some host at least
SIGNING    the newest one signs; an older one goes on being SIGNING until every host is seen not to sign with it
RETIRING   the record stays until no queue, ours or others', can hold what it signed
REVOKED    an empty ``p=`` (RFC 6376 section 3.6.1), for a while
REMOVED    no record; the selector is never used again, unless it is one of those that are fixed (``delegated``)
=========  =============================================================================================================
"""

from datetime import datetime, timedelta

from sendwright.delegated import free, free_at
from sendwright.lines import NEW, Act, Held, HostSeen, Line, Seen, Step, longest
from sendwright.state.model import DkimKey, KeyStage

# Clocks that differ by more say nothing about when something was signed.
CLOCKS_DIFFER = timedelta(minutes=5)


def next_steps(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    """Return the next safe step of each key of a line, and of the line itself; nothing for what is at rest.

    Arguments: ``seen``: one look at all hosts of the line and at the records of all its keys that are not at rest (see
    ``concerns``); ``now``: when that look ended, with a time zone. Carrying out any of the steps and looking again is
    safe, in any order, and so is dying at any point.
    """
    steps = (_of_key(line, key, seen, now) for key in line.keys)
    return tuple(step for step in (_of_line(line, now), *steps) if step)


def resting(line: Line, now: datetime) -> bool:
    """Return whether nothing about a line has to be looked at: one key signs, and none before or after it moves."""
    first = frozenset(k for k in line.keys if k.stage in NEW and not line.signing and not k.leaked)
    others = (k for k in line.keys if k not in first and k not in line.signing[-1:])
    moving = any(k.stage is not KeyStage.REMOVED for k in others)
    next_one = _of_line(line, now)
    return not moving and (next_one is None or next_one.act is Act.DUE)


def due(line: Line) -> datetime | None:
    """Return since or from when the key that signs is due for a successor; None if none signs."""
    current = line.signing[-1:]
    return (current[0].signing_since or current[0].created) + line.policy.period if current else None


def retires_at(line: Line, key: DkimKey) -> datetime | None:
    """Return until when the record of a retiring key has to stay; None while its clock stands."""
    if key.last_signed is None:
        return None
    return key.last_signed + timedelta(seconds=key.lifetime) + line.policy.others + line.policy.ttl


def _of_line(line: Line, now: datetime) -> Step | None:
    step = _begin(line, now)
    if step is None or step.act is not Act.GENERATE or not line.slots or free(line.slots, now):
        return step
    names = ", ".join(slot.selector for slot in line.slots)
    return Step(Act.WAIT, line, None, f"{step.why}, and each of {names} is in use yet", until=free_at(line.slots))


def _begin(line: Line, now: datetime) -> Step | None:
    current, since = line.signing[-1:], due(line)
    if not line.declared or not current or since is None or line.successor:
        return None
    if current[0].leaked:
        return Step(Act.GENERATE, line, None, f"{current[0].selector} leaked")
    if line.start:
        return Step(Act.GENERATE, line, None, "somebody asked for it")
    if since > now:
        return None
    why = f"{current[0].selector} signs for more than {line.policy.period.days} days"
    return Step(Act.GENERATE if line.policy.automatic else Act.DUE, line, None, why)


def _of_key(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if key.created > now + CLOCKS_DIFFER:
        return _wait(line, key, f"it was made at {key.created:%Y-%m-%d %H:%M} UTC: the clock here went back")
    if key.stage in NEW:
        return _new(line, key, seen, now)
    if key.stage is KeyStage.SIGNING:
        return _signing(line, key, seen, now)
    if key.stage is KeyStage.RETIRING:
        return _retiring(line, key, seen, now)
    if key.stage is KeyStage.REVOKED:
        return _revoked(line, key, seen, now)
    return _follow(line, key, seen) if key.record_name in seen.records else None


def _new(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if key.leaked or key != line.successor or not line.declared:
        why = "it leaked" if key.leaked else "a newer key takes its place" if line.declared else "it is not declared"
        act = Act.REMOVE if key.stage is KeyStage.GENERATED else Act.REVOKE
        return Step(act, line, key, f"{why} before it has signed anything")
    if not line.signing:
        return None  # the first key of all begins to sign on each host by itself, as provision proves it there
    hurry = line.signing[-1].leaked is not None
    return (
        _copied(line, key, seen)
        or _follow(line, key, seen)
        or _everywhere(line, key, seen, now)
        or _visible(line, key, seen, now, hurry=hurry)
        or _proven(line, key)
        or Step(Act.PROMOTE, line, key, "served by all, fresh, and proven on every host")
    )


def _signing(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if not line.declared:
        return _signed_by_none(line, key, seen, now) or Step(Act.DEMOTE, line, key, "its algorithm is not declared")
    if key == line.signing[-1]:
        # Where nothing else moves there is nothing to look for: provision keeps hosts and zones as they should be.
        return _follow(line, key, seen) if key.record_name in seen.records else None
    current = line.signing[-1]
    found = seen.records.get(current.record_name)
    if step := _signed_by_none(line, key, seen, now):
        return step
    if found is None or not found.served:
        behind = "; ".join(found.behind) if found else ""
        return _wait(line, key, f"its successor {current.selector} is not served by all: {behind or 'not looked at'}")
    return Step(Act.DEMOTE, line, key, f"every host signs with {current.selector}")


def _retiring(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if key.last_signed and any(_may_sign(seen.hosts[h], key) for h in line.hosts if h in seen.hosts):
        return Step(Act.RESTART, line, key, "a host signs with it again, or may")
    if step := _follow(line, key, seen) or _signed_by_none(line, key, seen, now):
        return step
    if key.last_signed is None:
        return Step(Act.CONFIRM, line, key, "no host signs with it any more")
    if key.leaked:
        return Step(Act.REVOKE, line, key, "it leaked, and no host signs with it any more")
    return _queued(line, key, key.last_signed, seen, now)


def _queued(line: Line, key: DkimKey, last_signed: datetime, seen: Seen, now: datetime) -> Step:
    if longest(line, key, seen) > key.lifetime:
        return Step(Act.CONFIRM, line, key, "a host keeps mail for longer than was known")
    until = retires_at(line, key)
    if until is not None and now < until:
        return _wait(line, key, "queues may hold mail that it signed", until=until)
    full = tuple(h for h in line.hosts if (oldest := seen.hosts[h].oldest) and oldest <= last_signed)
    if full:
        return _wait(line, key, f"mail that it may have signed waits in a queue of {', '.join(full)}", full)
    return Step(Act.REVOKE, line, key, "no queue can hold mail that it signed")


def _revoked(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    holding = tuple(h for h in line.hosts if h in seen.hosts and key.record_name in seen.hosts[h].holds)
    if holding:
        return Step(Act.CONVERGE, line, key, "its private part goes", holding)
    if step := _follow(line, key, seen):
        return step
    record = seen.records[key.record_name]
    if key.revoked is None:
        behind = "; ".join(record.behind)
        served = Step(Act.DATE, line, key, "every server says that it is revoked")
        return served if record.served else _wait(line, key, behind or "it is not served by all yet")
    if line.policy.disclose and key.disclosed is None and now >= key.revoked + line.policy.ttl:
        return Step(Act.DISCLOSE, line, key, "nothing signed with it proves anything any more")
    until = key.revoked + line.policy.revoked
    if now < until and not _makes_room(line):
        return _wait(line, key, "its empty record tells that it is revoked", until=until)
    return Step(Act.REMOVE, line, key, "it was revoked for long enough")


def _makes_room(line: Line) -> bool:
    """Whether a key that leaked signs on until a fixed selector is free: a statement may end early for that."""
    return bool(line.slots and line.signing and line.signing[-1].leaked and free_at(line.slots) is None)


def _follow(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """The step that makes DNS hold what the story says."""
    found = seen.records.get(key.record_name)
    if found is None:
        return _wait(line, key, "its record could not be looked at")
    if found.held is Held.OTHER:
        why = f"another key, or several, stand at {key.txt_name}: nothing was changed"
        return Step(Act.BLOCKED, line, key, why)
    wanted = {KeyStage.REVOKED: Held.EMPTY, KeyStage.REMOVED: Held.NOTHING}.get(key.stage, Held.KEY)
    if found.held is Held.EMPTY and wanted is Held.KEY:
        return Step(Act.BLOCKED, line, key, f"DNS says at {key.txt_name} that it is revoked: nothing was changed")
    if found.held is wanted and key.stage is not KeyStage.GENERATED:
        return None
    return Step(Act.PUBLISH, line, key, f"DNS holds {found.held}, and should hold {wanted}")


def _copied(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """A key whose only copy may vanish is not published."""
    if key.stage is not KeyStage.GENERATED or line.policy.pushed:
        return None
    reached = tuple(h for h in line.hosts if h in seen.hosts)
    if any(key.record_name in seen.hosts[h].holds for h in reached):
        return None
    if reached:
        return Step(Act.CONVERGE, line, key, "a copy of it comes before its publication", reached)
    return _wait(line, key, "no host can be reached that would hold a copy of it", line.hosts)


def _everywhere(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    lacking = tuple(h for h in line.hosts if h in seen.hosts and key.record_name not in seen.hosts[h].holds)
    if lacking:
        return Step(Act.CONVERGE, line, key, "every host holds it before any signs with it", lacking)
    return _absent(line, key, seen, now)


def _absent(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    away = tuple(h for h in line.hosts if h not in seen.hosts)
    if away:
        return _wait(line, key, f"{', '.join(away)} cannot be reached", away)
    wrong = tuple(h for h in line.hosts if abs(seen.hosts[h].clock - now) > CLOCKS_DIFFER)
    if wrong:
        return _wait(line, key, f"the clock of {', '.join(wrong)} is not ours", wrong)
    return None


def _visible(line: Line, key: DkimKey, seen: Seen, now: datetime, *, hurry: bool) -> Step | None:
    record = seen.records[key.record_name]
    if not record.served or record.fresh_at is None:
        return _wait(line, key, "; ".join(record.behind) or "it is not served by all yet")
    if now < record.fresh_at and not hurry:
        return _wait(line, key, "caches may hold that it does not exist", until=record.fresh_at)
    return None


def _proven(line: Line, key: DkimKey) -> Step | None:
    lacking = tuple(h for h in line.hosts if h not in key.proven_on)
    return Step(Act.PROVE, line, key, "only a proven key signs", lacking) if lacking else None


def _signed_by_none(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    using = tuple(h for h in line.hosts if h in seen.hosts and _may_sign(seen.hosts[h], key))
    if using:
        return Step(Act.CONVERGE, line, key, "they sign with it, or may", using)
    return _absent(line, key, seen, now)


def _may_sign(host: HostSeen, key: DkimKey) -> bool:
    return host.signs is None or key.record_name in host.signs


def _wait(line: Line, key: DkimKey, why: str, hosts: tuple[str, ...] = (), until: datetime | None = None) -> Step:
    return Step(Act.WAIT, line, key, why, hosts, until)
