"""Questions to single name servers: which are asked, and when one has been asked often enough."""

from ipaddress import ip_address

import dns.message
import pytest

from sendwright.dns.transport import NoAnswer, Question
from sendwright.verify.asking.dns_exchange import Resolver
from sendwright.verify.asking.single import Asking

RESOLVER = Resolver(ip_address("127.0.0.1"), 5353)
NS1 = "192.0.2.1"


class Servers:
    """Servers that answer NS and SOA, and say nothing to anything else."""

    def __init__(self) -> None:
        self.asked: list[tuple[Question, int]] = []

    def __call__(self, question: Question, port: int) -> dns.message.Message:
        """Return a reply without records, or raise NoAnswer."""
        self.asked.append((question, port))
        if question.type not in {"NS", "SOA"}:
            raise NoAnswer("no answer within 2 s, asked 3 times")
        return dns.message.make_response(dns.message.make_query(question.name, question.type))


def _silent(asking: Asking, question: Question) -> str:
    with pytest.raises(NoAnswer) as silence:
        asking(question)
    return str(silence.value)


def test_a_server_that_falls_silent_is_asked_twice_more_and_not_again() -> None:
    """A zone of ill will answers NS and then nothing: each question more would take as long as three tries."""
    servers = Servers()
    asking = Asking(RESOLVER, anywhere=False, ask=servers)
    asking(Question(NS1, "example.com", "NS"))

    said = [_silent(asking, Question(NS1, f"n{number}.example.com", "TXT")) for number in range(30)]

    assert len(servers.asked) == 3
    assert "not asked any more" in said[2]
    assert "no answer" in _silent(asking, Question(NS1, "example.org", "TXT"))
    assert "no answer" in _silent(asking, Question("192.0.2.2", "example.com", "TXT"))
    assert "no answer" in _silent(asking, Question(NS1, "example.com", "TXT", stream=True))


def test_a_server_that_answers_nearly_always_goes_on_being_asked() -> None:
    """Of a thousand domains at one provider a few questions are lost: the others are asked all the same."""
    asking = Asking(RESOLVER, anywhere=False, ask=Servers())

    for number in range(200):
        asking(Question(NS1, f"n{number}.example.com", "SOA"))
        if number % 20 == 0:
            assert "no answer" in _silent(asking, Question(NS1, f"n{number}.example.com", "TXT"))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"])
def test_a_stranger_s_name_server_is_not_looked_for_inside_our_own_network(address: str) -> None:
    """Whoever has a zone names its servers; only of a domain of an inventory may they be inside."""
    servers = Servers()

    assert "reserved" in _silent(Asking(RESOLVER, anywhere=False, ask=servers), Question(address, "example.com", "NS"))
    assert not servers.asked
    assert Asking(RESOLVER, anywhere=True, ask=servers)(Question(address, "example.com", "NS"))


def test_the_resolver_of_the_run_is_asked_wherever_it_is() -> None:
    """It was named by whoever runs it, and mostly it is on this machine."""
    servers = Servers()

    Asking(RESOLVER, anywhere=False, ask=servers)(Question("127.0.0.1", "example.com", "NS", recurse=True))

    assert [port for _, port in servers.asked] == [5353]
