"""Where senders report that they could not deliver over TLS (RFC 8460): wanted of domains that take mail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Dns, Look, Told
from sendwright.verify.receiving import takes_mail
from sendwright.verify.records.report_uri import ReportUri, report_uris
from sendwright.verify.remedy import publish_policy
from sendwright.verify.rules.tls_rpt import PRESENT, RECORD
from sendwright.verify.target import Target
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import listed, shown

_VERSION = "v=TLSRPTv1"
# Section 3: what does not begin like this is discarded. A record of nothing but the version asks for nothing.
_BEGINS = re.compile(r"v=TLSRPTv1[ \t]*(;|$)")
_MEANT = re.compile(r"""[\s"'\\]*v\s*=\s*tls-?rpt""", re.IGNORECASE)
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e \t=]+)")
_MOST = 10


class BadReports(ValueError):
    """Report a TXT record by which no sender knows where to report, in words."""


@dataclass(frozen=True)
class Reporting:
    """A record: ``rua``: where reports go, in its order."""

    rua: tuple[ReportUri, ...]


def parse(text: str) -> Reporting:
    """Read the joined text of one TXT record (RFC 8460 section 3); BadReports if it asks for no reports."""
    if not _BEGINS.match(text):
        raise BadReports(f"it does not begin with {_VERSION};")
    fields: list[tuple[str, str]] = []
    for part in (part.strip(" \t") for part in text.rstrip(" \t").removesuffix(";").split(";")[1:]):
        read = _FIELD.fullmatch(part)
        if read is None:
            raise BadReports(f"{shown(part, 60)!r} is no field" if part else "a semicolon is doubled")
        fields.append((read[1], read[2]))
    found = [value for name, value in fields if name == "rua"]
    if len(found) != 1:
        raise BadReports("rua= comes twice" if found else "it has no rua=, which says where reports go")
    return Reporting(report_uris(found[0]))


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge the record of a domain; that it is absent only if the domain takes mail."""
    name = f"_smtp._tls.{target.domain}"
    answer = look.dns.ask(name, "TXT")
    if not answer.known:
        yield unheard(PRESENT, target.subject, answer, name)
        return
    records = [value for value in answer.values if _BEGINS.match(value)]
    meant = [value for value in answer.values if _MEANT.match(value)]
    if not meant:
        if _receives(target.domain, look.dns):
            otherwise = f'Publish {name}. TXT "v=TLSRPTv1; rua=mailto:tls-reports@{target.domain}"'
            advice = publish_policy(target, name, otherwise)
            yield PRESENT.warned(target.subject, "No record", advice, name)
        return
    yield PRESENT.passed(target.subject, shown(meant[0]), name)
    if len(records) > 1:
        seen = f"{len(records)} records: {listed(records, 3)}"
        yield RECORD.warned(target.subject, seen, "Leave one: senders ignore several.", name)
        return
    yield from _record(target.subject, name, (records or meant)[0], look.dns)


def _receives(domain: str, dns: Dns) -> bool:
    answer = dns.ask(domain, "MX")
    return answer.told is Told.FOUND and any(not value.endswith((" .", " ")) for value in answer.values)


def _record(subject: Subject, name: str, text: str, dns: Dns) -> Iterator[Finding]:
    try:
        record = parse(text)
    except BadReports as error:
        advice = f'Publish {name}. TXT "v=TLSRPTv1; rua=mailto:tls-reports@{subject.name}"'
        yield RECORD.warned(subject, f"{error}: {shown(text)}", advice, name)
        return
    found = [finding for uri in tuple(dict.fromkeys(record.rua))[:_MOST] if (finding := _uri(subject, name, uri, dns))]
    yield from found
    if not found:
        yield RECORD.passed(subject, f"To {listed([uri.text for uri in record.rua], 3)}", name)


def _uri(subject: Subject, name: str, uri: ReportUri, dns: Dns) -> Finding | None:
    target = f"{name} {shown(uri.text, 100)}"
    advice = f"Name an address that receives mail, as in mailto:tls-reports@{subject.name}, or an https: address."
    if not uri.valid or uri.limit:
        return RECORD.warned(subject, f"{shown(uri.text)}: {uri.fault or 'a ! has to be encoded'}", advice, target)
    if uri.scheme == "https" and uri.domain:
        return None
    if uri.scheme != "mailto":
        seen = f"{shown(uri.text)}: reports go by mailto: or https: alone"
        return RECORD.warned(subject, seen, advice, target)
    takes = takes_mail(uri.domain, dns)
    if takes.mail is None:
        return RECORD.unknown(subject, takes.why, target=target)
    return None if takes.mail else RECORD.warned(subject, f"{shown(uri.text)}: {takes.why}", advice, target)
