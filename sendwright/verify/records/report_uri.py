"""Where reports go: URIs of DMARC (RFC 9989 section 4.6) and of TLS-RPT (RFC 8460 section 3). Pure."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sendwright.names import domain_name

_LIMIT = re.compile(r"!\d+[kmgtKMGT]?$")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)")
_LOCAL = re.compile(r"[^\s@<>()\[\]:;,\"\\\x00-\x1f\x7f-\xff]{1,64}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class ReportUri:
    """One address for reports.

    ``domain``: where it is sent to, lower case, empty if that cannot be told; ``limit``: the size that RFC 7489 let one
    ask for; ``fault``: why it is not one that anybody can use, in words, else empty.
    """

    text: str
    scheme: str = ""
    domain: str = ""
    limit: str = ""
    fault: str = ""

    @property
    def valid(self) -> bool:
        """Whether reports can be sent there, as far as its text tells."""
        return not self.fault


def report_uris(value: str) -> tuple[ReportUri, ...]:
    """Read a list of URIs, split at its commas: one inside a URI has to be encoded. Empty for an empty value."""
    return tuple(_uri(part.strip(" \t")) for part in value.split(",")) if value.strip(" \t") else ()


def _uri(text: str) -> ReportUri:
    found = _LIMIT.search(text)
    limit = found[0] if found else ""
    plain = text.removesuffix(limit)
    read = _SCHEME.fullmatch(plain)
    if not text:
        return ReportUri(text, fault="it is empty: a comma too many")
    if read is None or not _PRINTABLE.fullmatch(plain):
        fault = "mailto: is missing before it" if "@" in text and ":" not in text else "it is no URI"
        return ReportUri(text, limit=limit, fault=fault)
    scheme = read[1].lower()
    if scheme == "mailto":
        return _mailto(text, plain, limit)
    return ReportUri(text, scheme, _host(plain), limit)


def _mailto(text: str, plain: str, limit: str) -> ReportUri:
    address = unquote(plain[len("mailto:") :].partition("?")[0])
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or "!" in domain:
        return ReportUri(text, "mailto", limit=limit, fault="it holds no mail address")
    try:
        return ReportUri(text, "mailto", domain_name(domain), limit)
    except ValueError:
        return ReportUri(text, "mailto", limit=limit, fault="the domain of its address is none")


def _host(text: str) -> str:
    try:
        return domain_name(urlsplit(text).hostname or "")
    except ValueError:
        return ""
