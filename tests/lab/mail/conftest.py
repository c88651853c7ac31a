"""Clients of the provisioned world."""

import pytest

from sendwright.lab.clients import Clients
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.submission import Credential


@pytest.fixture(scope="session")
def clients(world: World, logins: dict[str, Credential]) -> Clients:
    """Mail programs with the world's credentials, and strangers without."""
    declared = world.declared
    certificates = StateFolder.of(declared).load().certificates
    return Clients(world.lab, {c.host: c.chain for c in certificates}, logins)


@pytest.fixture(params=["mx1.example.com", "mx2.example.com"])
def host(request: pytest.FixtureRequest) -> str:
    """Each host in turn: Debian 12 as root with a plain resolv.conf, Debian 13 by sudo with systemd-resolved."""
    return str(request.param)
