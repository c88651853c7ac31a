"""Have the running signers sign a message for each author, and print what they answered. No mail is sent anywhere.

Run on a host, as root, from templates/probe/sign.py: never installed. Speaks to the signers' sockets as Postfix does
(the milter protocol, version 6), so what signs is what signs mail, by what the process has loaded. Reads {"sockets":
{name: path}, "authors": [address], "fields": [[name, value]], "body": text, "most": seconds} from standard input; the
field From goes first. Prints {name: {author: [verdict, [value of each DKIM-Signature]]}}; the verdict is the milter's
last answer (a letter), or "" where it could not be asked.
"""

import json
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping

_ADDRESS = re.compile(r"[a-z0-9._+=-]+@[a-z0-9.-]+")
_SOCKET = re.compile(r"/var/spool/postfix/opendkim/[a-z0-9]+\.sock")
_MOST = 1024 * 1024  # octets of an answer
# Offered: everything that a milter may ask for; and that it may leave out any step, or leave it unanswered.
_ACTIONS, _STEPS = 0x1FF, 0xFF3FF
_LEFT_OUT = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
_UNANSWERED = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "L": 0x80, "N": 0x40000, "B": 0x80000}
_LAST = frozenset("acdrty")
_INSERTED = {"h": 0, "i": 4}  # added and inserted fields, and where in the answer they begin


class Milter:
    """One session with a milter; OSError, ValueError and struct.error for one that does not speak as it should."""

    def __init__(self, path: str, end: float) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.end = end
        self._wait()
        self.socket.connect(path)
        self._send("O", struct.pack(">III", 6, _ACTIONS, _STEPS))
        command, data = self._receive()
        if command != "O":
            raise ValueError("no negotiation")
        self.steps = struct.unpack(">III", data[:12])[2]

    def step(self, command: str, *words: str, macros: Mapping[str, str] | None = None) -> str:
        """Take one step before the end of a message and return the answer, ``c`` where there is none."""
        if self.steps & _LEFT_OUT[command]:
            return "c"
        if macros:
            self._send("D", command.encode() + _words(word for pair in macros.items() for word in pair))
        data = words[0].encode() if command == "B" else _connected() if command == "C" else _words(words)
        self._send(command, data)
        return "c" if self.steps & _UNANSWERED[command] else self._verdict([])

    def end_of_message(self, added: list[str]) -> str:
        """Return the verdict on a message; ``added`` takes the signatures."""
        self._send("E", b"")
        return self._verdict(added)

    def abort(self) -> None:
        """Forget the message."""
        self._send("A", b"")

    def _verdict(self, added: list[str]) -> str:
        while True:
            command, data = self._receive()
            if command in _INSERTED:
                name, value, *_ = data[_INSERTED[command] :].decode("latin-1").split("\0")
                if name.lower() == "dkim-signature":
                    added.append(value)
            elif command in _LAST:
                return command

    def _wait(self) -> None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def _send(self, command: str, data: bytes) -> None:
        self._wait()
        self.socket.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)

    def _receive(self) -> tuple[str, bytes]:
        size = struct.unpack(">I", self._exactly(4))[0]
        if not 1 <= size <= _MOST:
            raise ValueError("no milter")
        answer = self._exactly(size)
        return answer[:1].decode("latin-1"), answer[1:]

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            self._wait()
            more = self.socket.recv(size - len(found))
            if not more:
                raise ValueError("hung up")
            found += more
        return found


def _words(words: Iterator[str] | tuple[str, ...]) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


def _connected() -> bytes:
    return b"localhost\x004" + struct.pack(">H", 25) + b"127.0.0.1\0"


def sign(milter: Milter, author: str, fields: list[list[str]], body: str) -> tuple[str, list[str]]:
    """Return the verdict on one message and the signatures that were added."""
    steps = [
        ("M", (f"<{author}>",), {"i": "verify"}),
        ("R", (f"<{author}>",), None),
        ("T", (), {"i": "verify"}),
        *(("L", (name, value), None) for name, value in [["From", author], *fields]),
        ("N", (), {"i": "verify"}),
        ("B", (body,), None),
    ]
    for command, words, macros in steps:
        verdict = milter.step(command, *words, macros=macros)
        if verdict != "c":
            milter.abort()
            return verdict, []
    added: list[str] = []
    return milter.end_of_message(added), added


def ask(path: str, authors: list[str], fields: list[list[str]], body: str, end: float) -> Iterator[tuple[str, object]]:
    """Yield what one signer answers to each author, over one session."""
    done = 0
    try:
        milter = Milter(path, end)
        milter.step("C", macros={"{daemon_name}": "ORIGINATING", "j": "localhost"})
        milter.step("H", "localhost")
        for author in authors:
            yield author, sign(milter, author, fields, body)
            done += 1
    except (OSError, ValueError, struct.error):
        for author in authors[done:]:
            yield author, ("", [])


def main() -> None:
    """Ask every signer about every author."""
    order = json.load(sys.stdin)
    known = all(_SOCKET.fullmatch(path) for path in order["sockets"].values())
    if not known or not all(_ADDRESS.fullmatch(author) for author in order["authors"]):
        sys.exit("a socket or an address is malformed")
    end = time.monotonic() + order["most"]
    found = {
        name: dict(ask(path, order["authors"], order["fields"], order["body"], end))
        for name, path in order["sockets"].items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
