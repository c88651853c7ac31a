"""What the owners of zones that are not ours have yet to publish, as each of their own servers answers it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dns.message

from sendwright import sts
from sendwright.dns.answers import authoritative, record_set
from sendwright.dns.authority import Server, discover_all, zones_of
from sendwright.dns.diff import diff, wanted
from sendwright.dns.plan import Changes, Create, Delete, Update, Write
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical, rdata, short
from sendwright.dns.records import Record, asked_of_others
from sendwright.dns.slots import slot
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import DnsError
from sendwright.plan import Stage
from sendwright.pointing import tells_of_tls
from sendwright.stack import Stack
from sendwright.state.model import Claim, DkimKey
from sendwright.tlsa import NO_TLS, TlsFacts

Answer = dns.message.Message | NoAnswer

_WHEN = {
    Stage.HOSTS: ", once the host takes mail",
    Stage.SWITCH: ", once mail leaves signed from every host of the domain",
    Stage.CONTRACT: ", last of all",
}
_WHEN_SERVED = ", once its hosts serve the policy, and again whenever that changes"


def needed(stack: Stack, keys: Iterable[DkimKey], ask: Ask, resolver: str, tls: TlsFacts = NO_TLS) -> tuple[str, ...]:
    """Return a line for each record that an owner has yet to publish, domain by domain.

    A resolver is asked about the domains only: what is not published yet it must not remember as missing.
    """
    records = _by_domain(stack, asked_of_others(stack, keys, tls))
    zones = zones_of(records, ask, resolver) if records else {}
    served = discover_all(set(zones.values()), ask, resolver) if zones else {}
    return tuple(
        f"{domain}: {line}"
        for domain, asked in records.items()
        for line in _of_domain(zones[domain], asked, served[zones[domain]], ask)
    )


def lines(zone: str, asked: Collection[Record], seen: Mapping[Server, Sequence[RecordSet]]) -> tuple[str, ...]:
    """Return what is missing at some server, the first to publish first, and where if not at all of them. Pure.

    Arguments: ``seen``: what each server that answers has of ``wanted``.
    """
    lacking: dict[tuple[Stage, str], list[Server]] = defaultdict(list)
    for server, served in seen.items():
        for line in dict.fromkeys(_lines(_changes(zone, asked, served))):
            lacking[line].append(server)
    return tuple(
        text + ("" if len(at) == len(seen) else f" (not at {', '.join(map(str, at))} yet)")
        for (_, text), at in sorted(lacking.items())
    )


def _by_domain(stack: Stack, records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        if domain := stack.covering(record.name):
            found.setdefault(domain.name, []).append(record)
    return dict(sorted(found.items()))


def _of_domain(zone: str, asked: list[Record], servers: tuple[Server, ...] | DnsError, ask: Ask) -> tuple[str, ...]:
    if isinstance(servers, DnsError):
        return (f"what its owner has published is not known: {servers.what}",)
    keys = sorted({*wanted(zone, asked, ()), *((record.name, "CNAME") for record in asked)})
    questions = [Question(server.address, name, rdtype) for server in servers for name, rdtype in keys]
    answers = dict(zip(questions, ask_all(ask, questions), strict=True))
    seen = {s: _read([(key, answers[Question(s.address, *key)]) for key in keys]) for s in servers}
    known = {server: served for server, served in seen.items() if served is not None}
    return lines(zone, asked, known) if known else ("what its owner has published is not known: no server answers.",)


def _read(answers: Iterable[tuple[Key, Answer]]) -> list[RecordSet] | None:
    """Return what a server has, None if it does not speak for all of it."""
    found = []
    for (name, rdtype), answer in answers:
        if isinstance(answer, NoAnswer) or not authoritative(answer):
            return None
        if served := record_set(answer, name, rdtype):
            found.append(served)
    return found


def _changes(zone: str, asked: Iterable[Record], served: Iterable[RecordSet]) -> Changes:
    # Nothing there is ours, so nothing of it is ever to be withdrawn.
    asked, served = tuple(asked), tuple(served)
    told = _told(zone, asked, served)
    return diff(zone, asked, served, told, now=datetime.now(UTC), retention=lambda _: timedelta())


def _told(zone: str, asked: Iterable[Record], served: Iterable[RecordSet]) -> tuple[Claim, ...]:
    """Return what tells of an earlier policy of ours, as if we had written it: the present one takes its place."""
    have = {(s.name, s.type, canonical(s.type, text)) for s in served for text in s.values}
    declared = {(r.name, r.type, r.value) for r in asked}
    here = {name for name, _, _ in declared & have}
    now = datetime.now(UTC)
    return tuple(
        Claim(zone, name, rdtype, value, now, "theirs")
        for name, rdtype, value in have - declared
        if slot(name, rdtype, value) == "MTA-STS" and sts.policy_host(name.removeprefix("_mta-sts.")) in here
    )


def _lines(changes: Changes) -> Iterator[tuple[Stage, str]]:
    for write in changes.writes:
        yield write.stage, _line(write) + (_WHEN_SERVED if tells_of_tls(write) else _WHEN.get(write.stage, ""))
    for conflict in changes.conflicts:
        yield Stage.EXPAND, f"{conflict.what}. {conflict.hint}"


def _line(write: Write) -> str:
    match write:
        case Create():
            text = rdata(write.type, write.value).to_text()
            return f"publish {write.name}. {write.ttl} IN {write.type} {text}"
        case Delete():
            return f"withdraw {write.name}. {write.type} {short(write.seen)}"
        case Update() if write.adds:
            return f"add {' '.join(write.adds)} to the SPF record at {write.name}. ({short(write.seen)})"
        case Update():
            return f"publish {write.name}. {write.type} {write.value} in the place of {short(write.seen)}"
