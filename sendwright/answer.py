"""The strict parser of what a host answers when it is looked at.

The answer comes from a host, so it is hostile until parsed: every value travels in base64, every field has a closed
form, and what does not fit is an error about the host, never a guess.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from sendwright.answer_forms import (
    Malformed,
    digest,
    fields,
    flag,
    moment,
    natural,
    proc_address,
    rows,
    seconds,
    span,
    text_of,
    unpacked,
)
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


def parse(host: str, output: bytes, units: tuple[str, ...], *, queues: bool = False) -> Observation:
    """Parse what the script of `observe.script` printed.

    Arguments: ``units``: the units that the script asked for, in its order; ``queues``: whether it asked for queues.
    Raises HostError for anything else than a whole, well-formed answer (RFC 4648 base64 without line breaks, one
    section a line).
    """
    try:
        sections = split(output, BEGIN)
        observation = _observation(host, sections, units)
        return _with_queues(host, observation, sections) if queues else observation
    except (Malformed, ValueError, IndexError, KeyError, OverflowError) as error:
        raise HostError(
            host,
            f"it answered with something that is not an observation ({_brief(error)}).",
            "Does its shell print anything of its own, or end early? Try `ssh HOST true`.",
        ) from error


def split(output: bytes, begin: str) -> dict[str, bytes]:
    """Return the sections of an answer that begins with a line of its own: a name, a space, base64; else Malformed."""
    lines = output.decode("ascii", "replace").split("\n")
    if begin not in lines:
        raise Malformed("no beginning")
    lines = lines[lines.index(begin) + 1 :]
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
    name, version, user, clock, systemd, disk = fields(sections["system"], 6)
    release = next((r for r in Release if (name, version) == ("debian", r.value)), None)
    base = Observation(
        f"{name} {version}".strip(), release, user == "0", systemd == "yes", seconds(clock), natural(disk) * 1024
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
        addresses=_addresses(text_of(sections["vfour"]), text_of(sections["vsix"])),
        packages=_packages(text_of(sections["packages"])),
        users=frozenset(line.split(":")[0] for line in text_of(sections["users"]).splitlines()),
        memberships=frozenset(_memberships(text_of(sections["groups"]))),
        paths=_paths(sections["stat"], _hashes(text_of(sections["hashes"])), _contents(text_of(sections["contents"]))),
        entries=_entries(sections["entries"]),
        units=_units(text_of(sections["units"]), units) if base.systemd else {},
        listening=frozenset(_listening(text_of(sections["tcp"]))),
        stamps=_stamps(sections["stamps"], text_of(sections["digests"])),
        mail_servers=tuple(sorted(set(text_of(sections["mail"]).split()))),
        queued=natural(text_of(sections["queue"]).strip()),
        managed=flag(sections["managed"]),
        held=flag(sections["held"]),
        generation=held_by(host, sections["generation"]),
    )


def _with_queues(host: str, observation: Observation, sections: Mapping[str, bytes]) -> Observation:
    if observation.release is None or not observation.root:
        return observation
    return replace(
        observation,
        lifetime=_lifetime(text_of(sections["lifetime"])),
        oldest=_oldest(host, text_of(sections["oldest"])),
        tables=_tables(text_of(sections["tables"])),
    )


def _lifetime(text: str) -> timedelta | None:
    """The sum of two of Postfix's times; None where there is no Postfix that says them."""
    if not text:
        return None
    message, bounce = text.splitlines()
    return span(message) + span(bounce)


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
        content = unpacked(base64.b64decode(encoded, validate=True), TABLE_LIMIT)
        if content is not None:
            found[path] = content.decode("utf-8", "surrogateescape")
    return found


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
    return {line[66:]: digest(line[:64]) for line in text.splitlines()}


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
        path: PathState(kind, owner, group, int(mode, 8), seconds(changed), hashes.get(path), contents.get(path))
        for path, kind, owner, group, mode, changed in rows(data, 6)
    }


def _entries(data: bytes) -> tuple[Stray, ...]:
    return tuple(sorted((Stray(path, kind == "d") for kind, path in rows(data, 2)), key=lambda s: s.path))


def _units(text: str, asked: tuple[str, ...]) -> dict[str, UnitState]:
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n") if block]
    if len(blocks) != len(asked):
        raise Malformed("number of units")
    return {
        name: UnitState(
            *(block["LoadState"], block["ActiveState"], block.get("UnitFileState", "")),
            moment(block.get("ActiveEnterTimestamp", "")),
        )
        for name, block in zip(asked, blocks, strict=True)
    }


def _listening(text: str) -> Iterator[tuple[Address, int]]:
    for line in text.splitlines():
        local, state = line.split()[1:4:2]
        address, port = local.split(":")
        if state == "0A":
            yield proc_address(address), int(port, 16)


def _stamps(times: bytes, digests: str) -> dict[str, Stamp]:
    written = {path.rpartition("/")[2]: seconds(at) for path, at in rows(times, 2)}
    found = {}
    for line in digests.splitlines():
        name, _, digest = line.rpartition("/")[2].partition(":")
        # A stamp that was cut off or tampered with says nothing: the daemon is then simply loaded again.
        if name in written and re.fullmatch("[0-9a-f]{64}", digest):
            found[name] = Stamp(digest, written[name])
    return found


def _brief(error: Exception) -> str:
    return str(error) if isinstance(error, Malformed) else "a value out of form"
