"""PowerDNS' HTTP API: one request, one answer; what comes back is hostile until it is parsed.

https://doc.powerdns.com/authoritative/http-api/ describes it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, TypeVar

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from sendwright.dns.providers.patience import within
from sendwright.errors import DnsError, NotAllowed, ServerUnreachable
from sendwright.escape import plain

_MOST_BYTES = 256 * 2**20
# A zone of 100,000 records is read, or changed and signed again, well within this.
_IN_ALL = 6
_REACH = "Is the server up, reachable from here, and the right `url` under dns? Running again is safe."
_UNKNOWN = "Whether the change was applied is unknown, whole or not at all; run again: what is there already is kept."

Answer = TypeVar("Answer")


class ApiRecord(BaseModel):
    """A value; one that is ``disabled`` is kept and not served."""

    content: Annotated[str, Field(max_length=2**18)]
    disabled: bool = False


class ApiSet(BaseModel):
    """A record set; names are absolute."""

    name: str
    type: str
    ttl: Annotated[int, Field(ge=0, lt=2**31)]
    records: Sequence[ApiRecord]


class ApiZone(BaseModel):
    """A zone with all that is in it."""

    rrsets: Sequence[ApiSet]


class Listed(BaseModel):
    """A zone in the list of zones; ``kind`` as in ``Native`` or ``Slave``."""

    name: str
    kind: str


ZONE = TypeAdapter(ApiZone)
LIST = TypeAdapter(list[Listed])


@dataclass(frozen=True)
class Api:
    """The API of one server. ``key`` never shows; ``patience``: seconds of silence after which it is given up."""

    url: str
    server_id: str
    key: str = field(repr=False)
    patience: float = 30.0

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return f"the PowerDNS API at {self.url}"

    @cached_property
    def _client(self) -> httpx.Client:
        # Made once, because it loads the certificates of all authorities. No connection is kept: the server closes it.
        # Without encryption, a proxy that the environment names would read the key.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(timeout=self.patience, limits=limits, trust_env=self.url.startswith("https:"))

    def get(self, zone: str, path: str, shape: TypeAdapter[Answer]) -> Answer:
        """Return what the API has below a path of the server; ``zone`` is for errors.

        Raises ServerUnreachable, NotAllowed, or DnsError for what is no answer of this API.
        """
        status, body = self._exchange(zone, "GET", path, None)
        if status != httpx.codes.OK:
            raise self._refusal(zone, status, body, "")
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            # Neither pydantic's text nor the cause: both quote what came.
            count = f"{error.error_count()} mistakes"
            what = f"{self.title} answered with something else than its documented JSON ({count})."
            raise DnsError(zone, what, _REACH) from None

    def patch(self, zone: str, path: str, body: bytes) -> None:
        """Change what is below a path, whole or not at all; raises like ``get`` and says what was applied."""
        status, answer = self._exchange(zone, "PATCH", path, body)
        if status not in {httpx.codes.OK, httpx.codes.NO_CONTENT}:
            raise self._refusal(zone, status, answer, "; nothing was applied")

    def _exchange(self, zone: str, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        url = f"{self.url.rstrip('/')}/api/v1/servers/{self.server_id}{path}"
        headers = {"X-API-Key": self.key, "Accept": "application/json", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            client = self._client
        except OSError as error:
            what = f"{self.title} cannot be asked: {_reason(error)}."
            raise ServerUnreachable(zone, what, "Does SSL_CERT_FILE or SSL_CERT_DIR name certificates?") from None

        def request() -> tuple[int, bytes]:
            with client.stream(method, url, headers=headers, content=body) as response:
                return response.status_code, self._body(response)

        try:
            # Its headers may come as slowly as its body.
            return within(_IN_ALL * self.patience, request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            what = f"{self.title} takes no connection: {_reason(error)}."
            raise ServerUnreachable(zone, what, _REACH) from None
        except (httpx.HTTPError, OSError) as error:
            hint = _REACH if body is None else _UNKNOWN
            raise ServerUnreachable(zone, f"{self.title} gives no answer: {_reason(error)}.", hint) from None

    def _body(self, response: httpx.Response) -> bytes:
        """Read the body as it is, without end neither in bytes nor in seconds."""
        parts, size, deadline = [], 0, time.monotonic() + _IN_ALL * self.patience
        for part in response.iter_raw():
            parts.append(part)
            size += len(part)
            if size > _MOST_BYTES or time.monotonic() > deadline:
                raise httpx.ReadError("its answer does not end")
        return b"".join(parts)

    def _refusal(self, zone: str, status: int, body: bytes, outcome: str) -> DnsError:
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return NotAllowed(
                zone,
                f"{self.title} does not accept the API key ({status}){outcome}.",
                "Check the key against `api-key` of pdns.conf, and that `webserver-allow-from` holds our address.",
            )
        if status == httpx.codes.NOT_FOUND:
            return NotAllowed(
                zone,
                f"{self.title} has no such zone, or no server called {self.server_id} (404){outcome}.",
                "Name the server that is primary for the zone under dns, and its own name as `server_id`.",
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            hint = _UNKNOWN if outcome else "Its own log says why; running again is safe."
            return ServerUnreachable(zone, f"{self.title} failed ({status}){_said(body)}.", hint)
        if outcome and status in {httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT}:
            hint = "Plan again; if it says the same, look at those records on the server."
            return DnsError(zone, f"{self.title} refused the change ({status}){_said(body)}{outcome}.", hint)
        return DnsError(zone, f"{self.title} answered {status} to a request of its API{outcome}.", _REACH)


class _Refusal(BaseModel):
    error: str


def _said(body: bytes) -> str:
    """Return the sentence that the API gives with a refusal, printable and cut, or nothing."""
    try:
        said = _Refusal.model_validate_json(body[:65536]).error
    except ValidationError:
        return ""
    return f": {plain(said).rstrip('.')}"


def _reason(error: Exception) -> str:
    return plain(error).rstrip(".") or type(error).__name__
