"""When a zone may say what only holds once hosts work: MX, and a DMARC policy that asks for signatures. Pure.

An MX that points at nothing makes others' queues wait; a policy that comes first has mail refused.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

from sendwright import signing
from sendwright.dns.plan import Changes, Delete, Write
from sendwright.plan import Stage
from sendwright.stack import Domain, HostState, Stack
from sendwright.state.model import DkimKey


def points_at_working(stack: Stack, write: Write, working: Container[str]) -> bool:
    """Return whether an MX may be written, or a foreign one withdrawn for the sake of ours, given the hosts that work.

    Without any host of ours that works, the foreign one stays: a domain that takes no mail is worse.
    """
    if not isinstance(write, Delete):
        return exchange(write.value) in working
    domain = stack.covering(write.name)
    hosts = stack.hosts_of(domain) if domain else ()
    return any(h.name in working for h in hosts if h.state is HostState.ACTIVE)


def may_tighten(stack: Stack, write: Write, keys: Iterable[DkimKey], failed: Container[str]) -> bool:
    """Return whether every host of the domain above a name signs its mail, and none of them failed in this run."""
    domain = stack.covering(write.name)
    if domain is None or any(host.name in failed for host in stack.hosts_of(domain)):
        return False
    return live_everywhere(stack, domain, keys)


def live_everywhere(stack: Stack, domain: Domain, keys: Iterable[DkimKey]) -> bool:
    """Return whether a domain's mail leaves signed from every host that sends for it."""
    keys = tuple(keys)
    return all(domain in signing.live(stack, host, keys) for host in stack.hosts_of(domain))


def possible(stack: Stack, changes: Changes, working: Container[str]) -> Changes:
    """Return what a zone needs without what would point at a host that does not work."""
    kept = (w for w in changes.writes if w.stage is not Stage.HOSTS or points_at_working(stack, w, working))
    return replace(changes, writes=tuple(kept))


def exchange(value: str) -> str:
    """Return the host that an MX record's data points at (RFC 1035 section 3.3.9)."""
    return value.split()[1].rstrip(".")
