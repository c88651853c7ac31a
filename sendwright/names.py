"""Names that come from outside, parsed before anything else sees them.

Everything here ends up in configuration files, DNS and command lines, so each is a closed alphabet: no shell,
template or control character passes, and what passes needs no escaping anywhere.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LOCAL_PART = re.compile(r"[a-z0-9_](?:[a-z0-9._+=-]{0,62}[a-z0-9_+=-])?")
_LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,126}[a-z0-9])?")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_UNIX_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PATH = re.compile(r"[A-Za-z0-9._~/@%+=:,-]+")


def domain_name(text: str) -> str:
    """Return a host or domain name in lower case without a final dot (RFC 1123 section 2.1), or raise ValueError."""
    name = text.rstrip(".").lower() if text != "." else text
    if not name.isascii():
        raise ValueError("write it in its ASCII form (xn--…, RFC 5891)")
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a fully qualified domain name: letters, digits and hyphens, at least two labels")
    if labels[-1].isdigit():
        raise ValueError("not a domain name: it ends like an IP address")
    return name


def mail_address(text: str) -> str:
    """Return an address in lower case (RFC 5321 section 4.1.2, no quoted local parts), or raise ValueError."""
    local, at, domain = text.rpartition("@")
    if not at or ".." in local or not _LOCAL_PART.fullmatch(local.lower()):
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
            raise ValueError(allowed)
        return text

    return AfterValidator(check)


DomainName = Annotated[str, AfterValidator(domain_name)]
MailAddress = Annotated[str, AfterValidator(mail_address)]
MailtoUri = Annotated[str, AfterValidator(mailto)]
LocalPart = Annotated[str, _matching(_LOCAL_PART, "a local part of lower-case letters, digits and . _ + = -")]
Login = Annotated[str, _matching(_LOGIN, "a login of lower-case letters, digits and . _ @ -")]
Identifier = Annotated[str, _matching(_IDENTIFIER, "a name of letters, digits, - and _, starting with a letter")]
Fingerprint = Annotated[
    str, _matching(_FINGERPRINT, "SHA256:… as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it")
]
UnixUser = Annotated[str, _matching(_UNIX_USER, "a Unix user name")]
PlainPath = Annotated[str, _matching(_PATH, "a path of letters, digits and . _ ~ / @ % + = : , -")]
EnvironmentName = Annotated[str, _matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "an environment variable's name")]
TsigName = Annotated[str, _matching(re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?"), "a TSIG key's name")]
Base64Text = Annotated[str, _matching(re.compile(r"[A-Za-z0-9+/]+={0,2}"), "base64")]
