"""Waiting until published values are served and fresh (``freshness`` says what that means): looks, and a thin loop.

Our own look must not spoil it: before every authoritative server has a value, no resolver is asked about its name, or
it would remember that there is none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import dns.message

from sendwright.dns.answers import authoritative, rcode, record_set, soa
from sendwright.dns.authority import Server, discover
from sendwright.dns.freshness import Look, Progress, Target, Timing, step
from sendwright.dns.rdata import canonical, plain_name, short
from sendwright.dns.slots import slot
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.dns.zones import wildcards_above
from sendwright.errors import ServerUnreachable

Answer = dns.message.Message | NoAnswer

_POLL = timedelta(seconds=0.5)
_SLOWEST_POLL = timedelta(seconds=60)


@dataclass(frozen=True)
class World:
    """How the DNS is looked at: ``ask`` any server, ``resolver`` is the address of a validating one."""

    ask: Ask
    resolver: str
    servers: Mapping[str, tuple[Server, ...]]

    @classmethod
    def around(cls, zones: Iterable[str], ask: Ask, resolver: str) -> "World":
        """Find out who speaks for each zone (see ``authority.discover``, which raises DnsError)."""
        return cls(ask, resolver, {zone: discover(zone, ask, resolver) for zone in sorted(set(zones))})


def timings(world: World, targets: Iterable[Target]) -> dict[Target, Timing]:
    """Return what ``all_timings`` does; ServerUnreachable if none of a zone's servers answers."""
    found, silent = all_timings(world, targets)
    if silent:
        raise next(iter(silent.values()))
    return found


def all_timings(
    world: World, targets: Iterable[Target]
) -> tuple[dict[Target, Timing], Mapping[str, ServerUnreachable]]:
    """Return what resolvers may hold for each target now, and the zones none of whose servers answers.

    Ask for it *before* publishing. Only authoritative servers are asked; a silent one is left out: ``look`` will wait
    for it by name.
    """
    targets = sorted(set(targets))
    questions = {target: _timing_questions(world, target) for target in targets}
    everything = [q for asked in questions.values() for group in asked for q in group]
    answers = dict(zip(everything, ask_all(world.ask, everything), strict=True))
    found: dict[Target, Timing] = {}
    silent: dict[str, ServerUnreachable] = {}
    for target in targets:
        zone, own, wildcards = ([answers[q] for q in group] for group in questions[target])
        if not all(isinstance(answer, NoAnswer) for answer in zone):
            found[target] = _timing(target, zone, own, wildcards)
        elif target.zone not in silent:
            what = f"none of its name servers answers: {', '.join(map(str, world.servers[target.zone]))}."
            hint = "How long old answers are remembered is unknown: try again later."
            silent[target.zone] = ServerUnreachable(target.zone, what, hint)
    return found, silent


def look(world: World, targets: Iterable[Target]) -> tuple[Look, ...]:
    """Look at every target on every address of every authoritative server; then ask the resolver about those served."""
    targets = sorted(set(targets))
    pairs = [(target, server) for target in targets for server in world.servers[target.zone]]
    answers = ask_all(world.ask, [Question(server.address, target.name, target.type) for target, server in pairs])
    seen = zip(pairs, answers, strict=True)
    looks = []
    for target, group in groupby(seen, key=lambda item: item[0][0]):
        looks.append(_judge(target, [(server, answer) for (_, server), answer in group]))
    served = [found.target for found in looks if not found.behind]
    bogus = _bogus(world, served)
    return tuple(Look(f.target, bogus[f.target]) if f.target in bogus else f for f in looks)


def wait(
    world: World,
    known: Mapping[Target, Timing],
    margin: timedelta,
    deadline: datetime,
    *,
    since: Mapping[Target, datetime] | None = None,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    report: Callable[[Progress], None],
) -> Progress:
    """Look again and again until every target of ``known`` is served and fresh, or the deadline is reached.

    Never raises for being late: the returned Progress says what is waited for and since when targets are served, to
    be remembered and passed in again as ``since``. ``clock`` returns UTC; ``sleep`` takes seconds. A deadline that
    has passed already means one look.
    """
    progress = Progress(since or {}, ())
    pause = _POLL
    while True:
        # Those that are behind are asked often, all together only when that can end it: few questions for many names.
        behind = [w.target for w in progress.waiting if w.behind]
        progress = step(progress.since, look(world, behind or known), known, margin, now := clock())
        if progress.done and behind:
            progress = step(progress.since, look(world, known), known, margin, now := clock())
        report(progress)
        if progress.done or now >= deadline:
            return progress
        ends = [w.until for w in progress.waiting if w.until]
        nearest = min([deadline, *ends], default=deadline) - now
        sleep(max(min(pause, nearest), timedelta(milliseconds=100)).total_seconds())
        pause = min(pause * 1.5, _SLOWEST_POLL)


def _timing_questions(world: World, target: Target) -> list[list[Question]]:
    """Return, for each of the three parts of a Timing, what to ask every server."""
    addresses = [server.address for server in world.servers[target.zone]]
    wildcards = wildcards_above(target.name, target.zone)
    return [
        [Question(a, target.zone, "SOA") for a in addresses],
        [Question(a, target.name, target.type) for a in addresses],
        [Question(a, wildcard, target.type) for a in addresses for wildcard in wildcards],
    ]


def _timing(target: Target, zone: list[Answer], own: list[Answer], wildcards: list[Answer]) -> Timing:
    negative = [found.negative_ttl for a in zone if not isinstance(a, NoAnswer) and (found := soa(a))]
    # A selector is never used twice, so a key that is served already has replaced nothing.
    replaced = [
        _ttl(a) for a in own if not (slot(target.name, target.type, target.value) == "DKIM" and _has(a, target))
    ]
    return Timing(max(negative, default=0), max(replaced, default=0), max(map(_ttl, wildcards), default=0))


def _ttl(answer: Answer) -> int:
    return 0 if isinstance(answer, NoAnswer) else max((rrset.ttl for rrset in answer.answer), default=0)


def _has(answer: Answer, target: Target) -> bool:
    found = None if isinstance(answer, NoAnswer) else record_set(answer, target.name, target.type)
    return found is not None and target.value in {canonical(target.type, text) for text in found.values}


def _judge(target: Target, answers: Sequence[tuple[Server, Answer]]) -> Look:
    behind = [f"{server} {fault}" for server, answer in answers if (fault := _fault(target, answer))]
    # An address that this machine has no route to is excused if the same server was asked by its other address.
    asked = {server.name for server, answer in answers if not _no_route(answer)}
    mute = {server.name for server, _ in answers} - asked
    behind += [f"{name} cannot be asked: no route from this machine to any of its addresses" for name in sorted(mute)]
    astray = any(_leads_to(target, answer) not in {None, target.value} for _, answer in answers)
    return Look(target, tuple(behind), astray=astray)


def _leads_to(target: Target, answer: Answer) -> str | None:
    """Return where an alias leads that somebody serves in the place of the one that is to be served."""
    found = None
    if target.type == "CNAME" and not isinstance(answer, NoAnswer):
        found = record_set(answer, target.name, "CNAME")
    return canonical("CNAME", found.values[0]) if found else None


def _fault(target: Target, answer: Answer) -> str:
    if isinstance(answer, NoAnswer):
        return "" if answer.no_route else f"does not answer: {answer}"
    if not authoritative(answer):
        return f"does not speak for {target.zone}: it answers {rcode(answer)}"
    if _has(answer, target):
        return ""
    elsewhere = _leads_to(target, answer)
    return f"leads to {short(plain_name(elsewhere))} instead" if elsewhere else "does not have it yet"


def _no_route(answer: Answer) -> bool:
    return isinstance(answer, NoAnswer) and answer.no_route


def _bogus(world: World, served: Sequence[Target]) -> dict[Target, tuple[str, ...]]:
    """Return the served targets that the validating resolver cannot vouch for, each with what it says."""
    questions = [Question(world.resolver, t.name, t.type, recurse=True) for t in served]
    answers = dict(zip(served, ask_all(world.ask, questions), strict=True))
    failed = [t for t, answer in answers.items() if _fails(answer)]
    again = [Question(world.resolver, t.name, t.type, recurse=True, checked=False) for t in failed]
    faults: dict[Target, tuple[str, ...]] = {}
    for target, unchecked in zip(failed, ask_all(world.ask, again), strict=True):
        first = answers[target]
        if isinstance(first, NoAnswer):
            fault = f"the resolver {world.resolver} does not answer: {first}"
        elif _fails(unchecked):
            fault = f"the resolver {world.resolver} answers {rcode(first)}"
        else:
            fault = f"DNSSEC is broken: the resolver {world.resolver} holds the answer for bogus"
        faults[target] = (fault,)
    return faults


def _fails(answer: Answer) -> bool:
    return isinstance(answer, NoAnswer) or rcode(answer) not in {"NOERROR", "NXDOMAIN"}
