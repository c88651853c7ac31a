"""Record sets in octoDNS's form and back. Pure.

What is not ours in a record set keeps octoDNS's own form of it, so that a provider gets back what it gave.
"""

from collections.abc import Collection, Iterable
from typing import Any

import dns.exception

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import canonical, rdata
from sendwright.errors import DnsError


def read_back(zone: str, records: Iterable[Any], wanted: Collection[Key]) -> tuple[RecordSet, ...]:
    """Return the wanted record sets among octoDNS's, and aliases at their names; DnsError for what cannot be told."""
    wanted = frozenset(wanted)
    names = {name for name, _ in wanted}
    found = []
    for record in records:
        name, rdtype = key(record)
        if (name, rdtype) in wanted or (rdtype == "CNAME" and name in names):
            found.append(RecordSet(name, rdtype, _ttl(zone, record), tuple(sorted(_texts(zone, record)))))
        elif rdtype == "ALIAS" and {(name, "A"), (name, "AAAA")} & wanted:
            what = f"{name} has an ALIAS, a record that is no DNS: the provider makes addresses of it."
            raise DnsError(zone, what, "Remove it: a host's name must lead to its own addresses only.")
    return tuple(sorted(found, key=lambda found: found.key))


def changed(zone: Any, edits: Collection[Edit]) -> Any:
    """Return octoDNS's zone with the edits made in it; ``zone`` stays as it is."""
    from octodns.record import Record

    new = zone.copy()
    for edit in edits:
        old = next((r for r in zone.records if key(r) == (edit.name, edit.type)), None)
        if old is not None:
            new.remove_record(old)
        if edit.after is not None:
            name = zone.hostname_from_fqdn(f"{edit.name}.")
            record = Record.new(zone, name, _data(zone, edit.after, old), lenient=True)
            _check(zone.name.rstrip("."), record, edit.after)
            new.add_record(record)
    return new


def key(record: Any) -> Key:
    """Return the name and type of octoDNS's record."""
    return record.fqdn.rstrip(".").lower(), record._type  # noqa: SLF001 - octoDNS has no public name for it


def _texts(zone: str, record: Any) -> list[str]:
    name, rdtype = key(record)
    try:
        texts = [rdata(rdtype, text).to_text() for text in record.to_rrset().rdatas]
        for text in texts:
            canonical(rdtype, text)
    except (dns.exception.DNSException, ValueError) as error:
        what = f"{rdtype} {name} holds data that is no DNS ({type(error).__name__})."
        raise DnsError(zone, what, "Mend it at the provider.") from None
    return texts


def _ttl(zone: str, record: Any) -> int:
    # It is what an API said, and octoDNS takes what it is given: no clock could be set by some of it.
    if type(record.ttl) is not int or not 0 <= record.ttl < 2**31:
        name, rdtype = key(record)
        raise DnsError(zone, f"{rdtype} {name} has a TTL that is none.", "Mend it at the provider.")
    return record.ttl


def _values(record: Any) -> list[Any]:
    values = record.values if hasattr(record, "values") else [record.value]
    return [getattr(value, "data", value) for value in values]


def _data(zone: Any, after: RecordSet, old: Any) -> dict[str, Any]:
    """Return a record set in octoDNS's form: values that were there in the form that they had."""
    from octodns.record import Record, Rrset

    name = zone.name.rstrip(".")
    if old is not None and (getattr(old, "dynamic", None) or getattr(old, "geo", None)):
        what = f"{after.type} {after.name} answers differently from place to place, or by health; it was left alone."
        raise DnsError(name, what, "Name the host otherwise, or make it a plain record.")
    known = dict(zip(_texts(name, old), _values(old), strict=True)) if old is not None else {}
    values = []
    for text in after.values:
        if text not in known:
            text_of = rdata(after.type, text).to_text()
            made = Record.from_rrset(zone, Rrset(f"{after.name}.", after.type, after.ttl, [text_of]), lenient=True)
            known[text] = _values(made)[0]
        values.append(known[text])
    data: dict[str, Any] = {"type": after.type, "ttl": after.ttl, "values": values}
    if len(values) == 1:
        data["value"] = data.pop("values")[0]
    if old is not None and old.octodns:
        data["octodns"] = old.octodns
    return data


def _check(zone: str, record: Any, after: RecordSet) -> None:
    """Refuse what octoDNS cannot say: it strips quotes, and takes text for ASCII."""
    said = {canonical(after.type, text) for text in _texts(zone, record)}
    if said != {canonical(after.type, text) for text in after.values}:
        what = f"octoDNS has no form for the data of {after.type} {after.name}; nothing was applied."
        raise DnsError(zone, what, "Change that record set by hand.")
