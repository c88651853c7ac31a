"""Worlds for the tests of a session, and what a test does at their controller's place."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sendwright import credentials, inventory
from sendwright.inventory import Inventory
from sendwright.lab import HostSpec, Lab, LabSpec, Resolver, RRset, ZoneSpec
from sendwright.lab.requirements import problems
from sendwright.overlay import inventory_files, rehearsed
from sendwright.rehearse import lab_facts, lab_spec
from sendwright.submission import Credential

ROOT = Path(__file__).parents[2]
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


@dataclass(frozen=True)
class SendingWorld:
    """A lab and the inventory that is rehearsed in it; ``credentials`` by login."""

    lab: Lab
    folder: Path
    credentials: Mapping[str, Credential] = field(default_factory=dict)

    @property
    def declared(self) -> Inventory:
        """The inventory as it is rehearsed."""
        return inventory.load(self.folder)

    def sendwright(self, *argv: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run the command line at the controller's place; ``timeout`` in seconds."""
        command = self.lab.command([sys.executable, "-m", "sendwright", *argv])
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT)

    def provision(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Provision the whole inventory without asking."""
        return self.sendwright("provision", str(self.folder), "--yes", *argv)


def build_world(name: str, source: Path, hosts: Mapping[str, HostSpec]) -> SendingWorld:
    """Build the bare world of an inventory; ``hosts`` says what a host is when it is not a plain Debian 12."""
    stack = inventory.load(source).stack
    spec = lab_spec(name, stack, 12)
    spec = replace(spec, hosts=tuple(hosts.get(h.name, h) for h in spec.hosts))
    lab = Lab.up(spec, print)
    folder = lab.state.folder / "inventory"
    for relative, text in inventory_files(rehearsed(stack, lab_facts(lab))).items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_text(text)
    return SendingWorld(lab, folder)


def with_credentials(world: SendingWorld, logins: Mapping[str, tuple[str, ...]]) -> SendingWorld:
    """Add credentials: ``logins`` maps a login to what it may send as; a first domain D stands for ``login@D``."""
    made = {}
    for login, send_as in logins.items():
        password = credentials.add(world.folder, login, send_as, None)
        address = send_as[0] if "@" in send_as[0] else f"{login}@{send_as[0]}"
        made[login] = Credential(login, password or "", address)
    return replace(world, credentials=made)


@pytest.fixture(scope="session")
def world(lab_machine: None) -> Iterator[SendingWorld]:  # noqa: ARG001 - requested for its verdict
    """Two provisioned hosts: Debian 12 with a plain resolv.conf as root, Debian 13 with systemd-resolved by sudo.

    Whoever changes something in it provisions again, so that the next test finds it as it should be.
    """
    bare = build_world(f"world-{os.getpid()}", ROOT / "inventories/two-hosts", {TRIXIE.name: TRIXIE})
    try:
        logins = {"alice": ("example.com",), "bob": ("bob@example.org",), "carol": ("example.com", "example.org")}
        world = with_credentials(bare, logins)
        done = world.provision()
        assert done.returncode == 0, done.stdout + done.stderr
        yield world
    finally:
        bare.lab.down()
