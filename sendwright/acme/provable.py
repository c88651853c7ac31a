"""Which names can be proven to an authority, and how: found out before the authority is asked.

An order that fails costs: authorities count failed proofs and then refuse for an hour. What deploys and plans need of
this is light; what asks name servers is imported when it is used.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from sendwright import sts
from sendwright.errors import NotProvable
from sendwright.providers import Zonefile
from sendwright.stack import AcmeTls, Host, Stack

if TYPE_CHECKING:
    from sendwright.publication import Internet

Kind = Literal["dns-01", "http-01"]


def kind_of(stack: Stack, host: Host, name: str) -> Kind:
    """Return by which challenge a name of a host's certificate is proven (RFC 8555 section 8).

    As the inventory says; else by DNS where the name's zone is ours to write, by HTTP on the host elsewhere.
    """
    declared = host.tls.challenge if isinstance(host.tls, AcmeTls) else None
    return declared or ("dns-01" if writable(stack, name) else "http-01")


def writable(stack: Stack, name: str) -> bool:
    """Whether what is written at a name gets to its name servers without anybody's doing."""
    domain = stack.covering(name)
    return domain is not None and domain.dns is not None and not isinstance(stack.dns[domain.dns], Zonefile)


def answering(stack: Stack, name: str) -> tuple[Host, ...]:
    """Return the hosts that a name leads to: the one of that name, or those that serve the policy of that name."""
    if own := tuple(host for host in stack.hosts if host.name == name):
        return own
    # Of ten thousand domains it is found by its name.
    domain = stack.covering(name.partition(".")[2])
    return sts.servers(stack, domain) if domain and sts.policy_host(domain.name) == name else ()


def unprovable(stack: Stack, host: Host, names: Iterable[str], internet: "Internet") -> dict[str, NotProvable]:
    """Return why names cannot be proven to be ours, by name; nothing for those that can be.

    By DNS: the zone has to be ours to write. By HTTP: a name has to lead to the hosts that answer for it, and nowhere
    else. Only authoritative servers are asked about a name: a resolver would remember that what is about to be
    published is not there.
    """
    from sendwright.acme.hindrances import hindrance
    from sendwright.concurrently import concurrently
    from sendwright.dns.transport import PARALLEL, once

    ask, resolver = once(internet.ask), internet.resolver()
    kinds = {name: kind_of(stack, host, name) for name in sorted({*names})}
    found = dict(
        concurrently(lambda name: hindrance(stack, host, name, kinds[name], ask, resolver), tuple(kinds), PARALLEL)
    )
    return {name: error for name in kinds if (error := found[name])}
