"""The `look.Dns` of a real run: a recursive resolver that is asked each question once, by any thread."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sendwright.dns import transport
from sendwright.errors import SendwrightError, UsageError
from sendwright.names import ip_address as plain_address
from sendwright.verify.asking.dns_exchange import Resolver, Silent, exchange
from sendwright.verify.asking.dns_message import Query, Reply
from sendwright.verify.asking.flights import Done, Flights
from sendwright.verify.look import Answer, Told

_PORT = 53
_AT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
# Resolvers themselves follow eight to sixteen.
_LONGEST_CHAIN = 16
_NXDOMAIN, _SERVFAIL = 3, 2
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}

_Question = tuple[str, str]


def resolver_at(text: str | None, *, system: Callable[[], str] = transport.system_resolver) -> Resolver:
    """Return where to ask: ``ADDRESS[:PORT]``, ``[v6]:PORT``, or None for this machine's own resolver. UsageError."""
    given = system().partition("%")[0] if text is None else text
    parts = _AT.fullmatch(given)
    address, port = (parts["six"] or parts["four"], int(parts["port"] or _PORT)) if parts else (given, _PORT)
    try:
        at = plain_address(address)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        hint = "Write ADDRESS, ADDRESS:PORT or [IPv6 address]:PORT, as in 192.0.2.53 or [2001:db8::53]:5353."
        raise UsageError(f"no resolver: {given[:100]!r}.", hint)
    return Resolver(at, port)


def patient(resolver: Resolver, seconds: float) -> Resolver:
    """Return a resolver that is waited for at most so many seconds, asked as often as before."""
    return replace(resolver, every=min(resolver.every, seconds / resolver.tries))


@dataclass(frozen=True)
class Pursuit:
    """A question on its way to an answer: what is asked next, and what is known from before.

    ``refused``: what the resolver said when it was to validate; ``held``: without validation it had an answer.
    """

    name: str
    type: str
    query: Query
    aliases: tuple[str, ...] = ()
    secure: bool = True
    ttl: int | None = None
    refused: str = ""
    held: bool = False

    def answer(self, told: Told, why: str = "") -> Answer:
        """Return how it ends, without values."""
        return Answer(self.name, self.type, told, aliases=self.aliases, why=why)


def follow(pursuit: Pursuit, reply: Reply | Silent) -> Answer | Pursuit:
    """Return the answer to a question, or what to ask next. Pure."""
    if isinstance(reply, Silent):
        return pursuit.answer(Told.FAILED, reply.why)
    if reply.rcode not in {0, _NXDOMAIN}:
        return _refused(pursuit, reply)
    if not pursuit.query.checked:
        # Asked again before it is called bogus: the resolver may only have had a bad moment.
        return replace(pursuit, query=replace(pursuit.query, checked=True), held=True)
    aliases, ttl = pursuit.aliases + reply.aliases, reply.ttl if pursuit.ttl is None else min(reply.ttl, pursuit.ttl)
    secure = pursuit.secure and reply.secure
    if reply.looping or len(set(aliases)) < len(aliases) or len(aliases) > _LONGEST_CHAIN:
        return replace(pursuit, aliases=aliases[:_LONGEST_CHAIN]).answer(Told.FAILED, "a loop of aliases")
    if reply.aliases and not reply.values and reply.rcode != _NXDOMAIN:
        # What a resolver leaves of a chain is asked for again.
        query = Query(aliases[-1], pursuit.type)
        return Pursuit(pursuit.name, pursuit.type, query, aliases, secure, ttl)
    told = Told.FOUND if reply.values else Told.NO_NAME if reply.rcode == _NXDOMAIN else Told.NO_DATA
    return Answer(pursuit.name, pursuit.type, told, reply.values, ttl, secure, aliases, reply.strings)


def _refused(pursuit: Pursuit, reply: Reply) -> Answer | Pursuit:
    said = _RCODES.get(reply.rcode, f"RCODE {reply.rcode}") + (f" ({reply.errors})" if reply.errors else "")
    if reply.rcode != _SERVFAIL:
        return pursuit.answer(Told.FAILED, f"the resolver says {said}")
    if not pursuit.query.checked:
        return pursuit.answer(Told.FAILED, f"the resolver says {pursuit.refused}, without validation too")
    if pursuit.held:
        return pursuit.answer(Told.BOGUS, f"the resolver says {said}, and without validation it has an answer")
    return replace(pursuit, query=replace(pursuit.query, checked=False), refused=said)


class Dns:
    """Ask one recursive resolver, each question once. Plays `look.Dns`; never raises for what comes back."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._flights: Flights[_Question, Answer] = Flights(self._fetch)

    def ask(self, name: str, rdtype: str, /) -> Answer:
        """Return the answer to one question; a name that cannot be asked for is FAILED."""
        return self._flights.get(((_folded(name), rdtype),))[0]

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        """Ask several at the same time and return the answers in their order."""
        return self._flights.get([(_folded(name), rdtype) for name, rdtype in questions])

    def _fetch(self, questions: Sequence[_Question], done: Done[_Question, Answer]) -> None:
        pursuits: dict[Query, list[Pursuit]] = {}
        for name, rdtype in questions:
            query = Query(name, rdtype)
            try:
                query.octets  # noqa: B018 - it raises for what cannot be asked
            except ValueError as error:
                done((name, rdtype), Answer(name, rdtype, Told.FAILED, why=str(error)))
            else:
                pursuits[query] = [Pursuit(name, rdtype, query)]
        while pursuits:
            later: dict[Query, list[Pursuit]] = {}
            for query, reply in exchange(self.resolver, tuple(pursuits)):
                for pursuit in pursuits[query]:
                    came = follow(pursuit, reply)
                    if isinstance(came, Answer):
                        done((pursuit.name, pursuit.type), came)
                    else:
                        # Two names may be aliases of the same one.
                        later.setdefault(came.query, []).append(came)
            pursuits = later


def _folded(name: str) -> str:
    return "." if name in {"", "."} else name.lower().removesuffix(".")


def validates(dns: Dns, questions: Sequence[_Question] = ()) -> bool:
    """Whether a resolver sets AD for what is surely signed, the root; SendwrightError if it does not answer.

    ``questions``: few others, to be asked at the same time.
    """
    root, *_ = dns.ask_all([(".", "SOA"), *questions])
    if root.told is Told.FAILED and root.why.startswith(f"the resolver {dns.resolver} "):
        raise SendwrightError(f"{root.why}.", "Name another one: --resolver ADDRESS[:PORT].")
    return root.secure
