import dns.message
import dns.rrset

from sendwright.dns.reverse import needed, reverses
from sendwright.dns.transport import NoAnswer, Question
from sendwright.stack import Host

MX1 = Host.model_validate(
    {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
)
POINTER = "10.113.0.203.in-addr.arpa"


class Resolver:
    """Answers from lines of a master file, and remembers what it was asked."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.asked: list[str] = []

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer as a resolver would."""
        self.asked.append(question.name)
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        for line in self.lines:
            name, rdtype, data = line.split(" ", 2)
            if (name, rdtype) == (question.name + ".", question.type):
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", rdtype, data))
        return answer


def test_a_pointer_to_the_hosts_own_name_needs_nothing() -> None:
    """And the resolver is not asked about the name: unpublished yet, it would remember that it does not exist."""
    resolver = Resolver(f"{POINTER}. PTR MX1.example.com.")

    found = reverses([MX1], resolver, "127.0.0.1")

    assert found[0].confirmed == ("mx1.example.com",)
    assert needed([MX1], found) == ()
    assert "mx1.example.com" not in resolver.asked


def test_a_missing_pointer_says_who_can_set_it() -> None:
    """Only whoever gave the address can."""
    (sentence,) = needed([MX1], reverses([MX1], Resolver(), "127.0.0.1"))

    assert "203.0.113.10 has no PTR" in sentence
    assert "set its PTR to mx1.example.com" in sentence


def test_a_pointer_to_another_name_is_shown_with_whether_it_leads_back() -> None:
    """A provider's default name is confirmed and still not the host's."""
    lines = (f"{POINTER}. PTR static.example.net.", "static.example.net. A 203.0.113.10")
    found = reverses([MX1], Resolver(*lines), "127.0.0.1")

    assert found[0].confirmed == ("static.example.net",)
    assert "has the PTR static.example.net" in needed([MX1], found)[0]


def test_a_silent_resolver_is_no_missing_pointer() -> None:
    """Cannot tell is a third state."""

    def silent(_question: Question) -> dns.message.Message:
        raise NoAnswer("no answer within 2 s")

    sentence = needed([MX1], reverses([MX1], silent, "127.0.0.1"))[0]

    assert "could not be looked up (no answer within 2 s)" in sentence
    assert f"Check that it is {MX1.name}" in sentence
    assert "have whoever gave you" not in sentence
