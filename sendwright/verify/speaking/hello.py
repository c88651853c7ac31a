"""The first flight of TLS 1.2, in the clear: what a client offers, and what a server answers (RFC 5246). Pure.

OpenSSL offers nothing weak any more, so that what a server would agree to is asked in octets; no key is ever agreed on.
"""

import re
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sendwright.verify.speaking.suites import FINITE_FIELD

HEADER = 5
"""Octets of a record before its content."""
_ALERT, _HANDSHAKE = 21, 22
_SERVER_HELLO, _SERVER_KEY_EXCHANGE, _DONE = 2, 12, 14
_CLOSING, _FATAL = 0, 2
_LONGEST_RECORD = 2**14
_LONGEST_MESSAGE = 2**16
_RENEGOTIATION_INFO = 0xFF01
_SIGNALLING = 0x00FF
_DEFLATE, _NO_COMPRESSION = 1, 0
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_CURVES = (29, 23, 24, 25, 30)
# ECDSA, Ed25519, RSA-PSS and RSA of any digest and DSA: a server must not refuse for want of one.
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0402, 0x0203, 0x0201)


class Malformed(Exception):
    """What was answered is no TLS; its text says what is wrong."""


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    ``suite``: the one that it chose, None if it refused; ``compresses``: it chose to compress; ``renegotiates``: it
    announces secure renegotiation; ``group``: bits of its prime, if the suite is of finite-field Diffie-Hellman.
    """

    suite: int | None = None
    compresses: bool = False
    renegotiates: bool = False
    group: int = 0


def offer(suites: Sequence[int], name: str, random: bytes) -> bytes:
    """Return the record of a ClientHello of TLS 1.2 that offers suites and compression (RFC 5246, 7.4.1.2).

    ``name``: for SNI, if it can be one; ``random``: 32 octets.
    """
    # The signalling suite asks for secure renegotiation, of servers too that choke on extensions (RFC 5746, 3.3).
    codes = b"".join(struct.pack("!H", code) for code in (*suites, _SIGNALLING))
    compression = bytes([_DEFLATE, _NO_COMPRESSION])
    groups = b"".join(struct.pack("!H", curve) for curve in _CURVES)
    signatures = b"".join(struct.pack("!H", signature) for signature in _SIGNATURES)
    extensions = _extension(10, _sized(groups)) + _extension(11, b"\x01\x00") + _extension(13, _sized(signatures))
    if _HOSTNAME.fullmatch(name.lower()):
        extensions = _extension(0, _sized(b"\x00" + _sized(name.encode("ascii")))) + extensions
    body = b"\x03\x03" + random + b"\x00" + _sized(codes) + bytes([len(compression)]) + compression + _sized(extensions)
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    # Records of the first hello bear an old version, for the sake of servers that look at it (RFC 5246, E.1).
    return b"\x16\x03\x01" + _sized(message)


def size(header: bytes) -> int:
    """Return how many octets follow the header of a record; Malformed if it is none of a handshake."""
    kind, major, _, length = struct.unpack("!BBBH", header)
    if kind not in {_ALERT, _HANDSHAKE} or major != 3 or not 0 < length <= _LONGEST_RECORD:
        raise Malformed("it answered what is no TLS")
    return int(length)


def answer(records: Sequence[bytes], offered: Collection[int]) -> Answer | None:
    """Return what a server answered to an offer of suites; None as long as it has not said all that matters.

    ``records``: whole ones, in order, each with a header that `size` has passed. Malformed for what is no answer.
    """
    messages = b""
    for record in records:
        kind, body = record[0], record[HEADER:]
        if kind == _HANDSHAKE:
            messages += body
        elif len(body) != 2:
            raise Malformed("it sent an alert that cannot be read")
        elif body[0] == _FATAL or body[1] == _CLOSING:
            return Answer()
    return _answer(messages, offered)


def agreed(records: Sequence[bytes]) -> bool:
    """Tell whether a server began to shake hands, so that hanging up is no refusal any more."""
    return any(record[0] == _HANDSHAKE for record in records)


def _answer(messages: bytes, offered: Collection[int]) -> Answer | None:
    reader, found = _Reader(messages), None
    while (message := _message(reader)) is not None:
        kind, body = message
        if found is None:
            if kind != _SERVER_HELLO:
                raise Malformed("it began with another message than ServerHello")
            found = _server_hello(_Reader(body), offered)
        elif kind == _SERVER_KEY_EXCHANGE:
            return Answer(found.suite, found.compresses, found.renegotiates, _group(_Reader(body)))
        elif kind == _DONE:
            raise Malformed("it sent no parameters of its key exchange")
        if found.suite not in FINITE_FIELD:
            return found
    return None


def _message(reader: "_Reader") -> tuple[int, bytes] | None:
    if len(reader.data) - reader.place < 4:
        return None
    kind, length = reader.take(1)[0], reader.number(3)
    if length > _LONGEST_MESSAGE:
        raise Malformed(f"it sent a message of {length:,} octets")
    if len(reader.data) - reader.place < length:
        return None
    return kind, reader.take(length)


def _server_hello(body: "_Reader", offered: Collection[int]) -> Answer:
    version = body.number(2)
    if not 0x0300 <= version <= 0x0303:
        raise Malformed("it chose a version that was not offered")
    body.take(32)
    body.take(body.number(1))
    suite, compression = body.number(2), body.number(1)
    if suite not in offered:
        raise Malformed("it chose a suite that was not offered")
    if compression not in {_DEFLATE, _NO_COMPRESSION}:
        raise Malformed("it chose a compression that was not offered")
    return Answer(suite, compression == _DEFLATE, _RENEGOTIATION_INFO in _extensions(body))


def _extensions(body: "_Reader") -> set[int]:
    if body.place == len(body.data):
        return set()
    block, found = _Reader(body.take(body.number(2))), set()
    while block.place < len(block.data):
        found.add(block.number(2))
        block.take(block.number(2))
    return found


def _group(body: "_Reader") -> int:
    bits = int.from_bytes(body.take(body.number(2)), "big").bit_length()
    if not bits:
        raise Malformed("it sent a prime of no bits")
    return bits


@dataclass
class _Reader:
    data: bytes
    place: int = 0

    def take(self, count: int) -> bytes:
        found = self.data[self.place : self.place + count]
        if len(found) < count:
            raise Malformed("it sent a message that is cut short")
        self.place += count
        return found

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")


def _sized(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + _sized(data)
