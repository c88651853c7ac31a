"""Who speaks for a zone: what the parent says and what the zone says, together, with every address."""

from collections.abc import Iterable
from dataclasses import dataclass

import dns.message

from sendwright.dns.answers import addresses, rcode, soa, targets
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import DnsError, ServerUnreachable


@dataclass(frozen=True, order=True)
class Server:
    """One address of a name server."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


def discover(zone: str, ask: Ask, resolver: str) -> tuple[Server, ...]:
    """Return every address of every authoritative server of a zone, parent's and child's NS together.

    The resolver is asked about the zone itself and its servers' names only: they exist, so it cannot learn that
    something that is about to be published does not. Raises ServerUnreachable if the resolver is silent, DnsError if
    the zone is delegated to nobody.
    """
    child = _reply(zone, ask, Question(resolver, zone, "NS", recurse=True))
    names = targets(child, zone)
    servers = _addresses(zone, names, ask, resolver)
    parents = _parents(zone, ask, resolver)
    # Each server may know of more: the delegation and the zone often disagree, and resolvers follow either.
    questions = [Question(s, zone, "NS") for s in sorted({*parents, *(s.address for s in servers)})]
    answers = [a for a in ask_all(ask, questions) if not isinstance(a, NoAnswer)]
    more = frozenset().union(*(targets(answer, zone) for answer in answers)) - names
    servers |= _addresses(zone, more, ask, resolver)
    if not servers:
        what = f"{resolver} knows no name server for it ({rcode(child)})."
        raise DnsError(zone, what, "Is the zone delegated? The registrar must list its name servers.")
    return tuple(sorted(servers))


def _parents(zone: str, ask: Ask, resolver: str) -> set[str]:
    above = zone.partition(".")[2]
    reply = _reply(zone, ask, Question(resolver, above, "SOA", recurse=True))
    found = soa(reply)
    # Without an answer that names it, the parent is taken to be one label up: its servers refer to the zone or are
    # silent.
    parent = found.zone if found else above
    names = targets(_reply(zone, ask, Question(resolver, parent, "NS", recurse=True)), parent)
    return {s.address for s in _addresses(zone, names, ask, resolver)}


def _addresses(zone: str, names: Iterable[str], ask: Ask, resolver: str) -> set[Server]:
    pairs = [(name, family) for name in sorted(names) for family in ("A", "AAAA")]
    answers = ask_all(ask, [Question(resolver, name, family, recurse=True) for name, family in pairs])
    found = set()
    for (name, _), answer in zip(pairs, answers, strict=True):
        if isinstance(answer, NoAnswer):
            raise _silent(zone, resolver, answer)
        found |= {Server(name, address) for address in addresses(answer)}
    return found


def _reply(zone: str, ask: Ask, question: Question) -> dns.message.Message:
    try:
        return ask(question)
    except NoAnswer as silence:
        raise _silent(zone, question.server, silence) from silence


def _silent(zone: str, resolver: str, silence: NoAnswer) -> ServerUnreachable:
    what = f"the resolver {resolver}, which was to say who serves it, does not answer: {silence}."
    return ServerUnreachable(zone, what, "Is it this machine's resolver (/etc/resolv.conf), and does it run?")
