"""What authoritative servers say of a name that may only be about to exist.

No resolver is asked about such a name: it would remember that there is none (RFC 2308), and be asked again by others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.message
import dns.rdataclass
import dns.rdatatype

from sendwright.dns.answers import authoritative, record_set, soa
from sendwright.dns.authority import Server, discover, zones_of
from sendwright.dns.rdata import plain_name
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import DnsError, ServerUnreachable

# As many as resolvers follow before they take it for a loop.
LONGEST_CHAIN = 8


@dataclass(frozen=True)
class Said:
    """What one server says of a name: that it is an alias, or what stands there; neither if nothing does."""

    server: Server
    alias: str | None
    values: frozenset[str]


@dataclass(frozen=True)
class Led:
    """Where a name leads to, aliases followed. ``lacking``: the servers that speak for it and know nothing there."""

    addresses: frozenset[str]
    lacking: tuple[Server, ...]


def said(name: str, types: Sequence[str], ask: Ask, resolver: str) -> tuple[Said, ...]:
    """Return what each address of each authoritative server that speaks for a name says of it.

    Silent ones are left out: whoever looks a name up asks another. Raises DnsError if nobody is known to speak for it,
    ServerUnreachable if all are silent.
    """
    zone, servers = _zone_of(name, ask, resolver)
    asked = [Question(server.address, name, rdtype) for server in servers for rdtype in types]
    answers = dict(zip(asked, ask_all(ask, asked), strict=True))
    found = []
    for server in servers:
        mine = [answers[Question(server.address, name, rdtype)] for rdtype in types]
        speaking = [answer for answer in mine if not isinstance(answer, NoAnswer) and authoritative(answer)]
        if speaking:
            found.append(_said(server, name, types, speaking))
    if not found:
        what = f"none of its name servers answers: {', '.join(map(str, servers))}."
        raise ServerUnreachable(zone, what, "Mend them, or try again later.")
    return tuple(found)


def leads_to(name: str, ask: Ask, resolver: str) -> Led:
    """Return every address that any server of a name leads to; raises what ``said`` does, DnsError for a long chain."""
    addresses: set[str] = set()
    lacking: list[Server] = []
    names, seen = [name], {name}
    while names:
        aliases: set[str] = set()
        for each in names:
            for one in said(each, ("A", "AAAA"), ask, resolver):
                addresses |= one.values
                aliases |= {one.alias} if one.alias else set()
                lacking += [] if one.alias or one.values else [one.server]
        names = sorted(aliases - seen)
        seen |= aliases
        if len(seen) > LONGEST_CHAIN:
            raise DnsError(
                name, "its aliases (CNAME) go on without an end.", "Let it be an alias of a name with addresses."
            )
    return Led(frozenset(addresses), tuple(dict.fromkeys(lacking)))


def _said(server: Server, name: str, types: Sequence[str], answers: Iterable[dns.message.Message]) -> Said:
    alias, values = None, set[str]()
    for answer in answers:
        if found := record_set(answer, name, "CNAME"):
            alias = plain_name(found.values[0])
        for rdtype in types:
            if rdtype != "CNAME" and (found := record_set(answer, name, rdtype)):
                values.update(found.values)
    return Said(server, alias, frozenset(values))


def _zone_of(name: str, ask: Ask, resolver: str) -> tuple[str, tuple[Server, ...]]:
    """Return the zone that a name lies in and its servers, from referral to referral."""
    start = ".".join(name.split(".")[-2:])
    zone = zones_of([start], ask, resolver)[start]
    while True:
        servers = discover(zone, ask, resolver)
        answers = ask_all(ask, [Question(server.address, name, "SOA") for server in servers])
        cuts = (_cut(name, answer) for answer in answers if not isinstance(answer, NoAnswer))
        below = max((cut for cut in cuts if len(cut) > len(zone)), key=len, default=None)
        if below is None:
            return zone, servers
        zone = below


def _cut(name: str, answer: dns.message.Message) -> str:
    """Return the zone at or above a name that an answer speaks of or refers to; nothing if it does neither."""
    if authoritative(answer):
        found = soa(answer)
        zones = {found.zone} if found else set()
    else:
        zones = {
            plain_name(rrset.name.to_text())
            for rrset in answer.authority
            if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype == dns.rdatatype.NS
        }
    return max((zone for zone in zones if name == zone or name.endswith("." + zone)), key=len, default="")
