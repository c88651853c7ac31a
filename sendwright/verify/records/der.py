"""RSA public keys out of DER, as little of it as they need: libraries refuse what is to be judged here. Pure."""

from dataclasses import dataclass

_SEQUENCE, _INTEGER, _BITS, _OID = 0x30, 0x02, 0x03, 0x06
_RSA = bytes.fromhex("2a864886f70d010101")
_LONGEST_LENGTH = 4


class BadKey(ValueError):
    """Report octets that are no RSA public key, in words."""


@dataclass(frozen=True)
class RsaPublic:
    """An RSA public key (RFC 8017, A.1.1)."""

    modulus: int
    exponent: int


def rsa_public(der: bytes) -> RsaPublic:
    """Return the key in a SubjectPublicKeyInfo (RFC 5280, 4.1) or a bare RSAPublicKey; BadKey if there is none.

    The size is not judged, but what no signature can verify with: an even modulus, and an exponent that is even or 1.
    """
    outer = _only(der, _SEQUENCE)
    bare = outer if outer[:1] == bytes([_INTEGER]) else _only(_wrapped(outer), _SEQUENCE)
    modulus, rest = _integer(bare)
    exponent, rest = _integer(rest)
    if rest:
        raise BadKey("something follows its exponent")
    if modulus <= 0 or modulus % 2 == 0:
        raise BadKey("its modulus is negative or even")
    if exponent < 3 or exponent % 2 == 0:
        raise BadKey(f"its exponent is {exponent if abs(exponent) < 1000 else 'even'}")
    return RsaPublic(modulus, exponent)


def _wrapped(outer: bytes) -> bytes:
    """The octets of the key in a SubjectPublicKeyInfo."""
    algorithm, rest = _next(outer, _SEQUENCE)
    oid, _ = _next(algorithm, _OID)
    if oid != _RSA:
        raise BadKey("it is a key of another kind")
    bits = _only(rest, _BITS)
    if bits[:1] != b"\0":
        raise BadKey("its bits are no whole octets")
    return bits[1:]


def _integer(der: bytes) -> tuple[int, bytes]:
    value, rest = _next(der, _INTEGER)
    return int.from_bytes(value, "big", signed=True), rest


def _only(der: bytes, tag: int) -> bytes:
    value, rest = _next(der, tag)
    if rest:
        raise BadKey(f"{len(rest)} octets follow it")
    return value


def _next(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """The value of the element that comes first, and what follows it."""
    if len(der) < 2 or der[0] != tag:
        raise BadKey("it is not the DER of one")
    length, start = der[1], 2
    if length & 0x80:
        octets = length & 0x7F
        start += octets
        if not 0 < octets <= _LONGEST_LENGTH or len(der) < start:
            raise BadKey("it is not the DER of one")
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise BadKey(f"it is cut off: {len(der)} octets of {start + length}")
    return der[start : start + length], der[start + length :]
