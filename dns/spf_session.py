"""A session of SPF: who sends, what macros stand for, and what the DNS was asked (RFC 7208 sections 4.6.4 and 7)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from sendwright.dns.spf_lookup import Answer, Lookup, valid_name
from sendwright.dns.spf_macros import MacroString, expand, truncated

LOOKUPS = 10
VOIDS = 2
NAMES = 10
_UNKNOWN = "unknown"

Address = IPv4Address | IPv6Address


class Stop(Exception):
    """End the evaluation with an error result (sections 2.6.6 and 2.6.7)."""

    def __init__(self, result: Literal["temperror", "permerror"], why: str) -> None:
        super().__init__(why)
        self.result = result
        self.why = why


def client(ip: str | Address) -> Address:
    """Return the address of the client; one of IPv4 in the disguise of IPv6 is an IPv4 address (section 5)."""
    address = ip_address(ip)
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@dataclass
class Session:
    """A check in progress. ``sender`` holds a local part; ``lookups`` and ``voids`` count over all nested records."""

    ip: Address
    sender: str
    helo: str
    lookup: Lookup
    receiver: str
    clock: Callable[[], float]
    lookups: int = field(default=0, init=False)
    voids: int = field(default=0, init=False)

    def count(self, term: str) -> None:
        """Count a term that asks the DNS; stops with permerror at the eleventh (section 4.6.4)."""
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise Stop("permerror", f"{term} is one more than the {LOOKUPS} terms that may ask the DNS")

    def own(self, name: str, rdtype: str) -> Answer:
        """Ask a term's own question; stops with permerror at the third that is void (section 4.6.4).

        Those for the addresses of MX and PTR names are not: they have a limit of their own.
        """
        answer = self.ask(name, rdtype)
        if valid_name(name):
            self.count_void(name, answer)
        return answer

    def count_void(self, name: str, answer: Answer) -> None:
        """Count the answer to a term's own question if it is void."""
        self.voids += answer.void
        if self.voids > VOIDS:
            raise Stop("permerror", f"{name} is one more than the {VOIDS} names that may have no records")

    @property
    def family(self) -> str:
        """The type of the client's addresses (section 5)."""
        return "A" if self.ip.version == 4 else "AAAA"

    def ask(self, name: str, rdtype: str) -> Answer:
        """Ask the DNS; a name that cannot be asked for has no records (section 4.8). Stops with temperror."""
        answer = self.lookup(name.removesuffix("."), rdtype) if valid_name(name) else Answer()
        if answer.failure:
            raise Stop("temperror", f"{name} {rdtype}: {answer.failure}")
        return answer

    def target(self, spec: MacroString | None, domain: str) -> str:
        """Return the target name of a term in the record of a domain (section 4.8)."""
        return domain if spec is None else truncated(self.expanded(spec, domain))

    def expanded(self, string: MacroString, domain: str) -> str:
        """Expand a macro-string in the record of a domain (section 7)."""
        return expand(string, lambda letter: self._value(letter, domain))

    @cached_property
    def pointers(self) -> Answer:
        """The names that the client's address claims to have (section 5.5)."""
        return self.lookup(self.ip.reverse_pointer, "PTR")

    @cached_property
    def validated(self) -> tuple[str, ...]:
        """Those of the first ten that lead back to the address; a name that cannot be looked up is passed over."""
        names = [name.removesuffix(".") for name in self.pointers.values[:NAMES]]
        return tuple(name for name in names if self._leads_back(name))

    def _leads_back(self, name: str) -> bool:
        try:
            return self.ip in map(ip_address, self.ask(name, self.family).values)
        except Stop:
            return False

    def _value(self, letter: str, domain: str) -> str:
        """Return what a macro letter stands for (section 7.2)."""
        local, _, sender_domain = self.sender.rpartition("@")
        if letter == "p":
            return self._name(domain)
        four = self.ip.version == 4
        return {
            "s": self.sender,
            "l": local,
            "o": sender_domain,
            "d": domain,
            "i": str(self.ip) if four else ".".join(f"{int(self.ip):032X}"),
            "v": "in-addr" if four else "ip6",
            "h": self.helo,
            "c": str(self.ip),
            "r": self.receiver,
            "t": str(int(self.clock())),
        }[letter]

    def _name(self, domain: str) -> str:
        """Return the validated name that %{p} stands for: the domain, one below it, or any (section 7.3)."""
        names = sorted(self.validated, key=lambda name: (name.lower() != domain.lower(), not below(name, domain)))
        return names[0] if names else _UNKNOWN


def below(name: str, domain: str) -> bool:
    """Whether a name is a domain or below it."""
    return f".{name}".lower().endswith(f".{domain.removesuffix('.')}".lower())
