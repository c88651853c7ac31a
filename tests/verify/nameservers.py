"""Authoritative name servers in memory, from zone text: referrals with glue, signatures, and several kinds of fault."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sendwright.dns.transport import NoAnswer, Question
from sendwright.dns.zones import ancestry
from tests.verify.names import zone

Records = Mapping[tuple[str, str], Sequence[dns.rdata.Rdata]]


@dataclass
class Nameservers:
    """Answer questions to single servers. Plays `sendwright.dns.transport.Ask`.

    ``zones``: by address, the text of each zone that the server there has; ``silent``: what servers that say nothing
    raise; ``speechless``: those silent about a type; ``lame``: addresses that refuse; ``ttl``: of all records;
    ``mute``: those that say nothing over TCP; ``asked``: every question so far.
    """

    zones: Mapping[str, Mapping[str, str]]
    silent: Mapping[str, NoAnswer] = field(default_factory=dict)
    speechless: Collection[tuple[str, str]] = ()
    lame: Collection[str] = ()
    ttl: int = 3600
    mute: Collection[str] = ()
    asked: list[Question] = field(default_factory=list)
    _read: dict[str, Records] = field(default_factory=dict)

    def __call__(self, question: Question, /) -> dns.message.Message:
        """Answer as the server would."""
        self.asked.append(question)
        if question.server in self.silent:
            raise self.silent[question.server]
        if (question.server, question.type) in self.speechless:
            raise NoAnswer("no answer within 2 s")
        if question.stream and question.server in self.mute:
            raise NoAnswer("Connection refused")
        answer = dns.message.make_response(dns.message.make_query(question.name + ".", question.type))
        kept = self.zones.get(question.server, {})
        within = next((name for name in ancestry(question.name) if name in kept), None)
        if within is None or question.server in self.lame:
            answer.set_rcode(dns.rcode.REFUSED)
        else:
            self._answer(answer, within, self._records(kept[within]), question)
        for rrset in (*answer.answer, *answer.authority, *answer.additional):
            rrset.update_ttl(self.ttl)
        return answer

    def _records(self, text: str) -> Records:
        return self._read.setdefault(text, zone(text))

    def _answer(self, answer: dns.message.Message, within: str, records: Records, question: Question) -> None:
        name = question.name
        cut = next((n for n in ancestry(name) if n.endswith("." + within) and (n, "NS") in records), None)
        if cut:
            answer.authority = [_rrset(cut, "NS", records)]
            targets = [str(rdata.target).removesuffix(".").lower() for rdata in records[cut, "NS"]]  # type: ignore[attr-defined]
            glue = [(t, family) for t in targets for family in ("A", "AAAA")]
            answer.additional = [_rrset(*key, records) for key in glue if key in records]
            return
        answer.flags |= dns.flags.AA
        present = [t for t in (question.type, "CNAME") if (name, t) in records][:1]
        answer.answer = [_rrset(name, rdtype, records) for rdtype in present]
        if question.signatures and present:
            covered = [r for r in records.get((name, "RRSIG"), ()) if r.covers() == dns.rdatatype.from_text(present[0])]
            answer.answer += [_of(name, "RRSIG", covered)] if covered else []
        if not present:
            answer.authority = [_rrset(within, "SOA", records)] if (within, "SOA") in records else []
            if not any(owner == name or owner.endswith("." + name) for owner, _ in records):
                answer.set_rcode(dns.rcode.NXDOMAIN)


def _rrset(name: str, rdtype: str, records: Records) -> dns.rrset.RRset:
    return _of(name, rdtype, records[name, rdtype])


def _of(name: str, rdtype: str, found: Sequence[dns.rdata.Rdata]) -> dns.rrset.RRset:
    covers = found[0].covers() if rdtype == "RRSIG" else dns.rdatatype.NONE
    rrset = dns.rrset.RRset(dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), covers)
    for rdata in found:
        rrset.add(rdata, 3600)
    return rrset
