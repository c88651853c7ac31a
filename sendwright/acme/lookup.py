"""Where a name leads that may only be about to exist, as authoritative servers have it.

No resolver is asked about such a name: it would remember that there is none (RFC 2308), and be asked again by others.
"""

from collections.abc import Iterable
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
_FAMILIES = ("A", "AAAA")


@dataclass(frozen=True)
class Led:
    """Where a name leads, aliases followed. ``lacking``: the servers that speak for it and know nothing there."""

    addresses: frozenset[str]
    lacking: tuple[Server, ...]


@dataclass(frozen=True)
class _Said:
    """What one server says of a name: that it is an alias, or its addresses; neither if nothing is there."""

    server: Server
    alias: str | None
    addresses: frozenset[str]


def leads_to(name: str, ask: Ask, resolver: str) -> Led:
    """Return every address that any server of a name leads to.

    Silent servers are left out: whoever looks the name up asks another. Raises DnsError if nobody is known to speak for
    it, or if its aliases do not end, and ServerUnreachable if all of its servers are silent.
    """
    addresses: set[str] = set()
    lacking: list[Server] = []
    names, seen = [name], {name}
    while names:
        said = [one for each in names for one in _said(each, ask, resolver)]
        aliases = {one.alias for one in said if one.alias}
        addresses.update(*(one.addresses for one in said))
        lacking += [one.server for one in said if not (one.alias or one.addresses)]
        names = sorted(aliases - seen)
        seen |= aliases
        if len(seen) > LONGEST_CHAIN:
            raise DnsError(name, "its aliases (CNAME) do not end.", "Let it lead to its hosts directly.")
    return Led(frozenset(addresses), tuple(dict.fromkeys(lacking)))


def _said(name: str, ask: Ask, resolver: str) -> list[_Said]:
    """Return what each address of each authoritative server says that speaks for a name."""
    zone, servers = _zone_of(name, ask, resolver)
    asked = [Question(server.address, name, family) for server in servers for family in _FAMILIES]
    answers = dict(zip(asked, ask_all(ask, asked), strict=True))
    found = []
    for server in servers:
        mine = [answers[Question(server.address, name, family)] for family in _FAMILIES]
        if speaking := [a for a in mine if not isinstance(a, NoAnswer) and authoritative(a)]:
            found.append(_read(server, name, speaking))
    if not found:
        what = f"none of its name servers answers: {', '.join(map(str, servers))}."
        raise ServerUnreachable(zone, what, "Mend them, or try again later.")
    return found


def _read(server: Server, name: str, answers: Iterable[dns.message.Message]) -> _Said:
    alias, addresses = None, set[str]()
    for answer in answers:
        if led := record_set(answer, name, "CNAME"):
            alias = plain_name(led.values[0])
        for family in _FAMILIES:
            if there := record_set(answer, name, family):
                addresses.update(there.values)
    return _Said(server, alias, frozenset(addresses))


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
