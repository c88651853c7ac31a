"""When a zone may say what waits for hosts: new keys, MX, SRV, policies, and which keys hosts show. Pure.

A key that is published before anybody has a copy may be lost; an MX that points at nothing makes others' queues wait; a
policy that comes first has mail refused, and so has a TLSA record of a key that nobody shows.
"""

from collections.abc import Collection, Container, Mapping
from dataclasses import replace

from sendwright import signing
from sendwright.dns.plan import Changes, Delete, Write
from sendwright.dns.slots import slot
from sendwright.dns.tls_records import host_of
from sendwright.plan import Stage
from sendwright.stack import HostState, Stack
from sendwright.state.model import DkimKey

_AWAITS = {
    Stage.HOSTS: "until a host that it points at takes mail",
    Stage.SWITCH: "until mail leaves signed from every host of the domain",
}
_AWAITS_COPY = "until a host of its domain holds a copy of the key"
_AWAITS_KEY = "until its host is seen from outside to show its key"
_AWAITS_POLICY = "until every host of the domain is seen from outside to serve the policy"


def awaits(write: Write) -> str:
    """Return what a write of the stages of hosts and of the switch waits for, a phrase."""
    if is_key(write):
        return _AWAITS_COPY
    if tells_of_tls(write):
        return _AWAITS_KEY if write.type == "TLSA" else _AWAITS_POLICY
    return _AWAITS[write.stage]


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


def tells_of_tls(write: Write) -> bool:
    """Return whether this tells senders by what they know a host: its TLSA records, or the ``id`` of a policy."""
    if isinstance(write, Delete):
        return write.type == "TLSA"
    return write.type == "TLSA" or slot(write.name, write.type, write.value) == "MTA-STS"


def shows(write: Write, hosts: Container[str], policies: Container[str]) -> bool:
    """Return whether what a write says of TLS was seen from outside to be so; of other writes it says nothing.

    Arguments: ``hosts``: those that show the key that is remembered as theirs, on every port that records tell of;
    ``policies``: the domains whose policy each of its hosts serves, by HTTPS, to the byte.
    """
    if not tells_of_tls(write):
        return True
    return host_of(write.name) in hosts if write.type == "TLSA" else write.name.removeprefix("_mta-sts.") in policies


def without_known_keys(changes: Changes, shown: Container[str], declared: Container[str]) -> Changes:
    """Return a zone's changes without the withdrawal of TLSA records by which senders may have to know a host yet.

    Arguments: ``shown``: the hosts that were seen from outside to show their key; ``declared``: the names at which keys
    are to be told of: there one goes, and its clock starts, only where the host shows another that is told of.
    Elsewhere all records of a name go at once: one that stays alone might be that of a key that nobody shows.
    """
    lacking = {w.name for w in changes.writes if w.type == "TLSA" and not isinstance(w, Delete)}
    held = {h.claim.name for h in changes.held}

    def stays(name: str) -> bool:
        return (host_of(name) not in shown or name in lacking) if name in declared else name in held

    writes = (w for w in changes.writes if not (w.type == "TLSA" and isinstance(w, Delete) and stays(w.name)))
    leaving = (c for c in changes.leaving if c.type != "TLSA" or c.name not in declared or not stays(c.name))
    return replace(changes, writes=tuple(writes), leaving=tuple(leaving))


def only_known_keys(changes: Changes) -> Changes:
    """Return what a zone's changes say of the withdrawal of TLSA records, and nothing else."""
    writes = tuple(w for w in changes.writes if w.type == "TLSA" and isinstance(w, Delete))
    leaving = tuple(c for c in changes.leaving if c.type == "TLSA")
    return replace(changes, writes=writes, leaving=leaving, gone=(), returned=())


def may_tighten(stack: Stack, write: Write, keys: Mapping[str, Collection[DkimKey]], failed: Container[str]) -> bool:
    """Return whether every host of the domain above a name signs its mail, and none of them failed in this run.

    What tells of TLS has nothing to do with signatures: ``shows`` says when that may be. An SRV record for submission
    says nothing of any host but the one that it points at. Arguments: ``keys``: by domain, because there may be one
    such write for each of thousands.
    """
    if tells_of_tls(write):
        return True
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
