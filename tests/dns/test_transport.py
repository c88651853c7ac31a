import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest

from sendwright.dns.transport import NoAnswer, Question, ask_all, once, query, system_resolver
from sendwright.errors import UsageError


@dataclass
class Answering:
    """Answers all but ``silent.example``, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer a question, or do not."""
        self.asked.append(question.name)
        if question.name == "silent.example":
            raise NoAnswer("no answer")
        return dns.message.make_query(question.name, "A")


def test_equal_questions_are_asked_once_and_answers_keep_their_order() -> None:
    """Many names share servers and wildcards."""
    server = Answering()
    names = ["b.example", "silent.example", "a.example", "b.example"]
    answers = ask_all(server, [Question("192.0.2.1", name, "A") for name in names])

    assert sorted(server.asked) == sorted(set(names))
    assert [None if isinstance(a, NoAnswer) else str(a.question[0].name) for a in answers] == [
        "b.example.",
        None,
        "a.example.",
        "b.example.",
    ]


def test_a_look_asks_nobody_twice() -> None:
    """What served a first purpose serves the next; who was silent is not waited for again."""
    server = Answering()
    look = once(server)
    questions = [Question("192.0.2.1", name, "A") for name in ("a.example", "silent.example")]
    first, second = ask_all(look, questions), ask_all(look, questions)

    assert sorted(server.asked) == ["a.example", "silent.example"]
    assert first == second


def test_a_silent_server_is_given_up_after_a_few_tries() -> None:
    """A packet may be lost; a server that is down must not hold everything up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))

        with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s, asked 2 times"):
            query(Question("127.0.0.1", "example.com", "A"), mute.getsockname()[1], timeout=0.05, tries=2)


@pytest.mark.parametrize(("recurse", "checked"), [(False, True), (True, True), (True, False)])
def test_recursion_and_the_verdict_are_asked_of_resolvers_only(recurse: bool, checked: bool) -> None:
    """RD and AD for a resolver, CD to see what it holds for bogus; an authoritative server gets neither."""
    got: list[dns.message.Message] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            wire, client = server.recvfrom(4096)
            got.append(dns.message.from_wire(wire))
            server.sendto(dns.message.make_response(got[0]).to_wire(), client)

        threading.Thread(target=serve, daemon=True).start()
        answer = query(Question("127.0.0.1", "example.com", "A", recurse, checked), server.getsockname()[1])

    assert answer.rcode() == dns.rcode.NOERROR
    assert bool(got[0].flags & dns.flags.RD) is bool(got[0].flags & dns.flags.AD) is recurse
    assert bool(got[0].flags & dns.flags.CD) is not checked


def test_signatures_are_asked_for_over_tcp_where_a_question_says_so() -> None:
    """A server that is to be asked over TCP gets no packet over UDP first."""
    got: list[dns.message.Message] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                length = int.from_bytes(client.recv(2))
                got.append(dns.message.from_wire(client.recv(length)))
                answer = dns.message.make_response(got[0]).to_wire()
                client.sendall(len(answer).to_bytes(2) + answer)

        threading.Thread(target=serve, daemon=True).start()
        question = Question("127.0.0.1", "example.com", "SOA", signatures=True, stream=True)
        answer = query(question, server.getsockname()[1])

    assert answer.rcode() == dns.rcode.NOERROR
    assert got[0].ednsflags & dns.flags.DO


def test_the_resolver_of_this_machine_is_the_first_that_its_file_names(tmp_path: Path) -> None:
    """As the C library has it (resolv.conf(5))."""
    file = tmp_path / "resolv.conf"
    file.write_text("# nameserver 192.0.2.9\nsearch example.com\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n")

    assert system_resolver(file) == "127.0.0.53"


@pytest.mark.parametrize("text", [None, "search example.com\n"])
def test_a_machine_without_a_resolver_is_told_so(tmp_path: Path, text: str | None) -> None:
    """Nothing was tried yet."""
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)

    with pytest.raises(UsageError, match=r"resolv\.conf"):
        system_resolver(file)
