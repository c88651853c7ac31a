"""What to publish by hand: as tables for web forms, in zone-file form, and as JSON."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from sendwright.dns.export import Exported
from sendwright.dns.rdata import joined, rdata
from sendwright.dns.records import Record
from sendwright.dns.slots import YIELDING, slot
from sendwright.escape import plain, printable
from sendwright.plan import Stage
from sendwright.report.json import document

_WHEN = {
    Stage.EXPAND: "now: mail relies on it",
    Stage.HOSTS: "when the hosts take mail and hold the keys: `sendwright provision` has set them up",
    Stage.SWITCH: "when mail leaves signed from every host of the domain",
    Stage.CONTRACT: "last, when nothing needs what it replaces any more",
}
_UNKNOWN = "known after generation: run `sendwright provision`, then export again"


def export_lines(domains: Iterable[Exported]) -> str:
    """Return tables for people: names without the domain, texts without quotes, as most web forms want them."""
    return "\n".join(line for domain in domains for line in _table(domain)).rstrip("\n")


def export_zones(domains: Iterable[Exported]) -> str:
    """Return master-file lines (RFC 1035 section 5) with comments; every name is absolute, long texts are split."""
    return "\n".join(line for domain in domains for line in _zone(domain)).rstrip("\n")


def export_document(domains: Iterable[Exported]) -> str:
    """Return all of it as JSON (``docs/json.md``)."""
    return document("dns-export", domains=[_fields(domain) for domain in domains])


def _table(domain: Exported) -> Iterator[str]:
    yield click.style(domain.domain, bold=True)
    width = max((len(domain.relative(r)) for r in domain.records), default=0)
    for stage, records in domain.stages:
        yield f"  {_when(stage)}"
        for record in records:
            name = f"{domain.relative(record):<{width}}"
            yield printable(f"    {name}  {record.type:<5}  {record.ttl:>5}  {_raw(record)}")
            yield click.style(f"    {'':<{width}}  # {plain(record.why)}", dim=True)
        yield from (f"    ! {note}" for note in _notes(records))
    yield from (f"    ! {line}" for line in _unknown(domain))
    yield ""


def _zone(domain: Exported) -> Iterator[str]:
    yield f"; {domain.domain}"
    for stage, records in domain.stages:
        yield from ("", f"; {_when(stage)}", *(f"; {note}" for note in _notes(records)))
        for record in records:
            yield f"; {plain(record.why)}"
            yield f"{record.name}.\t{record.ttl}\tIN\t{record.type}\t{rdata(record.type, record.value).to_text()}"
    yield from (f"; {line}" for line in _unknown(domain))
    yield ""


def _fields(domain: Exported) -> dict[str, Any]:
    return {
        "domain": domain.domain,
        "dns": domain.dns,
        "records": [
            {
                "name": record.name,
                "relative": domain.relative(record),
                "type": record.type,
                "ttl": record.ttl,
                "value": rdata(record.type, record.value).to_text(),
                "raw": _raw(record),
                "why": record.why,
                "stage": record.stage.name.lower(),
            }
            for record in domain.records
        ],
        "unknown": [algorithm.value for algorithm in domain.unknown],
    }


def _when(stage: Stage) -> str:
    return _WHEN.get(stage, stage.title)


def _raw(record: Record) -> str:
    return joined(record.value).decode("utf-8", "backslashreplace") if record.type == "TXT" else record.value


def _says_none(record: Record) -> bool:
    """Whether an SPF record lets nobody send: no term of it has any use in a record that lets somebody."""
    return _raw(record).lower() == "v=spf1 -all"


def _notes(records: Iterable[Record]) -> Iterator[str]:
    """Yield what has to be known about records of others that stand there already."""
    for record in records:
        name = record.name
        place = slot(name, record.type, record.value)
        if place == "SPF":
            what = (
                "put this one in its place"
                if _says_none(record)
                else "put these terms but for `all` into it, right behind v=spf1"
            )
            yield f"Only one SPF record may be at {name}: if there is one already, {what}."
        elif place in YIELDING:
            yield f"Only one {place} record may be at {name}, two are none: leave the one that is there, or replace it."
            if place == "MTA-STS":
                yield f"{name}: publish it only once every host of the domain serves the policy, each time it changes."
        elif record.type == "TLSA":
            yield f"{name}: only where the zone is signed with DNSSEC, and once the host shows its key."
        if record.tightens:
            yield f"What is at {name} becomes no stricter to others (all) before its time: {_when(record.tightens)}."
    if any(record.replaces for record in records):
        yield "The MX of others goes: the inventory says so (replace_mx)."


def _unknown(domain: Exported) -> Iterator[str]:
    for algorithm in domain.unknown:
        yield f"a DKIM record of {domain.domain} for its {algorithm} key: {_UNKNOWN}"
