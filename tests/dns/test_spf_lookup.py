from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from sendwright.dns.spf_check import check_host
from sendwright.dns.spf_lookup import NOTHING, Answer, through
from sendwright.dns.transport import NoAnswer, Question

RESOLVER = "192.0.2.53"
ZONE = [
    'e.example. 60 IN TXT "v=spf1 mx exists:a" "@b.e.example" "\\255"',
    'e.example. 60 IN TXT "other"',
    "www.e.example. 60 IN CNAME e.example.",
    "e.example. 60 IN MX 20 m2.e.example.",
    "e.example. 60 IN MX 10 M1.e.example.",
    "m1.e.example. 60 IN A 192.0.2.1",
    "m1.e.example. 60 IN AAAA 2001:db8::1",
    "1.2.0.192.in-addr.arpa. 60 IN PTR m1.e.example.",
]


def _resolver(zone: list[str], rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> Callable[[Question], dns.message.Message]:
    def ask(question: Question) -> dns.message.Message:
        assert (question.server, question.recurse) == (RESOLVER, True)
        query = dns.message.make_query(question.name + ".", question.type)
        answer = dns.message.make_response(query)
        answer.set_rcode(rcode)
        owner = query.question[0].name
        for line in zone:
            name, ttl, _, rdtype, data = line.split(" ", 4)
            rrset = dns.rrset.from_text(name, int(ttl), "IN", rdtype, data)
            if rrset.name == owner and rdtype in {question.type, "CNAME"}:
                known = answer.find_rrset(answer.answer, rrset.name, rrset.rdclass, rrset.rdtype, create=True)
                known.add(rrset[0], rrset.ttl)
                owner = rrset[0].target if rdtype == "CNAME" else owner
        if rcode == dns.rcode.NOERROR and not answer.answer and "none" in question.name:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    return ask


@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("e.example", "TXT", Answer(("v=spf1 mx exists:a@b.e.example\xff", "other"))),
        ("E.Example.", "MX", Answer(("M1.e.example.", "m2.e.example."))),
        ("m1.e.example", "A", Answer(("192.0.2.1",))),
        ("m1.e.example", "AAAA", Answer(("2001:db8::1",))),
        ("1.2.0.192.in-addr.arpa", "PTR", Answer(("m1.e.example.",))),
        ("e.example", "AAAA", NOTHING),
        ("none.example", "A", NOTHING),
        ("none..example", "A", NOTHING),
        ("none.a\\.b @(;\x00.example", "A", NOTHING),
    ],
)
def test_answers_are_what_the_resolver_says(name: str, rdtype: str, answer: Answer) -> None:
    """Strings joined octet by octet (section 3.3), exchanges by preference; whatever characters a name holds."""
    found = through(_resolver(ZONE), RESOLVER)(name, rdtype)

    assert sorted(found.values) == sorted(answer.values) if rdtype == "TXT" else found == answer


def test_aliases_are_followed() -> None:
    """A CNAME leads to the records of its target."""
    assert through(_resolver([ZONE[2], ZONE[1]]), RESOLVER)("www.e.example", "TXT") == Answer(("other",))


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_other_codes_and_silence_are_failures(rcode: dns.rcode.Rcode) -> None:
    """Section 4.4: any code but 0 and 3, and a time-out."""

    def silent(_: Question) -> dns.message.Message:
        raise NoAnswer("no answer within 2 s")

    assert dns.rcode.to_text(rcode) in through(_resolver([], rcode), RESOLVER)("e.example", "A").failure
    assert "no answer within" in through(silent, RESOLVER)("e.example", "A").failure


def test_nothing_is_asked_twice() -> None:
    """One evaluation asks for the same addresses again and again."""
    asked = []

    def ask(question: Question) -> dns.message.Message:
        asked.append(question)
        return _resolver(ZONE)(question)

    lookup = through(ask, RESOLVER)
    verdict = check_host("192.0.2.1", "e.example", "s@e.example", "h.example", lookup)
    lookup("E.EXAMPLE.", "TXT")

    assert verdict.result == "permerror"  # for the octet 255
    assert [(q.name, q.type) for q in asked] == [("e.example", "TXT")]
