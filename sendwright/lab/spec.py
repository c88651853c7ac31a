"""What a lab shall hold, as data."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sendwright.errors import LabError

#: The lab's own addresses; hosts bring their real ones. 198.18.0.0/15 is RFC 2544's, for tests of networks.
CONTROLLER = ("198.18.0.1", "fd53:656e:6477::1")
PRIMARY = ("198.18.0.11", "fd53:656e:6477::11")
SECONDARY = ("198.18.0.12", "fd53:656e:6477::12")
KNOT = ("198.18.0.13",)
AUTHORITY = ("198.18.0.14",)
INBOX = ("198.18.0.25", "fd53:656e:6477::25")
#: Strangers' servers that enforce what they know of TLS: one by DANE, one by MTA-STS.
DANE_SENDER, STS_SENDER = ("198.18.0.31",), ("198.18.0.32",)
RESOLVER = ("198.18.0.53", "fd53:656e:6477::53")
_RESERVED = (ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("fd53:656e:6477::/64"))
#: The zone of the lab's own machines.
HOME = "sendwright-lab.example"


class Resolver(StrEnum):
    """How a host finds its name server before anything is deployed."""

    PLAIN = "plain"  # a file /etc/resolv.conf
    SYSTEMD_RESOLVED = "systemd-resolved"  # a link to the stub of systemd-resolved


@dataclass(frozen=True)
class RRset:
    """One record set: full name without the last dot, type, TTL in seconds, values in zone-file text."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class ZoneSpec:
    """A zone of the inventory, and records that somebody else published in it before us."""

    name: str
    records: tuple[RRset, ...] = ()


@dataclass(frozen=True)
class HostSpec:
    """A host: its real name, its real addresses, Debian's release (12 or 13), and how it is reached.

    ``admin``: log in as the user ``admin`` with sudo, and root cannot; otherwise as root. ``snapshot``: the
    key of a snapshot to start from instead of a bare Debian (see :mod:`sendwright.lab.snapshots`).
    """

    name: str
    addresses: tuple[str, ...]
    release: int = 12
    resolver: Resolver = Resolver.PLAIN
    admin: bool = False
    snapshot: str | None = None


@dataclass(frozen=True)
class LabSpec:
    """A lab: its name (at most 24 lower-case letters, digits and dashes), hosts, zones, inbox.

    ``memory``: for how many seconds its resolver remembers an answer at most, whatever the answer's TTL says;
    ``authority``: how long certificates of its authority are valid (:mod:`sendwright.lab.authority`), if it has one.
    """

    name: str
    hosts: tuple[HostSpec, ...] = ()
    zones: tuple[ZoneSpec, ...] = ()
    inbox_domain: str = "inbox.example"
    memory: int = 1
    authority: timedelta | None = None

    def check(self) -> None:
        """Raise LabError that lists everything that is wrong with this specification."""
        problems = [*_name_problems(self), *_address_problems(self.hosts)]
        problems += [
            f"{host.name}: there is no release {host.release}" for host in self.hosts if host.release not in (12, 13)
        ]
        if problems:
            raise LabError(f"no lab can be built so: {'; '.join(problems)}.")


def _name_problems(spec: LabSpec) -> list[str]:
    problems = []
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,23}", spec.name):
        problems.append(f"the name {spec.name!r} is not of lower-case letters, digits and dashes, at most 24")
    names = [host.name for host in spec.hosts]
    problems += [f"two hosts are called {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    taken = {".", "in-addr.arpa", "ip6.arpa", HOME, spec.inbox_domain}
    zones = [zone.name for zone in spec.zones]
    problems += [f"the lab has a zone {name} of its own" for name in zones if name in taken]
    problems += [f"two zones are called {name}" for name in sorted({n for n in zones if zones.count(n) > 1})]
    return problems


def _address_problems(hosts: tuple[HostSpec, ...]) -> list[str]:
    problems, seen = [], dict[str, str]()
    for host in hosts:
        if not host.addresses:
            problems.append(f"{host.name} has no address")
        for text in host.addresses:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                problems.append(f"{host.name}: {text} is not an address")
                continue
            if any(address in network for network in _RESERVED):
                problems.append(f"{host.name}: {text} is in a range that the lab keeps for itself")
            if (other := seen.setdefault(str(address), host.name)) != host.name:
                problems.append(f"{host.name} and {other} both have {text}")
    return problems
