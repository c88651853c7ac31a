"""MX is written only for hosts that take mail: one that points at nothing makes others' queues wait. Pure."""

from collections.abc import Container
from dataclasses import replace

from sendwright.dns.plan import Changes, Delete, Write
from sendwright.plan import Stage
from sendwright.stack import HostState, Stack


def points_at_working(stack: Stack, write: Write, working: Container[str]) -> bool:
    """Return whether an MX may be written, or a foreign one withdrawn for the sake of ours, given the hosts that work.

    Without any host of ours that works, the foreign one stays: a domain that takes no mail is worse.
    """
    if not isinstance(write, Delete):
        return exchange(write.value) in working
    domain = stack.covering(write.name)
    hosts = stack.hosts_of(domain) if domain else ()
    return any(h.name in working for h in hosts if h.state is HostState.ACTIVE)


def possible(stack: Stack, changes: Changes, working: Container[str]) -> Changes:
    """Return what a zone needs without what would point at a host that does not work."""
    kept = (w for w in changes.writes if w.stage is not Stage.HOSTS or points_at_working(stack, w, working))
    return replace(changes, writes=tuple(kept))


def exchange(value: str) -> str:
    """Return the host that an MX record's data points at (RFC 1035 section 3.3.9)."""
    return value.split()[1].rstrip(".")
