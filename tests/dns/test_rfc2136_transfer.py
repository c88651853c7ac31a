import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from typing import Protocol

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsig
import pytest

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.providers.transfer import Bounds, NotTransferred, transfer
from sendwright.dns.transport import Question
from sendwright.errors import NotAllowed, ServerUnreachable

ZONE = "example.com"
SOA = f"{ZONE}. 60 IN SOA ns1.{ZONE}. h.{ZONE}. 7 60 60 600 60"
NAMES = [f"n{i}.{ZONE}" for i in range(6)]


class Server(Protocol):
    """What ``serving`` of the conftest yields."""

    port: int
    key: dns.tsig.Key
    got: list[dns.message.Message]


Serving = Callable[[Callable[[dns.message.Message], Iterable[bytes]]], AbstractContextManager[Server]]


def _rrset(line: str) -> dns.rrset.RRset:
    name, ttl, rdclass, rdtype, text = line.split(" ", 4)
    return dns.rrset.from_text(name, int(ttl), rdclass, rdtype, text)


def _messages(question: dns.message.Message, parts: Iterable[Iterable[str]], *, signed: bool = True) -> Iterator[bytes]:
    """Answer with a message a part, each signed over those before."""
    context = None
    for part in parts:
        answer = dns.message.make_response(question)
        answer.answer = [_rrset(line) for line in part]
        if signed:
            wire = answer.to_wire(multi=True, tsig_ctx=context)
            context = answer.tsig_ctx
        else:
            bare = dns.message.Message(question.id)
            bare.flags, bare.question, bare.answer = answer.flags, question.question, answer.answer
            wire = bare.to_wire()
        yield len(wire).to_bytes(2, "big") + wire


def _zone(*lines: str) -> Callable[[dns.message.Message], Iterator[bytes]]:
    """Serve a zone by transfer, three records a message, and take every update."""

    def reply(message: dns.message.Message) -> Iterator[bytes]:
        everything = [SOA, *lines, SOA] if message.opcode() == dns.opcode.QUERY else []
        parts = [everything[i : i + 3] for i in range(0, len(everything), 3)] or [[]]
        return _messages(message, parts)

    return reply


def _never(question: Question) -> dns.message.Message:
    raise AssertionError(question)


def _questions(asked: list[Question]) -> Callable[[Question], dns.message.Message]:
    """Answer questions about ``NAMES``: each has one address."""

    def ask(question: Question) -> dns.message.Message:
        asked.append(question)
        query = dns.message.make_query(question.name, question.type)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if question.name in NAMES:
            answer.answer = [_rrset(f"{question.name}. 60 IN A 192.0.2.1")]
        else:
            answer.authority = [_rrset(SOA)]
        return answer

    return ask


def test_any_number_of_names_is_read_by_one_transfer_and_written_by_one_update(serving: Serving) -> None:
    """What the interface allows is what is used: two exchanges, both signed, and no question."""
    names = [f"n{i}.{ZONE}" for i in range(500)]
    lines = [f"{name}. 60 IN A 192.0.2.1" for name in names]

    with serving(_zone(*lines)) as server:
        provider = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _never)
        found = provider.read(ZONE, [(name, "A") for name in [*names, f"absent.{ZONE}"]])
        changes = [Edit(r.name, "A", r, RecordSet(r.name, "A", 60, (*r.values, "192.0.2.2"))) for r in found]
        provider.apply(ZONE, changes)

    assert {r.name for r in found} == set(names)
    assert [message.opcode() for message in server.got] == [dns.opcode.QUERY, dns.opcode.UPDATE]
    assert all(message.had_tsig for message in server.got)


def test_a_transfer_tells_what_stands_from_what_a_wildcard_covers(serving: Serving) -> None:
    """It needs no further question for that; an alias at a wanted name is shown, and values come whole and sorted."""
    lines = [
        f'*.{ZONE}. 60 IN TXT "covers"',
        f"alias.{ZONE}. 60 IN CNAME elsewhere.example.",
        f"two.{ZONE}. 60 IN A 192.0.2.2",
        f"TWO.{ZONE}. 60 IN A 192.0.2.1",
        f'other.{ZONE}. 60 IN TXT "not wanted"',
    ]
    wanted = [(f"{name}.{ZONE}", rdtype) for name, rdtype in (("x", "TXT"), ("alias", "TXT"), ("two", "A"), ("y", "A"))]

    with serving(_zone(*lines)) as server:
        found = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _never).read(ZONE, wanted)

    assert found == (
        RecordSet(f"alias.{ZONE}", "CNAME", 60, ("elsewhere.example.",)),
        RecordSet(f"two.{ZONE}", "A", 60, ("192.0.2.1", "192.0.2.2")),
    )


def test_a_few_names_are_asked_for(serving: Serving) -> None:
    """They are answered at the same time, however big the zone is."""
    asked: list[Question] = []

    with serving(_zone()) as server:
        provider = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _questions(asked))
        found = provider.read(ZONE, [(name, "A") for name in NAMES[:3]])

    assert {r.name for r in found} == set(NAMES[:3])
    assert server.got == []


def _refusal(code: dns.rcode.Rcode) -> Callable[[dns.message.Message], Iterator[bytes]]:
    def reply(question: dns.message.Message) -> Iterator[bytes]:
        answer = dns.message.make_response(question)
        answer.set_rcode(code)
        wire = answer.to_wire()
        yield len(wire).to_bytes(2, "big") + wire

    return reply


A = f"n0.{ZONE}. 60 IN A 203.0.113.66"
OTHER_SOA = SOA.replace(" 7 ", " 8 ")
NO_TRANSFERS: dict[str, Callable[[dns.message.Message], Iterable[bytes]]] = {
    "refused": _refusal(dns.rcode.REFUSED),
    "not authoritative, or a wrong key": _refusal(dns.rcode.NOTAUTH),
    "unknown": _refusal(dns.rcode.NOTIMP),
    "closed at once": lambda _: [],
    "rubbish": lambda _: [b"\x00\x05hello"],
    "broken off between messages": lambda q: _messages(q, [[SOA, A]]),
    "broken off within a message": lambda q: [b"".join(_messages(q, [[SOA, A, SOA]]))[:-5]],
    "unsigned": lambda q: _messages(q, [[SOA, A, SOA]], signed=False),
    "of another zone": lambda q: _messages(q, [[SOA.replace("example.com. 60", "example.org. 60"), A]]),
    "without a beginning": lambda q: _messages(q, [[A, SOA]]),
    "of two versions": lambda q: _messages(q, [[SOA, A, OTHER_SOA]]),
    "empty": lambda q: _messages(q, [[], []]),
}


@pytest.mark.parametrize("reply", NO_TRANSFERS.values(), ids=NO_TRANSFERS)
def test_where_no_whole_transfer_is_to_be_had_questions_serve(
    serving: Serving, reply: Callable[[dns.message.Message], Iterable[bytes]]
) -> None:
    """Nothing of a transfer that is not whole and signed is believed."""
    asked: list[Question] = []

    with serving(reply) as server:
        provider = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _questions(asked))
        found = provider.read(ZONE, [(name, "A") for name in NAMES])

    assert found == tuple(RecordSet(name, "A", 60, ("192.0.2.1",)) for name in sorted(NAMES))
    assert {q.name for q in asked} >= set(NAMES)


def _endless(question: dns.message.Message) -> Iterator[bytes]:
    return _messages(question, ([SOA] if i == 0 else [f"n{i}.{ZONE}. 60 IN A 192.0.2.1"] for i in count()))


def _dripping(question: dns.message.Message) -> Iterator[bytes]:
    for octet in b"".join(_zone(A)(question)):
        time.sleep(0.05)
        yield bytes([octet])


def _silent(_: dns.message.Message) -> Iterator[bytes]:
    time.sleep(1)
    yield b""


@pytest.mark.parametrize(
    ("reply", "bounds"),
    [
        (_endless, Bounds(octets=20_000)),
        (_endless, Bounds(records=200)),
        (_endless, Bounds(seconds=0.2)),
        (_dripping, Bounds(seconds=0.2)),
        (_silent, Bounds(silence=0.2)),
    ],
)
def test_a_transfer_without_end_is_given_up(
    serving: Serving, reply: Callable[[dns.message.Message], Iterable[bytes]], bounds: Bounds
) -> None:
    """In octets, records, seconds in all, and seconds of silence."""
    started = time.monotonic()

    with serving(reply) as server, pytest.raises(NotTransferred):
        transfer("127.0.0.1", server.port, ZONE, server.key, lambda _: True, bounds)

    assert time.monotonic() - started < 3


def test_a_name_in_another_zone_of_the_same_server_is_not_read_as_absent(serving: Serving) -> None:
    """A negative answer names the zone that it is about (RFC 2308 section 3)."""
    with serving(_zone()) as server:
        provider = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _questions([]))

        with pytest.raises(NotAllowed, match=r"has x\.y\.example\.com in the zone example\.com, not in this one"):
            provider.read("y.example.com", [("x.y.example.com", "A")])


def test_an_update_whose_answer_drips_has_an_unknown_outcome(serving: Serving) -> None:
    """A server that says an octet now and then is not waited for without end."""
    with serving(_dripping) as server:
        provider = DynamicUpdate("127.0.0.1", server.port, 0, server.key, _never, patience=0.3)

        with pytest.raises(ServerUnreachable, match="unknown"):
            provider.apply(ZONE, [Edit(NAMES[0], "A", None, RecordSet(NAMES[0], "A", 60, ("192.0.2.1",)))])
