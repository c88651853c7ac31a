"""A lab of name servers alone, which a test may stop: PowerDNS by API and by updates, Knot by updates."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from pprint import pformat

import pytest

from sendwright.dns.providers.base import Provider
from sendwright.lab import Lab, LabSpec, ZoneSpec, knot, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary
from sendwright.rehearse import World

# A zone at each server whose records tests write, and one at each that nobody may transfer.
POWERDNS, CLOSED, KNOT, QUIET = "example.com", "example.org", "knot.example", "quiet.example"
# Further ones: of an entry that works, and of one by the API and one by updates that break.
SOUND, BROKEN_API, BROKEN_UPDATES = "sound.example", "api.example", "updates.example"
UNENCRYPTED = "I know that anybody who reads this folder can sign as us"


@pytest.fixture(scope="session")
def dns_lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """A lab without hosts."""
    zones = tuple(ZoneSpec(name) for name in (POWERDNS, CLOSED, SOUND, BROKEN_API))
    lab = Lab.up(LabSpec(f"dns-{os.getpid()}", (), zones), print)
    try:
        lab.primary.forbid_transfer(CLOSED)
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def second(dns_lab: Lab) -> Knot:
    """Knot, beside the lab's own servers; nobody is led to its copy of a zone of theirs."""
    return knot.start(dns_lab, [KNOT, BROKEN_UPDATES], [QUIET], [POWERDNS])


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


@pytest.fixture(scope="session")
def declare(dns_lab: Lab) -> Callable[..., World]:
    """Return what writes the inventory of a domain at each of these primaries, and a host for each that is not there.

    Settings are those of all domains.
    """

    def written(folder: Path, *primaries: Primary, **settings: object) -> World:
        (folder / "group_data").mkdir(parents=True, exist_ok=True)
        for name, secret in (pair for primary in primaries for pair in primary.secrets.items()):
            (folder / name).write_text(secret)
        shared = {
            "dns": {primary.zone.replace(".", "-"): dict(primary.entry) for primary in primaries},
            "domains": {p.zone: {"dns": p.zone.replace(".", "-"), "mx": "elsewhere", **settings} for p in primaries},
            # No host is there that would hold a copy of a key before it is published.
            "key_store": {"unencrypted": UNENCRYPTED, "push": ["true"]},
        }
        lines = (f"{key} = {pformat(value)}\n" for key, value in shared.items())
        (folder / "group_data/all.py").write_text("".join(lines))
        senders = [(f"mx.{p.zone}", {"egress": [{"public": f"203.0.113.{n}"}]}) for n, p in enumerate(primaries, 1)]
        (folder / "inventory.py").write_text(f"senders = {pformat(senders)}\n")
        return World(dns_lab, folder)

    return written
