"""A name server on the loopback interface that hands over one zone, takes every update, and counts what it is asked."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.opcode
import dns.rrset
import dns.tsig

from sendwright.dns.providers.base import RecordSet
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.transport import Question

_KEY = dns.tsig.Key("updater", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "hmac-sha256")
_RECORDS_A_MESSAGE = 200


@dataclass
class NameServer:
    """The server of a zone. ``asked``: how many messages of a kind came; ``octets``: of all updates together."""

    zone: str
    held: tuple[RecordSet, ...]
    asked: Counter[str] = field(default_factory=Counter)
    octets: int = 0
    port: int = 0
    _everything: list[dns.rrset.RRset] = field(default_factory=list, repr=False)

    @contextlib.contextmanager
    def serving(self) -> Iterator[DynamicUpdate]:
        """Serve over TCP, and yield the provider that speaks to it."""
        self._everything = [self._soa, *self._rrsets(), self._soa]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
            yield DynamicUpdate("127.0.0.1", self.port, 0, _KEY, self.answer)
            listener.shutdown(socket.SHUT_RDWR)

    def answer(self, question: Question) -> dns.message.Message:
        """Say that a name lies in the zone."""
        self.asked["questions"] += 1
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AA
        answer.authority = [self._soa]
        return answer

    @property
    def _soa(self) -> dns.rrset.RRset:
        return dns.rrset.from_text(self.zone + ".", 60, "IN", "SOA", f"ns.{self.zone}. h.{self.zone}. 7 60 60 600 60")

    def _serve(self, listener: socket.socket) -> None:
        # A listener that is shut down accepts nothing more.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as stream:
                    wire = stream.read(int.from_bytes(stream.read(2), "big"))
                    for part in self._replies(wire):
                        connection.sendall(len(part).to_bytes(2, "big") + part)

    def _replies(self, wire: bytes) -> Iterator[bytes]:
        message = dns.message.from_wire(wire, keyring={_KEY.name: _KEY})
        if message.opcode() == dns.opcode.UPDATE:
            self.asked["updates"] += 1
            self.octets += len(wire)
            yield dns.message.make_response(message).to_wire()
            return
        self.asked["transfers"] += 1
        context = None
        for start in range(0, len(self._everything), _RECORDS_A_MESSAGE):
            answer = dns.message.make_response(message)
            answer.answer = self._everything[start : start + _RECORDS_A_MESSAGE]
            yield answer.to_wire(multi=True, tsig_ctx=context)
            context = answer.tsig_ctx

    def _rrsets(self) -> Iterable[dns.rrset.RRset]:
        return (dns.rrset.from_text(s.name + ".", s.ttl, "IN", s.type, *s.values) for s in self.held)
