"""MTA-STS: what the hosts of a domain serve, under which names, and how senders hear of a change (RFC 8461). Pure."""

import hashlib
from collections.abc import Iterable

from sendwright.stack import AcmeTls, Domain, Host, HostState, MtaSts, Mx, Stack
from sendwright.state.model import Claim

_DAY = 86400


def policy_host(domain: str) -> str:
    """Return the name that a domain's policy is fetched from (RFC 8461 section 3.3)."""
    return f"mta-sts.{domain}"


def servers(stack: Stack, domain: Domain) -> tuple[Host, ...]:
    """Return the hosts that serve a domain's policy: those that take its mail."""
    return tuple(h for h in stack.hosts_of(domain) if h.state is HostState.ACTIVE)


def possible(stack: Stack, domain: Domain) -> bool:
    """Return whether a domain can have a policy: its mail comes here, to hosts whose certificates others trust."""
    hosts = servers(stack, domain)
    return domain.mx is Mx.HERE and bool(hosts) and all(isinstance(h.tls, AcmeTls) for h in hosts)


def declared(stack: Stack, domain: Domain) -> MtaSts | None:
    """Return the policy that a domain is to have, or None.

    Where the zone is somebody else's, only what was asked for: its owner has to publish a name for it first.
    """
    wanted = domain.mta_sts or MtaSts(mode="testing" if domain.dns else "off")
    return wanted if wanted.mode != "off" and possible(stack, domain) else None


def domains(stack: Stack, host: Host) -> tuple[Domain, ...]:
    """Return the domains whose policies a host serves, in the order of their names."""
    if host.state is not HostState.ACTIVE:
        return ()
    found = (d for d in stack.domains_of(host) if declared(stack, d))
    return tuple(sorted(found, key=lambda d: d.name))


def names(stack: Stack, host: Host) -> tuple[str, ...]:
    """Return every name that a host's certificates have to hold: its own first, then those of policies."""
    return (host.name, *(policy_host(d.name) for d in domains(stack, host)))


def exchanges(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Return the claims on MX records by the domain that they are of: of ten thousand, each is asked for its own."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.type == "MX":
            found.setdefault(claim.name, []).append(claim)
    return found


def policy(stack: Stack, domain: Domain, claims: Iterable[Claim]) -> str | None:
    """Return the text of a domain's policy (RFC 8461 section 3.2), or None if it has none.

    It names every host that senders may find in MX: those declared, and those whose MX of ours the ledger still holds,
    because caches do (``Claim``).
    """
    wanted = declared(stack, domain)
    if wanted is None:
        return None
    return text(wanted, {h.name for h in servers(stack, domain)} | told_exchanges(domain.name, claims))


def told_exchanges(domain: str, claims: Iterable[Claim]) -> frozenset[str]:
    """Return the hosts that MX of ours lead to, or that caches may hold MX of."""
    found = (c.value.split()[-1].rstrip(".") for c in claims if c.type == "MX" and c.name == domain)
    return frozenset(name for name in found if name)


def text(wanted: MtaSts, names: Iterable[str]) -> str:
    """Return the text of a policy whose MX have these names."""
    lines = ["version: STSv1", f"mode: {wanted.mode}", *(f"mx: {name}" for name in sorted(names))]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {wanted.max_age_days * _DAY}"])


def policy_id(text: str) -> str:
    """Return the ``id`` that says which policy this is: it changes when the policy's bytes do, and only then."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_text(identifier: str) -> str:
    """Return the text of the ``_mta-sts`` record (RFC 8461 section 3.1)."""
    return f"v=STSv1; id={identifier};"
