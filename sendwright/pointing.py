"""When a zone may say what waits for hosts: new keys, MX, SRV, and a DMARC policy that asks for signatures. Pure.

A key that is published before anybody has a copy may be lost; an MX that points at nothing makes others' queues wait; a
policy that comes first has mail refused.
"""

from collections.abc import Collection, Container, Mapping
from dataclasses import replace

from sendwright import signing
from sendwright.dns.plan import Changes, Delete, Write
from sendwright.dns.slots import slot
from sendwright.plan import Stage
from sendwright.stack import HostState, Stack
from sendwright.state.model import DkimKey


def is_key(write: Write) -> bool:
    """Return whether this is the record of a DKIM key."""
    return not isinstance(write, Delete) and slot(write.name, write.type, write.value) == "DKIM"


def follows_hosts(stack: Stack, write: Write, working: Container[str], copied: Container[str]) -> bool:
    """Return whether a write of the stage of the hosts may be made.

    Arguments: ``working``: the hosts that work; ``copied``: the names of the records of keys that some host holds.
    """
    return write.name in copied if is_key(write) else points_at_working(stack, write, working)


def points_at_working(stack: Stack, write: Write, working: Container[str]) -> bool:
    """Return whether an MX may be written, or a foreign one withdrawn for the sake of ours, given the hosts that work.

    Without any host of ours that works, the foreign one stays: a domain that takes no mail is worse.
    """
    if not isinstance(write, Delete):
        return exchange(write.value) in working
    domain = stack.covering(write.name)
    hosts = stack.hosts_of(domain) if domain else ()
    return any(h.name in working for h in hosts if h.state is HostState.ACTIVE)


def may_tighten(stack: Stack, write: Write, keys: Mapping[str, Collection[DkimKey]], failed: Container[str]) -> bool:
    """Return whether every host of the domain above a name signs its mail, and none of them failed in this run.

    An SRV record for submission says nothing of any host but the one that it points at. Arguments: ``keys``: by domain,
    because there may be one such write for each of thousands.
    """
    domain = stack.covering(write.name)
    hosts = stack.hosts_of(domain) if domain else ()
    if write.type == "SRV" and not isinstance(write, Delete):
        hosts = tuple(host for host in hosts if host.name == exchange(write.value))
    if domain is None or any(host.name in failed for host in hosts):
        return False
    return all(signing.signs(domain, host, keys[domain.name]) for host in hosts)


def possible(stack: Stack, changes: Changes, working: Container[str], copied: Container[str]) -> Changes:
    """Return what a zone needs without what waits for hosts that do not work: see ``follows_hosts``."""
    kept = (w for w in changes.writes if w.stage is not Stage.HOSTS or follows_hosts(stack, w, working, copied))
    return replace(changes, writes=tuple(kept))


def exchange(value: str) -> str:
    """Return the host that the data of an MX or SRV record points at (RFC 1035 section 3.3.9, RFC 2782)."""
    return value.rsplit(maxsplit=1)[-1].rstrip(".")
