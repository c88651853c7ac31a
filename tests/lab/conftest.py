"""Worlds for the tests of a session, and what a test does at their controller's place."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sendwright import credentials, inventory, planning
from sendwright.lab import HostSpec, Lab, LabSpec, Resolver, RRset, ZoneSpec, installed
from sendwright.lab.requirements import problems
from sendwright.received import Results, results
from sendwright.rehearse import World, build_from, lab_spec, world_in
from sendwright.service import Release
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import State
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


# How many first provisions the tests of a session begin on hosts that have their packages already.
_BARE = 16
# Hands a message over at the controller's place, where names resolve.
_SUBMIT = """
import json, sys
from datetime import UTC, datetime
from sendwright.submission import Credential, message, submit
host, port, chain, who, recipient, subject = json.load(sys.stdin)
who = Credential(*who)
submit(host, port, chain, who, recipient, message(who.address, recipient, subject, datetime.now(UTC)))
"""


def bare_stack(number: int) -> Stack:
    """Return the stack of one bare host and its domain."""
    host = {"egress": [{"public": f"203.0.113.{100 + number}"}]}
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    data = {"dns": {"main": server}, "domains": {f"d{number}.example": {"dns": "main"}}}
    return inventory.parse([(f"mx.d{number}.example", host)], data, "a test")


def declare(lab: Lab, number: int) -> World:
    """Write the inventory of a bare host, with one login that may send as its domain."""
    stack = bare_stack(number)
    world = world_in(lab, stack, stack.domains[0].name)
    credentials.add(world.folder, "login", (stack.domains[0].name,), PASSWORD)
    return world


@pytest.fixture(scope="session")
def bare_lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """Hosts that have all packages, but nothing configured and no daemon running; the last one has not even those."""
    stacks = [bare_stack(number) for number in range(_BARE + 1)]
    services = planning.services(stacks[0], stacks[0].hosts[0], Release.BOOKWORM, State())
    key = installed.ensure(12, (package for service in services for package in service.packages), print)
    snapshots = (*((key,) * _BARE), None)
    found = [(stack.hosts[0], snapshot) for stack, snapshot in zip(stacks, snapshots, strict=True)]
    hosts = tuple(HostSpec(host.name, (str(host.addresses[0]),), snapshot=snapshot) for host, snapshot in found)
    zones = tuple(ZoneSpec(name) for s in stacks for name in (s.domains[0].name, f"more-{s.domains[0].name}"))
    lab = Lab.up(LabSpec(f"bare-{os.getpid()}", hosts, zones), print)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return iter(range(_BARE))


@pytest.fixture(scope="session")
def bare(bare_lab: Lab, _numbers: Iterator[int]) -> Callable[[], World]:
    """Return what makes the inventory of a host that no test has touched yet; its one login may send as its domain.

    The domain is that of the host's name; a zone ``more-…`` of another one is there, too.
    """

    return lambda: declare(bare_lab, next(_numbers))


@pytest.fixture
def without_packages(bare_lab: Lab) -> World:
    """The inventory of a host as Debian's installer leaves it; there is one in a session."""
    return declare(bare_lab, _BARE)


@pytest.fixture(scope="session")
def send() -> Callable[..., Results]:
    """Return what submits a message by a host and tells what the receiver made of it, once it has arrived."""

    def submitted(world: World, host: str, who: Credential, port: int = 587) -> Results:
        declared = world.declared
        certificate = StateFolder.of(declared).load().certificate_of(host)
        assert certificate is not None
        subject = f"message {uuid.uuid4().hex}"
        login = [who.login, who.password, who.address]
        given = json.dumps([host, port, certificate.chain, login, f"a@{world.lab.inbox.domain}", subject])
        world.lab.run([sys.executable, "-c", _SUBMIT], given=given)
        arrived = world.lab.inbox.wait_for(lambda received: subject.encode() in received.raw)
        return results(arrived.raw, world.lab.inbox.machine.name)

    return submitted
