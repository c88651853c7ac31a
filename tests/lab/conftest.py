"""Worlds for the tests of a session, and what a test does at their controller's place."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sendwright import credentials, inventory
from sendwright.lab import HostSpec, Lab, LabSpec, Resolver, RRset, ZoneSpec
from sendwright.lab.requirements import problems
from sendwright.rehearse import World, build_from, lab_spec
from sendwright.submission import Credential

INVENTORIES = Path(__file__).parents[2] / "inventories"
# alice may send as a whole domain, bob as one address, carol as both domains.
LOGINS = {"alice": ("example.com",), "bob": ("bob@example.org",), "carol": ("example.com", "example.org")}
PASSWORD = "correct-horse-battery-staple"
BOOKWORM = HostSpec("mx1.example.com", ("203.0.113.10", "2001:db8::10"))
TRIXIE = HostSpec("mx2.example.com", ("203.0.113.11",), 13, Resolver.SYSTEMD_RESOLVED, admin=True)
# What the domain's owner has published before anybody provisions anything.
DOMAIN = ZoneSpec(
    "example.com",
    (
        RRset("mx1.example.com", "A", 60, ("203.0.113.10",)),
        RRset("mx1.example.com", "AAAA", 60, ("2001:db8::10",)),
        RRset("example.com", "MX", 60, ("10 mx1.example.com.",)),
        RRset("example.com", "TXT", 60, ('"v=spf1 ip4:203.0.113.10 -all"',)),
        RRset("_dmarc.example.com", "TXT", 60, ('"v=DMARC1; p=reject"',)),
    ),
)


@pytest.fixture(scope="session")
def lab_machine() -> None:
    """Skip, with the reason, where no lab can run; in CI that is a failure."""
    if not (missing := problems()):
        return
    reason = f"no lab can run here: {'; '.join(missing)}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """A lab with a Debian 12 and a Debian 13 host and one zone."""
    lab = Lab.up(LabSpec(f"test-{os.getpid()}", (BOOKWORM, TRIXIE), (DOMAIN,)), print)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def world(lab_machine: None) -> Iterator[World]:  # noqa: ARG001 - requested for its verdict
    """Two provisioned hosts: Debian 12 with a plain resolv.conf as root, Debian 13 with systemd-resolved by sudo.

    Whoever changes something in it provisions again, so that the next test finds it as it should be.
    """
    stack = inventory.load(INVENTORIES / "two-hosts").stack
    spec = lab_spec(f"world-{os.getpid()}", stack, 12)
    hosts = tuple(TRIXIE if host.name == TRIXIE.name else host for host in spec.hosts)
    world = build_from(replace(spec, hosts=hosts), stack, print)
    try:
        for login, send_as in LOGINS.items():
            credentials.add(world.folder, login, send_as, PASSWORD)
        done = world.provision()
        assert done.returncode == 0, done.stdout + done.stderr
        yield world
    finally:
        world.lab.down()


@pytest.fixture(scope="session")
def logins() -> dict[str, Credential]:
    """The credentials of the provisioned world, by login."""
    return {
        login: Credential(login, PASSWORD, send_as[0] if "@" in send_as[0] else f"{login}@{send_as[0]}")
        for login, send_as in LOGINS.items()
    }
