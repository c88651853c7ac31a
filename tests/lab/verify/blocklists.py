"""The blocklists of the world, served by the lab under their real names: one lists, one is dead, one refuses."""

from collections.abc import Iterator

from sendwright.lab import RRset, ZoneSpec
from sendwright.verify.records.blocklists import LISTS, Blocklist
from tests.lab.verify.servers import BAD, SERVICES

_TTL = 60
LISTED = f"listed.{BAD}"
#: Lists everything, as some did when they were given up.
DEAD = "psbl.surriel.com"
#: Says that it cannot be asked from here.
REFUSES = "multi.uribl.com"


def blocklists() -> Iterator[ZoneSpec]:
    """Yield their zones."""
    for each in LISTS:
        yield ZoneSpec(each.zone, tuple(_records(each)))


def _records(each: Blocklist) -> Iterator[RRset]:
    code = next(iter(each.codes), f"127.0.0.{max(each.bits, default=2)}")
    if each.zone == DEAD:
        yield RRset(f"*.{each.zone}", "A", _TTL, ("127.0.0.2",))
        return
    if each.zone == REFUSES:
        yield RRset(f"*.{each.zone}", "A", _TTL, ("127.0.0.1",))
        return
    for test in each.tests:
        yield RRset(f"{test}.{each.zone}", "A", _TTL, (code,))
    if each.families:
        relay = next(s.address for s in SERVICES if s.name == f"mx.relay.{BAD}")
        reverse = ".".join(reversed(relay.split(".")))
        yield RRset(f"{reverse}.{each.zone}", "A", _TTL, (code,))
    else:
        yield RRset(f"{LISTED}.{each.zone}", "A", _TTL, (code,))
