"""Which SSH host keys are known for a host: a fingerprint from the inventory, or lines of a known_hosts file. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self


class HostKey(Protocol):
    """What is compared of a key."""

    def asbytes(self) -> bytes:
        """Return the key in wire format."""


def lookup_name(hostname: str, port: int) -> str:
    """Return the name under which known_hosts lists a server (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    return hostname if port == 22 else f"[{hostname}]:{port}"


@dataclass(frozen=True)
class KnownHosts:
    """The keys that may be a host's: ``keys`` in wire format, ``revoked`` ones never; or one ``fingerprint``."""

    fingerprint: str | None = None
    keys: frozenset[bytes] = field(default=frozenset())
    kinds: frozenset[str] = field(default=frozenset())
    revoked: frozenset[bytes] = field(default=frozenset())

    @property
    def empty(self) -> bool:
        """Whether nothing is known about the host."""
        return not (self.fingerprint or self.keys or self.revoked)

    def accepts(self, key: HostKey) -> bool:
        """Whether a key that a server proved to hold is a known one."""
        blob = key.asbytes()
        if self.fingerprint:
            digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            return hmac.compare_digest(self.fingerprint, f"SHA256:{digest}")
        return blob in self.keys and blob not in self.revoked

    @classmethod
    def parse(cls, text: str, hostname: str, port: int) -> Self:
        """Read what a known_hosts file says about one server; damaged lines are skipped."""
        found = [line for line in _lines(text) if line.matches(lookup_name(hostname, port))]
        good = [line for line in found if not line.marker]
        return cls(
            keys=frozenset(line.blob for line in good),
            kinds=frozenset(line.kind for line in good),
            revoked=frozenset(line.blob for line in found if line.marker == "@revoked"),
        )


@dataclass(frozen=True)
class _Line:
    marker: str
    names: str
    kind: str
    blob: bytes

    def matches(self, name: str) -> bool:
        if self.names.startswith("|1|"):
            return _hashed(self.names, name)
        return name in self.names.split(",")


def _lines(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        try:
            yield _Line(marker, fields[0], fields[1], base64.b64decode(fields[2], validate=True))
        except ValueError:
            continue


def _hashed(pattern: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern.split("|")[2:4])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
