"""Macros of SPF (RFC 7208 section 7): a macro-string parsed into literals and macros, and expanded for one message."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

# Section 7.2: c, r and t stand only in the text that exp leads to.
_TERM_LETTERS = "slodipvh"
_EXPLAIN_LETTERS = _TERM_LETTERS + "crt"
_TOKEN = re.compile(r"%\{(?P<letter>[A-Za-z])(?P<digits>[0-9]*)(?P<reverse>[rR]?)(?P<delimiters>[-.+,/_=]*)\}|%[%_-]")
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}
# Section 7.3: a name that is too long loses labels from the left.
_LONGEST_NAME = 253
_UNRESERVED = "-._~"
_MANY = 1000


@dataclass(frozen=True)
class Macro:
    """One ``%{…}``: its letter, whether the value is URL-escaped (upper case), and how the value is cut and joined."""

    text: str
    letter: str
    escaped: bool
    keep: int | None
    reverse: bool
    delimiters: str


@dataclass(frozen=True)
class Escape:
    """One of ``%%``, ``%_`` and ``%-``."""

    text: str


@dataclass(frozen=True)
class MacroString:
    """A macro-string: its text as written, and its literals, escapes and macros in order."""

    text: str
    parts: tuple["str | Macro | Escape", ...]

    @property
    def macros(self) -> tuple[Macro, ...]:
        """The ``%{…}`` in it."""
        return tuple(part for part in self.parts if isinstance(part, Macro))


class MacroFault(ValueError):
    """Report every fault of a macro-string, each as a phrase."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def macro_string(text: str, *, explain: bool = False) -> MacroString:
    """Parse a macro-string, or with ``explain`` an explain-string (RFC 7208 section 7.1); raises MacroFault.

    An explain-string may hold spaces and the macro letters c, r and t.
    """
    faults: list[str] = []
    parts = tuple(_parts(text, explain, faults))
    if faults:
        raise MacroFault(faults)
    return MacroString(text, parts)


def _parts(text: str, explain: bool, faults: list[str]) -> Iterator[str | Macro | Escape]:
    position = 0
    while position < len(text):
        percent = text.find("%", position)
        literal = text[position : percent if percent >= 0 else len(text)]
        if literal:
            if not all(" " < c <= "~" or (explain and c == " ") for c in literal):
                faults.append("holds a character that is not visible US-ASCII")
            yield literal
        if percent < 0:
            return
        token = _TOKEN.match(text, percent)
        if token is None:
            faults.append(f"has a % that starts no macro: {text[percent : percent + 12]!r}")
            position = percent + 1
            continue
        yield _macro(token, explain, faults)
        position = token.end()


def _macro(token: re.Match[str], explain: bool, faults: list[str]) -> Macro | Escape:
    text = token[0]
    if token["letter"] is None:
        return Escape(text)
    letter = token["letter"].lower()
    digits = token["digits"].lstrip("0")
    if letter not in _EXPLAIN_LETTERS:
        faults.append(f"has an unknown macro letter: {text[:12]}")
    elif letter not in _TERM_LETTERS and not explain:
        faults.append(f"has a macro that is allowed only in the text of an explanation: {text[:12]}")
    if token["digits"] and not digits:
        faults.append(f"has a macro that keeps zero parts: {text[:12]}")
    # Nothing has more parts than a name has labels, and Python refuses to read numbers of thousands of digits.
    keep = (int(digits) if len(digits) <= 3 else _MANY) if digits else None
    return Macro(text, letter, token["letter"].isupper(), keep, bool(token["reverse"]), token["delimiters"])


def expand(string: MacroString, value: Callable[[str], str]) -> str:
    """Expand a macro-string; ``value`` answers what a lower-case macro letter stands for (RFC 7208 section 7.3)."""
    return "".join(_expanded(part, value) for part in string.parts)


def _expanded(part: str | Macro | Escape, value: Callable[[str], str]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Escape):
        return _ESCAPES[part.text]
    text = value(part.letter)
    if part.keep or part.reverse or part.delimiters:
        pieces = re.split(f"[{re.escape(part.delimiters or '.')}]", text)
        if part.reverse:
            pieces.reverse()
        text = ".".join(pieces[-part.keep :] if part.keep else pieces)
    return quote(text, safe=_UNRESERVED) if part.escaped else text


def truncated(name: str) -> str:
    """Return a target name of at most 253 octets, cut label by label from the left (RFC 7208 section 7.3)."""
    name = name.removesuffix(".")
    octets = name.encode()
    if len(octets) <= _LONGEST_NAME:
        return name
    # In one step: a record may make names of megabytes, and of hundreds of thousands of labels.
    dot = octets.find(b".", len(octets) - _LONGEST_NAME - 1)
    return octets[(dot if dot >= 0 else octets.rfind(b".")) + 1 :].decode()
