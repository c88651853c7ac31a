"""Record sets in which our value and somebody else's cannot both stand: which ones, and what a person can do. Pure.

A slot is a place for one value: two SPF records are an error for every receiver (RFC 7208 section 3.2), two DMARC
records are none (RFC 9989 section 4.10), and so are two of TLS-RPT (RFC 8460 section 3) or MTA-STS (RFC 8461 section
3.1), or two keys of one selector. Somebody else's SPF record is merged with ours, and their DMARC, TLS-RPT or MTA-STS
record stays in the place of ours; so does their record of a DKIM key that is ours too, because it was imported.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from sendwright.dns.key_tags import same_key
from sendwright.dns.rdata import joined, short
from sendwright.dns.records import Record

_VERSIONS = {
    "SPF": re.compile(rb"v=spf1( |\Z)", re.IGNORECASE),
    "DMARC": re.compile(rb"v\s*=\s*dmarc1\s*(;|$)", re.IGNORECASE),
    "TLS-RPT": re.compile(rb"v\s*=\s*tlsrptv1\s*(;|$)", re.IGNORECASE),
    "MTA-STS": re.compile(rb"v\s*=\s*stsv1\s*(;|$)", re.IGNORECASE),
}
_EMPTY_KEY = re.compile(rb"(^|;)\s*p\s*=\s*(;|$)")
# The slots in which somebody else's value is kept in the place of ours.
YIELDING = frozenset({"DMARC", "TLS-RPT", "MTA-STS"})


def slot(name: str, rdtype: str, value: str) -> str | None:
    """Return the slot that a value takes at its name, or None if any number of such values may stand there."""
    if rdtype == "CNAME":
        return "CNAME"  # a name is an alias of one other (RFC 2181 section 10.1)
    if rdtype != "TXT":
        return None
    if "._domainkey." in name:
        return "DKIM"
    octets = joined(value)
    return next((title for title, version in _VERSIONS.items() if version.match(octets)), None)


def revokes(name: str, rdtype: str, value: str) -> bool:
    """Whether a value says that a DKIM key is revoked: an empty ``p=`` (RFC 6376 section 3.6.1)."""
    return slot(name, rdtype, value) == "DKIM" and _EMPTY_KEY.search(joined(value)) is not None


def in_the_way(
    name: str, rdtype: str, desired: Collection[Record], foreign: Collection[str], seen: Iterable[str], *, host: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is in the way at one record set, and what to do about it, each as a phrase and a sentence.

    Arguments: ``foreign``: canonical values, without what the inventory consents to replace; ``seen``: every value that
    is there; ``host``: whether the name is a host's.
    """
    taken = {slot(name, rdtype, r.value) for r in desired} - {None}
    living = Counter(slot(name, rdtype, value) for value in seen)
    for value in sorted(foreign):
        place = slot(name, rdtype, value)
        what = f"{name} has {rdtype} {short(value)}, which is somebody else's"
        if host:
            hint = _POLICY_HINT if name.startswith("mta-sts.") else _HOST_HINT
            yield what, hint.format(type=rdtype, name=name)
        elif rdtype == "TLSA" and desired:
            yield what, _TLSA_HINT.format(name=name)
        elif rdtype == "MX" and desired:
            yield what, _MX_HINT.format(name=name)
        elif rdtype == "CNAME" and desired:
            yield what, f"A name can be an alias of one other only: remove that record, if no selector needs {name}."
        elif rdtype == "SRV" and desired:
            yield what, _SRV_HINT.format(name=name)
        elif place == "DKIM" and place in taken:
            if any(revokes(name, rdtype, r.value) for r in desired):
                yield (
                    what,
                    f"The key at {name} is revoked: remove that record, or make it ours by sendwright dns adopt.",
                )
            elif living[place] > 1 or not any(same_key(value, r.value) for r in desired):
                yield what, _KEY_HINT.format(name=name)
        elif place in YIELDING and place in taken and living[place] > 1:
            what = f"{name} has {living[place]} {place} records, and receivers then act as if it had none"
            yield what, f"Only one {place} record may be at {name}: remove all but the one that is meant."


_HOST_HINT = (
    "A host's name must lead to its own addresses only: remove that {type} record, declare the address as egress of "
    "the host, or name the host otherwise."
)
_POLICY_HINT = (
    "A policy for mail (MTA-STS) is fetched from {name}: remove that {type} record, or, if somebody else serves the "
    "policy, set mta_sts to 'off' for the domain."
)
_TLSA_HINT = (
    "Senders that enforce DANE may know {name} by it, and take no key that is not told there: remove that record, or "
    "take its port out of dane."
)
_MX_HINT = (
    "To have it replaced set replace_mx to True for {name}; to leave the mail where it is set mx to 'elsewhere' (or "
    "leave mx out, for a domain that sends nothing)."
)
_KEY_HINT = (
    "Only one key may be at {name}: remove that record if nothing signs with it, or restore the state folder that its "
    "private key lies in."
)
_SRV_HINT = (
    "Mail programs would take either: remove that record, or leave it and set submission_srv to False for the domain "
    "that {name} lies in."
)
