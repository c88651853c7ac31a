"""BIMI assertion records (draft-brand-indicators-for-message-identification, 4.2). Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_BEGINS = re.compile(r"\s*v\s*=\s*BIMI1\s*(;|$)", re.IGNORECASE)
# Possessive: blanks fit two places, and to try each division of them would take for ever.
_TAG = re.compile(r"([A-Za-z][A-Za-z0-9_]*+)\s*+=\s*+([\x21-\x3a\x3c-\x7e\s]*+)")
_AVATARS = frozenset({"brand", "personal"})


class BadAssertion(ValueError):
    """Report a record by which no receiver finds a logo, in words."""


@dataclass(frozen=True)
class Assertion:
    """Where a logo and the evidence for it are: HTTPS addresses, empty where none is given."""

    logo: str
    evidence: str

    @property
    def declined(self) -> bool:
        """Whether the domain says that it takes no part."""
        return not (self.logo or self.evidence)


def is_assertion(text: str) -> bool:
    """Whether a TXT record claims to be of BIMI."""
    return _BEGINS.match(text) is not None


def parse(text: str) -> Assertion:
    """Read the joined text of one TXT record; BadAssertion if receivers cannot use it."""
    if not text.startswith("v=BIMI1"):
        raise BadAssertion("it does not begin with v=BIMI1")
    tags: dict[str, str] = {}
    for part in (part.strip() for part in text.rstrip().removesuffix(";").split(";")):
        read = _TAG.fullmatch(part)
        if read is None:
            raise BadAssertion(f"{part[:60]!r} is no tag" if part else "a semicolon is doubled")
        if read[1] in tags:
            raise BadAssertion(f"{read[1]}= comes twice")
        tags[read[1]] = read[2].strip()
    if "l" not in tags:
        raise BadAssertion("it has no l=, which says where the logo is")
    if tags.get("avp", "brand") not in _AVATARS:
        raise BadAssertion(f"avp={tags['avp'][:40]} is neither brand nor personal")
    return Assertion(_https("l", tags["l"]), _https("a", tags.get("a", "")))


def _https(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    if url and not good:
        raise BadAssertion(f"{name}={url[:100]} is no https: address")
    return url
