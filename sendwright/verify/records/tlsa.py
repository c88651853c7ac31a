"""TLSA records and what they match (RFC 6698, as RFC 7672 uses it for mail). Pure."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from sendwright.verify.records.certificate import Read, covers, read
from sendwright.verify.wording import shown

_DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}
_TRUST_ANCHOR, _END_ENTITY = 2, 3
_MOST_STEPS = 10
_SHOWN = 100


@dataclass(frozen=True)
class Tlsa:
    """A record. ``problem``: why mail servers cannot use it, empty if they can."""

    text: str
    usage: int = 0
    selector: int = 0
    matching: int = 0
    data: bytes = b""
    problem: str = ""


def parse(text: str) -> Tlsa:
    """Read a record in its presentation form (RFC 6698, 2.2), or in that of what is malformed (RFC 3597, 5)."""
    try:
        found = _generic(text) if text.startswith("\\#") else _written(text)
    except ValueError:
        return Tlsa(shown(text, _SHOWN), problem="it cannot be parsed")
    return replace(found, problem=_problem(found))


def _written(text: str) -> Tlsa:
    usage, selector, matching, *rest = text.split()
    return Tlsa(shown(text, _SHOWN), int(usage), int(selector), int(matching), bytes.fromhex("".join(rest)))


def _generic(text: str) -> Tlsa:
    _, _, *rest = text.split()
    usage, selector, matching, *_ = data = bytes.fromhex("".join(rest))
    return Tlsa(shown(f"{usage} {selector} {matching} {data[3:].hex()}", _SHOWN), usage, selector, matching, data[3:])


def _problem(record: Tlsa) -> str:
    if record.usage in {0, 1}:
        return f"usage {record.usage} rests on public authorities, which mail servers do not look at (RFC 7672, 3.1.3)"
    if record.usage not in {_TRUST_ANCHOR, _END_ENTITY}:
        return f"usage {record.usage} does not exist"
    if record.selector not in {0, 1}:
        return f"selector {record.selector} does not exist"
    if record.matching not in {0, 1, 2}:
        return f"matching type {record.matching} does not exist"
    if record.matching and len(record.data) != (wanted := _DIGESTS[record.matching]().digest_size):
        return f"its digest has {len(record.data)} octets instead of {wanted}"
    return "" if record.data else "it holds nothing to compare with"


def matches(record: Tlsa, chain: Sequence[Read], name: str, now: datetime) -> bool:
    """Tell whether a usable record vouches for a chain as it was sent, the server's own certificate first.

    An end entity's (usage 3) vouches whatever its dates and names are (RFC 7672, 3.1.1); an authority's (usage 2) for
    what it really issued, for that ``name`` and within its dates (3.1.2).
    """
    if record.problem or not chain:
        return False
    if record.usage == _END_ENTITY:
        return _equal(record, chain[0])
    leaf = chain[0]
    if leaf.not_before is None or leaf.not_after is None or not covers(leaf.names, name):
        return False
    return leaf.not_before <= now <= leaf.not_after and _leads_to(record, chain)


def end_entity(record: Tlsa) -> bool:
    """Tell whether it is about the server's own certificate or key."""
    return record.usage == _END_ENTITY


def equal_now(record: Tlsa, leaf: Read) -> bool:
    """Tell whether it is about this very certificate or its key, so that it is of no use to the next one."""
    return not record.problem and end_entity(record) and _equal(record, leaf)


def wanted(leaf: Read) -> str:
    """Return the record that vouches for a certificate's key, and for its renewals with the same key."""
    return f"3 1 1 {hashlib.sha256(leaf.spki).hexdigest()}"


def _equal(record: Tlsa, certificate: Read) -> bool:
    subject = certificate.spki if record.selector else certificate.der
    if not subject:
        return False
    seen = _DIGESTS[record.matching](subject).digest() if record.matching else subject
    return hmac.compare_digest(seen, record.data)


def _leads_to(record: Tlsa, chain: Sequence[Read]) -> bool:
    """Tell whether the first certificate was issued, in however many steps, by one that the record is about."""
    issuers = [*chain[1:], *_carried(record)]
    at = chain[0]
    for _ in range(_MOST_STEPS):
        if at is not chain[0] and _equal(record, at):
            return True
        above = next((issuer for issuer in issuers if issuer is not at and _issued(at, issuer)), None)
        if above is None:
            return False
        at = above
    return False


def _carried(record: Tlsa) -> list[Read]:
    # A record may hold the whole authority, which the server then need not send.
    return [read(record.data)] if not record.selector and not record.matching else []


def _issued(certificate: Read, issuer: Read) -> bool:
    try:
        above = x509.load_der_x509_certificate(issuer.der)
        constraints = above.extensions.get_extension_for_class(x509.BasicConstraints).value
        x509.load_der_x509_certificate(certificate.der).verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return False
    return bool(constraints.ca)
