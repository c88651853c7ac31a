"""The live checks hold on provisioned hosts, and say so when one is broken."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sendwright import live
from sendwright.rehearse import World

pytestmark = pytest.mark.lab

LIVE = Path(__file__).parents[1] / "live"
HOSTS = ["mx1.example.com", "mx2.example.com"]


def checks(world: World, report: Path, *argv: str) -> tuple[int, dict[str, bool]]:
    """Run the live checks at the controller's place; return the exit code, and which check held."""
    options = ["--inventory", str(world.folder), f"--junitxml={report}", "-q", "-p", "no:cacheprovider"]
    command = world.lab.command([sys.executable, "-m", "pytest", str(LIVE), *options, *argv])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert report.exists(), done.stdout + done.stderr
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - our own report
    return done.returncode, {str(case.get("name")): case.find("failure") is None for case in cases}


def test_every_live_check_holds_on_provisioned_hosts(world: World, tmp_path: Path) -> None:
    """Both hosts, each check, over the connection that provisioned them: as root, and by sudo."""
    status, held = checks(world, tmp_path / "report.xml")

    assert [name for name, good in held.items() if not good] == []
    assert status == 0
    for host in world.declared.stack.hosts:
        assert sum(host.name in name for name in held) > 25


@pytest.mark.parametrize("name", HOSTS)
def test_a_command_is_answered_exactly(world: World, name: str) -> None:
    """As root, whoever logs in; its status, both outputs with every line break, its arguments as they were given."""
    with world.lab.inside(), live.connect(world.declared.stack.host(name), world.folder) as asked:
        assert asked.check_output("id -u") == "0"
        assert asked.run("echo oops >&2; exit 3").rc == 3
        assert asked.run("printf 'a\\n\\nb\\n'").stdout == "a\n\nb\n"
        assert asked.run("printf é").stdout == "é"
        assert asked.run("echo oops >&2").stderr.strip() == "oops"
        assert asked.check_output("echo %s", "it's $HOME") == "it's $HOME"


@pytest.mark.parametrize("host", HOSTS)
def test_a_stopped_signer_is_seen(world: World, tmp_path: Path, host: str) -> None:
    """A host whose RSA signer is away fails, by name; the check of another daemon on it still holds."""
    asked = world.lab.host(host)
    asked.run(["systemctl", "stop", "sendwright-opendkim@rsa.service"])
    try:
        status, held = checks(world, tmp_path / "report.xml", "-k", f"{host} and (signer_runs or guard_runs)")
    finally:
        healed = world.provision()

    assert status == 1
    assert held == {
        f"test_one_signer_runs_for_each_algorithm[{host}]": False,
        f"test_the_sender_guard_runs[{host}]": True,
    }
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert checks(world, tmp_path / "healed.xml", "-k", f"{host} and signer_runs")[0] == 0
