"""The policy of MTA-STS that a domain serves by HTTPS (RFC 8461 section 3.2). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sendwright.verify.records.sts_record import StsSyntaxError

LONGEST = 31557600
"""Seconds that a policy may be kept at most: a year."""

LARGEST = 65536
"""Octets of a policy that senders read at most (section 3.3)."""

_LINE = re.compile(r"\r?\n")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECONDS = re.compile(r"[0-9]{1,10}")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253
_REQUIRED = ("version", "mode", "max_age")
_SHOWN = 40
_MISTAKES = 5


class Mode(StrEnum):
    """What senders do with a server that the policy does not allow (section 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True)
class StsPolicy:
    """``max_age``: seconds that senders keep it; ``mx``: patterns, lower case; ``ignored``: mistakes without effect."""

    mode: Mode
    max_age: int
    mx: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def allows(self, exchange: str) -> bool:
        """Whether the name of an MX matches a pattern: ``*.`` stands for exactly one label (section 4.1)."""
        name = exchange.lower().removesuffix(".")
        label, _, parent = name.partition(".")
        return name in self.mx or (bool(label and parent) and f"*.{parent}" in self.mx)


def parse(body: bytes | str) -> StsPolicy:
    """Return what a policy says; raise StsSyntaxError with all mistakes.

    Unknown fields are ignored, and of all but ``mx`` the first counts that comes twice (section 3.2).
    """
    lines = _LINE.split(_text(body))
    if not lines[-1]:
        lines.pop()
    mistakes: list[str] = []
    found: dict[str, str] = {}
    patterns: list[str] = []
    ignored: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t"):
            # The grammar has none, and the parsers that are in use skip them.
            ignored.append(f"line {number} is empty, which the grammar does not know")
            continue
        if fault := _fault(line):
            mistakes.append(f"line {number} {fault}")
            continue
        name, value = _field(line)
        if name == "mx":
            patterns.append(value)
        elif name in found:
            ignored.append(f"line {number} repeats {name}, and only the first counts")
        else:
            found[name] = value
    mistakes += _wrong(found, patterns)
    if mistakes:
        raise StsSyntaxError(_listed(mistakes))
    mx = tuple(dict.fromkeys(pattern.lower() for pattern in patterns))
    return StsPolicy(Mode(found["mode"]), int(found["max_age"]), mx, tuple(ignored))


def _text(body: bytes | str) -> str:
    if len(body) > LARGEST:
        raise StsSyntaxError(f"it is larger than {LARGEST} octets")
    if isinstance(body, str):
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StsSyntaxError(f"it is not UTF-8: octet {error.start} is {body[error.start]:#04x}") from error


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def _fault(line: str) -> str:
    name, value = _field(line)
    if ":" not in line:
        return f"is no field: {_shown(line)} has no colon"
    if not _NAME.fullmatch(name):
        return f"begins with {_shown(name)}, which is no field's name: 1 to 32 letters, digits and _ - . with no space"
    if not value:
        return f"has no value for {name}"
    if _CONTROL.search(value):
        return f"has control characters in {name}: {_shown(value)}"
    return ""


def _wrong(found: dict[str, str], patterns: Iterable[str]) -> list[str]:
    wrong = [f"{name} is missing" for name in _REQUIRED if name not in found]
    version, mode, seconds = found.get("version", "STSv1"), found.get("mode"), found.get("max_age", "0")
    if version != "STSv1":
        wrong.append(f"version is {_shown(version)} instead of STSv1")
    if mode is not None and mode not in {*Mode}:
        wrong.append(f"mode is {_shown(mode)} instead of enforce, testing or none")
    if not _SECONDS.fullmatch(seconds):
        wrong.append(f"max_age is {_shown(seconds)}, which is no number of seconds")
    elif int(seconds) > LONGEST:
        wrong.append(f"max_age is {seconds}, and at most {LONGEST} (a year) is allowed")
    wrong += [f"mx is {_shown(p)}: {fault}" for p in dict.fromkeys(patterns) if (fault := _pattern_fault(p))]
    if mode in {Mode.ENFORCE, Mode.TESTING} and not any(patterns):
        wrong.append(f"mx is missing, which mode {mode} needs")
    return wrong


def _pattern_fault(pattern: str) -> str:
    name = pattern.removeprefix("*.")
    if "*" in name:
        return "an asterisk may only be the first label, with more after it, as in *.example.com"
    if not name.isascii():
        return "a name beyond ASCII is written in its A-label form (xn--…)"
    if name.endswith("."):
        return "a name ends without a dot here"
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, name.split("."))):
        return "not a host name of letters, digits and hyphens"
    return ""


def _listed(mistakes: list[str]) -> str:
    more = len(mistakes) - _MISTAKES
    return "; ".join(mistakes[:_MISTAKES]) + (f"; and {more} more" if more > 0 else "")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
