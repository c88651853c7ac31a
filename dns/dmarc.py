"""Tag lists compared by meaning: whether two policy records say the same, and whether one is stricter. Pure."""

from sendwright.dns.rdata import joined

_POLICIES = {"none": 0, "quarantine": 1, "reject": 2}
_ALIGNMENTS = {"r": 0, "s": 1}


def same(one: str, other: str) -> bool:
    """Whether two records (master-file text of DMARC or TLS-RPT) have the same tags, in whatever order and spacing."""
    return _tags(one) == _tags(other)


def stricter(new: str, old: str) -> bool:
    """Whether a DMARC record asks for more than another in any of p, sp, np, adkim and aspf (RFC 9989 section 4.7)."""
    return any(ours > theirs for ours, theirs in zip(_strictness(new), _strictness(old), strict=True))


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in joined(text).decode("latin-1").split(";"))
    found: dict[str, str] = {}
    for name, _, value in pairs:
        if name.strip():
            found.setdefault(name.strip().lower(), "".join(value.split()))
    return found


def _strictness(text: str) -> tuple[int, ...]:
    tags = {name: value.lower() for name, value in _tags(text).items()}
    # What cannot be read is no policy (section 4.7), and what is not written is as for the name above.
    domain = _POLICIES.get(tags.get("p", ""), 0)
    subdomains = _POLICIES.get(tags.get("sp", ""), domain)
    nonexistent = _POLICIES.get(tags.get("np", ""), subdomains)
    # With t=y receivers apply the policy one level below (section 4.7).
    less = 1 if tags.get("t") == "y" else 0
    policies = (max(level - less, 0) for level in (domain, subdomains, nonexistent))
    return *policies, *(_ALIGNMENTS.get(tags.get(tag, ""), 0) for tag in ("adkim", "aspf"))
