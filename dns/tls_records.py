"""The records that senders judge our TLS by: keys of hosts (DANE), and policies of domains (MTA-STS). Pure.

What they say is told only once it was seen from outside to be so; that is for ``pointing.shows``.
"""

from collections.abc import Collection, Iterable, Iterator

from sendwright import sts, tlsa
from sendwright.dns.rdata import txt
from sendwright.dns.record import Record
from sendwright.plan import Stage
from sendwright.stack import Domain, Host, Stack
from sendwright.tlsa import TlsFacts

#: In seconds. Every step of a change of keys waits for it, and so does every change of a policy.
TTL = 300
#: The services whose keys may be told of (RFC 7672 section 3).
PORTS = (25, 465, 587)


def of_hosts(hosts: Iterable[Host], tls: TlsFacts) -> Iterator[Record]:
    """Yield the TLSA records of hosts whose zones are signed: of the key that each has, and of the next."""
    for host in hosts:
        if host.name in tls.secure:
            yield from _keys(host, tls.keys.get(host.name, ()))


def of_domain(stack: Stack, domain: Domain, tls: TlsFacts) -> Iterator[Record]:
    """Yield where a domain's policy is fetched from, and its ``id``."""
    if not sts.declared(stack, domain):
        return
    name = sts.policy_host(domain.name)
    # Who has a policy elsewhere already keeps it, unless somebody declares another.
    implied = frozenset({"mta_sts"}) if domain.mta_sts is None else frozenset[str]()
    for host in sts.servers(stack, domain):
        why = f"the policy of {domain.name} for mail to it (MTA-STS) is fetched from {host.name}"
        for address in host.addresses:
            yield Record(name, "A" if address.version == 4 else "AAAA", TTL, str(address), why, implied=implied)
    if identifier := tls.policies.get(domain.name):
        why = f"senders hear that {domain.name} has a policy (MTA-STS), and when it changes (RFC 8461)"
        yield Record(record_name(domain.name), "TXT", TTL, txt(sts.record_text(identifier)), why, Stage.SWITCH)


def record_name(domain: str) -> str:
    """Return where senders look whether a domain has a policy (RFC 8461 section 3.1)."""
    return f"_mta-sts.{domain}"


def names(host: str, ports: Collection[int] = PORTS) -> tuple[str, ...]:
    """Return the names of a host's TLSA records."""
    return tuple(tlsa.name(host, port) for port in ports)


def host_of(name: str) -> str:
    """Return the host that a TLSA record speaks of."""
    return name.partition("._tcp.")[2]


def _keys(host: Host, keys: Iterable[str]) -> Iterator[Record]:
    for port in host.dane:
        for place, spki in enumerate(keys):
            which = "will have" if place else "has"
            why = f"DANE: senders to port {port} of {host.name} take the key that it {which}, and no other (RFC 7672)"
            yield Record(tlsa.name(host.name, port), "TLSA", TTL, tlsa.value(spki), why, Stage.SWITCH)
