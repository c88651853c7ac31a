"""Which authority the inventory means: where its directory lies, and how people call it. Pure."""

from urllib.parse import urlsplit

from sendwright.stack import AcmeAuthority

_KNOWN = {
    "letsencrypt": ("https://acme-v02.api.letsencrypt.org/directory", "Let's Encrypt"),
    "staging": ("https://acme-staging-v02.api.letsencrypt.org/directory", "Let's Encrypt's staging authority"),
}


def url(declared: AcmeAuthority) -> str:
    """Return the URL of an authority's directory (RFC 8555 section 7.1.1)."""
    known = _KNOWN.get(declared.directory)
    return known[0] if known else declared.directory


def title(address: str) -> str:
    """Return how sentences call the authority with that directory."""
    names = dict(_KNOWN.values())
    return names.get(address) or f"the authority at {urlsplit(address).netloc}"
