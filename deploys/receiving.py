"""The little mail that a sender must take: which addresses exist here, and where each one's mail goes. Pure.

Every kept address is rewritten to an internal one at ``maildir.invalid`` (a name that never exists, RFC 6761), which
Postfix's local delivery agent turns into a Maildir; forwarded addresses are rewritten to their target.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sendwright.stack import Domain, Host, Mx, Stack

MAILDIRS = "/var/mail/sendwright"
KEPT = "maildir.invalid"
_CATCH_ALL = "bounces"
_REQUIRED = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142 section 2


@dataclass(frozen=True)
class Receiving:
    """Where a host's mail goes.

    ``domains`` it receives for, its own name included; ``addresses`` that anybody may write to, each with its target;
    ``catch_all``: domain to target, for bounces to any other local part; ``maildirs``: internal local part to path.
    """

    domains: tuple[str, ...]
    addresses: Mapping[str, str]
    catch_all: Mapping[str, str]
    maildirs: Mapping[str, str]


def probe_mailbox(host: Host) -> str:
    """Return the address to which only this host's own sendmail command can deliver."""
    return f"probe@{host.name}"


def receiving(stack: Stack, host: Host, lingering: Collection[str] = ()) -> Receiving:
    """Return where the mail goes that a host takes on port 25.

    ``lingering``: domains that others may still believe to be here: none of their mail is refused. Where that of an
    undeclared one should go nobody says any more: it is kept.
    """
    own = {d.name for d in stack.domains_of(host) if d.mx is Mx.HERE}
    here = {d.name: d for d in stack.domains if d.name in own or d.name in lingering}
    undeclared = {*lingering} - {*here}
    written_to = _written_to(stack, here)
    addresses: dict[str, str] = {}
    catch_all: dict[str, str] = {}
    for name in sorted({*here, *undeclared, host.name}):
        domain = here.get(name)
        # A host's own name is no domain of the inventory: its mail goes where that of the domain above it goes.
        above = None if name in undeclared else domain or _covering(stack, host, here)
        forward = above.receive.forward if above else None
        for local in (*_REQUIRED, *written_to[name]):
            addresses[f"{local}@{name}"] = _target(name, local, forward)
        for local, target in (domain.receive.aliases if domain else {}).items():
            addresses[f"{local}@{name}"] = _target(name, local, target)
        catch_all[name] = _target(name, _CATCH_ALL, forward)
    for address in addresses:
        if _comes_back(address, addresses):
            # Somewhere the circle must end, or the mail would go round in it.
            local, _, name = address.partition("@")
            addresses[address] = _target(name, local, None)
    kept = {*addresses.values(), *catch_all.values(), _target(host.name, "probe", None)}
    return Receiving(tuple(sorted(catch_all)), addresses, catch_all, dict(_maildirs(kept, host)))


def _covering(stack: Stack, host: Host, here: Mapping[str, Domain]) -> Domain | None:
    found = stack.covering(host.name)
    return found if found is not None and found.name in here else None


def _written_to(stack: Stack, here: Mapping[str, Domain]) -> Mapping[str, list[str]]:
    """Return for each domain the local parts that reports are asked to, or that another one's mail is forwarded to."""
    uris = (u for d in stack.domains for u in (*d.dmarc_rua, *d.dmarc.ruf, *d.tls_rpt_rua))
    found: dict[str, list[str]] = defaultdict(list)
    for address in (*(uri.removeprefix("mailto:") for uri in uris), *_forwards(here)):
        local, _, at = address.partition("@")
        found[at].append(local)
    return found


def _forwards(here: Mapping[str, Domain]) -> Iterator[str]:
    for domain in here.values():
        yield from (a for a in (domain.receive.forward, *domain.receive.aliases.values()) if a is not None)


def _comes_back(address: str, addresses: Mapping[str, str]) -> bool:
    seen = {address}
    target = addresses[address]
    while target in addresses and target not in seen:
        seen.add(target)
        target = addresses[target]
    return target == address


def _target(domain: str, local: str, forward: str | None) -> str:
    # "=" occurs in no domain name, so the first one parts domain and local part without doubt.
    return forward or f"{domain}={local}@{KEPT}"


def _maildirs(targets: set[str], host: Host) -> Iterator[tuple[str, str]]:
    for target in sorted(targets):
        inside, _, at = target.rpartition("@")
        if at == KEPT:
            domain, _, local = inside.partition("=")
            probe = f"{local}@{domain}" == probe_mailbox(host)
            yield inside, f"{MAILDIRS}/probe/" if probe else f"{MAILDIRS}/{domain}/{local}/"
