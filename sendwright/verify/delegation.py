"""Who speaks for a zone, looked at from both sides: what the parent's servers refer to, and what the zone's own say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

from sendwright.dns.answers import authoritative, record_set, targets
from sendwright.dns.authority import Server
from sendwright.dns.rdata import plain_name
from sendwright.dns.transport import NoAnswer, Question, ask_all
from sendwright.dns.zones import ancestry
from sendwright.verify.look import Answer, Look, Told

Reply = dns.message.Message | NoAnswer

# Nobody has more; who would have thousands asked is not followed.
_MOST_NAMES = 20
_MOST_ADDRESSES = 40
_PARENTS = 4
_TRIES = 3
_FAMILIES = ("A", "AAAA")


@dataclass(frozen=True)
class Referral:
    """What a server of the parent says of who serves a zone. ``glue``: addresses that it gives along, by name.

    ``own``: it speaks for the zone itself, so that what the parent zone holds cannot be seen there.
    """

    zone: str
    names: frozenset[str]
    glue: Mapping[str, frozenset[str]] = field(default_factory=dict)
    own: bool = False


@dataclass(frozen=True)
class Delegation:
    """A zone and its servers. ``referral`` None: no server of the parent could be asked, or there is no parent.

    ``servers``: every address of every server that either side names; ``replies``: what each address answered when
    asked for the zone's NS; ``resolved``: addresses of servers as the resolver knows them, without glue; ``unsure``:
    why it cannot tell those of others; ``aliases``: where names of servers lead that are aliases.
    """

    zone: str
    parent: str
    referral: Referral | None
    servers: tuple[Server, ...]
    names: frozenset[str]
    replies: Mapping[str, Reply]
    resolved: Mapping[str, frozenset[str]]
    unsure: Mapping[str, str]
    aliases: Mapping[str, str]

    @cached_property
    def speaking(self) -> tuple[Server, ...]:
        """The servers that answer with authority."""
        return tuple(server for server in self.servers if speaks(self.zone, self.replies[server.address]))

    @cached_property
    def cut_off(self) -> bool:
        """Whether neither side's servers say anything: it is this machine that may not ask them (port 53)."""
        dumb = bool(self.replies) and all(isinstance(reply, NoAnswer) for reply in self.replies.values())
        return dumb and bool(self.parent) and self.referral is None

    @cached_property
    def unasked(self) -> frozenset[str]:
        """The names of servers that nobody could be asked for from here, so that nothing is known of them."""
        routed = {server.name for server in self.servers if not _no_route(self.replies[server.address])}
        return frozenset({server.name for server in self.servers} - routed | self.unsure.keys())

    @cached_property
    def lower(self) -> frozenset[str]:
        """The names of the servers as the zone itself has them."""
        found = (self.replies[server.address] for server in self.speaking)
        return frozenset().union(*(targets(reply, self.zone) for reply in found if not isinstance(reply, NoAnswer)))


def speaks(zone: str, reply: Reply) -> bool:
    """Whether a server that was asked for the NS of a zone answered from knowledge of its own."""
    return not isinstance(reply, NoAnswer) and authoritative(reply) and record_set(reply, zone, "NS") is not None


def zone_of(domain: str, own: Answer, look: Look) -> str:
    """Return the zone that a domain lies in, as a resolver has it, given the answer to its SOA; empty if not known."""
    if own.told is Told.FOUND and not own.aliases:
        return domain
    return next(_zones_above(domain, look), "") if own.known else ""


def _no_route(reply: Reply) -> bool:
    return isinstance(reply, NoAnswer) and reply.no_route


def delegation(domain: str, own: Answer, look: Look) -> Delegation | None:
    """Return who speaks for the zone that a domain lies in, given the answer to its SOA; None if nobody can tell."""
    apex = own.told is Told.FOUND and not own.aliases
    upper = next(_zones_above(domain, look), "")
    if apex:
        return _gathered(domain, upper, _refer(upper, domain, look), look)
    if own.known and upper:
        parent = next(_zones_above(upper, look), "")
        return _gathered(upper, parent, _refer(parent, upper, look), look)
    # What is said of the domain cannot be used: the zone is where the servers of the last good one above refer to.
    referral = _refer(upper, domain, look)
    if referral is None:
        return None
    if referral.names:
        return _gathered(referral.zone, upper, referral, look)
    return _gathered(upper, "", None, look)


def _zones_above(name: str, look: Look) -> Iterator[str]:
    for above in ancestry(name.partition(".")[2]):
        found = look.dns.ask(above, "SOA")
        if found.told is Told.FOUND and not found.aliases:
            yield above


def parents(parent: str, look: Look) -> list[str]:
    """Return the addresses of the first few servers of a zone, as the resolver has them; none for no zone."""
    names = _few(look.dns.ask(parent, "NS").values)[:_PARENTS] if parent else []
    return [server.address for server in _listed(names, _resolved(names, look))]


def _refer(parent: str, name: str, look: Look) -> Referral | None:
    """Ask servers of a zone, one after another, until one refers to the servers of a name below it."""
    addresses = parents(parent, look)
    # Many domains share a parent: each begins with another of its servers.
    start = crc32(name.encode()) % len(addresses) if addresses else 0
    found, tries = None, 0
    for address in addresses[start:] + addresses[:start]:
        try:
            found = _referral(parent, name, look.ask(Question(address, name, "NS")))
        except NoAnswer as silence:
            tries += not silence.no_route
        else:
            tries += 1
        if tries == _TRIES or (found and not found.own):
            break
    return found


def _referral(parent: str, name: str, message: dns.message.Message) -> Referral:
    owners = {
        plain_name(rrset.name.to_text())
        for rrset in (*message.answer, *message.authority)
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype == dns.rdatatype.NS
    }
    zone = next((above for above in ancestry(name) if above in owners and above != parent), name)
    glue: dict[str, frozenset[str]] = {}
    for rrset in message.additional:
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            owner = plain_name(rrset.name.to_text())
            glue[owner] = glue.get(owner, frozenset()) | {rdata.address for rdata in rrset}
    names = targets(message, zone)
    return Referral(zone, names, glue, own=bool(message.flags & dns.flags.AA) and bool(names))


def _gathered(zone: str, parent: str, referral: Referral | None, look: Look) -> Delegation:
    upper = referral.names if referral else frozenset()
    names = _few(upper | {*look.dns.ask(zone, "NS").values})
    resolved = _resolved(names, look)
    replies = _ask(zone, _listed(names, resolved, referral), look)
    known = (reply for reply in replies.values() if not isinstance(reply, NoAnswer))
    # Each server may know of more: the delegation and the zone often disagree, and resolvers follow either.
    more = _few(frozenset().union(*(targets(reply, zone) for reply in known)) - {*names})
    resolved |= _resolved(more, look)
    servers = _listed([*names, *more], resolved, referral)
    replies |= _ask(zone, (server for server in servers if server.address not in replies), look)
    aliases = {name: found.end for name, found in resolved.items() if found.end}
    addresses = {name: found.addresses for name, found in resolved.items()}
    there = {server.name for server in servers}
    unsure = {name: found.why for name, found in resolved.items() if found.why and name not in there}
    return Delegation(zone, parent, referral, servers, frozenset({*names, *more}), replies, addresses, unsure, aliases)


def _few(names: Iterable[str]) -> list[str]:
    return sorted(names)[:_MOST_NAMES]


@dataclass(frozen=True)
class _Resolved:
    """What a resolver says of a server's name; ``end``: what it is an alias of; ``why`` it could not tell; or empty."""

    addresses: frozenset[str]
    end: str
    why: str


def _resolved(names: Iterable[str], look: Look) -> dict[str, _Resolved]:
    names = list(names)
    answers = iter(look.dns.ask_all([(name, family) for name in names for family in _FAMILIES]))
    found = {}
    for name in names:
        both = [next(answers) for _ in _FAMILIES]
        addresses = frozenset(value for answer in both for value in answer.values)
        end = next((answer.aliases[0] for answer in both if answer.aliases), "")
        found[name] = _Resolved(addresses, end, next((answer.why for answer in both if not answer.known), ""))
    return found


def _listed(
    names: Iterable[str], resolved: Mapping[str, _Resolved], referral: Referral | None = None
) -> tuple[Server, ...]:
    glue = referral.glue if referral else {}
    servers = {Server(name, a) for name in names for a in resolved[name].addresses | glue.get(name, frozenset())}
    return tuple(sorted(servers)[:_MOST_ADDRESSES])


def _ask(zone: str, servers: Iterable[Server], look: Look) -> dict[str, Reply]:
    addresses = sorted({server.address for server in servers})
    return dict(zip(addresses, ask_all(look.ask, [Question(a, zone, "NS") for a in addresses]), strict=True))
