"""Questions to a resolver over UDP, many at a time over one socket, and over TCP what does not fit (RFC 1035, 4.2).

Each call opens sockets of its own: the kernel picks their ports at random, and lets in what the resolver sends only.
"""

import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendwright.stack import Address
from sendwright.verify.asking.dns_message import NotAnAnswer, Query, Reply, belongs, read

# So many that a resolver's and our own receive buffer hold them all.
_AT_ONCE = 64
_LARGEST = 65535
_PAUSE = 0.1
# Seconds for an answer over TCP, the connection included.
_STREAM = 4.0


@dataclass(frozen=True)
class Resolver:
    """Where a recursive resolver answers, and how patiently it is asked: ``every`` so many seconds, ``tries`` times."""

    address: Address
    port: int = 53
    every: float = 2.0
    tries: int = 5

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    @property
    def silence(self) -> str:
        """What is said of a question that was asked in vain."""
        return f"the resolver {self} did not answer within {self.every * self.tries:g} s"


@dataclass(frozen=True)
class Silent:
    """What came of a question without an answer: why, in words."""

    why: str


@dataclass(slots=True)
class _Sent:
    query: Query
    question: bytes
    message: bytes
    left: int
    until: float = 0.0
    why: str = ""


def exchange(resolver: Resolver, queries: Sequence[Query]) -> Iterator[tuple[Query, Reply | Silent]]:
    """Ask different questions at the same time and yield each with what came of it, as it comes.

    Never raises for what a resolver or the network does; ValueError for what is no question at all (`Query.octets`).
    """
    cut = []
    for query, reply in _over_udp(resolver, queries):
        if isinstance(reply, Reply) and reply.cut:
            cut.append(query)
        else:
            yield query, reply
    for query in cut:
        yield query, _over_tcp(resolver, query)


def _over_udp(resolver: Resolver, queries: Sequence[Query]) -> Iterator[tuple[Query, Reply | Silent]]:
    family = socket.AF_INET6 if resolver.address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        todo = deque(queries)
        waiting: dict[int, _Sent] = {}
        try:
            channel.connect((str(resolver.address), resolver.port))
        except OSError as error:
            yield from ((query, Silent(_refused(resolver, error))) for query in todo)
            return
        channel.setblocking(False)
        arrivals = select.poll()
        arrivals.register(channel, select.POLLIN)
        while todo or waiting:
            while todo and len(waiting) < _AT_ONCE:
                _first(resolver, channel, todo.popleft(), waiting)
            yield from _overdue(resolver, channel, waiting)
            yield from _received(resolver, channel, arrivals, waiting)


def _first(resolver: Resolver, channel: socket.socket, query: Query, waiting: dict[int, _Sent]) -> None:
    number = int.from_bytes(os.urandom(2), "big")
    while number in waiting:
        number = int.from_bytes(os.urandom(2), "big")
    waiting[number] = sent = _Sent(query, query.octets, query.message(number), resolver.tries)
    _send(resolver, channel, sent)


def _send(resolver: Resolver, channel: socket.socket, sent: _Sent) -> None:
    sent.left -= 1
    sent.until = time.monotonic() + resolver.every
    try:
        channel.send(sent.message)
    except OSError as error:
        sent.why = _refused(resolver, error)


def _overdue(resolver: Resolver, channel: socket.socket, waiting: dict[int, _Sent]) -> Iterator[tuple[Query, Silent]]:
    """Send again what was waited for long enough, and yield what was sent often enough."""
    now = time.monotonic()
    # In the order in which they were sent, and all have the same time.
    while waiting and next(iter(waiting.values())).until <= now:
        number = next(iter(waiting))
        sent = waiting.pop(number)
        if sent.left:
            waiting[number] = sent
            _send(resolver, channel, sent)
        else:
            yield sent.query, Silent(sent.why or resolver.silence)


def _received(
    resolver: Resolver, channel: socket.socket, arrivals: select.poll, waiting: dict[int, _Sent]
) -> Iterator[tuple[Query, Reply | Silent]]:
    """Wait for what comes until something is overdue, and yield it if it is an answer."""
    try:
        message = channel.recv(_LARGEST)
    except BlockingIOError:
        left = min((sent.until for sent in waiting.values()), default=0.0) - time.monotonic()
        arrivals.poll(max(left * 1000, 0))
        return
    except OSError as error:
        # The network said that nobody is there. It does not say to which question, and may be wrong once.
        until = time.monotonic() + min(_PAUSE, resolver.every)
        for sent in waiting.values():
            sent.why, sent.until = _refused(resolver, error), min(sent.until, until)
        return
    number = int.from_bytes(message[:2], "big")
    if number in waiting and belongs(message, number, waiting[number].question):
        query = waiting.pop(number).query
        yield query, _read(message, query)


def _over_tcp(resolver: Resolver, query: Query) -> Reply | Silent:
    patience = min(_STREAM, resolver.every * resolver.tries)
    until = time.monotonic() + patience
    number = int.from_bytes(os.urandom(2), "big")
    message = query.message(number)
    try:
        with socket.create_connection((str(resolver.address), resolver.port), patience / 2) as channel:
            channel.sendall(len(message).to_bytes(2, "big") + message)
            length = int.from_bytes(_exactly(channel, 2, until), "big")
            answer = _exactly(channel, length, until)
    except OSError as error:
        return Silent(f"the answer does not fit into UDP, and over TCP: {_refused(resolver, error)}")
    if not belongs(answer, number, query.octets):
        return Silent("an answer over TCP to another question")
    reply = _read(answer, query)
    return Silent("an answer that is cut over TCP too") if isinstance(reply, Reply) and reply.cut else reply


def _read(message: bytes, query: Query) -> Reply | Silent:
    try:
        return read(message, query)
    except NotAnAnswer as error:
        return Silent(str(error))


def _exactly(channel: socket.socket, octets: int, until: float) -> bytes:
    """Return so many octets; OSError if they do not come in time, however slowly they drip."""
    got = b""
    while len(got) < octets:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        channel.settimeout(left)
        piece = channel.recv(octets - len(got))
        if not piece:
            raise ConnectionResetError("it hung up")
        got += piece
    return got


def _refused(resolver: Resolver, error: OSError) -> str:
    return f"the resolver {resolver} cannot be asked: {error.strerror or error}"
