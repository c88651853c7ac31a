"""Provision, on a Debian 12 host as root and a Debian 13 host by sudo."""

import json
import os
from pathlib import Path

import pytest

from sendwright.lab import LabHost
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder

pytestmark = pytest.mark.lab


def newest_entry(host: LabHost) -> str:
    """Return the journal's cursor."""
    return host.run(["journalctl", "--lines=0", "--show-cursor"]).stdout.split("cursor: ")[1].strip()


def commands_since(host: LabHost, cursor: str) -> list[str]:
    """Return the commands that sshd was asked for, as it tells itself."""
    log = host.run(["journalctl", "--unit=ssh", "--output=cat", f"--after-cursor={cursor}"]).stdout
    return [entry for entry in log.splitlines() if entry.startswith("Starting session: ")]


def contents(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, but who holds its lock."""
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_a_second_provision_changes_nothing_by_one_command_a_host(world: World) -> None:
    """What is as it should be is left alone: no changes, exit 0, and each host was sent a single command."""
    state = contents(world.declared.state_dir)
    cursors = {host.name: newest_entry(host) for host in world.lab.hosts}

    done = world.provision("--format", "json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "unchanged"
    assert {host.name: len(commands_since(host, cursors[host.name])) for host in world.lab.hosts} == {
        "mx1.example.com": 1,
        "mx2.example.com": 1,
    }
    assert contents(world.declared.state_dir) == state


def test_people_read_no_changes(world: World) -> None:
    """In these words, from plan and from provision; nothing is pending."""
    planned = world.sendwright("plan", str(world.folder), "--detailed-exitcode")
    done = world.provision()

    assert (planned.returncode, planned.stdout) == (0, "no changes\n")
    assert (done.returncode, done.stdout) == (0, "no changes\n")


def test_a_second_provision_at_the_same_time_is_refused(world: World) -> None:
    """It names the process that is at it, and exits with 1 before it has looked at anything."""
    declared = world.declared
    cursors = {host.name: newest_entry(host) for host in world.lab.hosts}

    with StateFolder.of(declared).lock():
        refused = world.provision()

    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"is in use by process {os.getpid()}." in refused.stderr
    assert [commands_since(host, cursors[host.name]) for host in world.lab.hosts] == [[], []]
