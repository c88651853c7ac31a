"""SMTP as a client speaks it to strange servers (RFC 5321): replies are parsed with care, and bounded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sendwright.verify.speaking.conversation import Reply
from sendwright.verify.speaking.wire import Fallen, Wire

_REPLY = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_MOST_LINES = 100
_MOST_TEXT = 400
_SHOWN = 80


@dataclass(frozen=True)
class Greeted:
    """What a server said to EHLO: what it calls itself, and its keywords, upper case, each with its parameters."""

    reply: Reply
    named: str = ""
    keywords: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dialogue:
    """A conversation on a wire; whatever goes wrong raises Fallen."""

    wire: Wire

    def reply(self) -> Reply:
        """Return the next reply."""
        return _reply(self._lines())

    def say(self, command: str) -> Reply:
        """Send one command and return the reply."""
        self.wire.send(f"{command}\r\n".encode("ascii", "replace"))
        return self.reply()

    def say_all(self, commands: Sequence[str], *, together: bool) -> tuple[Reply, ...]:
        """Send several commands and return their replies; ``together``: without waiting in between (RFC 2920)."""
        if not together:
            return tuple(self.say(command) for command in commands)
        self.wire.send("".join(f"{command}\r\n" for command in commands).encode("ascii", "replace"))
        return tuple(self.reply() for _ in commands)

    def ehlo(self, name: str) -> Greeted:
        """Introduce this machine, with HELO where EHLO is not understood (RFC 5321, 3.2)."""
        self.wire.send(f"EHLO {name}\r\n".encode("ascii", "replace"))
        lines = self._lines()
        if lines[0][0] // 100 == 5:
            said = self.say(f"HELO {name}")
            return Greeted(said, first_word(said.text) if said.code // 100 == 2 else "")
        said = _reply(lines)
        if said.code // 100 != 2:
            return Greeted(said)
        return Greeted(said, first_word(lines[0][1]), keywords([text for _, text in lines[1:]]))

    def quit(self) -> None:
        """Say goodbye, without minding how that goes."""
        try:
            self.say("QUIT")
        except Fallen:
            return

    def _lines(self) -> list[tuple[int, str]]:
        self.wire.wait()
        lines: list[tuple[int, str]] = []
        while len(lines) < _MOST_LINES:
            code, more, text = parse(self.wire.line())
            lines.append((code, text))
            if not more:
                return lines
        raise Fallen(f"it sent a reply of more than {_MOST_LINES} lines")


def parse(line: bytes) -> tuple[int, bool, str]:
    """Return the code of a line, whether more lines follow, and its text (RFC 5321, 4.2.1); Fallen if it is no SMTP."""
    text = line.decode("utf-8", "replace")
    found = _REPLY.fullmatch(text)
    if found is None:
        raise Fallen(f"it said what is no SMTP: {text[:_SHOWN]!r}")
    return int(found[1]), found[2] == "-", found[3] or ""


def keywords(lines: Sequence[str]) -> dict[str, str]:
    """Return the keywords of EHLO with their parameters; those of a keyword that comes twice are joined."""
    found: dict[str, str] = {}
    for line in lines:
        # "AUTH=PLAIN" is how it was written before RFC 2554, and some servers still say both.
        word, _, rest = re.sub(r"(?i)^AUTH=", "AUTH ", line).strip().partition(" ")
        if word:
            found[word.upper()] = f"{found.get(word.upper(), '')} {rest.strip()}".strip()
    return found


def first_word(text: str) -> str:
    """Return what stands before the first blank."""
    return next(iter(text.split()), "")


def _reply(lines: Sequence[tuple[int, str]]) -> Reply:
    # Servers whose lines differ in their codes mean the last one.
    return Reply(lines[-1][0], " ".join(text for _, text in lines)[:_MOST_TEXT])
