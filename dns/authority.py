"""Who speaks for a zone: what the parent says and what the zone says, together, with every address."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dns.message

from sendwright.dns.answers import addresses, rcode, soa, targets
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import DnsError, NotDelegated, ServerUnreachable

Answer = dns.message.Message | NoAnswer
# What to ask next, given the answers to what was asked before; at its end the servers of a zone.
Search = Generator[Sequence[Question], Sequence[Answer], tuple["Server", ...]]


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
    found = discover_all([zone], ask, resolver)[zone]
    if isinstance(found, DnsError):
        raise found
    return found


def zones_of(names: Iterable[str], ask: Ask, resolver: str) -> Mapping[str, str]:
    """Return the zone that each name lies in, as a resolver knows it; a name itself where nobody says.

    Only ever ask for names that exist: a resolver remembers that one does not.
    """
    names = sorted(set(names))
    answers = ask_all(ask, [Question(resolver, name, "SOA", recurse=True) for name in names])
    return {name: _zone_of(name, answer) for name, answer in zip(names, answers, strict=True)}


def _zone_of(name: str, answer: Answer) -> str:
    found = None if isinstance(answer, NoAnswer) else soa(answer)
    return found.zone if found and (name == found.zone or name.endswith("." + found.zone)) else name


def discover_all(zones: Iterable[str], ask: Ask, resolver: str) -> Mapping[str, tuple[Server, ...] | DnsError]:
    """Return for each zone what ``discover`` does, or the error that it raises.

    All are looked for at the same time, step by step: what many zones have in common, the parent or the name servers,
    is asked once.
    """
    found: dict[str, tuple[Server, ...] | DnsError] = {}
    searches = {zone: _search(zone, resolver) for zone in zones}
    questions = {zone: next(search) for zone, search in searches.items()}
    while questions:
        everything = list(dict.fromkeys(q for asked in questions.values() for q in asked))
        answers = dict(zip(everything, ask_all(ask, everything), strict=True))
        asked, questions = questions, {}
        for zone, own in asked.items():
            try:
                questions[zone] = searches[zone].send([answers[q] for q in own])
            except StopIteration as end:
                found[zone] = end.value
            except DnsError as error:
                found[zone] = error
    return found


def _search(zone: str, resolver: str) -> Search:
    above = zone.partition(".")[2]
    first = yield [Question(resolver, zone, "NS", recurse=True), Question(resolver, above, "SOA", recurse=True)]
    child, start = (_reply(zone, resolver, answer) for answer in first)
    # Without an answer that names it, the parent is taken to be one label up: its servers refer to the zone or are
    # silent.
    parent = owner.zone if (owner := soa(start)) else above
    (delegating,) = yield [Question(resolver, parent, "NS", recurse=True)]
    names, upper = targets(child, zone), targets(_reply(zone, resolver, delegating), parent)
    known = yield from _addresses(zone, names | upper, resolver)
    # Each server may know of more: the delegation and the zone often disagree, and resolvers follow either.
    answers = yield [Question(address, zone, "NS") for address in sorted({server.address for server in known})]
    said = [targets(answer, zone) for answer in answers if not isinstance(answer, NoAnswer)]
    more = frozenset().union(*said) - names - upper
    known |= yield from _addresses(zone, more, resolver)
    servers = sorted(server for server in known if server.name in names.union(*said))
    if not servers:
        what = f"{resolver} knows no name server for it ({rcode(child)})."
        raise NotDelegated(zone, what, "Is the zone delegated? The registrar must list its name servers.")
    return tuple(servers)


def _addresses(
    zone: str, names: Iterable[str], resolver: str
) -> Generator[Sequence[Question], Sequence[Answer], set[Server]]:
    pairs = [(name, family) for name in sorted(names) for family in ("A", "AAAA")]
    answers = yield [Question(resolver, name, family, recurse=True) for name, family in pairs]
    return {
        Server(name, address)
        for (name, _), answer in zip(pairs, answers, strict=True)
        for address in addresses(_reply(zone, resolver, answer))
    }


def _reply(zone: str, resolver: str, answer: Answer) -> dns.message.Message:
    if isinstance(answer, NoAnswer):
        what = f"the resolver {resolver}, which was to say who serves it, does not answer: {answer}."
        raise ServerUnreachable(zone, what, "Is it this machine's resolver (/etc/resolv.conf), and does it run?")
    return answer
