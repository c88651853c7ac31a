"""How the library's requests reach an authority: encrypted, bounded, and again where the standard asks for that."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
from acme import messages
from acme.client import ClientNetwork
from cryptography import x509
from josepy.jwa import ES256
from josepy.jwk import JWK
from requests.adapters import HTTPAdapter

from sendwright import __version__
from sendwright.acme.limits import Patience
from sendwright.acme.refusals import MEND, Refusal, Refused, refusal
from sendwright.dns.providers.patience import within
from sendwright.errors import AuthorityError
from sendwright.escape import plain

# A certificate for a hundred names with its whole chain has 20 KiB.
_MOST_BYTES = 2**20
# Nonces age while records spread: an authority may not know any more what it gave out before (RFC 8555 section 6.5).
_TRIES = 4
_BUSY = frozenset({429, 503})
_LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Seen:
    """What the last answer was, beside its body. ``until``: when the authority asks to come back, if it does."""

    status: int
    until: datetime | None = None


class Network(ClientNetwork):
    """The library's network for one authority.

    Arguments: ``title``: how sentences call the authority; ``trust``: a PEM file with the only roots that vouch for it,
    None for those of this machine.
    """

    def __init__(self, title: str, trust: Path | None, patience: Patience, key: JWK | None = None) -> None:
        roots: Any = str(trust) if trust else True
        super().__init__(
            key, alg=ES256, verify_ssl=roots, user_agent=f"sendwright/{__version__}", timeout=int(patience.silence)
        )
        self.title = title
        self.patience = patience
        self._adapter = _Bounded(patience)
        self.session.mount("https://", self._adapter)
        self.session.mount("http://", _Refusing())
        # A body that unpacks to something larger is none that we asked for.
        self.session.headers["Accept-Encoding"] = "identity"
        self.session.max_redirects = 0
        # Nothing out of anybody's .netrc.
        self.session.auth = _unchanged

    @contextmanager
    def asked(self, doing: str, mend: str = MEND) -> Iterator[None]:
        """Turn whatever comes of a block's calls to the library into Refused.

        Arguments: ``doing`` completes "asked to …"; ``mend``: the hint for refusals that have none of their own.
        The library hands on what an authority's octets make of its parsers, which may be any exception.
        """
        self._adapter.seen = None
        try:
            yield
        except Refused:
            raise
        except Exception as error:
            seen = self._adapter.seen
            status, until = (seen.status, seen.until) if seen else (None, None)
            raise refusal(error, self.title, doing, status, until, mend) from None

    def watched(self, look: Callable[[], bool], doing: str, seconds: float) -> bool:
        """Look until there is nothing to wait for, as often as the authority asks for; False when time is up."""
        deadline = time.monotonic() + seconds
        while True:
            with self.asked(doing):
                if look():
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(min(max(self._asked_to_wait(), self.patience.step), self.patience.pause))

    def get(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As the library's, and again where the authority asks for that and it is soon."""
        get = super().get
        return self._patiently(lambda: get(*args, **kwargs))

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As the library's, and again for as long as only the nonce is too old."""
        post = super().post
        return self._patiently(lambda: post(*args, **kwargs))

    def _patiently(self, call: Callable[[], requests.Response]) -> requests.Response:
        for _ in range(_TRIES - 1):
            try:
                return call()
            except Exception as error:
                if (pause := self._pause(error)) is None:
                    raise
                time.sleep(pause)
        return call()

    def _pause(self, error: Exception) -> float | None:
        """Return after how many seconds another try is due, or None."""
        if isinstance(error, messages.Error) and error.code == "badNonce":
            return 0
        seen = self._adapter.seen
        if seen is None or seen.status not in _BUSY or seen.until is None:
            return None
        pause = self._asked_to_wait()
        return pause if pause <= self.patience.pause else None

    def _asked_to_wait(self) -> float:
        """Return for how many seconds the last answer asks to come back later; 0 where it does not."""
        until = self._adapter.seen.until if self._adapter.seen else None
        return max((until - datetime.now(UTC)).total_seconds(), 0) if until else 0


def roots(path: Path) -> None:
    """Raise Refused unless a file holds certificates in PEM: what TLS makes of another one helps nobody."""
    hint = "Name a file with the root certificates of the authority, in PEM."
    try:
        x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        what = f"acme › trust: {plain(path)} cannot be read: {error.strerror}."
        raise Refused(Refusal(AuthorityError, what, hint)) from None
    except ValueError:
        raise Refused(Refusal(AuthorityError, f"acme › trust: {plain(path)} holds no certificate.", hint)) from None


class _Bounded(HTTPAdapter):
    """Answers that are whole, or an error."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience
        self.seen: Seen | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and read all of its answer."""
        self.seen = None
        send = super().send
        response, body = within(
            self.patience.request, lambda: _whole(send(request, *args, **kwargs | {"stream": True}))
        )
        response.raw = io.BytesIO(body)
        self.seen = Seen(response.status_code, _until(response.headers.get("Retry-After")))
        return response


class _Refusing(HTTPAdapter):
    """What an authority must not ask for: RFC 8555 section 6.1."""

    def send(self, *_: object, **__: object) -> requests.Response:
        """Refuse."""
        raise requests.exceptions.InvalidSchema("it leads to an address without encryption")


def _whole(response: requests.Response) -> tuple[requests.Response, bytes]:
    parts, size = [], 0
    try:
        for part in response.raw.stream(65536, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > _MOST_BYTES:
                response.close()
                break
    except Exception as error:
        # The library below has a tree of errors of its own.
        raise requests.exceptions.ChunkedEncodingError(error) from error
    if size > _MOST_BYTES:
        raise requests.exceptions.ContentDecodingError("it does not end")
    return response, b"".join(parts)


def _until(retry_after: str | None) -> datetime | None:
    """Return the time that a Retry-After field means (RFC 9110 section 10.2.3), None for nonsense."""
    now = datetime.now(UTC)
    try:
        given = (retry_after or "").strip()
        seconds = int(given) if given.isascii() and given.isdigit() else None
        until = parsedate_to_datetime(given) if seconds is None else now + timedelta(seconds=seconds)
        until = until.replace(tzinfo=until.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return until if now - _LONGEST < until < now + _LONGEST else None


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
