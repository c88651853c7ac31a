"""What SPF asks the DNS: the answer to one question, and the way to ask it (RFC 7208 sections 4.4 and 4.5).

Aliases are followed by whoever answers. Records of the type SPF (99) are never asked for (section 3.1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from sendwright.dns.spf import is_spf
from sendwright.dns.transport import Ask, NoAnswer, Question

_LABEL = 63
_NAME = 253


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    ``values``: addresses of A and AAAA, names of MX and PTR, and of TXT the joined strings, each octet a character
    (latin-1); ``failure``: why there is no answer (time out, SERVFAIL …); neither: there is no such record.
    """

    values: tuple[str, ...] = ()
    failure: str = ""

    @property
    def void(self) -> bool:
        """Whether it is a void lookup: no data, or no such name (section 4.6.4)."""
        return not (self.values or self.failure)


NOTHING = Answer()

Lookup = Callable[[str, str], Answer]
"""Answer the question for a name and a type: A, AAAA, MX, PTR or TXT."""


def valid_name(name: str) -> bool:
    """Whether a name can be asked for: labels of 1 to 63 octets, 253 in all (RFC 1035 section 2.3.4)."""
    name = name.removesuffix(".")
    return name.isascii() and len(name) <= _NAME and all(0 < len(label) <= _LABEL for label in name.split("."))


@lru_cache(maxsize=1024)
def presented(name: str) -> str:
    """Return a valid name as it is asked for: one of macros may hold any visible character, so it is escaped."""
    labels = name.removesuffix(".").split(".")
    return dns.name.Name([*(label.encode() for label in labels), b""]).to_text(omit_final_dot=True)


def records_of(answer: Answer) -> tuple[str, ...]:
    """Return those of a name's TXT values that are SPF records (RFC 7208 section 4.5)."""
    return tuple(value for value in answer.values if is_spf(value.encode("latin-1", "replace")))


def through(ask: Ask, resolver: str) -> Lookup:
    """Return a lookup that asks the resolver at that address, and asks nothing twice."""
    known: dict[tuple[str, str], Answer] = {}

    def lookup(name: str, rdtype: str) -> Answer:
        key = (name.removesuffix(".").lower(), rdtype)
        if key not in known:
            known[key] = _asked(ask, resolver, *key)
        return known[key]

    return lookup


def _asked(ask: Ask, resolver: str, name: str, rdtype: str) -> Answer:
    if not valid_name(name):
        return NOTHING
    try:
        message = ask(Question(resolver, presented(name), rdtype, recurse=True))
    except NoAnswer as silence:
        return Answer(failure=f"the resolver {resolver} does not answer: {silence}")
    if message.rcode() == dns.rcode.NXDOMAIN:
        return NOTHING
    if message.rcode() != dns.rcode.NOERROR:
        return Answer(failure=f"the resolver {resolver} answers {dns.rcode.to_text(message.rcode())}")
    try:
        found = message.resolve_chaining().answer if isinstance(message, dns.message.QueryMessage) else None
    except dns.exception.DNSException as error:
        return Answer(failure=f"the resolver {resolver} answers rubbish ({type(error).__name__})")
    return Answer(_values(found)) if found is not None else NOTHING


def _values(found: dns.rrset.RRset) -> tuple[str, ...]:
    if found.rdtype == dns.rdatatype.TXT:
        return tuple(b"".join(rdata.strings).decode("latin-1") for rdata in found)
    if found.rdtype == dns.rdatatype.MX:
        return tuple(rdata.exchange.to_text() for rdata in sorted(found, key=lambda rdata: rdata.preference))
    if found.rdtype == dns.rdatatype.PTR:
        return tuple(rdata.target.to_text() for rdata in found)
    return tuple(rdata.address for rdata in found)
