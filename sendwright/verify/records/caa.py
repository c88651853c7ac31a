"""Who may issue certificates for a domain: the CAA records that authorities find by climbing (RFC 8659)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendwright.dns.zones import ancestry
from sendwright.verify.finding import Finding
from sendwright.verify.look import Look, Told
from sendwright.verify.rules.zone import CAA
from sendwright.verify.target import Target

_RECORD = re.compile(r'(\d{1,3}) ([^ "]{1,255}) (?:"(.*)"|([^ "]*))', re.DOTALL)
_PLAIN = re.compile(r"[a-z0-9.-]{1,60}")
_ESCAPE = re.compile(r"\\(\d{3}|.)", re.DOTALL)
# Section 4.2: an issuer's domain name, then parameters; both may be missing.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ISSUER = re.compile(rf"[ \t]*((?:{_LABEL}(?:\.{_LABEL})*)?)[ \t]*(?:;[ \t]*(.*))?", re.DOTALL)
_PARAMETER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*[ \t]*=[ \t]*[!-:<-~]*")
_CRITICAL = 128
# RFC 8659 section 4, RFC 9495, and the registry of IANA.
_ISSUING = {"issue", "issuewild", "issuemail", "issuevmc"}
_KNOWN = _ISSUING | {"iodef", "contactemail", "contactphone"}
_SHOWN = 5


@dataclass(frozen=True)
class Property:
    """One CAA record. ``tag`` in lower case."""

    flags: int
    tag: str
    value: str

    @property
    def critical(self) -> bool:
        """Whether an authority that does not know the tag must not issue."""
        return bool(self.flags & _CRITICAL)


def parse(text: str) -> Property | None:
    """Return a record from its presentation form, or None if it is none."""
    found = _RECORD.fullmatch(text)
    if not found or int(found[1]) > 255:
        return None
    value = _ESCAPE.sub(lambda e: chr(int(e[1]) % 256) if e[1].isdigit() else e[1], found[3] or found[4] or "")
    return Property(int(found[1]), found[2].lower(), value)


def issuer(value: str) -> str | None:
    """Return who may issue by the value of an issue property: a domain name, empty for nobody; None if malformed."""
    found = _ISSUER.fullmatch(value[:1024])
    if not found:
        return None
    parameters = [part.strip(" \t") for part in (found[2] or "").split(";")]
    if any(part and not _PARAMETER.fullmatch(part) for part in parameters):
        return None
    return found[1].lower()


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Yield whether CAA is there, at the domain or above it, and can be obeyed."""
    # A resolver is asked about names above in turn: most domains have the record, or none, nearby.
    for name in ancestry(target.domain):
        found = look.dns.ask(name, "CAA")
        if found.told is Told.BOGUS:
            why = f"CAA {name} is bogus, so no authority may issue a certificate: {found.why[:200]}"
            yield CAA.failed(target.subject, why, "Mend DNSSEC first (dns.dnssec).")
            return
        if not found.known:
            why = f"CAA {name} could not be asked for, and where that lasts, no authority may issue: {found.why[:200]}"
            yield CAA.unknown(target.subject, why)
            return
        if found.values:
            yield judged(target, name, [parse(value) for value in found.values])
            return
    advice = f'Publish {target.domain}. CAA 0 issue "AUTHORITY", with the domain of the authority that you use.'
    yield CAA.warned(target.subject, f"no CAA record at {target.domain} or above it", advice)


def judged(target: Target, name: str, records: Sequence[Property | None]) -> Finding:
    """Return what the records at a name mean for authorities."""
    subject = target.subject
    properties = [record for record in records if record]
    if len(properties) < len(records):
        seen = f"{len(records) - len(properties)} CAA records at {name} cannot be parsed"
        return CAA.failed(subject, seen, f"Remove them from {name}: an authority that cannot read them must not issue.")
    if unknown := sorted({p.tag for p in properties if p.critical and p.tag not in _KNOWN}):
        seen = f"{_listed(unknown)} at {name} is marked critical, and no authority knows it: none may issue"
        return CAA.failed(subject, seen, "Correct the spelling of the tag, or remove the record.")
    issuing = [p for p in properties if p.tag in _ISSUING]
    named = sorted({who for p in issuing if p.tag == "issue" and (who := issuer(p.value))})
    if broken := [p.value for p in issuing if issuer(p.value) is None]:
        seen = f"the value {_listed(broken)} at {name} is malformed, and allows nobody"
        advice = 'Write the domain of one authority in each record, as in 0 issue "letsencrypt.org".'
        return (CAA.warned if named else CAA.failed)(subject, seen, advice)
    if named:
        return _strange(target, name, properties) or CAA.passed(subject, f"{name} allows {_listed(named)}")
    if any(p.tag == "issue" for p in properties):
        return CAA.passed(subject, f"{name} allows nobody to issue certificates")
    seen = f"the CAA records at {name} have no issue property"
    return CAA.warned(
        subject, seen, f'Add {name}. CAA 0 issue "AUTHORITY", with the domain of the authority that you use.'
    )


def _strange(target: Target, name: str, properties: Sequence[Property]) -> Finding | None:
    strange = sorted({p.tag for p in properties if p.tag not in _KNOWN})
    if not strange:
        return None
    seen = f"{_listed(strange)} at {name} is no tag that authorities know, so they ignore it"
    return CAA.warned(target.subject, seen, "Correct the spelling of the tag, or remove the record.")


def _listed(values: Sequence[str]) -> str:
    return ", ".join(repr(value[:60]) if not _PLAIN.fullmatch(value) else value for value in values[:_SHOWN])
