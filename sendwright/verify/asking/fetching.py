"""The `look.Fetch` of a real run: one HTTPS request to one address, bounded in time and size (RFC 9110, RFC 8461, 3.3).

HTTP itself is h11's, which has no connection of its own: one deadline holds for all of it, however a server drips.
"""

import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import h11

from sendwright.names import domain_name
from sendwright.verify.asking.flights import Done, Flights
from sendwright.verify.look import Dns, Fetch, Fetched, Told
from sendwright.verify.reserved import reserved

_PORT = 443
_PIECE = 16384
_MOST_ADDRESSES = 4
_AGENT = "sendwright (verify)"
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class _Failed(Exception):
    """Report why there is no reply."""

    def __init__(self, why: str, *, unreachable: bool = False) -> None:
        super().__init__(why)
        self.unreachable = unreachable


@dataclass(frozen=True)
class Https:
    """Get HTTPS addresses; plays `look.Fetch`. No proxy, no redirects, and names are asked of ``dns``.

    ``timeout``: in seconds, for one request in all; ``trust``: a file of authorities in PEM, None for those that
    OpenSSL trusts on this machine (``SSL_CERT_FILE`` is honoured); ``own``: one with further authorities; ``anywhere``:
    whether reserved addresses are asked as well: a stranger's name must not lead to what listens inside our network.
    """

    dns: Dns
    timeout: float
    trust: Path | None = None
    own: Path | None = None
    clock: Callable[[], float] = time.monotonic
    anywhere: bool = False

    def __call__(self, url: str, limit: int, /) -> Fetched:
        """Return the reply with at most ``limit`` octets of its body; never raises for what a server does."""
        until = self.clock() + self.timeout
        try:
            parts = _parts(url)
            with self._connected(parts, until) as channel:
                return self._got(channel, parts, limit, until)
        except _Failed as failure:
            return Fetched(failure=str(failure), unreachable=failure.unreachable)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=self.trust)
        if self.own is not None:
            made.load_verify_locations(cafile=self.own)
        return made

    def _addresses(self, host: str) -> list[str]:
        answers = self.dns.ask_all(((host, "A"), (host, "AAAA")))
        found = [value for answer in answers for value in answer.values]
        open_to_all = [value for value in found if self.anywhere or not reserved(ip_address(value))]
        if open_to_all:
            return open_to_all[:_MOST_ADDRESSES]
        if found:
            raise _Failed(f"{found[0]}, the address of {host}, is reserved ({reserved(ip_address(found[0]))})")
        silent = next((answer for answer in answers if not answer.known), None)
        if silent:
            raise _Failed(f"{host}: {silent.why}", unreachable=silent.told is Told.FAILED)
        raise _Failed(f"{host} has no address")

    def _connected(self, parts: SplitResult, until: float) -> ssl.SSLSocket:
        host = parts.hostname or ""
        addresses = self._addresses(host)
        failure = _Failed(f"{host} has no address")
        for number, address in enumerate(addresses):
            # So that one silent address leaves time for the others.
            wait = self._left(until) / (len(addresses) - number)
            try:
                plain = socket.create_connection((address, parts.port or _PORT), wait)
            except OSError as error:
                failure = _unconnected(address, error)
                continue
            return self._secured(plain, host, until)
        raise failure

    def _secured(self, plain: socket.socket, host: str, until: float) -> ssl.SSLSocket:
        try:
            plain.settimeout(self._left(until))
            return self._context.wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            failure = _Failed(f"the certificate is not accepted: {error.verify_message}")
        except TimeoutError:
            failure = _Failed("the TLS handshake did not end in time")
        except (OSError, ValueError) as error:
            failure = _Failed(f"TLS failed: {getattr(error, 'reason', None) or error}")
        plain.close()
        raise failure

    def _got(self, channel: ssl.SSLSocket, parts: SplitResult, limit: int, until: float) -> Fetched:
        talk = h11.Connection(h11.CLIENT)
        reply, body = Fetched(), b""
        try:
            channel.sendall(_request(talk, parts))
            while True:
                event = talk.next_event()
                if event is h11.NEED_DATA:
                    channel.settimeout(self._left(until))
                    talk.receive_data(channel.recv(_PIECE))
                elif isinstance(event, h11.Response):
                    reply = replace(reply, status=event.status_code, kind=_kind(event))
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                    if len(body) > limit:
                        return replace(reply, body=body[:limit], cut=True)
                elif isinstance(event, h11.EndOfMessage):
                    return replace(reply, body=body)
                elif not isinstance(event, h11.InformationalResponse):
                    raise _Failed("it hung up before the reply was whole")
        except h11.ProtocolError as error:
            raise _Failed(f"what it said is no HTTP: {error}") from error
        except TimeoutError as error:
            raise _Failed("the reply did not end in time") from error
        except (OSError, ValueError) as error:
            raise _Failed(f"it broke off: {getattr(error, 'reason', None) or error}") from error

    def _left(self, until: float) -> float:
        left = until - self.clock()
        if left <= 0:
            raise _Failed("the reply did not end in time")
        return left


class Once:
    """Get each address once in a run, from any thread; plays `look.Fetch` by another one.

    The policy of a domain is judged itself, and weighs in the judgement of each of its servers.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._flights: Flights[tuple[str, int], Fetched] = Flights(self._each)
        self._fetch = fetch

    def __call__(self, url: str, limit: int, /) -> Fetched:
        """Return the reply, as it was when it was first asked for."""
        return self._flights.get(((url, limit),))[0]

    def _each(self, wanted: Sequence[tuple[str, int]], done: Done[tuple[str, int], Fetched]) -> None:
        for each in wanted:
            done(each, self._fetch(*each))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        domain_name(parts.hostname or "")
        fine = parts.scheme == "https" and not parts.username and parts.port != 0
    except ValueError as error:
        raise _Failed(f"no HTTPS address: {error}") from error
    if not fine:
        raise _Failed("no HTTPS address")
    return parts


def _request(talk: h11.Connection, parts: SplitResult) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port and parts.port != _PORT else "")
    headers = [("Host", host), ("User-Agent", _AGENT), ("Accept", "*/*"), ("Connection", "close")]
    try:
        request = h11.Request(method="GET", target=target, headers=headers)
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise _Failed(f"no HTTPS address: {error}") from error
    return (talk.send(request) or b"") + (talk.send(h11.EndOfMessage()) or b"")


def _kind(response: h11.Response) -> str:
    given = next((value for name, value in response.headers if name == b"content-type"), b"")
    return given.decode("latin-1").partition(";")[0].strip().lower()


def _unconnected(address: str, error: OSError) -> _Failed:
    if isinstance(error, TimeoutError):
        return _Failed(f"{address} does not answer", unreachable=True)
    why = f"{address}: {error.strerror or error}"
    return _Failed(why, unreachable=error.errno in _NO_ROUTE)
