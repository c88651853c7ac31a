"""A relay between the controller and a name server, which misbehaves when it is told to: over UDP, and over TCP."""

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sendwright.lab import netns

ADDRESS = "127.0.0.1"
_PATIENCE = 10.0
_CHUNK = 65536
_UPDATE = 5


class Manner(StrEnum):
    """What the relay does.

    ``faithful``: hands everything on; ``silent``: takes everything and says nothing; ``rubbish``: answers at once, with
    what is no answer; ``lost``: closes the connection when a change comes, which the server never sees; ``unanswered``:
    hands the change on, and closes the connection instead of handing on the answer.
    """

    FAITHFUL = "faithful"
    SILENT = "silent"
    RUBBISH = "rubbish"
    LOST = "lost"
    UNANSWERED = "unanswered"


@dataclass
class Relay:
    """A relay that runs: its port at the controller's loopback address, and what it does from now on."""

    namespace: str
    server: tuple[str, int]
    rubbish: bytes
    port: int = 0
    manner: Manner = Manner.FAITHFUL

    def stream(self, client: socket.socket) -> None:
        """Serve one TCP connection."""
        if self.manner is Manner.SILENT:
            while client.recv(_CHUNK):
                pass
        elif self.manner is Manner.RUBBISH:
            client.recv(_CHUNK)
            client.sendall(self.rubbish)
        else:
            with netns.inside(self.namespace), socket.create_connection(self.server, _PATIENCE) as server:
                self._hand_on(client, server)

    def datagram(self, asked: bytes, answer: Callable[[bytes], object]) -> None:
        """Serve one question over UDP."""
        if self.manner is Manner.RUBBISH:
            answer(self.rubbish)
        elif self.manner is not Manner.SILENT:
            with netns.inside(self.namespace), socket.socket(type=socket.SOCK_DGRAM) as server:
                server.settimeout(_PATIENCE)
                server.sendto(asked, self.server)
                answer(server.recv(_CHUNK))

    def _hand_on(self, client: socket.socket, server: socket.socket) -> None:
        swallow = False
        while ready := select.select([client, server], [], [], _PATIENCE)[0]:
            for source in ready:
                if not (data := source.recv(_CHUNK)):
                    return
                if source is client and self.manner is not Manner.FAITHFUL and _changes(data):
                    if self.manner is Manner.LOST:
                        return
                    swallow = True
                if source is client:
                    server.sendall(data)
                elif swallow:
                    return
                else:
                    client.sendall(data)


@contextmanager
def relay(namespace: str, server: tuple[str, int], rubbish: bytes) -> Iterator[Relay]:
    """Run a relay in a namespace, to a server's address and port; ``rubbish``: what it says when it talks some."""
    running = Relay(namespace, server, rubbish)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            running.stream(self.request)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, here = self.request
            running.datagram(data, lambda said: here.sendto(said, self.client_address))

    class Tcp(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    class Udp(socketserver.ThreadingUDPServer):
        daemon_threads = True
        block_on_close = False

    with ExitStack() as stack:
        with netns.inside(namespace):
            tcp = stack.enter_context(Tcp((ADDRESS, 0), Stream))
            running.port = tcp.server_address[1]
            udp = stack.enter_context(Udp((ADDRESS, running.port), Datagram))
            for each in (tcp, udp):
                threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
                stack.callback(each.shutdown)
        yield running


def _changes(data: bytes) -> bool:
    """Whether a request changes anything: a PATCH, or an update with a record to write (RFC 2136 section 2.2)."""
    if data.startswith(b"PATCH "):
        return True
    size, message = int.from_bytes(data[:2], "big"), data[2:]
    return size == len(message) > 10 and message[2] >> 3 & 15 == _UPDATE and message[8:10] != b"\0\0"
