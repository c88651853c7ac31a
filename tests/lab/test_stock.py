"""The stock command converges hosts too: ``pyinfra INVENTORY/inventory.py deploys/sender.py``."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sendwright import issuing
from sendwright.lab import LabHost
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]


def stock(world: World) -> "subprocess.CompletedProcess[str]":
    """Run the stock command at the controller's place, from the root of the repository as the README has it."""
    pyinfra = Path(sys.executable).with_name("pyinfra")
    argv = [str(pyinfra), "-y", str(world.folder / "inventory.py"), "deploys/sender.py"]
    command = world.lab.command(argv)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)


def known_by_the_user() -> str:
    """Return a digest of the user's own known_hosts."""
    file = Path("~/.ssh/known_hosts").expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "none"


def ports(host: LabHost) -> set[int]:
    """Return the mail ports that a host listens on."""
    listening = host.run(["ss", "-Htln"]).stdout.split()
    return {port for port in (25, 465, 587) if any(word.endswith(f":{port}") for word in listening)}


def test_the_stock_command_heals_hosts_and_leaves_the_users_known_hosts_alone(world: World) -> None:
    """What differs is mended on both hosts; then nothing is left to do for sendwright."""
    before = known_by_the_user()
    for host in world.lab.hosts:
        host.run(["sh", "-c", "echo 'inet_interfaces = loopback-only' >>/etc/postfix/main.cf; systemctl stop dovecot"])

    done = stock(world)

    assert done.returncode == 0, done.stdout + done.stderr
    assert world.provision().stdout == "no changes\n"
    assert known_by_the_user() == before


@pytest.mark.parametrize(
    ("stage", "expected"), [(KeyStage.PUBLISHED, {25}), (KeyStage.SIGNING, {25, 465, 587})], ids=["closed", "open"]
)
def test_the_stock_command_takes_a_bare_host_as_far_as_the_state_says(
    bare: Callable[[], World], stage: KeyStage, expected: set[int]
) -> None:
    """Submission is open only where the keys are remembered as proven: it cannot prove them itself."""
    world = bare()
    declared = world.declared
    host = world.lab.host(declared.stack.hosts[0].name)
    folder = StateFolder.of(declared)
    issuing.generate_missing(declared.stack, folder, datetime.now(UTC))
    for each in declared.stack.hosts:
        issuing.renew_certificate(each, folder, declared.folder, datetime.now(UTC))
    for key in folder.load().keys:
        folder.save_key(replace(key, stage=stage, proven_on=(host.name,) if stage is KeyStage.SIGNING else ()))

    done = stock(world)

    assert done.returncode == 0, done.stdout + done.stderr
    assert ports(host) == expected


def test_the_stock_command_needs_the_keys(bare: Callable[[], World]) -> None:
    """Without a state it says what to run first, and changes nothing."""
    world = bare()
    name = world.declared.stack.hosts[0].name

    done = stock(world)

    assert done.returncode != 0
    assert f"{name} has no certificate" in done.stdout + done.stderr
    assert ports(world.lab.host(name)) == set()
