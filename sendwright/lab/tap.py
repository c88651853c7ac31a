"""What crosses a lab's network: every question to a name server, every answer, and who connects to whom."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype

from sendwright.errors import LabError
from sendwright.lab.lab import Lab
from sendwright.lab.netns import inside

# Of packet(7): Python has no names for them.
_SOL_PACKET, _ADD_MEMBERSHIP, _STATISTICS, _PROMISCUOUS, _ALL = 263, 1, 6, 1, 3
_FORCE_BUFFER, _BUFFER = 33, 32 << 20
_LONGEST = 4096
_IPV4, _IPV6, _TCP, _UDP, _DNS = 0x0800, 0x86DD, 6, 17, 53
_SYN, _ACK = 0x02, 0x10


@dataclass(frozen=True)
class Dns:
    """A DNS message as it was sent; ``found``: how many records answer its question, None in the question itself."""

    source: str
    target: str
    name: str
    type: str
    found: int | None


@dataclass(frozen=True)
class Connecting:
    """The first packet of a TCP connection."""

    source: str
    target: str
    port: int


@dataclass
class Tap:
    """What was heard so far, in the order in which it was sent."""

    heard: list[Dns | Connecting] = field(default_factory=list)

    @property
    def questions(self) -> list[Dns]:
        """The questions, without zone transfers and updates."""
        return [each for each in self.heard if isinstance(each, Dns) and each.found is None]

    def asked(self, name: str) -> list[Dns]:
        """Return the questions about a name."""
        return [each for each in self.questions if each.name == name]

    def connections(self, port: int) -> list[Connecting]:
        """Return the connections to a port."""
        return [each for each in self.heard if isinstance(each, Connecting) and each.port == port]


@contextmanager
def tapped(lab: Lab) -> Iterator[Tap]:
    """Listen on a lab's bridge while the block runs; what a machine says to itself is not heard.

    Raises LabError at the end if the machine was too busy to hear everything.
    """
    tap, ended = Tap(), threading.Event()
    with inside(lab.namespace):
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, _FORCE_BUFFER, _BUFFER)
        with inside(lab.namespace):
            index = socket.if_nametoindex("eth0")
            listening.bind(("eth0", _ALL))
        listening.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("IHH8s", index, _PROMISCUOUS, 0, b""))
        # What came before it was bound is of other interfaces, and would be heard twice.
        listening.setblocking(False)
        _drain(listening, Tap())
        listening.settimeout(0.05)
        thread = threading.Thread(target=_listen, args=(listening, tap, ended), daemon=True)
        thread.start()
        try:
            yield tap
        finally:
            ended.set()
            thread.join()
        _, lost = struct.unpack("II", listening.getsockopt(_SOL_PACKET, _STATISTICS, 8))
    if lost:
        raise LabError(f"{lost} packets of lab {lab.name} were not heard.", "Try again: the machine may be busy.")


def _listen(listening: socket.socket, tap: Tap, ended: threading.Event) -> None:
    last = False
    while not last:
        last = ended.is_set()
        _drain(listening, tap)


def _drain(listening: socket.socket, tap: Tap) -> None:
    while True:
        try:
            packet, (_, kind, *_) = listening.recvfrom(_LONGEST)
        except (BlockingIOError, TimeoutError):
            return
        tap.heard += read(kind, packet)


def read(kind: int, packet: bytes) -> list[Dns | Connecting]:
    """Return what a packet says that anybody wants to know; pure."""
    if kind == _IPV4 and len(packet) >= 20:
        protocol, start, addresses = packet[9], 4 * (packet[0] & 15), (packet[12:16], packet[16:20])
    elif kind == _IPV6 and len(packet) >= 40:
        protocol, start, addresses = packet[6], 40, (packet[8:24], packet[24:40])
    else:
        return []
    source, target = (str(ip_address(each)) for each in addresses)
    body = packet[start:]
    if protocol == _UDP and len(body) > 8:
        return _dns(source, target, body, body[8:])
    if protocol != _TCP or len(body) < 20:
        return []
    if body[13] & (_SYN | _ACK) == _SYN:
        return [Connecting(source, target, int.from_bytes(body[2:4]))]
    # Each message over TCP has its length before it; a question is in one packet with it, or in the one after.
    data = body[4 * (body[12] >> 4) :]
    whole = len(data) > 2 and int.from_bytes(data[:2]) == len(data) - 2
    return _dns(source, target, body, data[2:] if whole else data)


def _dns(source: str, target: str, ports: bytes, message: bytes) -> list[Dns | Connecting]:
    if _DNS not in {int.from_bytes(ports[:2]), int.from_bytes(ports[2:4])} or len(message) < 12:
        return []
    try:
        read = dns.message.from_wire(message, ignore_trailing=True, question_only=True)
    except dns.exception.DNSException:
        return []
    if read.opcode() != dns.opcode.QUERY:
        return []
    found = int.from_bytes(message[6:8]) if read.flags & dns.flags.QR else None
    return [
        Dns(source, target, str(q.name).rstrip(".").lower(), dns.rdatatype.to_text(q.rdtype), found)
        for q in read.question
        if q.rdtype not in {dns.rdatatype.AXFR, dns.rdatatype.IXFR}
    ]
