"""What the zones of a lab's world hold, from the root down; pure."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sendwright.lab.spec import (
    AUTHORITY,
    CONTROLLER,
    DANE_SENDER,
    HOME,
    INBOX,
    PRIMARY,
    RESOLVER,
    SECONDARY,
    STS_SENDER,
    LabSpec,
    RRset,
    ZoneSpec,
)

CONTROLLER_NAME, RESOLVER_NAME = f"controller.{HOME}", f"resolver.{HOME}"
AUTHORITY_NAME = f"acme.{HOME}"
DANE_SENDER_NAME, STS_SENDER_NAME = f"dane.{HOME}", f"sts.{HOME}"
NAME_SERVERS = {f"ns1.{HOME}": PRIMARY, f"ns2.{HOME}": SECONDARY}

_TTL = 60
# A negative TTL of two seconds, so that waiting for it costs a test no more than that.
_SOA = f"ns1.{HOME}. hostmaster.{HOME}. 1 60 5 604800 2"


@dataclass(frozen=True)
class Inbox:
    """What DNS says of the receiving server: its domain, the digest of its key (TLSA 3 1 1)."""

    domain: str
    tlsa: str

    @property
    def server(self) -> str:
        """The name of the server that the domain's MX names."""
        return f"mx.{self.domain}"


def plan(spec: LabSpec, inbox: Inbox) -> tuple[ZoneSpec, ...]:
    """Return every zone of the world, children before their parents, without delegations.

    A-records of the hosts are not among them: to publish those is what the lab is there to rehearse. Their
    PTR records are: they are the hosting provider's.
    """
    named = {
        CONTROLLER_NAME: CONTROLLER,
        RESOLVER_NAME: RESOLVER,
        AUTHORITY_NAME: AUTHORITY,
        DANE_SENDER_NAME: DANE_SENDER,
        STS_SENDER_NAME: STS_SENDER,
        inbox.server: INBOX,
        **NAME_SERVERS,
        **{host.name: host.addresses for host in spec.hosts},
    }
    zones = [
        ZoneSpec(HOME, _forward({n: a for n, a in named.items() if n.endswith(f".{HOME}")})),
        ZoneSpec(inbox.domain, _inbox_records(inbox)),
        ZoneSpec("in-addr.arpa", _reverse(named, 4)),
        ZoneSpec("ip6.arpa", _reverse(named, 6)),
        *spec.zones,
        ZoneSpec(".", _forward(NAME_SERVERS)),
    ]
    complete = [ZoneSpec(zone.name, (*_apex(zone.name), *zone.records)) for zone in zones]
    return tuple(sorted(complete, key=lambda zone: -_depth(zone.name)))


def parent(zone: str, zones: Sequence[str]) -> str:
    """Return the zone of these that must delegate to ``zone``: the closest one above it."""
    above = [each for each in zones if each != zone and (each == "." or zone.endswith(f".{each}"))]
    return max(above, key=_depth)


def delegation(zone: str, signers: tuple[str, ...]) -> tuple[RRset, ...]:
    """Return the records by which a parent delegates to a signed zone."""
    return (RRset(zone, "NS", _TTL, _servers()), RRset(zone, "DS", _TTL, signers))


def root_hints() -> str:
    """Return the text of a root hints file: who serves the root of this world."""
    lines = [f". 60 NS {name}." for name in NAME_SERVERS]
    lines += [f"{each.name}. 60 {each.type} {value}" for each in _forward(NAME_SERVERS) for value in each.values]
    return "\n".join(lines) + "\n"


def _depth(zone: str) -> int:
    return 0 if zone == "." else zone.count(".") + 1


def _servers() -> tuple[str, ...]:
    return tuple(f"{name}." for name in NAME_SERVERS)


def _apex(zone: str) -> tuple[RRset, ...]:
    return (RRset(zone, "SOA", _TTL, (_SOA,)), RRset(zone, "NS", _TTL, _servers()))


def _forward(named: Mapping[str, Sequence[str]]) -> tuple[RRset, ...]:
    records = []
    for name, addresses in named.items():
        for version, kind in ((4, "A"), (6, "AAAA")):
            values = tuple(a for a in addresses if ipaddress.ip_address(a).version == version)
            records += [RRset(name, kind, _TTL, values)] if values else []
    return tuple(records)


def _reverse(named: Mapping[str, Sequence[str]], version: int) -> tuple[RRset, ...]:
    pairs = [(ipaddress.ip_address(text), name) for name, addresses in named.items() for text in addresses]
    return tuple(
        RRset(address.reverse_pointer, "PTR", _TTL, (f"{name}.",))
        for address, name in pairs
        if address.version == version
    )


def _inbox_records(inbox: Inbox) -> tuple[RRset, ...]:
    return (
        RRset(inbox.domain, "MX", _TTL, (f"10 {inbox.server}.",)),
        RRset(inbox.domain, "TXT", _TTL, ('"v=spf1 mx -all"',)),
        *_forward({inbox.server: INBOX}),
        RRset(f"_25._tcp.{inbox.server}", "TLSA", _TTL, (f"3 1 1 {inbox.tlsa}",)),
    )
