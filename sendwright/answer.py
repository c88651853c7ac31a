"""The strict parser of what a host answers when it is looked at.

The answer comes from a host, so it is hostile until parsed: every value travels in base64, every field has a closed
form, and what does not fit is an error about the host, never a guess.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from sendwright.errors import HostError
from sendwright.generation import held_by
from sendwright.observation import Observation, PathState, Stamp, Stray, UnitState
from sendwright.service import Release
from sendwright.stack import Address

BEGIN = "sendwright observation 1"
END = "end"
# Bytes of a file whose diff is shown; a larger one only "differs".
CONTENT_LIMIT = 65536
# Bytes of a signing or key table that is read; those of 10,000 domains have some 4 MB.
TABLE_LIMIT = 16 * 1024 * 1024
# As Postfix reads them (conv_time(3)).
_LONGEST = timedelta(days=100)  # more it refuses itself; stories remember the longest for good
_UNITS_OF_TIME = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Malformed(ValueError):
    """An answer that is not an observation; the text says which part."""


def parse(host: str, output: bytes, units: tuple[str, ...], *, queues: bool = False) -> Observation:
    """Parse what the script of `observe.script` printed.

    Arguments: ``units``: the units that the script asked for, in its order; ``queues``: whether it asked for queues.
    Raises HostError for anything else than a whole, well-formed answer (RFC 4648 base64 without line breaks, one
    section a line).
    """
    try:
        sections = _sections(output)
        observation = _observation(host, sections, units)
        return _with_queues(host, observation, sections) if queues else observation
    except (Malformed, ValueError, IndexError, KeyError, OverflowError) as error:
        raise HostError(
            host,
            f"it answered with something that is not an observation ({_brief(error)}).",
            "Does its shell print anything of its own, or end early? Try `ssh HOST true`.",
        ) from error


def _sections(output: bytes) -> dict[str, bytes]:
    lines = output.decode("ascii", "replace").split("\n")
    if BEGIN not in lines:
        raise Malformed("no beginning")
    lines = lines[lines.index(BEGIN) + 1 :]
    if END not in lines:
        raise Malformed("cut off")
    found = {}
    for line in lines[: lines.index(END)]:
        name, separator, value = line.partition(" ")
        if not separator or not re.fullmatch("[a-z]+", name) or name in found:
            raise Malformed("a damaged line")
        try:
            found[name] = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise Malformed(f"section {name}") from error
    return found


def _observation(host: str, sections: Mapping[str, bytes], units: tuple[str, ...]) -> Observation:
    name, version, user, clock, systemd, disk = _fields(sections["system"], 6)
    release = next((r for r in Release if (name, version) == ("debian", r.value)), None)
    base = Observation(
        f"{name} {version}".strip(), release, user == "0", systemd == "yes", _seconds(clock), _natural(disk) * 1024
    )
    if release is None or not base.root:
        return base
    return Observation(
        base.system,
        release,
        base.root,
        base.systemd,
        base.clock,
        base.disk_free,
        addresses=_addresses(_text(sections["vfour"]), _text(sections["vsix"])),
        packages=_packages(_text(sections["packages"])),
        users=frozenset(line.split(":")[0] for line in _text(sections["users"]).splitlines()),
        memberships=frozenset(_memberships(_text(sections["groups"]))),
        paths=_paths(sections["stat"], _hashes(_text(sections["hashes"])), _contents(_text(sections["contents"]))),
        entries=_entries(sections["entries"]),
        units=_units(_text(sections["units"]), units) if base.systemd else {},
        listening=frozenset(_listening(_text(sections["tcp"]))),
        stamps=_stamps(sections["stamps"], _text(sections["digests"])),
        mail_servers=tuple(sorted(set(_text(sections["mail"]).split()))),
        queued=_natural(_text(sections["queue"]).strip()),
        managed=_flag(sections["managed"]),
        held=_flag(sections["held"]),
        generation=held_by(host, sections["generation"]),
    )


def _with_queues(host: str, observation: Observation, sections: Mapping[str, bytes]) -> Observation:
    if observation.release is None or not observation.root:
        return observation
    return replace(
        observation,
        lifetime=_lifetime(_text(sections["lifetime"])),
        oldest=_oldest(host, _text(sections["oldest"])),
        tables=_tables(_text(sections["tables"])),
    )


def _lifetime(text: str) -> timedelta | None:
    """The sum of two of Postfix's times; None where there is no Postfix that says them."""
    if not text:
        return None
    message, bounce = text.splitlines()
    return _time(message) + _time(bounce)


def _time(text: str) -> timedelta:
    # Without a unit both lifetimes are in days (postconf(5)).
    found = re.fullmatch("([0-9]{1,9})([smhdw]?)", text, re.ASCII)
    if not found:
        raise Malformed("how long Postfix keeps a message")
    span = timedelta(**{_UNITS_OF_TIME[found[2] or "d"]: int(found[1])})
    if span > _LONGEST:
        raise Malformed("how long Postfix keeps a message")
    return span


def _oldest(host: str, text: str) -> datetime | None:
    if text == "none\n":
        return None
    if not re.fullmatch("[0-9]{1,12}\n", text, re.ASCII):
        raise HostError(host, "its mail queue could not be read.", "What does `postqueue -j` print on it?")
    return datetime.fromtimestamp(int(text), UTC)


def _tables(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        path, _, encoded = line.partition("\t")
        content = _unpacked(base64.b64decode(encoded, validate=True))
        if content is not None:
            found[path] = content.decode("utf-8", "surrogateescape")
    return found


def _unpacked(packed: bytes) -> bytes | None:
    """Return what gzip(1) packed (RFC 1952); None for more than may be read."""
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(packed, TABLE_LIMIT + 1)
    except zlib.error as error:
        raise Malformed("a table") from error
    if len(content) <= TABLE_LIMIT and not unpacking.eof:
        raise Malformed("a table")
    return content if len(content) <= TABLE_LIMIT else None


def _fields(data: bytes, count: int) -> list[str]:
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    if parts.pop() or len(parts) != count:
        raise Malformed("number of fields")
    return parts


def _rows(data: bytes, width: int) -> Iterator[list[str]]:
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    if parts.pop() or len(parts) % width:
        raise Malformed("number of fields")
    for start in range(0, len(parts), width):
        yield parts[start : start + width]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _natural(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
        raise Malformed("a number")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,10})?", text, re.ASCII):
        raise Malformed("a time")
    return float(text)


def _flag(data: bytes) -> bool:
    if data not in (b"yes\n", b"no\n"):
        raise Malformed("a flag")
    return data == b"yes\n"


def _digest(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise Malformed("a digest")
    return text


def _addresses(trie: str, if_inet6: str) -> frozenset[Address]:
    v4 = re.findall(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL", trie)
    v6 = [line.split()[0] for line in if_inet6.splitlines()]
    return frozenset([*map(IPv4Address, v4), *(IPv6Address(int(digits, 16)) for digits in v6)])


def _packages(text: str) -> dict[str, str]:
    rows = [line.split("\t") for line in text.splitlines()]
    # Anything but "ii" is half-installed, or only its configuration is left: not there, as far as we are concerned.
    return {name: version for name, version, status in rows if status[1:2] == "i" and not status[2:3].strip()}


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        group, _, _, members = line.split(":")
        yield from ((member, group) for member in members.split(",") if member)


def _hashes(text: str) -> dict[str, str]:
    return {line[66:]: _digest(line[:64]) for line in text.splitlines()}


def _contents(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        path, _, encoded = line.partition("\t")
        content = base64.b64decode(encoded, validate=True)
        if len(content) <= CONTENT_LIMIT and b"\0" not in content:
            found[path] = content.decode("utf-8", "replace")
    return found


def _paths(data: bytes, hashes: Mapping[str, str], contents: Mapping[str, str]) -> dict[str, PathState]:
    return {
        path: PathState(kind, owner, group, int(mode, 8), _seconds(changed), hashes.get(path), contents.get(path))
        for path, kind, owner, group, mode, changed in _rows(data, 6)
    }


def _entries(data: bytes) -> tuple[Stray, ...]:
    return tuple(sorted((Stray(path, kind == "d") for kind, path in _rows(data, 2)), key=lambda s: s.path))


def _units(text: str, asked: tuple[str, ...]) -> dict[str, UnitState]:
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n") if block]
    if len(blocks) != len(asked):
        raise Malformed("number of units")
    return {
        name: UnitState(
            *(block["LoadState"], block["ActiveState"], block.get("UnitFileState", "")),
            _moment(block.get("ActiveEnterTimestamp", "")),
        )
        for name, block in zip(asked, blocks, strict=True)
    }


def _moment(text: str) -> float:
    """Read systemd's timestamp, ``Sat 2026-11-21 22:09:21.473791 UTC``, or nothing for what never was."""
    if not text:
        return 0.0
    return datetime.strptime(text.partition(" ")[2], "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC).timestamp()


def _listening(text: str) -> Iterator[tuple[Address, int]]:
    for line in text.splitlines():
        local, state = line.split()[1:4:2]
        address, port = local.split(":")
        if state == "0A":
            yield _proc_address(address), int(port, 16)


def _proc_address(digits: str) -> Address:
    # /proc/net/tcp prints 32-bit words in the host's byte order, little-endian on all of Debian's mail hosts.
    if len(digits) not in (8, 32):
        raise Malformed("an address")
    words = bytes.fromhex(digits)
    return ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)))


def _stamps(times: bytes, digests: str) -> dict[str, Stamp]:
    written = {path.rpartition("/")[2]: _seconds(at) for path, at in _rows(times, 2)}
    found = {}
    for line in digests.splitlines():
        name, _, digest = line.rpartition("/")[2].partition(":")
        # A stamp that was cut off or tampered with says nothing: the daemon is then simply loaded again.
        if name in written and re.fullmatch("[0-9a-f]{64}", digest):
            found[name] = Stamp(digest, written[name])
    return found


def _brief(error: Exception) -> str:
    return str(error) if isinstance(error, Malformed) else "a value out of form"
