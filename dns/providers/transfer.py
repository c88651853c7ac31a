"""A whole zone in one exchange: AXFR with TSIG (RFC 5936, RFC 8945 section 5.3.1), bounded in every way.

A transfer shows what stands in a zone: no wildcard answers for others, and no question can be forged on its way.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.tsig

from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.providers.update import absolute, received, send
from sendwright.dns.rdata import plain_name

# What the server makes of the zone by itself: nobody declares these, and they are most of a signed zone.
_MADE = {"RRSIG", "NSEC", "NSEC3"}


class NotTransferred(Exception):
    """Report that a server does not hand the zone over, or not whole; it may well answer questions.

    ``hung``: it was waited for until the patience ended.
    """

    def __init__(self, why: str, *, hung: bool = False) -> None:
        super().__init__(why)
        self.hung = hung


@dataclass(frozen=True)
class Copy:
    """What was kept of a transferred zone, by name and type: the TTL and the data, made text only when it is read."""

    zone: str
    sets: Mapping[Key, tuple[int, list[dns.rdata.Rdata]]]

    def read(self, keys: Iterable[Key]) -> tuple[RecordSet, ...]:
        """Return those of the record sets that exist, in order."""
        return tuple(
            RecordSet(*key, self.sets[key][0], tuple(sorted({rdata.to_text() for rdata in self.sets[key][1]})))
            for key in sorted(set(keys))
            if key in self.sets
        )


@dataclass(frozen=True)
class Bounds:
    """What is the most that a transfer may take: octets, records and seconds in all, seconds of silence."""

    octets: int = 256 * 2**20
    records: int = 2_000_000
    seconds: float = 120.0
    silence: float = 20.0


_BOUNDS = Bounds()


def declarable(key: Key) -> bool:
    """Whether anybody but the server itself writes such a record set."""
    return key[1] not in _MADE


def transfer(
    server: str, port: int, zone: str, key: dns.tsig.Key, keep: Callable[[Key], bool], bounds: Bounds = _BOUNDS
) -> Copy:
    """Return those record sets of a zone that are to be kept; NotTransferred for whatever goes wrong.

    Arguments: ``server``, ``port``: of the primary; ``key`` signs the request and verifies the answer.
    """
    question = dns.message.make_query(absolute(zone), dns.rdatatype.AXFR, flags=0)
    question.use_tsig(key)
    found: dict[Key, tuple[int, list[dns.rdata.Rdata]]] = {}
    try:
        with socket.create_connection((server, port), bounds.silence) as connection:
            send(connection, question)
            for rrset in _whole(_messages(connection, question, bounds), absolute(zone), bounds.records):
                if keep(place := _key(rrset)):
                    found.setdefault(place, (rrset.ttl, []))[1].extend(rrset)
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise NotTransferred(type(error).__name__, hung=isinstance(error, TimeoutError)) from error
    return Copy(zone, found)


def _messages(
    connection: socket.socket, question: dns.message.Message, bounds: Bounds
) -> Iterator[dns.message.Message]:
    """Yield the messages of the answer; each signature vouches for all since the one before it."""
    deadline = time.monotonic() + bounds.seconds
    octets, context = 0, None
    while True:
        wire = received(connection, deadline, bounds.silence)
        octets += len(wire)
        if octets > bounds.octets:
            raise NotTransferred("it does not end")
        message = dns.message.from_wire(
            wire,
            keyring=question.keyring,
            request_mac=question.mac,
            xfr=True,
            tsig_ctx=context,
            multi=True,
            one_rr_per_rrset=True,
        )
        if message.id != question.id or not message.flags & dns.flags.QR or message.rcode() != dns.rcode.NOERROR:
            raise NotTransferred(dns.rcode.to_text(message.rcode()))
        if context is None and not message.had_tsig:
            raise NotTransferred("it is not signed")
        context = message.tsig_ctx
        yield message


def _whole(messages: Iterator[dns.message.Message], zone: dns.name.Name, most: int) -> Iterator[dns.rrset.RRset]:
    """Yield the records from a SOA record to the same again, which ends a transfer (RFC 5936 section 2.2)."""
    start: dns.rrset.RRset | None = None
    count = 0
    for message in messages:
        for rrset in message.answer:
            count += 1
            if count > most:
                raise NotTransferred("it does not end")
            if start is None:
                if rrset.rdtype != dns.rdatatype.SOA or rrset.name != zone:
                    raise NotTransferred("it does not begin with the zone")
                start = rrset
            elif rrset.rdtype == dns.rdatatype.SOA:
                if rrset != start or not message.had_tsig:
                    raise NotTransferred("its end is not its beginning, or is not signed")
                return
            yield rrset


def _key(rrset: dns.rrset.RRset) -> Key:
    return plain_name(rrset.name.to_text()), dns.rdatatype.to_text(rrset.rdtype)
