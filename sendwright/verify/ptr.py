"""Reverse DNS of addresses that send (RFC 1912, 2.1), confirmed by the way forward (RFC 8601, 2.7.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from sendwright.stack import Address
from sendwright.verify.finding import Check, Finding
from sendwright.verify.generic import generic
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.reserved import reserved
from sendwright.verify.rules import ptr as rules
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server
from sendwright.verify.wording import listed, shown

# Receivers look at the first few names of an address, too.
_MOST = 10


@dataclass(frozen=True)
class Pointed:
    """What an address leads to: its PTR, and for each name the answers for A and AAAA."""

    address: Address
    answer: Answer
    forward: tuple[tuple[str, tuple[Answer, ...]], ...]

    @property
    def confirmed(self) -> tuple[str, ...]:
        """The names that lead back."""
        return tuple(name for name, answers in self.forward if any(self._among(answer) for answer in answers))

    @property
    def silent(self) -> tuple[Answer, ...]:
        """The answers that could not be had on the way back."""
        return tuple(answer for _, answers in self.forward for answer in answers if not answer.known)

    def _among(self, answer: Answer) -> bool:
        return any(ip_address(value) == self.address for value in answer.values)


def check(server: Server, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:  # noqa: ARG001 - its contract
    """Judge every address that a declared host sends from; of others' servers those that take mail.

    Whether those send is not known from here, so nothing is more than a warning.
    """
    addresses = server.host.addresses if server.host else server.addresses if server.takes else ()
    for pointed in _asked([a for a in addresses if not reserved(a)], look):
        yield from judge(server, pointed)


def _asked(addresses: Sequence[Address], look: Look) -> Iterator[Pointed]:
    answers = look.dns.ask_all([(address.reverse_pointer, "PTR") for address in addresses])
    pairs = [(address, answer, answer.values[:_MOST]) for address, answer in zip(addresses, answers, strict=True)]
    questions = [(name, family) for _, _, names in pairs for name in names for family in ("A", "AAAA")]
    forward = iter(look.dns.ask_all(questions))
    for address, answer, names in pairs:
        yield Pointed(address, answer, tuple((name, (next(forward), next(forward))) for name in names))


def judge(server: Server, pointed: Pointed) -> Iterator[Finding]:
    """Judge what one address leads to. Pure."""
    names, where = pointed.answer.values, str(pointed.address)
    if not names:
        yield _absent(server, pointed)
        return
    yield rules.PRESENT.passed(server.subject, f"{listed(names, 3)}.", where)
    yield _confirmed(server, pointed)
    if server.host is not None:
        yield _helo(server, pointed)
    if len(names) > 1:
        advice = f"Keep one, {server.name}." if server.host else "Keep the one that the server greets with."
        yield rules.SINGLE.warned(server.subject, f"{len(names)} names: {listed(names, 5)}.", advice, where)
    else:
        yield rules.SINGLE.passed(server.subject, "One.", where)
    yield _made_up(server, pointed)


def _worse(server: Server, check: Check, seen: str, advice: str, where: str) -> Finding:
    return (check.failed if server.host else check.warned)(server.subject, seen, advice, where)


def _ask_for(server: Server) -> str:
    name = server.name if server.host else "its HELO name"
    return f"Have whoever gave you the address (reverse DNS in its panel) set its PTR to {name}."


def _absent(server: Server, pointed: Pointed) -> Finding:
    answer, where = pointed.answer, str(pointed.address)
    why = shown(answer.why or answer.told.value)
    if answer.told is Told.BOGUS:
        advice = "Have its owner mend DNSSEC of the reverse zone."
        return _worse(server, rules.PRESENT, f"PTR of {where} is bogus: {why}.", advice, where)
    if not answer.known:
        return rules.PRESENT.unknown(server.subject, f"PTR of {where} cannot be had: {why}.", "Ask again later.", where)
    return _worse(server, rules.PRESENT, f"{where} has no PTR.", _ask_for(server), where)


def _confirmed(server: Server, pointed: Pointed) -> Finding:
    where, names = str(pointed.address), listed(pointed.answer.values, 3)
    if pointed.confirmed:
        return rules.CONFIRMED.passed(server.subject, f"{listed(pointed.confirmed, 3)} leads back.", where)
    if pointed.silent:
        first = pointed.silent[0]
        seen = f"{first.type} of {shown(first.name, 120)} cannot be had: {shown(first.why or first.told.value)}."
        return rules.CONFIRMED.unknown(server.subject, seen, "Ask again later.", where)
    advice = f"Give that name an address record with {where}, or: {_ask_for(server)}"
    return _worse(server, rules.CONFIRMED, f"{names} does not lead to {where}.", advice, where)


def _helo(server: Server, pointed: Pointed) -> Finding:
    names, where = pointed.answer.values, str(pointed.address)
    if server.name in names:
        return rules.HELO.passed(server.subject, f"{server.name}, as it greets.", where)
    seen = f"{listed(names, 3)}, and the host greets with {server.name}."
    return rules.HELO.failed(server.subject, seen, _ask_for(server), where)


def _made_up(server: Server, pointed: Pointed) -> Finding:
    where = str(pointed.address)
    # The first is what receivers see; a host that greets with the name has chosen it.
    for name in pointed.answer.values[:_MOST]:
        if (why := generic(name, pointed.address)) and not (server.host and name == server.name):
            seen = f"{shown(name, 120)} looks made up by a provider: {why}."
            return rules.GENERIC.warned(server.subject, seen, _ask_for(server), where)
    return rules.GENERIC.passed(server.subject, "It does not look made up by a provider.", where)
