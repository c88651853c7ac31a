"""Controllers that share hosts: two at once, one with an old copy of the state folder, one whose folder was lost."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from sendwright import credentials
from sendwright.generation import PATH
from sendwright.lab import LabHost
from sendwright.received import Results
from sendwright.rehearse import World
from sendwright.stack import DkimAlgorithm
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage
from sendwright.submission import Credential

pytestmark = pytest.mark.lab

PASSWORD = "correct-horse-battery-staple"
# A controller that has looked and planned, and whose plan somebody approves when the file "go" appears.
_THINKING = """
import sys, time
from pathlib import Path
from sendwright import inventory
from sendwright.errors import SendwrightError
from sendwright.provision import Settings, provision
from sendwright.report.progress import Progress

here = Path(sys.argv[1])

def approve(plan):
    (here / "shown").touch()
    while not (here / "go").exists():
        time.sleep(0.05)
    return True

try:
    provision(inventory.load(here), Settings(), Progress(), approve)
except SendwrightError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Shared:
    """A provisioned host, its inventory's folder, and the folder as it was when it was new."""

    world: World
    early: World

    @property
    def host(self) -> LabHost:
        """The host."""
        return self.world.lab.host(self.world.declared.stack.hosts[0].name)

    def seen(self) -> tuple[str, str, str]:
        """Return what a controller could have changed: the zone's serial, files of the host, its generation."""
        zone = self.world.declared.stack.domains[0].name
        serial = next(r.values[0] for r in self.world.lab.records(zone) if r.type == "SOA")
        files = self.host.run(["find", "/etc", "/var/lib/sendwright", "-type", "f", "-printf", r"%p %C@ %s\n"]).stdout
        return serial, files, self.host.run(["cat", PATH]).stdout


def contents(world: World) -> dict[str, bytes]:
    """Return what lies in a state folder, but who holds its lock."""
    folder = world.declared.state_dir
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def story(key: DkimKey) -> tuple[object, ...]:
    """What a host or a server sees of a key."""
    return key.record_name, key.public, key.pem_sha256, key.stage, key.proven_on


def copied(world: World, name: str) -> World:
    """Return a copy of an inventory's folder, with its state: another controller."""
    folder = world.folder.with_name(f"{world.folder.name}-{name}")
    shutil.copytree(world.folder, folder)
    return replace(world, folder=folder)


def change(world: World, login: str) -> None:
    """Give a controller something to do on hosts and in DNS."""
    domain = world.declared.stack.domains[0].name
    credentials.add(world.folder, login, (domain,), PASSWORD)
    shared = world.folder / "group_data" / "all.py"
    text = f'\ndomains["{domain}"]["dmarc"] = {{"rua": ["mailto:{login}@{domain}"]}}\n'
    shared.write_text(shared.read_text() + text)


@contextmanager
def thinking(world: World) -> Iterator["subprocess.Popen[str]"]:
    """Run a controller up to the moment at which somebody is to approve its plan."""
    command = world.lab.command([sys.executable, "-c", _THINKING, str(world.folder)])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not (world.folder / "shown").exists() and process.poll() is None:
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def shared(bare: Callable[[], World]) -> Shared:
    """A provisioned host."""
    world = bare()
    done = world.provision()
    assert done.returncode == 0, done.stdout + done.stderr
    return Shared(world, copied(world, "early"))


def test_of_two_controllers_at_once_the_second_stops_before_its_first_write(shared: Shared) -> None:
    """Both have looked and planned with equal copies. The first one writes; the second one is told so, and by whom."""
    second = copied(shared.world, "second")
    change(shared.world, "first")
    change(second, "second")
    with thinking(second) as other:
        done = shared.world.provision()
        before = shared.seen(), contents(second)
        (second.folder / "go").touch()
        _, said = other.communicate(timeout=60)

    assert (done.returncode, other.returncode) == (0, 1), done.stdout + done.stderr + said
    assert "follows a newer state folder than this one: that is at generation 2, taken on " in said
    assert "Nothing was changed." in said
    assert (shared.seen(), contents(second)) == before
    again = shared.world.provision()
    assert (again.returncode, again.stdout) == (0, "no changes\n")


def test_last_week_s_copy_is_refused_by_plan_and_provision(shared: Shared) -> None:
    """With which folder is newer, since when and by whom; nothing is written anywhere."""
    change(shared.early, "early")
    before = shared.seen(), contents(shared.early)

    refused = [
        shared.early.sendwright(verb, str(shared.early.folder), *more)
        for verb, *more in (["plan"], ["provision", "--yes"])
    ]

    for each in refused:
        assert (each.returncode, each.stdout) == (1, "")
        assert "follows a newer state folder than this one: that is at generation 2, taken on " in each.stderr
        assert "this one is at generation 1, taken on " in each.stderr
    assert (shared.seen(), contents(shared.early)) == before


def test_a_lost_folder_is_refused_and_recovered_from_hosts_and_dns(
    shared: Shared, send: Callable[..., Results]
) -> None:
    """With its keys, those of TLS too: provision makes none and moves none, and mail is signed as before."""
    world, domain = shared.world, shared.world.declared.stack.domains[0].name
    state = world.declared.state_dir
    before, serial = StateFolder.of(world.declared).load().keys, shared.seen()[0]
    shown = StateFolder.of(world.declared).certificates()
    state.rename(state.with_name("lost"))

    refused = world.provision()
    written = {path.name for path in state.iterdir()}
    done = world.sendwright("keys", "recover", str(world.folder), "--yes")
    after = StateFolder.of(world.declared).load().keys
    credentials.add(world.folder, "login", (domain,), PASSWORD)
    provisioned = world.provision()

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "this state folder has never changed a host, but" in refused.stderr
    assert written == {".lock", ".gitignore"}
    assert done.returncode == 0, done.stdout + done.stderr
    assert [story(key) for key in after] == [story(key) for key in before]
    assert {key.stage for key in after} == {KeyStage.SIGNING}
    assert StateFolder.of(world.declared).certificates() == shown
    assert provisioned.returncode == 0, provisioned.stdout + provisioned.stderr
    assert "DKIM" not in provisioned.stdout
    assert [story(key) for key in StateFolder.of(world.declared).load().keys] == [story(key) for key in before]
    assert shared.seen()[0] == serial
    seen = send(world, shared.host.name, Credential("login", PASSWORD, f"login@{domain}"))
    assert [seen.dkim_of(algorithm) for algorithm in DkimAlgorithm] == ["pass", "pass"]
    assert (seen.spf, seen.dmarc) == ("pass", "pass")
