"""Small mail servers on loopback for unit tests of ``verify``: real sockets, and as ill-behaved as a test wants."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from OpenSSL import SSL

from sendwright.verify.speaking.conversation import Endpoint
from sendwright.verify.speaking.wire import Connect
from tests.verify.certificates import Made

Stream = socket.socket | SSL.Connection
Said = Callable[[str], str]


def context(shown: Made, *, least: int = SSL.TLS1_2_VERSION, most: int = SSL.TLS1_3_VERSION) -> SSL.Context:
    """Return how a server speaks TLS."""
    found = SSL.Context(SSL.TLS_SERVER_METHOD)
    found.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    found.set_min_proto_version(least)
    found.set_max_proto_version(most)
    found.use_certificate(shown.certificate)
    found.use_privatekey(shown.key)
    for issuer in shown.issuers:
        found.add_extra_chain_cert(issuer)
    return found


def refuses_strangers(command: str) -> str:
    """Answer as a good server of example.com does."""
    verb = command.upper()
    if verb.startswith("RCPT") and "@EXAMPLE.COM>" not in verb:
        return "554 5.7.1 Relay access denied"
    return "221 Bye" if verb == "QUIT" else "250 2.0.0 Ok"


@dataclass
class Server:
    """A server of one port. ``heard``: every command so far; ``connections``: how many there were."""

    greeting: str = "220 mx1.example.com ESMTP"
    named: str = "mx1.example.com"
    before: tuple[str, ...] = ("PIPELINING", "STARTTLS")
    inside: tuple[str, ...] = ("PIPELINING",)
    starttls: str = "220 Go ahead"
    tls: SSL.Context | None = None
    implicit: bool = False
    says: Said = refuses_strangers
    heard: list[str] = field(default_factory=list)
    connections: int = 0

    def __call__(self, sock: socket.socket) -> None:
        """Serve one connection."""
        self.connections += 1
        stream = self._secured(sock) if self.implicit else sock
        _put(stream, self.greeting)
        if self._talked(stream, self.inside if self.implicit else self.before):
            self._talked(self._secured(sock), self.inside)

    def _talked(self, stream: Stream, keywords: tuple[str, ...]) -> bool:
        """Answer until the end, or until TLS is to begin."""
        for command in _commands(stream):
            self.heard.append(command)
            verb = command.upper().partition(" ")[0]
            if verb == "EHLO":
                *first, last = (self.named, *keywords)
                _put(stream, "".join(f"250-{word}\r\n" for word in first) + f"250 {last}")
            elif verb == "STARTTLS":
                _put(stream, self.starttls)
                if self.starttls.startswith("220"):
                    return True
            else:
                _put(stream, self.says(command))
        return False

    def _secured(self, sock: socket.socket) -> SSL.Connection:
        if self.tls is None:
            sock.sendall(b"\x00garbage\r\n" * 10)
            raise ConnectionError
        stream = SSL.Connection(self.tls, sock)
        stream.set_accept_state()
        stream.do_handshake()
        return stream


Serve = Callable[[socket.socket], None]


@contextmanager
def serving(ports: Mapping[int, Serve]) -> Iterator[Connect]:
    """Run servers, and yield how to connect to them by the port that they play; other ports refuse."""
    listeners = {port: socket.create_server(("127.0.0.1", 0)) for port in ports}
    for port, serve in ports.items():
        threading.Thread(target=_accepting, args=(listeners[port], serve), daemon=True).start()

    def connect(endpoint: Endpoint, timeout: float) -> socket.socket:
        if endpoint.port not in listeners:
            raise ConnectionRefusedError
        return socket.create_connection(listeners[endpoint.port].getsockname(), timeout)

    try:
        yield connect
    finally:
        for listener in listeners.values():
            # Wakes the thread that waits in accept, as closing alone does not.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _accepting(listener: socket.socket, serve: Serve) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_one, args=(sock, serve), daemon=True).start()


def _one(sock: socket.socket, serve: Serve) -> None:
    with sock, suppress(OSError, SSL.Error):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(sock)


def _put(stream: Stream, text: str) -> None:
    stream.sendall(text.encode("latin-1") + b"\r\n")


def _commands(stream: Stream) -> Iterator[str]:
    buffer = b""
    while True:
        while b"\n" not in buffer:
            piece = stream.recv(4096)
            if not piece:
                return
            buffer += piece
        line, _, buffer = buffer.partition(b"\n")
        yield line.decode("latin-1").strip()
        if line.strip().upper() == b"QUIT":
            return
