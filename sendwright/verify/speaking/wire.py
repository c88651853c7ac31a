"""A connection to a server that may be of ill will: every wait ends, and what it sends is bounded, inside TLS too."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from OpenSSL import SSL

from sendwright.verify.speaking.conversation import Endpoint, Silence

Connect = Callable[[Endpoint, float], socket.socket]
Clock = Callable[[], float]
"""Seconds that never go back, as ``time.monotonic``."""

# RFC 5321, 4.5.3.1.5 asks for 512 octets; real servers exceed it, and a few kilobytes are nobody's honest line.
LONGEST_LINE = 2048
_MOST = 512 * 1024
_PIECE = 16 * 1024
# Of a connection, in waits for one reply: a server that answers each time at the last moment is let go as well.
_WAITS = 3
_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL}
)
_FORBIDDEN = frozenset({errno.EPERM, errno.EACCES})


class Unreached(Exception):
    """There is no connection: ``silence`` says of what kind that is, ``why`` in words."""

    def __init__(self, silence: Silence, why: str) -> None:
        super().__init__(why)
        self.silence, self.why = silence, why


class Fallen(Exception):
    """A connection that was there cannot be used any further: it was closed, fell silent, or said too much."""


class Closed(Fallen):
    """The peer hung up."""


def connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    """Connect to an endpoint within ``timeout`` seconds; OSError when that fails."""
    return socket.create_connection((str(endpoint.address), endpoint.port), timeout)


def reach(endpoint: Endpoint, timeout: float, opened: Connect) -> socket.socket:
    """Connect, or raise Unreached with what it means that it failed."""
    try:
        return opened(endpoint, timeout)
    except TimeoutError:
        raise Unreached(Silence.FILTERED, "nothing came back") from None
    except ConnectionRefusedError:
        raise Unreached(Silence.REFUSED, "the connection was refused") from None
    except ConnectionError as error:
        raise Unreached(Silence.BROKEN, f"the connection broke at once ({error.strerror or error})") from None
    except OSError as error:
        if error.errno in _FORBIDDEN:
            raise Unreached(Silence.FILTERED, "this machine's own firewall forbids it") from None
        kind = Silence.NO_ROUTE if error.errno in _UNREACHABLE else Silence.FILTERED
        raise Unreached(kind, f"it cannot be reached from here ({error.strerror or error})") from None


@dataclass
class Wire:
    """Octets to and from a peer. ``patience``: seconds that it has for each reply; all of it takes thrice as long.

    Whatever goes wrong raises Fallen, with the reason in words.
    """

    socket: socket.socket
    clock: Clock
    patience: float
    _tls: SSL.Connection | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _received: int = 0
    _end: float = 0.0
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._end = self.clock() + _WAITS * self.patience
        self.wait()

    def wait(self) -> None:
        """Begin to wait for the next reply."""
        self._until = min(self._end, self.clock() + self.patience)

    @property
    def left(self) -> float:
        """Seconds that the whole connection still has."""
        return self._end - self.clock()

    def send(self, data: bytes) -> None:
        """Send everything."""
        if self._tls is None:
            self._put(data)
            return
        try:
            self._tls.sendall(data)
        except SSL.Error as error:
            raise Fallen(f"TLS failed ({reason(error)})") from None
        self._flush()

    def line(self) -> bytes:
        """Return the next line without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise Fallen(f"it sent a line of more than {LONGEST_LINE:,} octets")
            self._buffer += self._get() if self._tls is None else self._get_inside(self._tls)
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if len(found) > LONGEST_LINE:
            raise Fallen(f"it sent a line of more than {LONGEST_LINE:,} octets")
        return found.removesuffix(b"\r")

    def begin(self, data: bytes) -> None:
        """Send the first octets of TLS in the clear; what came before is forgotten, as in `secure`."""
        self._buffer.clear()
        self.wait()
        self._put(data)

    def take(self, count: int) -> bytes:
        """Return so many octets of what comes without TLS."""
        while len(self._buffer) < count:
            self._buffer += self._get()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def secure(self, context: SSL.Context, name: str, found: list[tuple[int, int]]) -> SSL.Connection:
        """Shake hands, with ``name`` as SNI; what the context's callback finds wrong goes to ``found``.

        What was sent before it is forgotten: anybody may have put it there (RFC 3207, 4.2). SSL.Error if it fails.
        """
        self._buffer.clear()
        tls = SSL.Connection(context, None)
        tls.set_app_data(found)
        tls.set_connect_state()
        tls.set_tlsext_host_name(name.encode("ascii", "replace"))
        self.wait()
        self._tls = tls
        try:
            while not self._shaken(tls):
                tls.bio_write(self._get())
        except (SSL.Error, Fallen):
            self._goodbye(tls)
            self._tls = None
            raise
        return tls

    def _shaken(self, tls: SSL.Connection) -> bool:
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return False
        self._flush()
        return True

    def _goodbye(self, tls: SSL.Connection) -> None:
        # The alert that says what we did not like, if the peer still listens.
        try:
            self._put(_pending(tls))
        except Fallen:
            return

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _get_inside(self, tls: SSL.Connection) -> bytes:
        while True:
            try:
                return tls.recv(_PIECE)
            except SSL.WantReadError:
                self._flush()
                tls.bio_write(self._get())
            except SSL.ZeroReturnError:
                raise Closed("it closed the connection") from None
            except SSL.Error as error:
                raise Fallen(f"TLS failed ({reason(error)})") from None

    def _flush(self) -> None:
        if self._tls is not None and (data := _pending(self._tls)):
            self._put(data)

    def _put(self, data: bytes) -> None:
        self._ready()
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise Fallen("it stopped reading") from None
        except OSError as error:
            raise Closed(f"the connection broke ({error.strerror or error})") from None

    def _get(self) -> bytes:
        self._ready()
        try:
            data = self.socket.recv(_PIECE)
        except TimeoutError:
            raise Fallen(self._silent()) from None
        except OSError as error:
            raise Closed(f"the connection broke ({error.strerror or error})") from None
        if not data:
            raise Closed("it closed the connection")
        self._received += len(data)
        if self._received > _MOST:
            raise Fallen(f"it sent more than {_MOST // 1024} KiB")
        return data

    def _ready(self) -> None:
        left = self._until - self.clock()
        if left <= 0:
            raise Fallen(self._silent())
        self.socket.settimeout(left)

    def _silent(self) -> str:
        return f"it took longer than {self.patience:g} s to answer"


def _pending(tls: SSL.Connection) -> bytes:
    data = bytearray()
    while True:
        try:
            data += tls.bio_read(_PIECE)
        except SSL.Error:
            return bytes(data)


def reason(error: SSL.Error) -> str:
    """Return OpenSSL's own words for what failed."""
    found = error.args[0] if error.args and isinstance(error.args[0], list) else []
    words = [str(entry[-1]) for entry in found if entry and entry[-1]]
    return ", ".join(dict.fromkeys(words)) or "the peer gave up"
