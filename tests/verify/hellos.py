"""First flights of TLS 1.2 as servers send them, in octets, and a server that answers with them."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field


def sized(data: bytes, octets: int = 2) -> bytes:
    """Return data behind its length."""
    return len(data).to_bytes(octets, "big") + data


def record(body: bytes, kind: int = 22) -> bytes:
    """Return a record."""
    return bytes([kind, 3, 3]) + sized(body)


def server_hello(suite: int, *, compression: int = 0, secure: bool = True, version: int = 0x0303) -> bytes:
    """Return a ServerHello; ``secure``: with the extension of RFC 5746."""
    extensions = sized(b"\xff\x01\x00\x01\x00") if secure else b""
    body = struct.pack("!H", version) + bytes(32) + sized(b"session", 1) + struct.pack("!HB", suite, compression)
    return b"\x02" + sized(body + extensions, 3)


def key_exchange(prime: int) -> bytes:
    """Return a ServerKeyExchange of finite-field Diffie-Hellman."""
    octets = prime.to_bytes((prime.bit_length() + 7) // 8, "big")
    return b"\x0c" + sized(sized(octets) + sized(b"\x02") + sized(b"\x04") + b"a signature", 3)


CERTIFICATE = b"\x0b" + sized(bytes(5000), 3)
DONE = b"\x0e\x00\x00\x00"
REFUSED = record(b"\x02\x28", 21)
NOTED = record(b"\x01\x70", 21)


def offered(hello: bytes) -> tuple[int, ...]:
    """Return the suites of a ClientHello in one record."""
    place = 5 + 4 + 2 + 32 + 1
    (length,) = struct.unpack_from("!H", hello, place)
    return struct.unpack_from(f"!{length // 2}H", hello, place + 2)


@dataclass
class Choosing:
    """A server that answers each ClientHello with octets, without any cryptography; None: it falls silent.

    ``heard``: the suites of every hello.
    """

    answers: Callable[[tuple[int, ...]], bytes | None]
    heard: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, sock: socket.socket) -> None:
        """Serve one connection."""
        self.heard.append(offered(sock.recv(10000)))
        said = self.answers(self.heard[-1])
        if said != b"":
            sock.sendall(said or b"")
            sock.recv(1000)
