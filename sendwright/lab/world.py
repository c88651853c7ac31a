"""The world's DNS: a root of our own, a signed primary and secondary, and a validating resolver."""

import importlib.resources
import sqlite3
import string
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from sendwright.errors import LabError
from sendwright.lab import zones
from sendwright.lab.machine import File, Machine, enable, write
from sendwright.lab.powerdns import PowerDns
from sendwright.lab.spec import PRIMARY, RESOLVER, SECONDARY, RRset, ZoneSpec

TSIG_NAME, TSIG_ALGORITHM = "sendwright-lab", "hmac-sha256"
#: Where nobody answers: what a held secondary takes for its primary.
_NOWHERE = "198.18.255.254"
_PRIMARY = f"""primary=yes
xfr-cycle-interval=1
only-notify={SECONDARY[0]}
# Who knows the key may transfer.
allow-axfr-ips=
dnsupdate=yes
# Who may is decided by key, zone by zone.
allow-dnsupdate-from=0.0.0.0/0, ::/0"""
#: Zones that Unbound answers by itself unless a line ``local-zone: "…" nodefault`` tells it not to; a resolver
#: that is deployed to a lab's host needs the same lines to see the reverse names of documentation addresses.
LOCAL_ZONES = (
    "test.",
    "invalid.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "10.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    *(f"{number}.172.in-addr.arpa." for number in range(16, 32)),
    "d.f.ip6.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
)


def prepare(machine: Machine, key: str, memory: int) -> None:
    """Write the servers' configuration into the mounted machine.

    Arguments: ``key``: the API's; ``memory``: for how many seconds the resolver remembers an answer at most.
    """
    roles = {
        "primary": (PRIMARY, _PRIMARY),
        "secondary": (SECONDARY, "secondary=yes\nxfr-cycle-interval=1"),
    }
    schema = (machine.root / "usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read_text()
    for role, (addresses, extra) in roles.items():
        text = render(
            "pdns.conf",
            role=role,
            addresses=", ".join(addresses),
            webserver=addresses[0],
            key=key,
            extra=extra,
        )
        database = f"/var/lib/powerdns/{role}.sqlite3"
        files = {
            f"/etc/powerdns/pdns-{role}.conf": File(text, 0o640, "root", "pdns"),
            database: File("", 0o640, "pdns", "pdns"),
        }
        write(machine.root, files)
        with closing(sqlite3.connect(machine.root / database.lstrip("/"))) as connection:
            connection.executescript(schema)
    local_zones = "\n".join(f'  local-zone: "{zone}" nodefault' for zone in LOCAL_ZONES)
    text = render("unbound.conf", v4=RESOLVER[0], v6=RESOLVER[1], memory=str(memory), local_zones=local_zones)
    hints = zones.root_hints()
    write(machine.root, {"/etc/unbound/unbound.conf": File(text), "/etc/unbound/root.hints": File(hints)})
    enable(machine.root, {f"pdns@{role}.service": "pdns@.service" for role in roles})


def fill(machine: Machine, primary: PowerDns, secondary: PowerDns, contents: Sequence[ZoneSpec], tsig: str) -> str:
    """Publish the zones, children before parents, on the booted machine; return the root's trust anchor.

    ``tsig`` is the base64 secret of the key that may update every zone. Starts the resolver at the end.
    """
    _await(primary.answers, "the primary name server")
    primary.add_tsig_key(TSIG_NAME, TSIG_ALGORITHM, tsig)
    names = [zone.name for zone in contents]
    delegations: dict[str, list[RRset]] = {name: [] for name in names}
    signers: tuple[str, ...] = ()
    for zone in contents:
        primary.create(zone.name, (*zone.records, *delegations[zone.name]), _METADATA, readers=TSIG_NAME)
        signers = primary.delegation_signers(zone.name)
        if zone.name != ".":
            delegations[zones.parent(zone.name, names)] += zones.delegation(zone.name, signers)
    _await(secondary.answers, "the secondary name server")
    secondary.add_tsig_key(TSIG_NAME, TSIG_ALGORITHM, tsig)
    for name in names:
        secondary.create_secondary(name, PRIMARY[0], TSIG_NAME)
        secondary.retrieve(name)
    for name in names:
        _await(partial(secondary.records, name), f"the secondary's copy of {name}")
    anchor = "".join(f". IN DS {value}\n" for value in signers)
    write(machine.root, {"/etc/unbound/root.key": File(anchor)})
    machine.run(["systemctl", "start", "unbound"])
    return anchor


def hold(secondary: PowerDns, names: Sequence[str]) -> None:
    """Keep the secondary from learning of changes in these zones, as a slow provider would."""
    for name in names:
        secondary.fetch_from(name, _NOWHERE)


def release(secondary: PowerDns, names: Sequence[str]) -> None:
    """Let the secondary catch up in these zones, at once."""
    for name in names:
        secondary.fetch_from(name, PRIMARY[0])
        secondary.retrieve(name)


def forget(machine: Machine, below: str) -> None:
    """Have the resolver forget every answer about a name and all names below it, as if its TTL had run out."""
    machine.run(["unbound-control", "flush_zone", below])


def render(name: str, **values: str) -> str:
    """Fill one of the configuration files in ``sendwright/lab/files``."""
    text = (importlib.resources.files("sendwright.lab") / "files" / name).read_text()
    return string.Template(text).substitute(values)


_METADATA = {
    "TSIG-ALLOW-DNSUPDATE": (TSIG_NAME,),
    "ALLOW-DNSUPDATE-FROM": ("0.0.0.0/0", "::/0"),
    "SOA-EDIT-DNSUPDATE": ("INCREASE",),
    "NOTIFY-DNSUPDATE": ("1",),
}


def _await(condition: Callable[[], object], what: str, *, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what} was not there within {timeout:.0f} s.", "Try again: the machine may be busy.")
        time.sleep(0.05)
