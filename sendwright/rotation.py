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

from datetime import datetime

from sendwright.delegated import free, free_at
from sendwright.gates import absent, copied, follow, lacking, may_sign, served, unproven, untimely, used, visible, wait
from sendwright.lines import CLOCKS_DIFFER, NEW, Act, Held, Line, Seen, Step, keeping, leaves, longest
from sendwright.state.model import DkimKey, KeyStage


def next_steps(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    """Return the next safe step of each key of a line, and of the line itself; nothing for what is at rest.

    Arguments: ``seen``: one look at all hosts of the line and at the records of all its keys that are not at rest;
    ``now``: when that look ended, with a time zone. Carrying out any of the steps and looking again is safe, in any
    order, and so is dying at any point.
    """
    steps = (_of_key(line, key, seen, now) for key in line.keys)
    return tuple(step for step in (_of_line(line, seen, now), *steps) if step)


def resting(line: Line, now: datetime) -> bool:
    """Return whether nothing has to be looked at for a line: one key signs, or provision proves its first.

    ``next_steps`` may have a word for people all the same: that a key is due.
    """
    first = NEW if line.declared and not line.signing else frozenset()
    kept = (*(line.signing[-1:] if line.declared else ()), *(k for k in line.keys if k.stage in first and not k.leaked))
    if any(k.stage is not KeyStage.REMOVED for k in line.keys if k not in kept):
        return False
    step = _wanted(line, now)
    return step is None or step.act is Act.DUE


def taken(key: DkimKey, seen: Seen) -> bool:
    """Return whether a key that was made here, and that nobody has seen, has a selector that DNS knows already.

    Whatever stands there may be in caches for as long as it likes, so even its removal would not make room. A key that
    was imported is meant to have that selector.
    """
    found = seen.records.get(key.record_name)
    made_here = key.stage is KeyStage.GENERATED and key.signing_since is None
    return made_here and found is not None and found.held in {Held.OTHER, Held.EMPTY}


def due(line: Line) -> datetime | None:
    """Return since or from when the key that signs is due for a successor; None if none signs."""
    current = line.signing[-1:]
    return (current[0].signing_since or current[0].created) + line.policy.period if current else None


def retires_at(line: Line, key: DkimKey) -> datetime | None:
    """Return until when the record of a retiring key has to stay, as far as is known; None while its clock stands."""
    here = key.drained or leaves(key)
    return here + line.policy.others + line.policy.ttl if here else None


def _of_line(line: Line, seen: Seen, now: datetime) -> Step | None:
    step = _wanted(line, now)
    if step is None or step.act is Act.DUE:
        return step
    newest = line.signing[-1].created
    if newest >= now:
        why = f"the key that signs was made at {newest:%Y-%m-%d %H:%M} UTC: the clock here went back"
        return wait(line, None, why)  # without a deadline: somebody has to set the clock
    if line.slots and not free(line.slots, now):
        names = ", ".join(slot.selector for slot in line.slots)
        why = f"{step.why}, and each of {names} is in use yet"
        return wait(line, None, why, until=free_at(line.slots))
    return untimely(line, None, seen, now) or step


def _wanted(line: Line, now: datetime) -> Step | None:
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
    if key.stage is KeyStage.REMOVED:
        # One that was never published has no record that could be left behind.
        return follow(line, key, seen) if key.revoked and key.record_name in seen.records else None
    if key.stage in NEW:
        return _new(line, key, seen, now)
    if key.stage is KeyStage.SIGNING:
        return _signing(line, key, seen, now)
    if key.stage is KeyStage.RETIRING:
        return _retiring(line, key, seen, now)
    return _revoked(line, key, seen, now)


def _new(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if key.leaked or key != line.successor or not line.declared:
        return _given_up(line, key, seen)
    if not line.signing:
        return None  # the first key of all begins to sign on each host by itself, as provision proves it there
    if taken(key, seen):
        return Step(Act.REMOVE, line, key, f"something else stands at {key.txt_name}: it takes another selector")
    if key.created > now + CLOCKS_DIFFER:
        return wait(line, key, f"it was made at {key.created:%Y-%m-%d %H:%M} UTC: the clock here went back")
    return (
        copied(line, key, seen)
        or follow(line, key, seen)
        or lacking(line, key, seen)
        or absent(line, key, seen, now)
        or visible(line, key, seen, now, hurry=line.signing[-1].leaked is not None)
        or unproven(line, key, line.hosts)
        or Step(Act.PROMOTE, line, key, "served by all, fresh, and proven on every host")
    )


def _given_up(line: Line, key: DkimKey, seen: Seen) -> Step:
    why = "it leaked" if key.leaked else "a newer key takes its place" if line.declared else "it is not declared"
    found = seen.records.get(key.record_name)
    if key.signing_since and not key.leaked and found and found.held is Held.KEY:
        # It was imported, and what it signed elsewhere may be on its way.
        return Step(Act.DEMOTE, line, key, f"{why} before it has signed anything here")
    why = f"{why} before it has signed anything"
    if key.stage is not KeyStage.GENERATED:
        return Step(Act.REVOKE, line, key, why)
    if found is None:
        return wait(line, key, "its record could not be looked at")
    # A run that died may have published it and not have lived to remember that.
    return Step(Act.REMOVE if found.held in {Held.NOTHING, Held.OTHER} else Act.REVOKE, line, key, why)


def _signing(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    current = line.signing[-1]
    if not line.declared:
        gate = _unused(line, key, seen, now)
        return gate or Step(Act.DEMOTE, line, key, "its algorithm is not declared")
    if key == current:
        return _current(line, key, seen)
    return (
        _switch(line, key, current, seen)
        or used(line, key, seen)
        or follow(line, key, seen)
        or absent(line, key, seen, now)
        or _succeeded(line, key, current, seen)
        or Step(Act.DEMOTE, line, key, f"every host signs with {current.selector}")
    )


def _current(line: Line, key: DkimKey, seen: Seen) -> Step | None:
    """The step of the key that hosts are to sign with."""
    if key.record_name not in seen.records:
        # Where nothing else moves there is nothing to look for: provision keeps hosts and zones as they should be.
        return None
    if step := follow(line, key, seen):
        return step
    reached = tuple(h for h in line.hosts if h in seen.hosts)
    if len(line.signing) == 1 or not unproven(line, key, reached):
        return None
    # A host that lost the key or its proof, or joined in the meantime, would keep the older one from retiring.
    return lacking(line, key, seen) or served(line, key, seen) or unproven(line, key, reached)


def _switch(line: Line, key: DkimKey, current: DkimKey, seen: Seen) -> Step | None:
    """The step that makes hosts sign with the newest key; a host that has not proven it would not."""
    reached = [(h, seen.hosts[h]) for h in line.hosts if h in seen.hosts]
    other = [(h, host) for h, host in reached if may_sign(host, key) or not may_sign(host, current)]
    able = tuple(h for h, host in other if h in current.proven_on or host.signs is None)
    if able:
        return Step(Act.CONVERGE, line, key, f"they are to sign with {current.selector}", able)
    left = tuple(h for h, _ in other)
    return wait(line, key, f"{', '.join(left)} did not prove {current.selector} yet", left) if left else None


def _succeeded(line: Line, key: DkimKey, current: DkimKey, seen: Seen) -> Step | None:
    found = seen.records.get(current.record_name)
    if found and found.held is Held.KEY and found.served:
        return None
    behind = "; ".join(found.behind) if found else "it was not looked at"
    return wait(line, key, f"its successor {current.selector} is not served by all: {behind or 'it is new'}")


def _unused(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    """What stands in the way of saying that no host signs with a key; its record stands, unless it leaked already."""
    kept = None if key.leaked and key.stage is KeyStage.RETIRING else follow(line, key, seen)
    return used(line, key, seen) or kept or absent(line, key, seen, now)


def _retiring(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    if key.last_signed and any(may_sign(seen.hosts[h], key) for h in line.used_by(key) if h in seen.hosts):
        return Step(Act.RESTART, line, key, "a host signs with it again, or may")
    if step := _unused(line, key, seen, now):
        return step
    ends = leaves(key)
    if ends is None:
        return Step(Act.CONFIRM, line, key, "no host signs with it any more")
    if key.leaked:
        return Step(Act.REVOKE, line, key, "it leaked, and no host signs with it any more")
    return _others(line, key, now) if key.drained else _ours(line, key, ends, seen, now)


def _ours(line: Line, key: DkimKey, ends: datetime, seen: Seen, now: datetime) -> Step:
    """What a retiring key waits for as long as mail that it signed may lie in our own queues."""
    if longest(line, key, seen) > key.lifetime:
        return Step(Act.CONFIRM, line, key, "a host keeps mail for longer than was known")
    if now < ends:
        return wait(line, key, "our queues may hold mail that it signed", until=ends)
    if full := keeping(line, key, seen):
        return wait(line, key, f"mail that it may have signed waits in a queue of {', '.join(full)}", full)
    return Step(Act.CONFIRM, line, key, "no queue of ours holds mail that it signed")


def _others(line: Line, key: DkimKey, now: datetime) -> Step:
    until = retires_at(line, key)
    if until is not None and now < until:
        return wait(line, key, "queues of others may hold mail that it signed", until=until)
    return Step(Act.REVOKE, line, key, "no queue can hold mail that it signed")


def _revoked(line: Line, key: DkimKey, seen: Seen, now: datetime) -> Step | None:
    holding = tuple(h for h in line.hosts if h in seen.hosts and key.record_name in seen.hosts[h].holds)
    if holding:
        return Step(Act.CONVERGE, line, key, "its private part goes", holding)
    # Once every server was seen to say so, nobody asks them any more.
    return (
        follow(line, key, seen)
        or (served(line, key, seen) if key.revoked is None else None)
        or untimely(line, key, seen, now)
        or _ends(line, key, now)
    )


def _ends(line: Line, key: DkimKey, now: datetime) -> Step:
    """The step of a key that every server says to be revoked."""
    if key.revoked is None:
        return Step(Act.DATE, line, key, "every server says that it is revoked")
    if line.policy.disclose and key.disclosed is None and now >= key.revoked + line.policy.ttl:
        return Step(Act.DISCLOSE, line, key, "nothing signed with it proves anything any more")
    until = key.revoked + line.policy.revoked
    if now < until and not _makes_room(line):
        return wait(line, key, "its empty record tells that it is revoked", until=until)
    return Step(Act.REMOVE, line, key, "it was revoked for long enough")


def _makes_room(line: Line) -> bool:
    """Whether a key that leaked signs on until a fixed selector is free: a statement may end early for that."""
    return bool(line.slots and line.signing and line.signing[-1].leaked and free_at(line.slots) is None)
