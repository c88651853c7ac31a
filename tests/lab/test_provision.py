"""Provision, on a Debian 12 host as root and a Debian 13 host by sudo."""

import json

import pytest

from sendwright.rehearse import World

pytestmark = pytest.mark.lab


def test_a_second_provision_changes_nothing(world: World) -> None:
    """What is as it should be is left alone: no changes, exit 0."""
    done = world.provision("--format", "json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "unchanged"
