"""Records as Cloudflare's API has them, to and from master-file text. Pure.

The API keeps one object a record, not a record set; names have no final dot; MX has its priority beside its content,
and SRV, CAA and TLSA are taken apart into ``data``. A TTL of 1 is "automatic", which is served as 300 seconds.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any

import dns.exception
import dns.name
from pydantic import BaseModel, BeforeValidator, Field

from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical, joined, plain_name, rdata, txt

MARK = "sendwright"
PROXIED = frozenset({"A", "AAAA", "CNAME"})
_AUTOMATIC = 300
_NUMBERS = {"SRV": ("priority", "weight", "port"), "CAA": ("flags",), "TLSA": ("usage", "selector", "matching_type")}

# Part of a path that is asked for: whatever else a server calls an id, nothing but this goes there.
Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


class Remote(BaseModel):
    """One record as the API has it; what else it says of it is not ours to know or to change."""

    id: Id
    name: str = Field(max_length=255)
    type: str = Field(max_length=16)
    content: str | None = None
    ttl: int = Field(ge=0, lt=2**31)
    priority: float | None = None
    proxied: bool | None = None
    data: Annotated[Mapping[str, Any], BeforeValidator(_none_is_empty)] = Field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Its name and type."""
        return plain_name(self.name), self.type

    @property
    def seconds(self) -> int:
        """Its TTL as it is served."""
        return _AUTOMATIC if self.ttl == 1 else self.ttl

    @property
    def text(self) -> str:
        """Its data as master-file text with absolute names; TXT as it was read. ValueError if it is none."""
        text = _text(self)
        canonical(self.type, text)
        return text

    @property
    def value(self) -> str:
        """Its data as values are compared."""
        return canonical(self.type, self.text)


def record_set(records: Collection[Remote]) -> RecordSet | None:
    """Return the record set that records of one name and type make; ValueError if one of them cannot be read."""
    if not records:
        return None
    name, rdtype = next(iter(records)).key
    # The API lets records of a set differ in TTL; servers then answer with one of them (RFC 2181 section 5.2).
    return RecordSet(name, rdtype, min(r.seconds for r in records), tuple(r.text for r in records))


def by_key(records: Iterable[Remote]) -> dict[Key, list[Remote]]:
    """Return records by name and type."""
    found: dict[Key, list[Remote]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record)
    return found


def body(name: str, rdtype: str, ttl: int, value: str) -> dict[str, Any]:
    """Return a whole record as the API takes it, with our mark; ValueError for a type that is not written here."""
    found: dict[str, Any] = {"name": name, "type": rdtype, "ttl": ttl, "comment": MARK, **_fields(rdtype, value)}
    if rdtype in PROXIED:
        found["proxied"] = False
    return found


def retimed(record: Remote, ttl: int) -> dict[str, Any]:
    """Return the change of a record's TTL alone: its comment, tags and content are not mentioned, so they stay."""
    found: dict[str, Any] = {"id": record.id, "name": record.name, "type": record.type, "ttl": ttl}
    if record.type in PROXIED:
        found["proxied"] = False
    return found


def _text(record: Remote) -> str:
    content = record.content or ""
    match record.type:
        case "TXT":
            return content if _is_quoted(content) else txt(content)
        case "MX":
            return f"{_number(record, 'priority')} {_absolute(content)}"
        case "SRV" | "CAA" | "TLSA" if record.data:
            return _text_of_data(record)
        case "CNAME" | "NS" | "PTR":
            return _absolute(content)
    return content


def _text_of_data(record: Remote) -> str:
    numbers = " ".join(str(_number(record, part)) for part in _NUMBERS[record.type])
    said = {part: str(record.data.get(part, "")) for part in ("target", "tag", "value", "certificate")}
    match record.type:
        case "SRV":
            return f"{numbers} {_absolute(said['target'])}"
        case "CAA":
            return f"{numbers} {said['tag']} {txt(said['value'])}"
    return f"{numbers} {said['certificate']}"


def _fields(rdtype: str, value: str) -> dict[str, Any]:
    parsed: Any = rdata(rdtype, value)
    match rdtype:
        case "TXT":
            return {"content": " ".join(map(txt, parsed.strings))}
        case "A" | "AAAA":
            return {"content": parsed.address}
        case "CNAME" | "NS" | "PTR":
            return {"content": _relative(parsed.target)}
        case "MX":
            return {"content": _relative(parsed.exchange), "priority": parsed.preference}
        case "SRV" | "CAA" | "TLSA":
            return {"data": _data(rdtype, parsed)}
    raise ValueError(f"records of type {rdtype} are not written there")


def _data(rdtype: str, parsed: Any) -> dict[str, Any]:
    numbers = {part: getattr(parsed, "mtype" if part == "matching_type" else part) for part in _NUMBERS[rdtype]}
    match rdtype:
        case "SRV":
            return {**numbers, "target": _relative(parsed.target)}
        case "CAA":
            return {**numbers, "tag": parsed.tag.decode(), "value": parsed.value.decode()}
    return {**numbers, "certificate": parsed.cert.hex()}


def _is_quoted(content: str) -> bool:
    try:
        joined(content)
    except dns.exception.DNSException:
        return False
    return content.startswith('"')


def _number(record: Remote, part: str) -> int:
    number = record.data.get(part, record.priority if part == "priority" else None)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 65535:
        raise ValueError(f"its {part} is no number of 16 bits")
    return int(number)


def _absolute(name: str) -> str:
    return name.rstrip(".") + "."


def _relative(name: dns.name.Name) -> str:
    return plain_name(name.to_text()) or "."
