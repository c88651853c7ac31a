"""Names that come from outside, parsed before anything else sees them.

Everything here ends up in configuration files, DNS and command lines, so each is a closed alphabet: no shell,
template or control character passes, and what passes needs no escaping anywhere.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from ipaddress import ip_address as parse_ip_address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_RECORD_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL_PART = re.compile(r"[a-z0-9_](?:[a-z0-9._+=-]{0,62}[a-z0-9_+=-])?")
LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,126}[a-z0-9])?")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_UNIX_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# A path that starts with a hyphen would be read as an option by whatever it is handed to; another user's home (~name)
# is looked up, and fails, where nobody expects it.
_PATH = re.compile(r"(?!-)(?:~/)?[A-Za-z0-9._/@%+=:,-]{1,1024}")
_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?(?:/[A-Za-z0-9._~-]+)*/?")
# No "$" (it would be $INCLUDE), no quotes, no braces: what records of addresses, name servers and keys are written in.
_MASTER_FILE = re.compile(r"[A-Za-z0-9 ._:;()+/=\t\n-]{1,65536}")


def domain_name(text: str) -> str:
    """Return a host or domain name in lower case without a final dot (RFC 1123 section 2.1), or raise ValueError."""
    return _name(text, _LABEL, "letters, digits and hyphens")


def certificate_name(text: str) -> str:
    """Return a name that certificates are compared with, or with a leading dot all below it, like ``domain_name``."""
    return f".{domain_name(text[1:])}" if text.startswith(".") else domain_name(text)


def spf_domain(text: str) -> str:
    """Return a name that an SPF record may stand at, as ``_spf.example.com`` (RFC 8552), like ``domain_name``."""
    return _name(text, _RECORD_LABEL, "letters, digits, hyphens and underscores")


def _name(text: str, label: re.Pattern[str], alphabet: str) -> str:
    # Before lower(), which would turn the Kelvin sign into a plain k.
    if not text.isascii():
        raise ValueError("write it in its ASCII form (xn--…, RFC 5891)")
    name = text.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(label.fullmatch(part) for part in labels):
        raise ValueError(f"not a fully qualified domain name: {alphabet}, at least two labels")
    if labels[-1][0].isdigit():
        raise ValueError("not a domain name: it ends like an IP address")
    return name


def ssh_host(text: str) -> str:
    """Return what SSH connects to, in lower case: a domain name, a single label, or an IP address; else ValueError."""
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    if text.isascii() and _LABEL.fullmatch(text.lower()) and not text.isdigit():
        return text.lower()
    try:
        return domain_name(text)
    except ValueError:
        raise ValueError("not a host to connect to: a domain name, a single name, or an IP address") from None


def ip_address(value: object) -> IPv4Address | IPv6Address:
    """Return an IP address from its text; ValueError for numbers (pydantic would take 5 for 0.0.0.5) and for scopes.

    A scope (``fe80::1%eth0``) may hold any character, so none passes.
    """
    if not isinstance(value, str | IPv4Address | IPv6Address):
        raise ValueError("not an IP address: write it as text")  # noqa: TRY004 - pydantic collects ValueErrors
    try:
        address = parse_ip_address(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("not an IP address, as in 203.0.113.10 or 2001:db8::10") from None
    if isinstance(address, IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise ValueError("not a plain IPv6 address: without % and not an IPv4 one in disguise")
    return address


def public_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an address that others can see; ValueError for loopback, link-local, multicast and unspecified ones."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise ValueError("not an address that receivers can see")
    return address


def mail_address(text: str) -> str:
    """Return an address in lower case (RFC 5321 section 4.1.2, no quoted local parts), or raise ValueError."""
    local, at, domain = text.rpartition("@")
    if not at or not local.isascii() or ".." in local or not _LOCAL_PART.fullmatch(local.lower()):
        raise ValueError("not a mail address: local part of letters, digits and . _ + = -, then @ and a domain")
    return f"{local.lower()}@{domain_name(domain)}"


def mailto(text: str) -> str:
    """Return a ``mailto:`` URI of one plain address, as DMARC and TLS-RPT use it (RFC 9989, RFC 8460)."""
    if not text.lower().startswith("mailto:"):
        raise ValueError("not a mailto: URI, as in mailto:reports@example.com")
    return "mailto:" + mail_address(text[len("mailto:") :])


def _matching(pattern: re.Pattern[str], allowed: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"not {allowed}")
        return text

    return AfterValidator(check)


def _argument(text: str) -> str:
    # A program's arguments end at a NUL; Python raises when it is asked to hand one over.
    if "\0" in text:
        raise ValueError("not an argument for a program: it holds a NUL character")
    return text


IpAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(ip_address)]
PublicAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(ip_address), AfterValidator(public_address)]
DomainName = Annotated[str, AfterValidator(domain_name)]
CertificateName = Annotated[str, AfterValidator(certificate_name)]
SpfDomain = Annotated[str, AfterValidator(spf_domain)]
MailAddress = Annotated[str, AfterValidator(mail_address)]
MailtoUri = Annotated[str, AfterValidator(mailto)]
LocalPart = Annotated[str, _matching(_LOCAL_PART, "a local part of lower-case letters, digits and . _ + = -")]
Login = Annotated[str, _matching(LOGIN, "a login of lower-case letters, digits and . _ @ -")]
Identifier = Annotated[str, _matching(_IDENTIFIER, "a name of letters, digits, - and _, starting with a letter")]
Fingerprint = Annotated[
    str, _matching(_FINGERPRINT, "SHA256:… as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it")
]
UnixUser = Annotated[str, _matching(_UNIX_USER, "a Unix user name")]
PlainPath = Annotated[str, _matching(_PATH, "a path of letters, digits and . _ / @ % + = : , - (or ~/ before it)")]
PythonClass = Annotated[str, _matching(_CLASS, "a Python class with its module, as in octodns_gandi.GandiProvider")]
EnvironmentName = Annotated[str, _matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "an environment variable's name")]
TsigName = Annotated[
    str, _matching(re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?"), "a TSIG key's name")
]
HttpUrl = Annotated[str, _matching(_URL, "a URL of a server, as in https://ns1.example.com:8081")]
AcmeDirectory = Annotated[
    str,
    _matching(
        re.compile(r"letsencrypt|staging|https://[A-Za-z0-9._:\[\]-]{1,255}(/[A-Za-z0-9._~/-]{0,500})?"),
        "an ACME directory: 'letsencrypt', 'staging' or an https:// URL",
    ),
]
# Whatever an authority calls its accounts and orders by (RFC 3986).
AuthorityUrl = Annotated[
    str, _matching(re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,2000}"), "a URL of an ACME server")
]
AccountId = Annotated[
    str, _matching(re.compile(r"[A-Za-z0-9._~+/=:@-]{1,256}"), "a key identifier as the authority prints it")
]
SshHost = Annotated[str, AfterValidator(ssh_host)]
Argument = Annotated[str, AfterValidator(_argument)]
Selector = Annotated[str, _matching(_LABEL, "a DKIM selector of lower-case letters, digits and hyphens")]
MasterFileText = Annotated[str, _matching(_MASTER_FILE, "records in master-file form, without $ directives and quotes")]
Nonce = Annotated[str, _matching(re.compile(r"[0-9a-f]{32}"), "32 hexadecimal digits")]
GenerationMark = Annotated[str, _matching(re.compile(r"[1-9][0-9]{0,11} [0-9a-f]{32}"), "a number and a nonce")]
Controller = Annotated[str, _matching(re.compile(r"[A-Za-z0-9._@+-]{1,100}"), "a user and a machine, as in root@ci")]
Sha256Hex = Annotated[str, _matching(re.compile(r"[0-9a-f]{64}"), "64 hexadecimal digits")]
RecordName = Annotated[
    str,
    _matching(
        re.compile(r"(?:[A-Za-z0-9_*-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?"), "a name in a zone, as in _dmarc.example.com"
    ),
]
RecordType = Annotated[str, _matching(re.compile(r"[A-Z][A-Z0-9]{0,9}"), "a record type, as in TXT")]
RecordData = Annotated[str, _matching(re.compile(r"[\x20-\x7e]{1,65536}"), "record data in master-file form")]
PasswordHash = Annotated[
    str,
    _matching(re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"), "an Argon2id hash"),
]
Base64Text = Annotated[str, _matching(re.compile(r"[A-Za-z0-9+/]+={0,2}"), "base64")]
# Without padding: "=" would have to be encoded where it is published (RFC 6376 section 2.11).
Base64UrlText = Annotated[str, _matching(re.compile(r"[A-Za-z0-9_-]+"), "base64url without padding")]
