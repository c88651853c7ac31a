"""DNS on the wire: a question as octets, and what an answer says, read by the rules (RFC 1035 section 4). Pure.

A thousand domains take tens of thousands of questions, so only what is asked for is read: the answer section, record by
record. Everything that comes in is hostile: it is bounded, and what is no answer is NotAnAnswer.
"""

import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase

_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_TIMES = struct.Struct("!IIIII")
_QR, _TC, _RD, _AD, _CD = 0x8000, 0x0200, 0x0100, 0x0020, 0x0010
# EDNS(0) without the DO bit (RFC 6891 section 6.1.2): AD in a question asks for the verdict alone (RFC 6840, 5.7).
_PAYLOAD = 1232
_OPT = b"\0" + struct.pack("!HHIH", dns.rdatatype.OPT, _PAYLOAD, 0, 0)
_IN, _CNAME = dns.rdataclass.IN, dns.rdatatype.CNAME
_COMMON = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_LONGEST_NAME = 253
_MOST_LABELS = 127
_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}")
_MOST_RECORDS = 1000
_NAMED = frozenset({"MX", "NS", "PTR", "CNAME", "DNAME", "SRV", "SOA"})
_BROKEN = (dns.exception.DNSException, ValueError, IndexError, struct.error)


class NotAnAnswer(Exception):
    """Report octets that are no answer to the question."""


@dataclass(frozen=True)
class Query:
    """A question to a resolver. ``name`` in lower case without the last dot; ``checked`` False: the CD bit is set."""

    name: str
    type: str
    checked: bool = True

    @property
    def octets(self) -> bytes:
        """The question section (RFC 1035, 4.1.2); ValueError for a name or a type that cannot be asked for."""
        return _section(self.name, self.type)[0]

    def message(self, number: int) -> bytes:
        """Return the message with its id; ValueError as above."""
        flags = _RD | _AD | (0 if self.checked else _CD)
        return _HEADER.pack(number, flags, 1, 0, 0, 1) + self.octets + _OPT


@dataclass(frozen=True)
class Reply:
    """What a resolver's message says.

    ``rcode``: as number; ``secure``: the AD bit; ``cut``: the TC bit, and nothing else was read; ``aliases``: the chain
    from the name that was asked for; ``values`` and ``strings``: as `look.Answer` has them, of the chain's end;
    ``ttl``: the least; ``errors``: what the resolver said about a failure (RFC 8914); ``looping``: aliases lead back.
    """

    rcode: int
    secure: bool = False
    cut: bool = False
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    strings: tuple[tuple[int, ...], ...] = ()
    ttl: int = 0
    errors: str = ""
    looping: bool = False


def belongs(message: bytes, number: int, question: bytes) -> bool:
    """Whether a message is an answer with that id to that question; resolvers may send its name in another case."""
    end = _HEADER.size + len(question)
    if len(message) < end or message[:2] != number.to_bytes(2, "big") or not message[2] & 0x80:
        return False
    # Lengths of labels lie below every letter, so lower-casing the octets touches nothing else of a name.
    return message[4:6] == b"\0\1" and message[_HEADER.size : end].lower() == question.lower()


def read(message: bytes, query: Query) -> Reply:
    """Return what an answer that belongs to the question says; NotAnAnswer for what cannot be read."""
    try:
        _, flags, _, answers, _, _ = _HEADER.unpack_from(message)
        rcode, secure = flags & 0xF, bool(flags & _AD)
        if flags & _TC:
            return Reply(rcode, cut=True)
        if rcode not in {0, 3}:
            return Reply(rcode, errors=_errors(message))
        if not answers:
            return Reply(rcode, secure)
        return _records(message, query, rcode, secure)
    except _BROKEN as error:
        raise NotAnAnswer(f"an answer that is no DNS message ({type(error).__name__})") from error


def presented(rdata: dns.rdata.Rdata, rdtype: str) -> str:
    """Return record data as `look.Answer` has it: names in lower case without the last dot, TXT joined as latin-1."""
    if isinstance(rdata, dns.rdtypes.txtbase.TXTBase):
        return b"".join(rdata.strings).decode("latin-1")
    text = rdata.to_text()
    if rdtype not in _NAMED:
        return text
    # The root's name is nothing but its dot: a null MX, a service that is not offered.
    return " ".join(word if word == "." else word.removesuffix(".") for word in text.lower().split(" "))


def lengths(rdata: dns.rdata.Rdata) -> tuple[int, ...]:
    """Return the lengths of the strings of a TXT record; nothing for other types."""
    return tuple(map(len, rdata.strings)) if isinstance(rdata, dns.rdtypes.txtbase.TXTBase) else ()


def _records(message: bytes, query: Query, rcode: int, secure: bool) -> Reply:
    wanted = _type(query.type)
    aliases: dict[str, tuple[str, int]] = {}
    found: dict[str, list[tuple[str, tuple[int, ...], int]]] = {}
    section, asked = _section(query.name, query.type)
    at = _HEADER.size + len(section)
    for _ in range(min(_HEADER.unpack_from(message)[3], _MOST_RECORDS)):
        owner, at = _owner(message, at, asked)
        rdtype, rdclass, ttl, length = _FIXED.unpack_from(message, at)
        at += _FIXED.size
        if rdclass == _IN and rdtype == wanted:
            found.setdefault(owner, []).append((*_value(message, at, length, query.type), ttl))
        elif rdclass == _IN and rdtype == _CNAME:
            aliases.setdefault(owner, (_value(message, at, length, "CNAME")[0], ttl))
        at += length
    return _followed(asked, rcode, secure, aliases, found)


def _owner(message: bytes, at: int, asked: str) -> tuple[str, int]:
    """Return the name at an offset and the offset behind it."""
    # Nearly always it points at the question's name (RFC 1035 section 4.1.4), right behind the header.
    if message[at : at + 2] == b"\xc0\x0c":
        return asked, at + 2
    return _name(message, at)


def _name(message: bytes, at: int) -> tuple[str, int]:
    """Return the name at an offset, in lower case without the last dot, and the offset behind it (RFC 1035, 4.1.4)."""
    labels: list[bytes] = []
    position, behind, limit = at, 0, at
    while length := message[position]:
        label = message[position + 1 : position + 1 + length]
        if length >= 0xC0:
            behind = behind or position + 2
            position = (length & 0x3F) << 8 | message[position + 1]
            # Each further back than the one before: there is no way round in a circle.
            if position >= limit:
                raise ValueError("a pointer that does not lead back")
            limit = position
        elif len(labels) < _MOST_LABELS and _LABEL.fullmatch(label):
            labels.append(label)
            position += 1 + length
        else:
            # What needs escapes, or is no name at all, is dnspython's to judge.
            name, used = dns.name.from_wire(message, at)
            return plain(name), at + used
    text = b".".join(labels)
    if len(text) > _LONGEST_NAME:
        raise ValueError("a name that is too long")
    return text.lower().decode() or ".", behind or position + 1


def _value(message: bytes, at: int, length: int, rdtype: str) -> tuple[str, tuple[int, ...]]:
    """Return record data as it is presented, and the lengths of its strings. What is asked most is read here."""
    data = message[at : at + length]
    if len(data) < length:
        raise ValueError("cut record data")
    if rdtype == "TXT":
        return _strings(data)
    if (rdtype, length) in {("A", 4), ("AAAA", 16)}:
        return socket.inet_ntop(socket.AF_INET if length == 4 else socket.AF_INET6, data), ()
    if rdtype == "MX" and length > 2:
        name, behind = _name(message, at + 2)
        if behind != at + length:
            raise ValueError("more than a name")
        return f"{int.from_bytes(data[:2], 'big')} {name}", ()
    if rdtype == "SOA" and length > _TIMES.size:
        return _start(message, at, length), ()
    rdata = _rdata(_type(rdtype), message, at, length)
    return presented(rdata, rdtype), lengths(rdata)


def _start(message: bytes, at: int, length: int) -> str:
    server, behind = _name(message, at)
    mailbox, behind = _name(message, behind)
    if behind + _TIMES.size != at + length:
        raise ValueError("a start of authority of another length")
    return " ".join((server, mailbox, *map(str, _TIMES.unpack_from(message, behind))))


def _rdata(rdtype: dns.rdatatype.RdataType, message: bytes, at: int, length: int) -> dns.rdata.Rdata:
    try:
        return dns.rdata.from_wire(_IN, rdtype, message, at, length)
    except dns.exception.DNSException:
        if rdtype != dns.rdatatype.TLSA:
            raise
        # A digest of the wrong length makes that record useless, and not those beside it (RFC 7672, 3.1.3; RFC 3597).
        return dns.rdata.GenericRdata(_IN, rdtype, message[at : at + length])


def _strings(data: bytes) -> tuple[str, tuple[int, ...]]:
    """Return the joined strings of TXT data and their lengths (RFC 1035 section 3.3.14); ValueError if it is cut."""
    strings, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        strings.append(data[at + 1 : end])
        at = end
    if at != len(data) or not strings:
        raise ValueError("cut strings")
    return b"".join(strings).decode("latin-1"), tuple(map(len, strings))


def _followed(
    name: str,
    rcode: int,
    secure: bool,
    aliases: Mapping[str, tuple[str, int]],
    found: Mapping[str, list[tuple[str, tuple[int, ...], int]]],
) -> Reply:
    chain: list[str] = []
    ttls: list[int] = []
    while name not in found and name in aliases:
        name, ttl = aliases[name]
        ttls.append(ttl)
        if name in chain:
            return Reply(rcode, secure, aliases=tuple(chain), looping=True)
        chain.append(name)
    here = sorted(set(found.get(name, ())))
    values, strings = tuple(value for value, _, _ in here), tuple(lengths for _, lengths, _ in here)
    ttls += [ttl for _, _, ttl in here]
    return Reply(rcode, secure, False, tuple(chain), values, strings if any(strings) else (), min(ttls, default=0))


def plain(name: dns.name.Name) -> str:
    """Return a name in lower case without its last dot; the root is a dot."""
    return name.to_text(omit_final_dot=True).lower()


def _errors(message: bytes) -> str:
    options = dns.message.from_wire(message, ignore_trailing=True).options
    said = [option.to_text() for option in options if isinstance(option, dns.edns.EDEOption)]
    return "; ".join(said)[:200]


@lru_cache(maxsize=512)
def _type(rdtype: str) -> dns.rdatatype.RdataType:
    try:
        return dns.rdatatype.from_text(rdtype)
    except dns.exception.DNSException as error:
        raise ValueError(f"no type of records: {rdtype}") from error


@lru_cache(maxsize=4096)
def _section(name: str, rdtype: str) -> tuple[bytes, str]:
    kind = struct.pack("!HH", _type(rdtype), _IN)
    if len(name) <= _LONGEST_NAME and _COMMON.fullmatch(name):
        labels = (bytes([len(label)]) + label.encode() for label in name.split("."))
        return b"".join(labels) + b"\0" + kind, name
    if not name.isascii():
        raise ValueError("a name with characters beyond ASCII")
    try:
        read = dns.name.from_text(name.removesuffix(".") + ".")
        return read.to_digestable() + kind, plain(read)
    except dns.exception.DNSException as error:
        raise ValueError(f"no name that can be asked for ({type(error).__name__})") from error
