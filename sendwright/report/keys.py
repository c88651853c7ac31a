"""DKIM keys as a table for people, as JSON, and as the record to publish."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sendwright.dkim import record_text
from sendwright.dns.rdata import rdata, txt
from sendwright.dns.record import TTL
from sendwright.keyring import Listed
from sendwright.lines import NEW
from sendwright.report.json import document
from sendwright.report.text import table
from sendwright.state.model import DkimKey

_HEADINGS = ("domain", "selector", "kind", "bits", "stage", "signs since", "due", "proven on")


def keys_lines(found: Iterable[Listed]) -> str:
    """Return a table; days are those of UTC."""
    return table(_HEADINGS, [_row(listed) for listed in found])


def keys_document(found: Iterable[Listed]) -> str:
    """Return all of it as JSON (``docs/json.md``)."""
    return document("keys", keys=[_fields(listed) for listed in found])


def record_line(key: DkimKey) -> str:
    """Return a key's TXT record in master-file form (RFC 1035 section 5), long texts split."""
    return f"{key.txt_name}.\t{TTL}\tIN\tTXT\t{rdata('TXT', txt(record_text(key))).to_text()}"


def _row(listed: Listed) -> tuple[str, ...]:
    key = listed.key
    stage = f"{key.stage}, leaked" if key.leaked else str(key.stage)
    proven = ", ".join(key.proven_on) or "-"
    return (
        *(key.domain, key.selector, str(key.algorithm), str(listed.bits or "?"), stage),
        *(_day(None if key.stage in NEW else key.signing_since), _day(listed.due), proven),
    )


def _fields(listed: Listed) -> dict[str, Any]:
    key = listed.key
    return {
        "domain": key.domain,
        "selector": key.selector,
        "name": key.record_name,
        "target": key.target,
        "algorithm": key.algorithm.value,
        "bits": listed.bits,
        "stage": key.stage.value,
        "created": key.created.isoformat(),
        "signing_since": _moment(key.signing_since),
        "due": _moment(listed.due),
        "leaked": _moment(key.leaked),
        "proven_on": list(key.proven_on),
    }


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "-"


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
