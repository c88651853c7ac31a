"""A resolver in memory for unit tests of ``verify``: it answers from zone text, and can be told to be of ill will."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import dns.rdata
import dns.rdatatype
import dns.zonefile

from sendwright.verify.asking.dns_message import lengths, presented
from sendwright.verify.look import Answer, Told

_LONGEST_CHAIN = 8


def zone(text: str) -> dict[tuple[str, str], list[dns.rdata.Rdata]]:
    """Read records in master-file form, every name whole and with its last dot."""
    found: dict[tuple[str, str], list[dns.rdata.Rdata]] = {}
    lines = text.splitlines()
    # dnspython takes a start of authority at a zone's own name only, and this is a world of many zones.
    starts = [line for line in lines if " SOA " in line]
    rest = "\n".join(line for line in lines if line not in starts)
    for part, origin in ((rest, "."), *((line, line.split()[0]) for line in starts)):
        for rrset in dns.zonefile.read_rrsets(part, default_ttl=3600, rdclass=None, origin=origin, relativize=False):
            key = (rrset.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(rrset.rdtype))
            found.setdefault(key, []).extend(rrset)
    return found


@dataclass
class Names:
    """Answer questions from records. Plays `sendwright.verify.look.Dns`.

    ``told``: by (name, type), what is said instead (BOGUS, FAILED); ``secure``: names at and below which answers have
    the AD bit; ``asked``: every question so far, in order.
    """

    records: Mapping[tuple[str, str], Sequence[dns.rdata.Rdata]]
    told: Mapping[tuple[str, str], Told] = field(default_factory=dict)
    secure: Collection[str] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, name: str, rdtype: str, /) -> Answer:
        """Return the answer to one question."""
        name = name.lower().removesuffix(".")
        self.asked.append((name, rdtype))
        if (said := self.told.get((name, rdtype))) is not None:
            return Answer(name, rdtype, said, why=f"told to be {said.value}")
        end, aliases = name, []
        while (rdtype != "CNAME") and (alias := self.records.get((end, "CNAME"))):
            end = alias[0].to_text().lower().removesuffix(".")
            aliases.append(end)
            if len(aliases) > _LONGEST_CHAIN:
                return Answer(name, rdtype, Told.FAILED, aliases=tuple(aliases), why="a loop of aliases")
        return self._at(name, rdtype, end, tuple(aliases))

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        """Ask several."""
        return tuple(self.ask(name, rdtype) for name, rdtype in questions)

    def _at(self, name: str, rdtype: str, end: str, aliases: tuple[str, ...]) -> Answer:
        secure = any(end == above or end.endswith("." + above) for above in self.secure)
        found = self.records.get((end, rdtype))
        if not found:
            exists = any(owner == end or owner.endswith("." + end) for owner, _ in self.records)
            return Answer(name, rdtype, Told.NO_DATA if exists else Told.NO_NAME, secure=secure, aliases=aliases)
        read = sorted((presented(rdata, rdtype), lengths(rdata)) for rdata in found)
        values, strings = tuple(value for value, _ in read), tuple(cut for _, cut in read)
        return Answer(
            name, rdtype, Told.FOUND, values, 3600, secure, aliases, strings if rdtype in {"TXT", "SPF"} else ()
        )
