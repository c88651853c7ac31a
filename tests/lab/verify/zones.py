"""Zones that are broken as zones: their delegation, their servers, their signatures."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.name
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from sendwright.lab import Lab, RRset
from sendwright.lab.spec import HOME
from tests.lab.verify.records import TLD, pointers, rrsets
from tests.lab.verify.servers import BAD

NS1, NS2 = f"ns1.{HOME}.", f"ns2.{HOME}."
# Where name servers answer that PowerDNS is not: one that knows no zone of ours, one that nothing comes back from,
# one without TCP, and the one with zones of its own.
LAME, SILENT, UDP_ONLY, KNOT = "198.51.100.60", "198.51.100.61", "198.51.100.62", "198.51.100.63"
_FOLDER = "/var/lib/knot"
_TTL = 60


def break_zones(lab: Lab) -> None:
    """Bend delegations and contents so that each of `records.PLAIN` is broken in its way."""
    _serve(lab)
    names = {"lame": LAME, "silent": SILENT, "udp": UDP_ONLY, "knot": KNOT}
    below = [RRset(f"ns-{label}.{BAD}", "A", _TTL, (address,)) for label, address in names.items()]
    alias = RRset(f"ns-alias.{BAD}", "CNAME", _TTL, (NS2,))
    lab.primary.replace(BAD, [*below, alias])
    both = {
        "lame.example": (NS1, NS2, f"ns-lame.{BAD}."),
        "alias-ns.example": (NS1, f"ns-alias.{BAD}."),
        "single.example": (NS1,),
        "udp.example": (f"ns-udp.{BAD}.", f"ns-knot.{BAD}."),
        "unsigned.example": (f"ns-knot.{BAD}.",),
        "ending.example": (f"ns-knot.{BAD}.",),
        "parted.example": (f"ns-knot.{BAD}.", f"ns-lame.{BAD}."),
    }
    root = [RRset(zone, "NS", _TTL, servers) for zone, servers in both.items()]
    bent = ("lame.example", "alias-ns.example", "single.example")
    for zone in bent:
        lab.primary.replace(zone, [RRset(zone, "NS", _TTL, both[zone])])
    wrong = f"12345 13 2 {'00' * 32}"
    lab.primary.replace(TLD, [*root, RRset("bogus.example", "DS", _TTL, (wrong,)), _signed(lab)])
    lab.primary.replace("in-addr.arpa", pointers())
    _settle(lab, (TLD, "in-addr.arpa", BAD, *bent))
    lab.secondary.fetch_from("stale.example", "198.18.255.254")
    lab.primary.replace("stale.example", rrsets("stale.example", '@ IN TXT "v=spf1 a mx -all"'))
    lab.forget()


def _settle(lab: Lab, zones: tuple[str, ...]) -> None:
    """Have the secondary serve what the primary does."""
    for zone in zones:
        lab.secondary.retrieve(zone)
    deadline = time.monotonic() + 20
    while any(_plain(lab.primary.records(z)) != _plain(lab.secondary.records(z)) for z in zones):
        assert time.monotonic() < deadline, "the secondary does not follow"
        time.sleep(0.1)


def _plain(records: tuple[RRset, ...]) -> set[RRset]:
    return {r for r in records if r.type not in {"SOA", "RRSIG", "NSEC", "DNSKEY", "NSEC3", "NSEC3PARAM"}}


def _serve(lab: Lab) -> None:
    """Start Knot with zones that are not signed or signed for a day only, and unbound without TCP for one of them."""
    machine = lab.world
    for address in (LAME, SILENT, UDP_ONLY, KNOT):
        machine.run(["ip", "address", "replace", f"{address}/32", "dev", "eth0"])
    machine.run(["ip", "rule", "add", "from", SILENT, "blackhole"])
    folder = machine.root / _FOLDER.lstrip("/")
    for zone, servers in {
        "unsigned.example": ("knot",),
        "udp.example": ("udp", "knot"),
        "ending.example": ("knot",),
        "parted.example": ("knot",),
    }.items():
        (folder / f"{zone}.zone").write_text(_text(zone, servers))
    _sign(folder / "ending.example.zone")
    (folder / "broken").mkdir()
    (folder / "knot.conf").write_text(_KNOT)
    (folder / "udp.conf").write_text(_UDP)
    machine.run(["chown", "-R", "knot:", _FOLDER])
    rights = ["--uid=knot", "--property=AmbientCapabilities=CAP_NET_BIND_SERVICE"]
    for unit, argv in {
        "broken-knot": [*rights, "knotd", "-c", f"{_FOLDER}/knot.conf"],
        "broken-udp": ["unbound", "-d", "-c", f"{_FOLDER}/udp.conf"],
    }.items():
        machine.run(["systemd-run", "--quiet", "--collect", f"--unit={unit}", *argv])


def _text(zone: str, servers: tuple[str, ...]) -> str:
    lines = [f"{zone}. 60 IN SOA ns-knot.{BAD}. hostmaster.{BAD}. 1 60 5 604800 2"]
    lines += [f"{zone}. 60 IN NS ns-{server}.{BAD}." for server in servers]
    lines += [f'{zone}. 60 IN TXT "v=spf1 mx -all"', f"{zone}. 60 IN MX 10 mx.{zone}."]
    lines += [f"mx.{zone}. 60 IN A 198.51.100.39", f"_25._tcp.mx.{zone}. 60 IN TLSA 3 1 1 {'00' * 32}"]
    return "\n".join(lines) + "\n"


_KEY = ec.generate_private_key(ec.SECP256R1())


def _sign(file: Path) -> None:
    """Sign a zone for one more day, as a signer that has stopped would leave it."""
    origin = dns.name.from_text("ending.example.")
    zone = dns.zone.from_file(str(file), origin=origin, relativize=False, check_origin=False)
    key = dns.dnssec.make_dnskey(_KEY.public_key(), "ECDSAP256SHA256", flags=257)
    now = datetime.now(UTC)
    dns.dnssec.sign_zone(
        zone,
        keys=[(_KEY, key)],
        inception=now - timedelta(days=14),
        expiration=now + timedelta(days=1),
        dnskey_ttl=_TTL,
    )
    file.write_text(zone.to_text(relativize=False))


def _signed(lab: Lab) -> RRset:
    del lab
    key = dns.dnssec.make_dnskey(_KEY.public_key(), "ECDSAP256SHA256", flags=257)
    signer = dns.dnssec.make_ds(dns.name.from_text("ending.example."), key, "SHA256")
    return RRset("ending.example", "DS", _TTL, (signer.to_text(),))


_KNOT = f"""server:
    listen: [{LAME}@53, {SILENT}@53, {KNOT}@53]
    rundir: {_FOLDER}/broken
database:
    storage: {_FOLDER}/broken
template:
  - id: default
    storage: {_FOLDER}
    file: "%s.zone"
    journal-content: none
    zonefile-load: whole
zone:
  - domain: unsigned.example
  - domain: udp.example
  - domain: ending.example
  - domain: parted.example
"""
_UDP = f"""server:
    interface: {UDP_ONLY}
    do-tcp: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    access-control: 0.0.0.0/0 allow
    do-not-query-localhost: no
remote-control:
    control-enable: no
auth-zone:
    name: udp.example
    zonefile: {_FOLDER}/udp.example.zone
    for-upstream: yes
    for-downstream: yes
"""
