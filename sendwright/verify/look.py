"""The door to the world for checks: what they may ask, each thing once. Passed in everywhere, never patched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sendwright.dns.transport import Ask
from sendwright.verify.finding import Check


class Told(StrEnum):
    """What a resolver said to one question."""

    FOUND = "found"
    NO_DATA = "no data"
    NO_NAME = "no such name"
    BOGUS = "bogus"
    FAILED = "failed"


@dataclass(frozen=True)
class Answer:
    """A resolver's answer, aliases followed (RFC 1034, 3.6.2).

    ``values``: in presentation form, names in lower case and without the last dot, of TXT the joined strings with each
    octet a character (latin-1), sorted; ``strings``: of TXT the lengths of the strings that each value came in, in the
    order of ``values``; ``ttl``: in seconds, the least of the chain; ``secure``: the resolver validated it (the AD
    bit); ``aliases``: the chain, the name that was asked for left out; ``why``: of BOGUS and FAILED, in words.
    """

    name: str
    type: str
    told: Told
    values: tuple[str, ...] = ()
    ttl: int = 0
    secure: bool = False
    aliases: tuple[str, ...] = ()
    strings: tuple[tuple[int, ...], ...] = ()
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether something is known: the records, or that there are none."""
        return self.told in {Told.FOUND, Told.NO_DATA, Told.NO_NAME}


class Dns(Protocol):
    """A resolver that is asked each question once in a run, by any thread; it never raises for what a server does."""

    def ask(self, name: str, rdtype: str, /) -> Answer:
        """Return the answer to one question; a name that cannot be asked for is FAILED."""
        ...

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        """Ask several at the same time and return the answers in their order."""
        ...


@dataclass(frozen=True)
class Fetched:
    """What came of one HTTPS request. ``failure``: why there is no reply, in words; then the rest is empty.

    ``unreachable``: of a failure, nothing came back at all (silence, no route): it may be the network of this machine,
    and nobody's mistake; a refused connection, a name without address and everything about TLS are the server's.
    ``kind``: the media type, lower case; ``body``: at most what was allowed; ``cut``: there was more.
    """

    status: int = 0
    kind: str = ""
    body: bytes = b""
    cut: bool = False
    failure: str = ""
    unreachable: bool = False


class Fetch(Protocol):
    """Get one HTTPS address, redirects not followed, the certificate verified, names asked of the run's resolver."""

    def __call__(self, url: str, limit: int, /) -> Fetched:
        """Return the reply with at most ``limit`` octets of its body; never raises for what a server does."""
        ...


@dataclass(frozen=True)
class Look:
    """Everything that checks of domains may use.

    ``dns``: the recursive resolver; ``ask`` and ``resolver``: questions to single servers (`dns.transport`), with the
    address of the resolver for those that are to recurse; ``fetch``: HTTPS; ``now``: in UTC; ``validates``: whether the
    resolver sets the AD bit for what is surely signed (the root). If not, `Answer.secure` False says nothing: what
    depends on DNSSEC is unknown, not unsigned. ``wanted``: the names of the checks that were chosen, empty for all.
    """

    dns: Dns
    ask: Ask
    resolver: str
    fetch: Fetch
    now: datetime
    validates: bool = True
    wanted: frozenset[str] = frozenset()

    def wants(self, checks: Iterable[Check]) -> bool:
        """Whether one of some checks was chosen: what nobody wants to know need not be asked."""
        return not self.wanted or any(check.name in self.wanted for check in checks)
