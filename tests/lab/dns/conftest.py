"""A lab of name servers alone, which a test may stop: PowerDNS by API and by updates, Knot by updates."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Provider
from sendwright.lab import Lab, LabSpec, ZoneSpec, knot, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary

# A zone at each server whose records tests write, and one at each that nobody may transfer.
POWERDNS, CLOSED, KNOT, QUIET = "example.com", "example.org", "knot.example", "quiet.example"


@pytest.fixture(scope="session")
def dns_lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """A lab without hosts."""
    lab = Lab.up(LabSpec(f"dns-{os.getpid()}", (), (ZoneSpec(POWERDNS), ZoneSpec(CLOSED))), print)
    try:
        lab.primary.forbid_transfer(CLOSED)
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def second(dns_lab: Lab) -> Knot:
    """Knot, beside the lab's own servers."""
    return knot.start(dns_lab, [KNOT], [QUIET])


@pytest.fixture(params=["powerdns by api", "powerdns by updates", "knot by updates"])
def primary(request: pytest.FixtureRequest, dns_lab: Lab, second: Knot) -> Primary:
    """Each of the servers in turn, each in each way that it is spoken to."""
    make = {
        "powerdns by api": partial(primaries.powerdns_by_api, dns_lab, POWERDNS),
        "powerdns by updates": partial(primaries.powerdns_by_updates, dns_lab, POWERDNS),
        "knot by updates": partial(primaries.knot_by_updates, second, KNOT),
    }
    return make[request.param]()


@pytest.fixture
def inside(dns_lab: Lab) -> Iterator[None]:
    """Be at the controller's place."""
    with dns_lab.inside():
        yield


@pytest.fixture
def provider(primary: Primary, tmp_path: Path, inside: None) -> Provider:  # noqa: ARG001 - requested for its place
    """Each of them as an inventory opens it."""
    return primary.provider(tmp_path)
