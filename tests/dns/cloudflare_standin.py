"""A stand-in for Cloudflare's API, of documented behaviour, with state: zones, paged records, batches, limits, faults.

It judges each batch by the SDK's own types, which the API's description is the source of.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address
from math import ceil
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cloudflare.types.dns as sdk
import pydantic
from cloudflare.types.dns.record_batch_params import RecordBatchParams

from sendwright.dns.rdata import joined
from tests.dns.cloudflare_http import DIE, HANG, LOST, Answer, Clock, Fault, Json, Refusal, handler

TOKEN = "a-token-that-nobody-may-see"
SERVERS = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"]
EDIT, LIST = "Zone.DNS:Edit", "Zone.Zone:Read"
_BATCH = pydantic.TypeAdapter(RecordBatchParams)
_ALONE = {"A", "AAAA", "CNAME"}


@dataclass
class StandIn:
    """The API's state, its limits, and what it was asked.

    ``faults``: what happens at the n-th request of a kind (``zones``, ``records``, ``batch``) instead; ``grants``: what
    the token may do; ``invalid``: what the SDK's types would not have let pass; ``meanwhile``: what somebody
    else does right before the n-th batch.
    """

    clock: Clock = field(default_factory=Clock)
    limit: int = 1200
    window: int = 300
    most_records: int = 5_000_000
    records_a_page: int = 5_000_000
    grants: set[str] = field(default_factory=lambda: {EDIT, LIST})
    zones: dict[str, Json] = field(default_factory=dict)
    records: dict[str, dict[str, Json]] = field(default_factory=dict)
    asked: list[tuple[str, Json]] = field(default_factory=list)
    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    port: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _kinds: Counter[str] = field(default_factory=Counter)
    _opened: float = 0.0
    _used: int = 0
    _closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/client/v4"

    def add_zone(self, name: str, status: str = "active") -> str:
        """Add a zone and return its id."""
        found = self._id()
        self.zones[found] = {"id": found, "name": name, "status": status, "name_servers": SERVERS, "type": "full"}
        self.records[found] = {}
        return found

    def add(self, zone: str, name: str, rdtype: str, content: str | None = None, ttl: int = 300, **more: Any) -> Json:
        """Add a record as somebody else would, in the zone of that id; return it."""
        record = self._complete({"name": name, "type": rdtype, "content": content, "ttl": ttl, **more}, self._id())
        self.records[zone][record["id"]] = record
        return record

    def count(self, kind: str) -> int:
        """Return how many requests of a kind came."""
        return self._kinds[kind]

    @property
    def batches(self) -> list[Json]:
        """The bodies of all batches that came."""
        return [body for kind, body in self.asked if kind == "batch"]

    @contextmanager
    def serving(self) -> Iterator["StandIn"]:
        """Serve on a port of the loopback interface."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self.answer))
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield self
        finally:
            self._closing.set()
            server.shutdown()
            server.server_close()

    def answer(self, path: str, headers: Mapping[str, str], body: Json) -> Answer | None:
        """Return the answer to a request; None: the connection just ends."""
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        steps = parts.path.removeprefix("/client/v4/zones").strip("/").split("/")
        kind = "batch" if steps[-1] == "batch" else "records" if steps[-1] == "dns_records" else "zones"
        with self._lock:
            refused = self._limited()
            if refused is not None:
                self._kinds["refused"] += 1
                return refused
            self._kinds[kind] += 1
            self.asked.append((kind, body or query))
            fault = self.faults.get((kind, self._kinds[kind]))
            if kind == "batch":
                self.meanwhile.get(self._kinds[kind], int)()
        if isinstance(fault, Answer):
            return self._with_limits(fault)
        if fault == HANG:
            self._closing.wait(20)
        if fault in {HANG, DIE}:
            return None
        with self._lock:
            try:
                found = self._served(kind, steps[0], headers, query, body)
            except Refusal as refusal:
                found = refusal.answer
            return None if fault == LOST else self._with_limits(found)

    def _served(self, kind: str, zone: str, headers: Mapping[str, str], query: Json, body: Json) -> Answer:
        if headers.get("authorization") != f"Bearer {TOKEN}" or "x-auth-key" in headers or "x-auth-email" in headers:
            raise Refusal(403, 9109, "Invalid access token")
        if kind == "zones":
            return self._zones(query)
        if EDIT not in self.grants:
            raise Refusal(403, 10000, "Authentication error")
        if zone not in self.zones:
            raise Refusal(404, 7003, "Could not route to it, perhaps your object identifier is invalid?")
        if kind == "records":
            return _page([*self.records[zone].values()], query, 100, self.records_a_page)
        return self._batch(zone, body)

    def _zones(self, query: Json) -> Answer:
        name = query.get("name", "")
        end = name.removeprefix("ends_with:")
        found = [z for z in self.zones.values() if z["name"] == name or (end != name and z["name"].endswith(end))]
        visible = (found if name else [*self.zones.values()]) if LIST in self.grants else []
        return _page(visible, query, 20, 50)

    def _batch(self, zone: str, body: Json) -> Answer:
        self.invalid += _wrong(body)
        if sum(map(len, body.values())) > 200:
            raise Refusal(400, 1004, "DNS Validation Error", (9207, "too many operations in one batch"))
        held = dict(self.records[zone])
        names: dict[str, set[str]] = {}
        for record in held.values():
            names.setdefault(record["name"], set()).add(record["id"])
        done: Json = {part: [] for part in ("deletes", "patches", "puts", "posts")}
        for part, made in done.items():
            for operation in body.get(part, []):
                old = held.pop(operation["id"], None) if part != "posts" else {}
                if old is None:
                    raise Refusal(404, 81044, "Record does not exist.")
                if part == "deletes":
                    made.append({"id": operation["id"]})
                    continue
                given = {**old, **operation} if part == "patches" else operation
                record = self._complete(given, old.get("id") or self._id())
                beside = names.setdefault(record["name"], set())
                self._check(record, [held[other] for other in beside if other in held])
                held[record["id"]] = record
                beside.add(record["id"])
                made.append(record)
        if len(held) > self.most_records:
            raise Refusal(400, 81045, "The record quota has been exceeded.")
        self.records[zone] = held
        return Answer.of(done)

    def _check(self, record: Json, beside: Iterable[Json]) -> None:
        _checked_content(record)
        if record["ttl"] != 1 and not 60 <= record["ttl"] <= 86400:
            raise Refusal(400, 1004, "DNS Validation Error", (9021, "Invalid TTL. Must be between 60 and 86400."))
        for other in beside:
            kinds = {other["type"], record["type"]}
            if len(kinds) == 1 and _same(other, record):
                raise Refusal(400, 81058, "An identical record already exists.")
            if "CNAME" in kinds and kinds <= _ALONE:
                raise Refusal(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
            if "CNAME" in kinds:
                raise Refusal(400, 81054, "A CNAME record with that host already exists.")

    def _complete(self, given: Json, record_id: str) -> Json:
        data = given.get("data")
        content = " ".join(str(value) for value in data.values()) if data else given.get("content")
        made: Json = {
            "settings": {},
            "meta": {},
            "comment": None,
            "tags": [],
            "proxied": False,
            "created_on": self.clock(),
        }
        return {**made, **given, "id": record_id, "content": content, "modified_on": self.clock()}

    def _id(self) -> str:
        return f"{next(self._ids):032x}"

    def _limited(self) -> Answer | None:
        now = self.clock()
        if now >= self._opened + self.window:
            self._opened, self._used = now, 0
        if self._used >= self.limit:
            wait = str(ceil(self._opened + self.window - now))
            return self._with_limits(Answer.error(429, 971, "Please wait and try again later", retry_after=wait))
        self._used += 1
        return None

    def _with_limits(self, answer: Answer) -> Answer:
        left, wait = self.limit - self._used, ceil(self._opened + self.window - self.clock())
        limits = {
            "Ratelimit": f'"default";r={left};t={wait}',
            "Ratelimit-Policy": f'"default";q={self.limit};w={self.window}',
        }
        return Answer(answer.status, answer.body, {**limits, **answer.headers})


def _page(found: list[Json], query: Json, usual: int, most: int) -> Answer:
    size, number = min(int(query.get("per_page", usual)), most), int(query.get("page", 1))
    part = found[(number - 1) * size : number * size]
    info = {"page": number, "per_page": size, "count": len(part), "total_count": len(found)}
    return Answer.of(part, result_info={**info, "total_pages": ceil(len(found) / size)})


def _wrong(body: Json) -> Iterator[str]:
    """Yield what the SDK's types say against a batch; they drop what they do not know, so keys are compared too."""
    try:
        parsed = _BATCH.validate_python({"zone_id": "z", **body})
        for part in parsed:
            if part != "zone_id":
                list(parsed[part])  # type: ignore[literal-required]
    except pydantic.ValidationError as error:
        yield str(error)
    for part, operations in body.items():
        for operation in operations:
            known = {"id"} if part == "deletes" else _keys(f"{operation['type']}RecordParam") | {"id"}
            if unknown := operation.keys() - known - ({"id"} if part == "posts" else set()):
                yield f"{part}: {unknown}"


def _keys(name: str) -> frozenset[str]:
    model: Any = getattr(sdk, name)
    keys: frozenset[str] = model.__required_keys__ | model.__optional_keys__
    return keys


def _checked_content(record: Json) -> None:
    forms: dict[str, Callable[[str], object]] = {"A": IPv4Address, "AAAA": IPv6Address, "TXT": joined}
    try:
        forms.get(record["type"], str)(record["content"])
    except Exception:
        what = f"Content for {record['type']} record is invalid."
        raise Refusal(400, 1004, "DNS Validation Error", (9005, what)) from None
    if record["type"] == "MX" and "priority" not in record:
        raise Refusal(400, 1004, "DNS Validation Error", (9101, "priority is a required field"))


def _same(record: Json, other: Json) -> bool:
    if record["type"] == "TXT":
        return joined(record["content"]) == joined(other["content"])
    return (record["content"], record.get("priority")) == (other["content"], other.get("priority"))
