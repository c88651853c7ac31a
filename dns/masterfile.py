"""A master file (RFC 1035 section 5) as its entries, each with its meaning and the lines that it stands in. Pure.

What a file means is dnspython's to say. Here it is only watched while it reads, so that the meaning of an entry and its
place can never be of two minds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.zonefile

from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import plain_name
from sendwright.dns.zones import delegation_above
from sendwright.errors import DnsError
from sendwright.escape import plain

# $INCLUDE would read any file of this machine, $GENERATE makes records that stand in no line of their own.
_DIRECTIVES = ("$ORIGIN", "$TTL")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an entry says: name (lower case, no final dot), type, TTL in seconds, and data with absolute names."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One record and the lines ``[start, end)`` that it stands in; nothing else stands there."""

    meaning: Meaning
    start: int
    end: int


@dataclass(frozen=True)
class MasterFile:
    """A file's lines, byte for byte, and its entries in the order of the file."""

    zone: str
    lines: tuple[str, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def by_key(self) -> Mapping[Key, tuple[Entry, ...]]:
        """The entries of each record set."""
        found: dict[Key, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault((entry.meaning.name, entry.meaning.type), []).append(entry)
        return {key: tuple(entries) for key, entries in found.items()}

    @cached_property
    def types(self) -> Mapping[str, frozenset[str]]:
        """The types that stand at each name."""
        found: dict[str, set[str]] = {}
        for name, rdtype in self.by_key:
            found.setdefault(name, set()).add(rdtype)
        return {name: frozenset(types) for name, types in found.items()}

    def record_set(self, key: Key) -> RecordSet | None:
        """Return a record set, or None; where its lines name several TTLs it is the least (RFC 2181 section 5.2)."""
        entries = self.by_key.get(key)
        if not entries:
            return None
        return RecordSet(*key, min(e.meaning.ttl for e in entries), tuple(sorted({e.meaning.value for e in entries})))

    def cut_above(self, name: str) -> str | None:
        """Return the delegation inside the zone that a name lies at or below, or None: it is then not this zone's."""
        return delegation_above(name, self.zone, self.delegated)

    @cached_property
    def delegated(self) -> frozenset[str]:
        """The names that are other servers' from there on."""
        return frozenset(name for name, types in self.types.items() if "NS" in types and name != self.zone)


@lru_cache(maxsize=8)
def parse(zone: str, text: str) -> MasterFile:
    """Read a master file's text; DnsError names the line that cannot be read.

    ``$INCLUDE`` and ``$GENERATE`` are refused.
    """
    lines = tuple(_lines(text))
    whole = "".join(line.removesuffix("\n").removesuffix("\r") + "\n" for line in lines)
    tokenizer = dns.tokenizer.Tokenizer(whole, "line")
    watch = _Watch(tokenizer, dns.name.from_text(zone))
    try:
        _Reader(tokenizer, dns.rdataclass.IN, watch, allow_directives=_DIRECTIVES).read()
    except Exception as error:
        # Whatever a hostile file makes the parser stumble over, it is the file that has to be mended.
        where = min(tokenizer.line_number, len(lines))
        reason = plain(str(error).removeprefix(f"line:{tokenizer.line_number}: ").rstrip(".") or type(error).__name__)
        raise DnsError(zone, f"line {where} of its master file cannot be read: {reason}.", _HINT) from None
    file = MasterFile(zone, lines, tuple(watch.entries))
    if len(file.by_key.get((zone, "SOA"), ())) != 1:
        raise DnsError(zone, "its master file has no SOA record of that name, or more than one.", _HINT)
    return file


_HINT = (
    "Mend it (named-checkzone tells more), or keep that zone by hand: `sendwright dns export`. $INCLUDE and $GENERATE "
    "are not followed."
)


def _lines(text: str) -> Iterator[str]:
    # Not splitlines(): to a master file, a form feed or a line separator of Unicode ends no line.
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


class _Reader(dns.zonefile.Reader):
    """dnspython's reader, which tells at which line each entry starts."""

    def _rr_line(self) -> None:
        if isinstance(self.txn, _Watch):
            self.txn.start = self.tok.line_number - 1
        super()._rr_line()


class _Watch(dns.zonefile.RRsetsReaderTransaction):
    """Takes what is read, entry by entry, instead of building a zone."""

    def __init__(self, tokenizer: dns.tokenizer.Tokenizer, origin: dns.name.Name) -> None:
        super().__init__(dns.zonefile.RRSetsReaderManager(origin), True, False)  # type: ignore[no-untyped-call]
        self.tokenizer = tokenizer
        self.start = 0
        self.entries: list[Entry] = []
        self.names: dict[dns.name.Name, str] = {}

    def add(self, *args: Any) -> None:
        name, ttl, rdata = args
        if (plain := self.names.get(name)) is None:
            plain = self.names[name] = plain_name(name.to_text())
        meaning = Meaning(plain, dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_text())
        self.entries.append(Entry(meaning, self.start, self.tokenizer.line_number - 1))
