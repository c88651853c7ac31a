"""A recursive resolver on loopback, over real sockets: it answers from zone text, or as a test tells it to."""

import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sendwright.verify.asking.dns_exchange import Resolver

Records = Mapping[tuple[str, str], Sequence[dns.rdata.Rdata]]
#: What a server does with the octets of a question: the octets that it sends back, none for silence.
Answering = Callable[[bytes, bool], Sequence[bytes]]
_TRIES = 20


@dataclass
class Server:
    """A server on a port of its own. ``asked``: the octets of every question, with whether it came over TCP."""

    answering: Answering
    port: int = 0
    asked: list[tuple[bytes, bool]] = field(default_factory=list)

    def resolver(self, every: float = 0.2, tries: int = 2) -> Resolver:
        """Return where it is, to be asked with little patience."""
        return Resolver(ip_address("127.0.0.1"), self.port, every, tries)

    def _udp(self, channel: socket.socket) -> None:
        with suppress(OSError):
            while True:
                message, peer = channel.recvfrom(4096)
                if not message:
                    return
                self.asked.append((message, False))
                for answer in self.answering(message, False):
                    channel.sendto(answer, peer)

    def _tcp(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                channel, _ = door.accept()
                with channel, suppress(OSError, struct.error):
                    channel.settimeout(5)
                    while True:
                        (length,) = struct.unpack("!H", channel.recv(2))
                        message = channel.recv(length)
                        self.asked.append((message, True))
                        for answer in self.answering(message, True):
                            channel.sendall(struct.pack("!H", len(answer)) + answer)


@contextmanager
def serving(answering: Answering) -> Iterator[Server]:
    """Serve on loopback by UDP and TCP until the end."""
    channel, door = _bound()
    with channel, door:
        server = Server(answering, channel.getsockname()[1])
        door.listen()
        threads = [
            threading.Thread(target=server._udp, args=(channel,), daemon=True),
            threading.Thread(target=server._tcp, args=(door,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            for closing in (channel, door):
                with suppress(OSError):
                    closing.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(timeout=5)


def _bound() -> tuple[socket.socket, socket.socket]:
    """Return a socket of UDP and one of TCP at the same port: one that is free of the one may be taken of the other."""
    for _ in range(_TRIES):
        channel, door = (socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        try:
            channel.bind(("127.0.0.1", 0))
            door.bind(channel.getsockname())
        except OSError:
            channel.close()
            door.close()
        else:
            return channel, door
    raise OSError("no port is free of both UDP and TCP")


def from_records(records: Records, secure: Collection[str] = ()) -> Answering:
    """Answer as a validating resolver does: aliases followed, AD at and below ``secure`` names, cut where UDP ends."""

    def answering(message: bytes, stream: bool) -> Sequence[bytes]:
        try:
            query = dns.message.from_wire(message)
        except dns.exception.DNSException:
            return ()
        answer = _answer(query, records, secure)
        return (answer.to_wire(max_size=65535) if stream else _cut(answer),)

    return answering


def _cut(answer: dns.message.Message) -> bytes:
    with suppress(dns.exception.TooBig):
        return answer.to_wire(max_size=1232)
    answer.answer, answer.authority = [], []
    answer.flags |= dns.flags.TC
    return answer.to_wire()


def _answer(query: dns.message.Message, records: Records, secure: Collection[str]) -> dns.message.Message:
    answer = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    name, rdtype = plain(question.name), dns.rdatatype.to_text(question.rdtype)
    for _ in range(8):
        alias = records.get((name, "CNAME"))
        if not alias or rdtype == "CNAME":
            break
        answer.answer.append(dns.rrset.from_rdata_list(absolute(name), 3600, alias))
        name = plain(dns.name.from_text(alias[0].to_text()))
    found = records.get((name, rdtype))
    if found:
        answer.answer.append(dns.rrset.from_rdata_list(absolute(name), 3600, found))
    elif not any(owner == name or owner.endswith("." + name) for owner, _ in records):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    if any(name == above or name.endswith("." + above) for above in secure) or "." in secure:
        answer.flags |= dns.flags.AD
    return answer


def plain(name: dns.name.Name) -> str:
    """Return a name in lower case without its last dot."""
    return name.to_text(omit_final_dot=True).lower()


def absolute(name: str) -> dns.name.Name:
    """Return a name of ours for a message."""
    return dns.name.from_text(name.removesuffix(".") + ".")
