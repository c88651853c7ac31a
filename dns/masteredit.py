"""Edits of a master file that keep it a person's file: what is not touched stays byte for byte, comments included.

Pure. A value that goes takes its lines along, but that one which takes its slot (as a merged SPF record does) takes its
line over; any other that comes gets a line that relies on nothing above it. Entries may
inherit their name and TTL from the entry before (RFC 1035 section 5.1): the first one that would now inherit something
else is given in its own line what it had. What comes out is read again, and has to say exactly what it should.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sendwright.dns.masterfile import MasterFile, Meaning, parse
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import rdata
from sendwright.dns.slots import slot
from sendwright.errors import DnsError

SECTION = "; Added by sendwright:"
# What is one token to a master file: a comment, a parenthesis, a quoted text, or all else up to a blank.
_TOKEN = re.compile(r';[^\n]*|[()]|"(?:[^"\\]|\\.)*"|(?:[^\s;()"\\]|\\.)+', re.DOTALL)
_TTL = re.compile(r"\d[\dwdhms]*", re.IGNORECASE)
_CLASS = re.compile(r"IN|CH|HS|CS|CLASS\d+", re.IGNORECASE)
_SERIAL = 2
_ROUNDS = 8


@dataclass(slots=True)
class _Piece:
    """A stretch of the file: an entry with what it means, or what lies between entries; ``then``: lines to come."""

    text: str
    meaning: Meaning | None = None
    then: "tuple[_Piece, ...]" = ()


def edited(file: MasterFile, edits: Collection[Edit], serial: Callable[[int], int]) -> str:
    """Return the text of a file after edits, with the zone's serial number moved on.

    Arguments: ``edits`` fit the file as it is (the caller has compared ``before``); ``serial``: from one serial number
    to the next. Raises DnsError, rather than return a text that says anything but what it should.
    """
    newline = "\r\n" if file.lines[0].endswith("\r\n") else "\n"
    pieces = list(_pieces(file))
    sets: dict[Key, list[_Piece]] = {}
    for piece in pieces:
        if piece.meaning:
            sets.setdefault((piece.meaning.name, piece.meaning.type), []).append(piece)
    _set_serial(file.zone, sets[file.zone, "SOA"][0], serial)
    homeless: list[_Piece] = []
    for edit in sorted(edits, key=lambda e: (e.name, e.type)):
        new = _edit(edit, sets.get((edit.name, edit.type), []), newline)
        homeless += new
    done = [p for piece in pieces for p in (piece, *piece.then) if p.text]
    if homeless:
        done += [] if any(SECTION in p.text for p in done if not p.meaning) else [_Piece(SECTION + newline)]
        done += homeless
    for piece in done[:-1]:
        piece.text += "" if piece.text.endswith("\n") else newline
    return _settled(file.zone, done)


def _pieces(file: MasterFile) -> Iterator[_Piece]:
    at = 0
    for entry in file.entries:
        yield _Piece("".join(file.lines[at : entry.start]))
        yield _Piece("".join(file.lines[entry.start : entry.end]), entry.meaning)
        at = entry.end
    yield _Piece("".join(file.lines[at:]))


def _edit(edit: Edit, found: Sequence[_Piece], newline: str) -> list[_Piece]:
    """Make one edit in the pieces of its record set; return the new lines that have no place among them."""
    after = edit.after
    # Lines may name several TTLs, of which the set's is the least: those of somebody else are left as they are.
    retimed = after and edit.before and edit.before.ttl != after.ttl
    seen = {piece.meaning.value for piece in found if piece.meaning}
    new = [_line(after, text, newline) for text in after.values if text not in seen] if after else []
    for piece in found:
        stays = after is not None and piece.meaning is not None and piece.meaning.value in after.values
        if not stays:
            _succeed(piece, new)
        if after and piece.meaning and piece.meaning.ttl != after.ttl and (retimed or not stays):
            piece.text = _with_ttl(piece.text, after.ttl)
            piece.meaning = replace(piece.meaning, ttl=after.ttl)
    if found:
        found[-1].then, new = tuple(new), []
    return new


def _succeed(piece: _Piece, new: list[_Piece]) -> None:
    """Turn the line of a value that goes into that of the one that takes its slot, comment and all; else drop it."""
    old, place = piece.meaning, _slot(piece)
    heir = next((line for line in new if place and _slot(line) == place), None)
    text = _with_data(piece.text, heir.meaning.value) if heir and heir.meaning else ""
    piece.text, piece.meaning = text, None
    if text and heir and heir.meaning and old:
        new.remove(heir)
        piece.meaning = replace(old, value=heir.meaning.value)


def _slot(piece: _Piece) -> str | None:
    return slot(piece.meaning.name, piece.meaning.type, piece.meaning.value) if piece.meaning else None


def _line(after: RecordSet, text: str, newline: str) -> _Piece:
    meaning = Meaning(after.name, after.type, after.ttl, rdata(after.type, text).to_text())
    line = f"{after.name}.\t{after.ttl}\tIN\t{after.type}\t{meaning.value}{newline}"
    return _Piece(line, meaning)


def _set_serial(zone: str, piece: _Piece, serial: Callable[[int], int]) -> None:
    assert piece.meaning is not None  # noqa: S101 - the SOA record
    fields = piece.meaning.value.split(" ")
    new = str(serial(int(fields[_SERIAL])))
    # The zone's name may be written "SOA" too: what stands at the start of the line is the name.
    tokens = list(_tokens(piece.text))[0 if _inherits(piece.text) else 1 :]
    data = next((i for i, (token, _) in enumerate(tokens) if token.upper() == "SOA"), len(tokens))
    token, start = (tokens[data + 1 :] + [("", 0)] * 3)[_SERIAL]
    if token != fields[_SERIAL]:
        raise DnsError(zone, "its master file writes the serial number in a way that cannot be edited.", _BY_HAND)
    piece.text = piece.text[:start] + new + piece.text[start + len(token) :]
    piece.meaning = replace(piece.meaning, value=" ".join([*fields[:_SERIAL], new, *fields[_SERIAL + 1 :]]))


def _settled(zone: str, pieces: list[_Piece]) -> str:
    """Return the pieces' text, once it means what they mean."""
    entries = [piece for piece in pieces if piece.meaning]
    for _ in range(_ROUNDS):
        text = "".join(piece.text for piece in pieces)
        try:
            found = [entry.meaning for entry in parse(zone, text).entries]
        except DnsError as error:
            raise DnsError(zone, f"its master file cannot be edited: {error.what}", _BY_HAND) from None
        if len(found) != len(entries):
            break
        wrong = [piece.meaning != meaning for piece, meaning in zip(entries, found, strict=True)]
        if not any(wrong):
            return text
        for i, (piece, meaning) in enumerate(zip(entries, found, strict=True)):
            # Those that follow a wrong one inherit from it: they are right as soon as it is.
            if wrong[i] and not (i and wrong[i - 1]):
                _say(piece, meaning)
    raise DnsError(zone, "its master file cannot be edited without changing what other lines mean.", _BY_HAND)


_BY_HAND = "Nothing was written. Change it by hand: `sendwright dns export` says what it should hold."


def _say(piece: _Piece, found: Meaning) -> None:
    """Give an entry, in its own line, the name and the TTL that it used to inherit."""
    meaning = piece.meaning
    if meaning is not None and meaning.name != found.name and _inherits(piece.text):
        piece.text = f"{meaning.name}.{piece.text}"
    if meaning is not None and meaning.ttl != found.ttl:
        piece.text = _with_ttl(piece.text, meaning.ttl)


def _inherits(text: str) -> bool:
    """Whether an entry takes its name from the entry before it."""
    return text[0] in " \t"


def _with_ttl(text: str, ttl: int) -> str:
    """Return an entry's text with that TTL: in the place of the one it has, or before what follows its name."""
    tokens = list(_tokens(text))[0 if _inherits(text) else 1 :]
    for token, start in tokens[:2]:
        if _TTL.fullmatch(token):
            return f"{text[:start]}{ttl}{text[start + len(token) :]}"
        if not _CLASS.fullmatch(token):
            break
    return f"{text[: tokens[0][1]]}{ttl} {text[tokens[0][1] :]}"


def _with_data(text: str, data: str) -> str:
    """Return an entry's text with other data; empty if a comment or a parenthesis stands amid its data."""
    tokens = list(_tokens(text))[0 if _inherits(text) else 1 :]
    kind = next(i for i, (token, _) in enumerate(tokens) if not (_TTL.fullmatch(token) or _CLASS.fullmatch(token)))
    (_, start), (last, at) = tokens[kind + 1], tokens[-1]
    end = at + len(last)
    within = {match.group()[0] for match in _TOKEN.finditer(text, start, end)}
    return "" if within & {"(", ")", ";"} else f"{text[:start]}{data}{text[end:]}"


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield what an entry is made of, and where each begins."""
    return ((m.group(), m.start()) for m in _TOKEN.finditer(text) if m.group()[0] not in ";()")
