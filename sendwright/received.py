"""What a receiving server wrote about a message, parsed: envelope, Authentication-Results, queue.

Pure. Only fields above the sender's own are believed: those that the receiver whose name is given wrote itself.
"""

import email
import email.policy
import re
from dataclasses import dataclass

from sendwright.judges import Case
from sendwright.stack import DkimAlgorithm

_CLIENT = re.compile(r"from (?P<helo>\S+) \((?P<name>\S+) \[(?:IPv6:)?(?P<address>[0-9a-fA-F.:]+)\]\)")
# A comment may hold a semicolon: "(2048-bit key; unprotected)".
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\b(?P<method>spf|dkim|dmarc)=(?P<result>\w+)(?P<rest>[^;]*)")


@dataclass(frozen=True)
class Results:
    """What Authentication-Results say (RFC 8601): ``dkim`` holds one (algorithm, result) pair a signature."""

    spf: str | None
    dmarc: str | None
    dkim: tuple[tuple[str, str], ...]

    def dkim_of(self, algorithm: DkimAlgorithm) -> str | None:
        """Return the result for the signature of an algorithm, or None if there was none."""
        return next((result for name, result in self.dkim if name.startswith(algorithm.value)), None)


def results(message: bytes, authserv_id: str) -> Results:
    """Read the Authentication-Results fields that a receiver with that id wrote."""
    spf = dmarc = None
    dkim: list[tuple[str, str]] = []
    for field in _fields(message, "Authentication-Results"):
        identifier, _, text = field.partition(";")
        if identifier.strip() != authserv_id:
            continue
        for found in _RESULT.finditer(_COMMENT.sub("", text)):
            if found["method"] == "spf":
                spf = found["result"]
            elif found["method"] == "dmarc":
                dmarc = found["result"]
            else:
                algorithm = re.search(r"header\.a=([\w-]+)", found["rest"])
                dkim.append((algorithm[1] if algorithm else "", found["result"]))
    return Results(spf, dmarc, tuple(dkim))


def case(message: bytes) -> Case | None:
    """Return a stored message with the envelope that its topmost Received and Return-Path tell; None without them."""
    received = _fields(message, "Received")
    client = _CLIENT.match(received[0]) if received else None
    paths = _fields(message, "Return-Path")
    if client is None or not paths:
        return None
    return Case(message, client["address"], client["helo"], paths[0].strip("<> "))


def as_sent(message: bytes) -> bytes:
    """Return a stored message as it was handed over, without the trace of its delivery (RFC 5321 section 4.4).

    Everything above the first signature was added by the receiver: what signs, signs last.
    """
    return message[message.index(b"DKIM-Signature:") :].replace(b"\n", b"\r\n")


def _fields(message: bytes, name: str) -> list[str]:
    parsed = email.message_from_bytes(message, policy=email.policy.compat32)
    return [re.sub(r"\s+", " ", str(value)) for value in parsed.get_all(name, [])]
