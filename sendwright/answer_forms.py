"""The closed form of each kind of value in what a host answers: what does not fit raises Malformed, never a guess."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from sendwright.stack import Address

# As Postfix reads them (conv_time(3)).
_LONGEST = timedelta(days=100)  # more it refuses itself; stories remember the longest for good
_UNITS_OF_TIME = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Malformed(ValueError):
    """An answer that is not an observation; the text says which part."""


def fields(data: bytes, count: int) -> list[str]:
    """Return as many fields as are expected, each of which ends with NUL."""
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    if parts.pop() or len(parts) != count:
        raise Malformed("number of fields")
    return parts


def rows(data: bytes, width: int) -> Iterator[list[str]]:
    """Yield rows of as many fields, each of which ends with NUL."""
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    if parts.pop() or len(parts) % width:
        raise Malformed("number of fields")
    for start in range(0, len(parts), width):
        yield parts[start : start + width]


def text_of(data: bytes) -> str:
    """Return text from which the very bytes can be had again: names of files may be anything."""
    return data.decode("utf-8", "surrogateescape")


def natural(text: str) -> int:
    """Return a natural number."""
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
        raise Malformed("a number")
    return int(text)


def seconds(text: str) -> float:
    """Return a time, in seconds."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,10})?", text, re.ASCII):
        raise Malformed("a time")
    return float(text)


def flag(data: bytes) -> bool:
    """Return a line of yes or no."""
    if data not in (b"yes\n", b"no\n"):
        raise Malformed("a flag")
    return data == b"yes\n"


def digest(text: str) -> str:
    """Return a SHA-256 digest in hexadecimal digits."""
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise Malformed("a digest")
    return text


def span(text: str) -> timedelta:
    """Return how long Postfix keeps something (conv_time(3)), which is no longer than it can be told to."""
    # Without a unit both lifetimes are in days (postconf(5)).
    found = re.fullmatch("([0-9]{1,9})([smhdw]?)", text, re.ASCII)
    if not found:
        raise Malformed("how long Postfix keeps a message")
    kept = timedelta(**{_UNITS_OF_TIME[found[2] or "d"]: int(found[1])})
    if kept > _LONGEST:
        raise Malformed("how long Postfix keeps a message")
    return kept


def moment(text: str) -> float:
    """Read systemd's timestamp, ``Sat 2026-11-21 22:09:21.473791 UTC``, or nothing for what never was."""
    if not text:
        return 0.0
    return datetime.strptime(text.partition(" ")[2], "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC).timestamp()


def unpacked(packed: bytes, most: int) -> bytes | None:
    """Return what gzip(1) packed (RFC 1952); None for more than ``most`` octets."""
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(packed, most + 1)
    except zlib.error as error:
        raise Malformed("a table") from error
    if len(content) <= most and not unpacking.eof:
        raise Malformed("a table")
    return content if len(content) <= most else None


def proc_address(digits: str) -> Address:
    """Return an address as /proc/net/tcp prints it."""
    # These are 32-bit words in the host's byte order, little-endian on all of Debian's mail hosts.
    if len(digits) not in (8, 32):
        raise Malformed("an address")
    words = bytes.fromhex(digits)
    return ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)))
