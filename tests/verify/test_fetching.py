import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from sendwright.verify.asking.fetching import Https, Once
from sendwright.verify.look import Fetched, Told
from tests.verify.certificates import Made, made, root
from tests.verify.names import Names, zone

ROOT = root()
GOOD = made("mta-sts.example.com", issuer=ROOT)
WORLD = "mta-sts.example.com. IN A 127.0.0.1\nv6.example.com. IN AAAA ::1\nempty.example.com. IN TXT x"
Serve = Callable[[ssl.SSLSocket], None]


def _replying(*pieces: bytes, pause: float = 0.0) -> Serve:
    def serve(channel: ssl.SSLSocket) -> None:
        channel.recv(4096)
        for piece in pieces:
            channel.sendall(piece)
            time.sleep(pause)

    return serve


def _chain(shown: Made, folder: Path) -> ssl.SSLContext:
    file = folder / "chain.pem"
    key = shown.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_text(shown.pem + "".join(i.public_bytes(serialization.Encoding.PEM).decode() for i in shown.issuers))
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, folder / "key.pem")
    return context


@contextmanager
def _serving(folder: Path, serve: Serve, shown: Made = GOOD, *, tls: bool = True) -> Iterator[int]:
    context = _chain(shown, folder)
    with socket.create_server(("127.0.0.1", 0)) as door:

        def run() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = door.accept()
                    with suppress(OSError), plain:
                        if not tls:
                            time.sleep(3)
                            continue
                        with context.wrap_socket(plain, server_side=True) as channel:
                            serve(channel)

        threading.Thread(target=run, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., Fetched]:
    """What comes of one request to a server on loopback."""
    (tmp_path / "root.pem").write_text(ROOT.pem)
    trust = tmp_path / "root.pem"

    def fetch(
        serve: Serve,
        *,
        shown: Made = GOOD,
        tls: bool = True,
        host: str = "mta-sts.example.com",
        own: Made | None = None,
    ) -> Fetched:
        (tmp_path / "own.pem").write_text(own.pem if own else "")
        with _serving(tmp_path, serve, shown, tls=tls) as port:
            return Https(Names(zone(WORLD)), 0.6, trust, tmp_path / "own.pem" if own else None, anywhere=True)(
                f"https://{host}:{port}/.well-known/mta-sts.txt", 20
            )

    return fetch


def test_a_reply_is_got_with_its_kind_and_body(get: Callable[..., Fetched]) -> None:
    """In chunks or with a length; the media type without its parameters, in lower case."""
    sized = _replying(b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=x\r\nContent-Length: 5\r\n\r\nhello")
    chunked = _replying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")

    assert get(sized) == Fetched(200, "text/plain", b"hello")
    assert get(chunked) == Fetched(200, "", b"hello")


def test_a_private_authority_is_trusted_beside_the_others(get: Callable[..., Fetched]) -> None:
    """An inventory names it; what others serve is judged as before."""
    private = root("a private authority")
    issued = made("mta-sts.example.com", issuer=private)
    hello = _replying(b"HTTP/1.1 200 OK\r\n\r\nhello")

    assert get(hello, shown=issued).failure
    assert get(hello, shown=issued, own=private).body == b"hello"
    assert get(hello, own=private).body == b"hello"


def test_a_reply_is_cut_at_the_limit(get: Callable[..., Fetched]) -> None:
    """However much there is."""
    serve = _replying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)

    assert get(serve) == Fetched(200, "", b"x" * 20, cut=True)


def test_redirects_are_not_followed(get: Callable[..., Fetched]) -> None:
    """RFC 8461 section 3.3."""
    assert (
        get(_replying(b"HTTP/1.1 301 Moved\r\nLocation: https://a.example/\r\nContent-Length: 0\r\n\r\n")).status == 301
    )


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (made("other.example.com", issuer=ROOT), "mta-sts.example.com"),
        (made("mta-sts.example.com"), "self-signed"),
    ],
    ids=["another name", "another authority"],
)
def test_the_certificate_is_verified(get: Callable[..., Fetched], shown: Made, said: str) -> None:
    """Its chain and its name, by the name that was asked for."""
    fetched = get(_replying(b"HTTP/1.1 200 OK\r\n\r\n"), shown=shown)

    assert said in fetched.failure
    assert not fetched.unreachable


@pytest.mark.parametrize(
    "serve",
    [
        _replying(b"HTTP/1.1 200 OK\r\n", *(b"X-Drip: 1\r\n",) * 60, pause=0.05),
        _replying(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", *(b"x",) * 15, pause=0.1),
        _replying(*(b"HTTP/1.1 100 Continue\r\n\r\n",) * 60, pause=0.05),
        lambda _: time.sleep(2),
    ],
    ids=["headers", "body", "continue", "silence"],
)
def test_one_deadline_holds_however_a_server_drips(get: Callable[..., Fetched], serve: Serve) -> None:
    """Of what comes octet by octet the whole counts."""
    assert "in time" in get(serve).failure


def test_a_handshake_that_never_ends_is_given_up(get: Callable[..., Fetched]) -> None:
    """A peer that takes the connection and says nothing."""
    assert "handshake did not end in time" in get(_replying(), tls=False).failure


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\0\xff" * 100,),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",),
        (b"",),
    ],
    ids=["garbage", "endless header", "too short", "a negative length", "nothing"],
)
def test_what_is_no_http_is_a_failure(get: Callable[..., Fetched], pieces: tuple[bytes, ...]) -> None:
    """Of the server, and never an exception."""
    fetched = get(_replying(*pieces))

    assert fetched.failure
    assert not fetched.status


@pytest.mark.parametrize(
    "url",
    [
        "http://mta-sts.example.com/",
        "https://192.0.2.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://user@mta-sts.example.com/",
        "https://mta-sts.example.com:99999/",
        "https://mta-sts.example.com/a\r\nX: y",
        "https://mta-sts.example.com/\xe4",
        "https://",
        "",
    ],
)
def test_what_is_no_https_address_is_not_asked_for(url: str) -> None:
    """Addresses come out of hostile records."""
    assert Https(Names(zone(WORLD)), 0.2, anywhere=True)(url, 20).failure


def test_a_name_without_address_is_the_servers_fault_and_a_silent_resolver_nobodys() -> None:
    """The one fails, the other cannot be told."""
    told = {("dark.example.com", "A"): Told.FAILED, ("bogus.example.com", "A"): Told.BOGUS}
    https = Https(Names(zone(WORLD), told), 0.2, anywhere=True)

    assert not https("https://empty.example.com/", 20).unreachable
    assert https("https://dark.example.com/", 20).unreachable
    assert not https("https://bogus.example.com/", 20).unreachable


def test_a_refused_connection_is_the_servers_fault() -> None:
    """Somebody was there and said no."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    fetched = Https(Names(zone(WORLD)), 0.5, anywhere=True)(f"https://mta-sts.example.com:{port}/", 20)

    assert "refused" in fetched.failure
    assert not fetched.unreachable


def test_each_address_is_fetched_once_in_a_run() -> None:
    """However many servers and threads want the same policy; a silent one is waited for once."""
    asked: list[str] = []

    def slow(url: str, _: int) -> Fetched:
        asked.append(url)
        time.sleep(0.05)
        return Fetched(status=200, body=url.encode())

    fetch = Once(slow)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: fetch(f"https://{i % 2}.example/", 9).body, range(32)))

    assert sorted(asked) == ["https://0.example/", "https://1.example/"]
    assert found == [f"https://{i % 2}.example/".encode() for i in range(32)]


def test_a_stranger_s_name_does_not_lead_inside_our_own_network() -> None:
    """Whoever has a name has it point to loopback or a private address; nothing is connected to there."""
    with socket.socket() as inside:
        inside.bind(("127.0.0.1", 0))
        inside.listen()
        inside.setblocking(False)
        port = inside.getsockname()[1]

        fetched = Https(Names(zone(WORLD)), 0.5)(f"https://mta-sts.example.com:{port}/", 20)

        assert "reserved (loopback)" in fetched.failure
        assert not fetched.unreachable
        with pytest.raises(BlockingIOError):
            inside.accept()
