"""A domain whose zone is not ours to write signs by slots: its owner publishes aliases once, keys lie in our zone."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from sendwright import credentials, inventory, planning
from sendwright.delegated import Alias, aliases
from sendwright.lab import HostSpec, Lab, LabSpec, RRset, ZoneSpec, installed
from sendwright.lab.clients import wait
from sendwright.lab.spec import PRIMARY, SECONDARY
from sendwright.received import Results
from sendwright.rehearse import World, world_in
from sendwright.service import Release
from sendwright.stack import DkimAlgorithm
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage, State
from sendwright.submission import Credential
from tests.lab.living import serial

pytestmark = pytest.mark.lab

OURS, CUSTOMER, HOST, ADDRESS = "ours.example", "customer.example", "mx.ours.example", "203.0.113.90"
PASSWORD = "correct-horse-battery-staple"
# Each pass goes as far as is safe at that second; caches of the lab forget within two.
_MOST_PASSES = 8
ROTATED = {
    **dict.fromkeys(("s1", "e1"), KeyStage.RETIRING),
    **dict.fromkeys(("s2", "e2"), KeyStage.SIGNING),
}
# What the customer has had for long: mail goes elsewhere, and may come from there.
BEFORE = (
    RRset(CUSTOMER, "TXT", 1, ('"v=spf1 mx -all"',)),
    RRset(CUSTOMER, "MX", 1, ("10 mail.elsewhere.example.",)),
)


@pytest.fixture(scope="module")
def delegated(lab_machine: None) -> Iterator[World]:  # noqa: ARG001 - requested for its verdict
    """A bare host of ours, and a domain that only its owner can write."""
    customer = {"dns": None, "mx": "elsewhere", "dkim": {"delegate_to": OURS}}
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    data = {"dns": {"main": server}, "domains": {OURS: {"dns": "main"}, CUSTOMER: customer}}
    stack = inventory.parse([(HOST, {"egress": [{"public": ADDRESS}]})], data, "a test")
    services = planning.services(stack, stack.hosts[0], Release.BOOKWORM, State())
    key = installed.ensure(12, (package for service in services for package in service.packages), print)
    host = HostSpec(HOST, (ADDRESS,), snapshot=key)
    zones = (ZoneSpec(OURS), ZoneSpec(CUSTOMER, BEFORE))
    lab = Lab.up(LabSpec(f"delegated-{os.getpid()}", (host,), zones), print)
    try:
        world = world_in(lab, stack, "inventory")
        with (world.folder / "group_data/all.py").open("a") as file:
            # A rehearsal writes every zone; here somebody else has it.
            file.write(f"domains[{CUSTOMER!r}]['dns'] = None\n")
        credentials.add(world.folder, "login", (CUSTOMER,), PASSWORD)
        yield world
    finally:
        lab.down()


def publish(world: World, *found: Alias, target: str | None = None) -> None:
    """Have the customer publish aliases; ``target``: where they lead to, if not where they should."""
    records = [RRset(alias.name, "CNAME", 1, (f"{target or alias.target}.",)) for alias in found]
    world.lab.primary.replace(CUSTOMER, records)
    with world.lab.inside():
        wait(lambda: len({serial(CUSTOMER, server[0]) for server in (PRIMARY, SECONDARY)}) == 1, "a server is behind")


def test_a_domain_that_only_its_owner_writes_signs_once_its_aliases_lead_to_our_keys(
    delegated: World, send: Callable[..., Results]
) -> None:
    """It waits for them by name, refuses one that leads elsewhere, then signs; its owner's zone is never written."""
    wanted = aliases(delegated.declared.stack.domain(CUSTOMER), ())
    before = delegated.lab.records(CUSTOMER)

    waits = delegated.provision()
    published = delegated.lab.records(CUSTOMER)
    publish(delegated, *wanted, target="nowhere.example")
    astray = delegated.provision()
    spf = RRset(CUSTOMER, "TXT", 1, (f'"v=spf1 ip4:{ADDRESS} mx -all"',))
    delegated.lab.primary.replace(CUSTOMER, [spf])
    publish(delegated, *wanted)
    done = delegated.provision()

    assert waits.returncode == 0, waits.stdout + waits.stderr
    for alias in wanted:
        assert f"{CUSTOMER}: publish {alias.name}. 3600 IN CNAME {alias.target}." in waits.stdout
    assert f"{CUSTOMER}: add ip4:{ADDRESS} to the SPF record at {CUSTOMER}." in waits.stdout
    assert f"CNAME s1._domainkey.{CUSTOMER}: " in waits.stdout
    assert published == before
    assert astray.returncode == 1, astray.stdout + astray.stderr
    assert "leads to nowhere.example instead" in astray.stdout + astray.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CUSTOMER}: publish {wanted[0].name}" not in done.stdout
    assert _stages(delegated) == {"s1": KeyStage.SIGNING, "e1": KeyStage.SIGNING}
    found = send(delegated, HOST, Credential("login", PASSWORD, f"a@{CUSTOMER}"))
    assert [found.dkim_of(algorithm) for algorithm in DkimAlgorithm] == ["pass", "pass"], found
    assert found.spf == "pass"


def test_its_keys_rotate_in_our_zone_and_its_owner_does_nothing(delegated: World, send: Callable[..., Results]) -> None:
    """The next slot signs once its alias and its key are served by both zones' servers; the owner's zone stays."""
    before = delegated.lab.records(CUSTOMER)

    for _ in range(_MOST_PASSES):
        asked = ("--start",) if _stages(delegated) == {"s1": KeyStage.SIGNING, "e1": KeyStage.SIGNING} else ()
        done = delegated.sendwright("rotate", str(delegated.folder), "--domain", CUSTOMER, *asked)
        assert done.returncode == 0, done.stdout + done.stderr
        if _stages(delegated) == ROTATED:
            break
        time.sleep(1)

    assert _stages(delegated) == ROTATED, done.stdout
    assert delegated.lab.records(CUSTOMER) == before
    found = send(delegated, HOST, Credential("login", PASSWORD, f"b@{CUSTOMER}"))
    assert [found.dkim_of(algorithm) for algorithm in DkimAlgorithm] == ["pass", "pass"], found


def _stages(world: World) -> dict[str, KeyStage]:
    keys = StateFolder.of(world.declared).load().keys
    return {key.selector: key.stage for key in keys if key.domain == CUSTOMER}
