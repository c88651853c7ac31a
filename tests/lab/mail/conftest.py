"""Clients of the provisioned world."""

import pytest

from sendwright.lab.clients import Clients
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.submission import Credential


@pytest.fixture(scope="module")
def clients(world: World, logins: dict[str, Credential]) -> Clients:
    """Mail programs with the world's credentials, and strangers without; nothing waits from the module before."""
    declared = world.declared
    certificates = StateFolder.of(declared).load().certificates
    clients = Clients(world.lab, {c.host: c.chain for c in certificates}, logins)
    clients.discard()
    return clients


@pytest.fixture(params=["mx1.example.com", "mx2.example.com"])
def host(request: pytest.FixtureRequest) -> str:
    """Each host in turn: Debian 12 as root with a plain resolv.conf, Debian 13 by sudo with systemd-resolved."""
    return str(request.param)
