"""Two provisioned hosts, Debian 12 and 13, and strangers whom they write to."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sendwright import inventory, planning
from sendwright.lab import Lab, installed
from sendwright.lab.machine import File, write
from sendwright.rehearse import lab_spec, world_in
from sendwright.service import Release
from sendwright.stack import Stack
from sendwright.state.model import State
from tests.lab.outbound.receivers import DEMANDED, OVERRIDDEN, Strangers
from tests.lab.outbound.sending import Outbound

HOSTS = {"mx.d12.example": Release.BOOKWORM, "mx.d13.example": Release.TRIXIE}


def _stack() -> Stack:
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    domains = {name.removeprefix("mx."): {"dns": "main"} for name in HOSTS}
    overrides = {OVERRIDDEN.domain: "may", DEMANDED.domain: "encrypt"}
    data = {"dns": {"main": server}, "domains": domains, "smtp": {"tls_overrides": overrides}}
    by_sudo = {"ssh_user": "admin", "_sudo": True}
    hosts = [
        (name, {"egress": [{"public": f"203.0.113.{number}"}], **(by_sudo if number == 13 else {})})
        for name, number in zip(HOSTS, (12, 13), strict=True)
    ]
    return inventory.parse(hosts, data, "a test")


@pytest.fixture(scope="session")
def outbound(lab_machine: None) -> Iterator[Outbound]:  # noqa: ARG001 - requested for its verdict
    """Hosts that trust the strangers' authority, as they trust those of the world."""
    stack, strangers = _stack(), Strangers()
    spec = lab_spec(f"outbound-{os.getpid()}", stack, 12)
    hosts = []
    for host in spec.hosts:
        services = planning.services(stack, stack.host(host.name), HOSTS[host.name], State())
        release = int(HOSTS[host.name])
        key = installed.ensure(release, (package for service in services for package in service.packages), print)
        hosts.append(replace(host, release=release, snapshot=key))
    lab = Lab.up(replace(spec, hosts=tuple(hosts), zones=(*spec.zones, *strangers.zones)), print)
    try:
        strangers.start(lab)
        for each in lab.hosts:
            authority = "usr/local/share/ca-certificates/strangers.crt"
            write(each.root, {f"/{authority}": File(strangers.authority.public)})
            each.run(["update-ca-certificates"])
        world = world_in(lab, stack, "inventory")
        done = world.provision()
        assert done.returncode == 0, done.stdout + done.stderr
        yield Outbound(world, stack)
    finally:
        lab.down()


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    """Each host in turn: Debian 12 as root, Debian 13 by sudo."""
    return str(request.param)
