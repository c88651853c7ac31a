"""A world of mail domains behind a resolver that validates: as customers of a provider, half of them signed."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.dnssec
import dns.name
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY

RESOLVER = "127.0.0.1"
_SOA = "@ 3600 SOA ns1.mail.test. hostmaster.mail.test. 1 3600 600 604800 300\n"
_NS = "@ 3600 NS ns1.mail.test.\n@ 3600 NS ns2.mail.test.\n"
_PROVIDER = """
ns1 3600 A 192.0.2.53
ns2 3600 A 198.51.100.53
mx1 3600 A 192.0.2.25
mx2 3600 A 198.51.100.25
_spf 3600 TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 ~all"
"""
_CUSTOMER = """
@ 3600 MX 10 mx1.mail.test.
@ 3600 MX 20 mx2.mail.test.
@ 3600 A 203.0.113.80
@ 3600 TXT "v=spf1 mx include:_spf.mail.test -all"
@ 3600 TXT "verification={number:032}"
_dmarc 3600 TXT "v=DMARC1; p=reject; rua=mailto:dmarc@d{number}.example"
_smtp._tls 3600 TXT "v=TLSRPTv1; rua=mailto:tls@d{number}.example"
"""
_CONF = """server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  logfile: "{folder}/log"
  use-syslog: no
  do-daemonize: no
  interface: {address}
  do-not-query-localhost: no
  trust-anchor: ". IN DNSKEY {anchor}"
  local-zone: "test." nodefault
  msg-cache-size: 64m
  rrset-cache-size: 128m
remote-control:
  control-enable: no
"""
_ZONE = """auth-zone:
  name: "{name}"
  zonefile: "{file}"
  for-downstream: no
  fallback-enabled: no
"""


def domains(number: int) -> list[str]:
    """Return the names of the first of the domains."""
    return [f"d{i}.example" for i in range(number)]


@contextmanager
def resolver(folder: Path, number: int) -> Iterator[None]:
    """Serve so many domains at `RESOLVER`, port 53, by an unbound that validates; SystemExit where there is none."""
    unbound = shutil.which("unbound")
    if unbound is None:
        raise SystemExit("This benchmark needs unbound: apt-get install --no-install-recommends unbound")
    configuration = _written(folder, number)
    running = subprocess.Popen([unbound, "-d", "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        _await()
        yield
    finally:
        running.terminate()
        running.wait()


def _await() -> None:
    for _ in range(300):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
            if door.connect_ex((RESOLVER, 53)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("unbound does not answer.")


def _written(folder: Path, number: int) -> Path:
    zones: dict[str, Path] = {}
    below = ""
    for i in range(number):
        name = f"d{i}.example."
        below += _delegated(name, _zone(folder, zones, name, _CUSTOMER.format(number=i), signed=i % 2 == 0))
    above = _delegated("example.", _zone(folder, zones, "example.", below, signed=True))
    above += _delegated("mail.test.", _zone(folder, zones, "mail.test.", _PROVIDER, signed=True))
    anchor = _zone(folder, zones, ".", above, signed=True)
    text = _CONF.format(folder=folder, address=RESOLVER, anchor=anchor)
    text += "".join(_ZONE.format(name=name, file=file) for name, file in zones.items())
    configuration = folder / "unbound.conf"
    configuration.write_text(text)
    return configuration


def _delegated(name: str, key: DNSKEY | None) -> str:
    lines = f"{name} 3600 NS ns1.mail.test.\n{name} 3600 NS ns2.mail.test.\n"
    return lines + (f"{name} 3600 DS {dns.dnssec.make_ds(dns.name.from_text(name), key, 'SHA256')}\n" if key else "")


def _zone(folder: Path, zones: dict[str, Path], name: str, records: str, *, signed: bool) -> DNSKEY | None:
    """Write a zone, and return its key if it is signed."""
    zone = dns.zone.from_text(_SOA + _NS + records, origin=name, relativize=False)
    key = None
    if signed:
        private = ec.generate_private_key(ec.SECP256R1())
        key = dns.dnssec.make_dnskey(private.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
        with zone.writer() as writer:
            dns.dnssec.sign_zone(zone, writer, keys=[(private, key)], lifetime=864_000, add_dnskey=True)
    zones[name] = folder / f"{name}zone"
    zone.to_file(zones[name], relativize=False)
    return key
