"""The world whose keys rotate."""

import os
from collections.abc import Iterator

import pytest

from sendwright import credentials
from sendwright.dns.records import TTL
from sendwright.lab import HostSpec, Lab, LabSpec, ZoneSpec
from sendwright.lines import NEW
from sendwright.rehearse import world_in
from tests.lab.living import snapshot
from tests.lab.rotation.world import ADDRESSES, BOTH, CACHES, LOGINS, SECOND, Rotating, remembering, stack


@pytest.fixture(scope="session")
def world_of_keys(lab_machine: None) -> Iterator[Rotating]:  # noqa: ARG001 - requested for its verdict
    """A Debian 12 and a Debian 13 that send; a resolver that remembers for a whole TTL, what is not there, too."""
    declared = stack()
    releases = zip(ADDRESSES.items(), (12, 13), strict=True)
    hosts = (HostSpec(name, (at,), release, snapshot=snapshot(declared, release)) for (name, at), release in releases)
    zones = tuple(ZoneSpec(name) for name in (BOTH, SECOND))
    lab = Lab.up(LabSpec(f"rotation-{os.getpid()}", tuple(hosts), zones, memory=TTL), print)
    try:
        for zone in zones:
            lab.primary.replace(zone.name, [remembering(zone.name)])
        world = world_in(lab, declared, "inventory")
        for login in LOGINS.values():
            credentials.add(world.folder, login.login, (login.login,), login.password)
        living = Rotating(world, LOGINS)
        for _ in range(6):
            done = world.provision("--no-wait")
            assert done.returncode == 0, done.stdout + done.stderr
            if done.stdout == "no changes\n":
                break
            living.settle()
            living.pass_time(CACHES)
        assert living.at_rest()
        living.settle()
        yield living
    finally:
        lab.down()


@pytest.fixture
def rotating(world_of_keys: Rotating) -> Rotating:
    """The same: no successor is on its way, though older keys may retire, and nothing waits of whatever was before."""
    world_of_keys.clients.discard()
    world_of_keys.settle()
    assert not world_of_keys.overlapping()
    assert not {k.stage for k in world_of_keys.keys} & NEW
    return world_of_keys
