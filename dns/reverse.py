"""Whether each sending address leads to its host and back: PTR, and forward again (iprev, RFC 8601 section 3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

import dns.message
import dns.rdatatype
import dns.reversename

from sendwright.dns.answers import addresses, rcode
from sendwright.dns.rdata import plain_name
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.stack import Address, Host


@dataclass(frozen=True)
class Reverse:
    """What an address leads to. ``confirmed``: the ``names`` that lead back; ``problem``: why it could not be asked."""

    address: Address
    names: tuple[str, ...]
    confirmed: tuple[str, ...]
    problem: str = ""


def reverses(hosts: Iterable[Host], ask: Ask, resolver: str) -> tuple[Reverse, ...]:
    """Look up the PTR names of every address of the hosts, and their addresses in turn.

    A declared host's name leads where the inventory says, so the resolver is not asked about it: before it is
    published, that would make the resolver remember that it does not exist.
    """
    declared = {host.name: frozenset(host.addresses) for host in hosts}
    ours = sorted({a for found in declared.values() for a in found}, key=lambda a: (a.version, int(a)))
    answers = ask_all(ask, [Question(resolver, _pointer(a), "PTR", recurse=True) for a in ours])
    pointers = {a: _names(answer) for a, answer in zip(ours, answers, strict=True)}
    others = sorted({n for names in pointers.values() for n in names} - set(declared))
    pairs = [(name, family) for name in others for family in ("A", "AAAA")]
    forward: dict[str, frozenset[Address]] = dict(declared)
    replies = ask_all(ask, [Question(resolver, name, family, recurse=True) for name, family in pairs])
    for (name, _), reply in zip(pairs, replies, strict=True):
        if not isinstance(reply, NoAnswer):
            forward[name] = forward.get(name, frozenset()) | {ip_address(a) for a in addresses(reply)}
    return tuple(
        Reverse(a, names, tuple(n for n in names if a in forward.get(n, ())), _problem(answer))
        for (a, names), answer in zip(pointers.items(), answers, strict=True)
    )


def needed(hosts: Iterable[Host], found: Iterable[Reverse]) -> tuple[str, ...]:
    """Return what only a person can do, a sentence for each address whose PTR is not its host's name. Pure."""
    by_address = {reverse.address: reverse for reverse in found}
    return tuple(
        _sentence(by_address[address], host.name)
        for host in hosts
        for address in host.addresses
        if address in by_address and by_address[address].names != (host.name,)
    )


def _sentence(reverse: Reverse, wanted: str) -> str:
    if reverse.problem:
        return f"{reverse.address}: its PTR could not be looked up ({reverse.problem}). Check that it is {wanted}."
    state = f"has the PTR {', '.join(reverse.names)}" if reverse.names else "has no PTR"
    return (
        f"{reverse.address} {state}: have whoever gave you the address (reverse DNS in its panel) "
        f"set its PTR to {wanted}; without it large receivers refuse the mail."
    )


def _pointer(address: Address) -> str:
    return plain_name(dns.reversename.from_address(str(address)).to_text())


def _names(answer: dns.message.Message | NoAnswer) -> tuple[str, ...]:
    if isinstance(answer, NoAnswer):
        return ()
    found = {
        plain_name(rdata.target.to_text())
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.PTR
        for rdata in rrset
    }
    return tuple(sorted(found))


def _problem(answer: dns.message.Message | NoAnswer) -> str:
    if isinstance(answer, NoAnswer):
        return str(answer)
    return "" if rcode(answer) in {"NOERROR", "NXDOMAIN"} else f"the resolver answers {rcode(answer)}"
