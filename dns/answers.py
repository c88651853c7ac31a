"""What a name server's message says, read by the rules: pure, and the message is hostile until it is read."""

from collections.abc import Iterator
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sendwright.dns.providers.base import RecordSet
from sendwright.dns.rdata import plain_name


def record_set(message: dns.message.Message, name: str, rdtype: str) -> RecordSet | None:
    """Return the record set of exactly that name and type in the answer section, or None."""
    for rrset in message.answer:
        if rrset.rdclass == dns.rdataclass.IN and _name(rrset) == name and _type(rrset) == rdtype:
            # Servers turn the order of values around; sorted, two readings of the same set are equal.
            return RecordSet(name, rdtype, rrset.ttl, tuple(sorted(rdata.to_text() for rdata in rrset)))
    return None


def rcode(message: dns.message.Message) -> str:
    """Return the message's response code in words, as in ``REFUSED``."""
    return dns.rcode.to_text(message.rcode())


def authoritative(message: dns.message.Message) -> bool:
    """Whether the server speaks for the zone: positive or negative, but by itself."""
    return bool(message.flags & dns.flags.AA) and rcode(message) in {"NOERROR", "NXDOMAIN"}


@dataclass(frozen=True)
class Soa:
    """A zone's name and how long resolvers may remember in seconds that something in it does not exist."""

    zone: str
    negative_ttl: int


def soa(message: dns.message.Message) -> Soa | None:
    """Return the start of authority that a message names, in its answer or its authority section, or None."""
    for rrset in (*message.answer, *message.authority):
        if _is(rrset, dns.rdatatype.SOA):
            # RFC 2308 section 5: the lesser of the record's TTL and its last field; RFC 9077 says the same for NSEC.
            return Soa(_name(rrset), min(rrset.ttl, *(rdata.minimum for rdata in rrset)))
    return None


def targets(message: dns.message.Message, zone: str) -> frozenset[str]:
    """Return the name servers of a zone that a message names, as answer or as referral."""
    return frozenset(
        plain_name(rdata.target.to_text())
        for rrset in (*message.answer, *message.authority)
        if _is(rrset, dns.rdatatype.NS) and _name(rrset) == zone
        for rdata in rrset
    )


def addresses(message: dns.message.Message) -> Iterator[str]:
    """Yield the addresses in the answer section, aliases followed."""
    for rrset in message.answer:
        if _is(rrset, dns.rdatatype.A, dns.rdatatype.AAAA):
            yield from (rdata.address for rdata in rrset)


def _is(rrset: dns.rrset.RRset, *types: dns.rdatatype.RdataType) -> bool:
    # Of another class than IN, even a type of that number is another one, without the fields that it has here.
    return rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in types


def _name(rrset: dns.rrset.RRset) -> str:
    return plain_name(rrset.name.to_text())


def _type(rrset: dns.rrset.RRset) -> str:
    return dns.rdatatype.to_text(rrset.rdtype)
