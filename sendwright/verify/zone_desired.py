"""Whether a zone holds what the inventory declares and no other check looks at, compared as ``plan`` compares it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import dns.message

from sendwright import pointing, signing
from sendwright.dns import tls_records
from sendwright.dns.answers import authoritative, rcode, record_set
from sendwright.dns.authority import Server
from sendwright.dns.diff import diff, wanted
from sendwright.dns.domain_records import of_domain
from sendwright.dns.plan import Changes, Create, Delete, Update, Write
from sendwright.dns.policies import policies
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import short
from sendwright.dns.record import TTL, Record
from sendwright.dns.records import provider_of
from sendwright.dns.retention import retention
from sendwright.dns.transport import NoAnswer, Question, ask_all
from sendwright.errors import SendwrightError
from sendwright.plan import Stage
from sendwright.tlsa import NO_TLS
from sendwright.verify.finding import Finding
from sendwright.verify.look import Look
from sendwright.verify.rules.zone import DESIRED
from sendwright.verify.target import Declared, Target
from sendwright.verify.wording import counted, shown

# MX, SPF and DKIM are judged by checks of their own.
_ELSEWHERE = {"MX", "TXT"}


def check(target: Target, zone: str, servers: Sequence[Server], look: Look) -> Iterator[Finding]:
    """Yield each declared record that is not served, or has something else in its place.

    A server of the zone is asked, not the resolver: what was published a moment ago is there.
    """
    if target.declared is None or not servers:
        return
    desired = records(target.declared)
    keys = sorted(wanted(zone, desired, ()))
    served = _served(keys, servers[0], look)
    if isinstance(served, str):
        yield DESIRED.unknown(target.subject, served)
        return
    try:
        changes = _changes(target.declared, zone, desired, served, keys, look)
    except SendwrightError as error:
        yield DESIRED.unknown(target.subject, shown(str(error)), error.hint)
        return
    found = list(_judged(target, target.declared, changes))
    yield from found
    if not found:
        late = sum(not _due(target.declared, write) for write in changes.writes if not isinstance(write, Delete))
        waits = f"; {counted(late, 'waits', 'wait')} until every host is proven to sign" if late else ""
        yield DESIRED.passed(target.subject, f"{counted(len(desired) - late, 'record')} as declared{waits}")


def records(declared: Declared) -> tuple[Record, ...]:
    """Return the records of a domain that no other check compares with the inventory. Pure."""
    stack, domain = declared.stack, declared.domain
    own = [record for record in of_domain(stack, domain) if record.type not in _ELSEWHERE]
    hosts = (host for host in stack.hosts if (above := stack.covering(host.name)) and above.name == domain.name)
    addresses = [
        Record(h.name, "A" if a.version == 4 else "AAAA", TTL, str(a), f"the address of {h.name}")
        for h in hosts
        for a in h.addresses
    ]
    # Of TLS the addresses of policy names only: keys and ids are judged by `dane.as-desired` and `mta-sts.as-desired`.
    serving = (replace(record, ttl=TTL) for record in tls_records.of_domain(stack, domain, NO_TLS))
    return (*addresses, *own, *policies(domain), *serving)


def _served(keys: Sequence[Key], server: Server, look: Look) -> list[RecordSet] | str:
    """Return what a server of the zone has, or the resolver of what lies in a zone below; or why nobody can tell."""
    found: list[RecordSet] = []
    replies = ask_all(look.ask, [Question(server.address, *key) for key in keys])
    for (name, rdtype), first in zip(keys, replies, strict=True):
        reply = first
        if not isinstance(reply, NoAnswer) and rcode(reply) == "NOERROR" and not authoritative(reply):
            (reply,) = ask_all(look.ask, [Question(look.resolver, name, rdtype, recurse=True)])
        if isinstance(reply, NoAnswer):
            return f"{rdtype} {name} could not be asked for: {reply}"
        if rcode(reply) not in {"NOERROR", "NXDOMAIN"}:
            return f"{rdtype} {name} could not be asked for: {rcode(reply)}"
        found += _sets(reply, name, rdtype)
    return list(dict.fromkeys(found))


def _sets(reply: dns.message.Message, name: str, rdtype: str) -> Iterator[RecordSet]:
    for found_type in dict.fromkeys((rdtype, "CNAME")):
        # A TTL is no difference here.
        if found := record_set(reply, name, found_type):
            yield replace(found, ttl=TTL)


def _changes(
    declared: Declared,
    zone: str,
    desired: Sequence[Record],
    served: Sequence[RecordSet],
    keys: Collection[Key],
    look: Look,
) -> Changes:
    claims = [c for c in declared.state.claims if (c.name, c.type) in keys and not c.mechanism]
    kept = retention(declared.stack, claims)
    return diff(zone, desired, served, claims, now=look.now, retention=kept)


def _judged(target: Target, declared: Declared, changes: Changes) -> Iterator[Finding]:
    for conflict in changes.conflicts:
        where = f"{conflict.type} {conflict.name}"
        yield DESIRED.failed(target.subject, shown(conflict.what), conflict.hint, f"{where}: {short(conflict.what)}")
    for write in changes.writes:
        if isinstance(write, Delete):
            seen = f"{short(write.seen)} is served, and the inventory no longer declares it"
            yield DESIRED.warned(target.subject, seen, _advice(declared, write), _place(write))
        elif _due(declared, write):
            wanted_here = f"{short(write.value)}, which the inventory declares"
            seen = f"there is no {wanted_here}"
            if isinstance(write, Update):
                seen = f"{short(write.seen)} is served instead of {wanted_here}"
            yield DESIRED.failed(target.subject, seen, _advice(declared, write), _place(write))
    standing = {record.value for record in changes.standing}
    if changes.notes and any(offer.value not in standing for offer in changes.offers):
        # Somebody else's policy stands in the place of one that was declared in so many words.
        advice = "Run `sendwright dns adopt`, which makes that record ours to change, then `sendwright provision`."
        yield DESIRED.warned(target.subject, shown("; ".join(changes.notes)), advice)


def _due(declared: Declared, write: Write) -> bool:
    """Whether a write has nothing left to wait for: what asks for signatures waits until every host signs."""
    if write.stage is not Stage.SWITCH:
        return True
    keys = signing.by_domain(key for key in declared.state.keys if key.domain == declared.domain.name)
    return pointing.may_tighten(declared.stack, write, keys, ())


def _place(write: Write) -> str:
    value = write.seen if isinstance(write, Delete) else write.value
    return f"{write.type} {write.name}: {short(value)}"


def _advice(declared: Declared, write: Create | Update | Delete) -> str:
    if provider_of(declared.stack, write.name):
        return "Run `sendwright provision`: it shows what it would change, and asks."
    if isinstance(write, Delete):
        return f"Have the owner of the zone remove {write.name}. {write.type} {write.seen}"
    return f"Have the owner of the zone publish {write.name}. {write.type} {write.value}"
