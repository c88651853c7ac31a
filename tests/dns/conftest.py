"""What tests of DNS share: a small DNS for SPF, and servers on the loopback that say what they are told to."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import dns.message
import dns.tsig
import pytest

from sendwright.dns.spf_lookup import Answer, Lookup

if TYPE_CHECKING:
    from tests.dns.cloudflare_standin import StandIn

Zone = Mapping[str, Mapping[str, Sequence[str]]]


@pytest.fixture(scope="session")
def world() -> Callable[[Zone], Lookup]:
    """Return what makes a lookup of ``{name: {type: values}}``; the value ``!`` is a time-out, the type ``*`` all."""

    def made(zone: Zone) -> Lookup:
        def lookup(name: str, rdtype: str) -> Answer:
            types = zone.get(name.lower(), {})
            values = tuple(types.get("*", types.get(rdtype, ())))
            return Answer(failure="timed out") if "!" in values else Answer(values)

        return lookup

    return made


KEY = dns.tsig.Key("updater", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "hmac-sha256")
Reply = Callable[[dns.message.Message], Iterable[bytes]]


@dataclass
class NameServer:
    """A server that takes one message a connection, or a datagram; ``key`` is the one that it knows.

    ``got`` are the messages that came over TCP, ``asked`` those over UDP.
    """

    port: int
    key: dns.tsig.Key
    got: list[dns.message.Message] = field(default_factory=list)
    asked: list[dns.message.Message] = field(default_factory=list)


@contextlib.contextmanager
def _serving(reply: Reply) -> Iterator[NameServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        server = NameServer(listener.getsockname()[1], KEY)
        datagrams.bind(("127.0.0.1", server.port))

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                # A client that has enough hangs up.
                with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as stream:
                    wire = stream.read(int.from_bytes(stream.read(2), "big"))
                    server.got.append(dns.message.from_wire(wire, keyring={KEY.name: KEY}))
                    for part in reply(server.got[-1]):
                        connection.sendall(part)

        def answer() -> None:
            while True:
                wire, client = datagrams.recvfrom(65535)
                if not wire:
                    return
                server.asked.append(dns.message.from_wire(wire))
                datagrams.sendto(b"".join(reply(server.asked[-1]))[2:], client)

        def until_closed(act: Callable[[], None]) -> None:
            with contextlib.suppress(OSError):
                act()

        threads = [threading.Thread(target=until_closed, args=(act,), daemon=True) for act in (serve, answer)]
        for thread in threads:
            thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        datagrams.sendto(b"", ("127.0.0.1", server.port))
        threads[1].join()


@pytest.fixture
def serving() -> Callable[[Reply], AbstractContextManager[NameServer]]:
    """Return what serves, over TCP and UDP, the octets that a function makes of each message."""
    return _serving


API_KEY = "correct-horse"
Respond = Callable[[str, str, bytes], tuple[int, bytes]]


@contextlib.contextmanager
def _http_serving(respond: Respond) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            right = self.headers["X-API-Key"] == API_KEY
            status, answer = respond(self.command, self.path, body) if right else (401, b"Unauthorized")
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            # A client that has waited enough hangs up.
            with contextlib.suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_PATCH = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def http_serving() -> Callable[[Respond], AbstractContextManager[str]]:
    """Return what serves, by HTTP, what a function answers to method, path and body, and yields its URL.

    Who comes without the key ``correct-horse`` of PowerDNS' API is refused.
    """
    return _http_serving


@pytest.fixture
def standin() -> Iterator["StandIn"]:
    """Return a Cloudflare that has one zone; whatever it is sent has to be as the SDK's types have it."""
    from tests.dns.cloudflare_standin import StandIn  # half a second, and most tests of DNS do without

    with StandIn().serving() as found:
        found.add_zone("example.com")
        yield found
    assert found.invalid == []
