"""The live checks hold on provisioned hosts, and say so when one is broken."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sendwright import live
from sendwright.rehearse import World
from sendwright.verify.hosts import RULES

pytestmark = pytest.mark.lab

LIVE = Path(__file__).parents[1] / "live"
HOSTS = ["mx1.example.com", "mx2.example.com"]


def checks(world: World, report: Path, *argv: str) -> tuple[int, dict[str, bool], str]:
    """Run the live checks at the controller's place; return the exit code, which check held, and what was said."""
    options = ["--inventory", str(world.folder), f"--junitxml={report}", "-q", "-p", "no:cacheprovider"]
    command = world.lab.command([sys.executable, "-m", "pytest", str(LIVE), *options, *argv])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert report.exists(), done.stdout + done.stderr
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - our own report
    return done.returncode, {str(c.get("name")): c.find("failure") is None for c in cases}, done.stdout


def test_every_live_check_holds_on_provisioned_hosts(world: World, tmp_path: Path) -> None:
    """Both hosts, each check, over the connection that provisioned them: as root, and by sudo."""
    status, held, _ = checks(world, tmp_path / "report.xml")

    assert [name for name, good in held.items() if not good] == []
    assert status == 0
    for host in world.declared.stack.hosts:
        assert sum(host.name in name for name in held) == len(RULES)


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
    """A host whose RSA signer is away fails, by name, and the sender guard is not blamed; its other checks hold."""
    asked = world.lab.host(host)
    asked.run(["systemctl", "stop", "sendwright-opendkim@rsa.service"])
    try:
        status, held, said = checks(world, tmp_path / "report.xml", "-k", f"{host} and (daemons or settings)")
    finally:
        healed = world.provision()

    assert status == 1
    assert held == {f"test_it_holds[{host}-host.daemons]": False, f"test_it_holds[{host}-host.settings]": True}
    assert "signers: 1 of 2 processes run" in said
    assert "nobody listens on /var/spool/postfix/opendkim/rsa.sock" in said
    assert "sendwright-opendkim@rsa.service: it is inactive" in said
    assert "guard" not in said
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert checks(world, tmp_path / "healed.xml", "-k", f"{host} and daemons")[0] == 0
