"""DKIM key records compared by meaning: whether two tell verifiers the same key (RFC 6376 section 3.6.1). Pure."""

import base64

from sendwright.dns.rdata import joined


def same_key(one: str, other: str) -> bool:
    """Whether two records (master-file text) tell the same key for mail that is signed by SHA-256; never for none."""
    found = _key(one)
    return found is not None and found == _key(other)


def only_tests(text: str) -> bool:
    """Whether a record says that its domain only tests signing (``t=y``)."""
    return "y" in (_tags(text) or {}).get("t", "").split(":")


def _key(text: str) -> tuple[str, bytes] | None:
    """The kind and the octets of a record's key; None where verifiers would find none for what we sign."""
    tags = _tags(text)
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or tags.get("g", "*") != "*":
        return None
    if "sha256" not in tags.get("h", "sha256").split(":") or not {"*", "email"} & {*tags.get("s", "*").split(":")}:
        return None
    try:
        octets = base64.b64decode(tags.get("p", ""), validate=True)
    except ValueError:
        # binascii.Error is one, and octets that are no ASCII are told by its parent.
        return None
    return (tags.get("k", "rsa"), octets) if octets else None


def _tags(text: str) -> dict[str, str] | None:
    """The tags of a list without the white space in values; None where one comes twice or is none (section 3.2)."""
    found: dict[str, str] = {}
    for part in joined(text).decode("latin-1").rstrip("; \t\r\n").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name.strip() in found:
            return None
        found[name.strip()] = "".join(value.split())
    # It has to come first, if it is there.
    return None if "v" in found and next(iter(found)) != "v" else found
