"""Cloudflare's API through its SDK: requests that wait their turn, answers that are parsed, refusals in plain words.

The SDK's own retries are off: it gives up after three tries in 1.6 seconds even when it is told to wait for 300.
Reads are tried again; a write is not, unless it surely did not happen: whoever does not hear the answer cannot know.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from sendwright.dns.providers.cloudflare_batches import Batch
from sendwright.dns.providers.cloudflare_records import Id, Remote
from sendwright.dns.providers.cloudflare_refusals import Refused, refusal
from sendwright.dns.providers.limiter import Limiter, OutOfPatience
from sendwright.dns.providers.patience import OutOfTime, within
from sendwright.errors import DnsError, ServerUnreachable

if TYPE_CHECKING:
    from cloudflare import Cloudflare
    from httpx import Response

TITLE = "Cloudflare"
BASE_URL = "https://api.cloudflare.com/client/v4"
# The most that the API's description allows.
_ZONES_A_PAGE = 50
_RECORDS_A_PAGE = 5_000_000
_TRIES = 3
# Far more than anybody has, and still an end: of one answer's octets, of all pages, and of what stands on them.
_MOST_BYTES = 256 * 2**20
_MOST_PAGES = 2000
_MOST_ITEMS = 2_000_000
# So many times longer than it may be silent may an answer take in all.
_IN_ALL = 6

_REACH = "Is it reachable from here, and well (www.cloudflarestatus.com)? Running again is safe."
_UNKNOWN = "Whether the changes were made is unknown, all or none of them; run again: what is there already is kept."

Item = TypeVar("Item", bound=BaseModel)


class RemoteZone(BaseModel):
    """A zone as the API has it."""

    id: Id
    name: str = Field(max_length=255)
    status: str = Field("active", max_length=32)
    name_servers: tuple[Annotated[str, Field(max_length=255)], ...] = ()


class _Info(BaseModel):
    total_pages: int | None = None
    total_count: int | None = None


class _Page(BaseModel, Generic[Item]):
    success: Literal[True]
    result: Annotated[list[Item], Field(max_length=_MOST_ITEMS)]
    result_info: _Info | None = None


class _Done(BaseModel):
    success: Literal[True]
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Api:
    """The API, as one token may use it. ``seconds``: how long it may be silent; the token never shows in a repr."""

    token: str = field(repr=False)
    limiter: Limiter = field(repr=False)
    base_url: str = BASE_URL
    seconds: float = 30.0

    def zones(
        self, subject: str, name: str | None = None, most_pages: int | None = None
    ) -> tuple[RemoteZone, ...] | None:
        """Return the zones that the token sees, or None if that would take more than ``most_pages`` requests.

        Arguments: ``subject``: the name that errors are about; ``name``: a filter of the API, as in
        ``ends_with:example.com``.
        """
        from cloudflare import omit

        list_zones = self._client.zones.with_raw_response.list

        def page(number: int) -> "Response":
            return list_zones(page=number, per_page=_ZONES_A_PAGE, name=name or omit).http_response

        return self._pages(subject, _Page[RemoteZone], page, "list its zones", "Zone.Zone:Read", most_pages)

    def records(self, zone: RemoteZone) -> tuple[Remote, ...]:
        """Return all records of a zone."""
        list_records = self._client.dns.records.with_raw_response.list

        def page(number: int) -> "Response":
            return list_records(zone_id=zone.id, page=number, per_page=_RECORDS_A_PAGE).http_response

        return self._pages(zone.name, _Page[Remote], page, "read its records", "Zone.DNS:Edit") or ()

    def change(self, zone: RemoteZone, batch: Batch) -> None:
        """Carry out a batch, all of it or nothing."""
        send = self._client.dns.records.with_raw_response.batch
        parts = {"deletes": batch.deletes, "patches": batch.patches, "puts": batch.puts, "posts": batch.posts}
        # Given as arguments, the SDK would take 2 ms for each operation to find out what it already is.
        body = {name: operations for name, operations in parts.items() if operations}

        def request() -> "Response":
            return send(zone_id=zone.id, extra_body=body).http_response

        response = self._ask(zone.name, request, "change its records", "Zone.DNS:Edit", writes=True)
        try:
            _Done.model_validate_json(response.content)
        except ValidationError:
            what = f"{TITLE} took the changes and answered with something that is not its API's."
            raise DnsError(zone.name, what, _UNKNOWN) from None

    @cached_property
    def _client(self) -> "Cloudflare":
        from cloudflare import Cloudflare, DefaultHttpxClient

        # Not packed: a few octets would unpack to more than there is room for. No redirect: the API has none.
        http = DefaultHttpxClient(
            base_url=self.base_url,
            timeout=self.seconds,
            headers={"Accept-Encoding": "identity"},
            follow_redirects=False,
            event_hooks={"response": [self._bound]},
        )
        client = Cloudflare(
            api_token=self.token, base_url=self.base_url, max_retries=0, timeout=self.seconds, http_client=http
        )
        # They come from the environment, and would be sent in the place of the token that the inventory names.
        client.api_key = client.api_email = client.user_service_key = None
        client._custom_headers = {}  # noqa: SLF001 - the SDK has no other way to leave them out
        return client

    def _bound(self, response: "Response") -> None:
        import httpx

        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx.DecodingError("its answer is packed, unasked")
        response.stream = _bounded(response.stream, time.monotonic() + _IN_ALL * self.seconds)

    def _pages(
        self,
        zone: str,
        model: type[_Page[Item]],
        page: Callable[[int], "Response"],
        doing: str,
        needs: str,
        most: int | None = None,
    ) -> tuple[Item, ...] | None:
        number, items = 0, list[Item]()
        while True:
            number += 1
            response = self._ask(zone, partial(page, number), doing, needs, writes=False)
            try:
                found = model.model_validate_json(response.content)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
                what = f"{TITLE} answered with something that is not its API's (at {where or 'the start'})."
                raise DnsError(zone, what, _REACH) from None
            items += found.result
            info = found.result_info or _Info()
            pages = info.total_pages or 1
            if most is not None and pages > most:
                return None
            if not found.result or number >= pages:
                break
            if number >= _MOST_PAGES or len(items) > _MOST_ITEMS:
                what = f"{TITLE} does not come to an end when asked to {doing}: {len(items)} entries so far."
                raise DnsError(zone, what, _REACH)
        if len(items) < (info.total_count or 0):
            what = f"{TITLE} gave {len(items)} of {info.total_count} entries when asked to {doing}."
            raise DnsError(zone, what, "Somebody may be changing them: run again.")
        return tuple(items)

    def _ask(self, zone: str, request: Callable[[], "Response"], doing: str, needs: str, *, writes: bool) -> "Response":
        """Send a request in its turn and return the answer; raise a DnsError that says what came instead."""
        import cloudflare

        waited, failures = 0.0, 0
        while True:
            waited = self._turn(zone, waited)
            try:
                response = within(_IN_ALL * self.seconds, request)
            except (cloudflare.APIConnectionError, OutOfTime) as error:
                failures += 1
                sent = _was_sent(error)
                if failures < _TRIES and not (writes and sent) and not isinstance(error, OutOfTime):
                    self.limiter.sleep(failures)
                    continue
                raise self._silent(zone, error, doing, unknown=writes and sent) from None
            except cloudflare.APIStatusError as error:
                if error.status_code == 429:
                    self.limiter.refused(error.response.headers)
                    continue
                self.limiter.told(error.response.headers)
                failures += 1
                if error.status_code >= 500 and failures < _TRIES and not writes:
                    self.limiter.sleep(failures)
                    continue
                said = Refused.of(error.status_code, error.body, self.token)
                raise refusal(zone, TITLE, said, doing, needs, _UNKNOWN if writes else _REACH) from None
            self.limiter.told(response.headers)
            return response

    def _turn(self, zone: str, waited: float) -> float:
        try:
            return self.limiter.turn(waited)
        except OutOfPatience as error:
            what = f"{TITLE} takes no more requests of this token for another {error.seconds:.0f} s (HTTP 429)."
            hint = "Its limit is shared with all that uses the token or its user: wait, then run again."
            raise ServerUnreachable(zone, what, hint) from None

    def _silent(self, zone: str, error: Exception, doing: str, *, unknown: bool) -> ServerUnreachable:
        reason = type(error.__cause__ or error).__name__
        if _timed_out(error):
            reason = f"no answer in {self.seconds * (_IN_ALL if isinstance(error, OutOfTime) else 1):g} s"
        if unknown:
            what = f"{TITLE} took the changes and gave no answer: {reason}."
            return ServerUnreachable(zone, what, _UNKNOWN)
        return ServerUnreachable(zone, f"{TITLE} does not answer when asked to {doing}: {reason}.", _REACH)


def _timed_out(error: Exception) -> bool:
    import cloudflare

    return isinstance(error, cloudflare.APITimeoutError | OutOfTime)


def _bounded(stream: Any, deadline: float) -> Any:
    """Return the stream of a body that ends, in octets and in seconds."""
    import httpx

    class Bounded(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in stream:
                size += len(part)
                if size > _MOST_BYTES or time.monotonic() > deadline:
                    raise httpx.ReadError("its answer does not end")
                yield part

        def close(self) -> None:
            stream.close()

    return Bounded()


def _was_sent(error: Exception) -> bool:
    """Whether a request may have reached the server: it surely did not if there was no connection."""
    import httpx

    return not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
