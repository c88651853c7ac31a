"""A controller that is killed at any moment of a first provision: running it again finishes, and nothing is lost."""

import json
import socket
import time
from collections.abc import Callable

import pytest

from sendwright.lab import LabHost, netns
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.state.model import State
from sendwright.submission import Credential
from tests.lab.killing import Moment, Running, killed_at, line

pytestmark = pytest.mark.lab

PROVISION = ("provision", "--yes")
BOOKWORM, TRIXIE = "mx1.example.com", "mx2.example.com"


def a_key_is_written(run: Running) -> bool:
    """Whether the first private key lies in the state folder: others, and its story, do not yet."""
    return any((run.world.declared.state_dir / "keys").rglob("*.pem"))


def a_record_is_published(run: Running) -> bool:
    """Whether the zone holds something of ours."""
    return any(r.type in {"TXT", "A"} for r in run.world.lab.records(run.world.declared.stack.domains[0].name))


def remembered(world: World) -> State:
    """Return what the state folder holds."""
    declared = world.declared
    return StateFolder.of(declared).load()


def published_keys(world: World) -> set[tuple[str, str]]:
    """Return the DKIM records of the world: name and value."""
    records = world.lab.records(world.declared.stack.domains[0].name)
    return {(r.name, value) for r in records if "._domainkey." in r.name for value in r.values}


def assert_finished(world: World, send: Callable[..., object], before: State, published: set[tuple[str, str]]) -> None:
    """Assert that running again finishes, that the time after that nothing is left to do, and that nothing was lost."""
    domain = world.declared.stack.domains[0].name
    finished = world.provision()
    again = world.provision()
    after = remembered(world)

    assert (finished.returncode, finished.stdout.splitlines()[-1:]) == (0, ["done"]), finished.stdout + finished.stderr
    assert (again.returncode, again.stdout) == (0, "no changes\n")
    kept = {(k.domain, k.selector, k.public, k.pem_sha256) for k in after.keys}
    assert {(k.domain, k.selector, k.public, k.pem_sha256) for k in before.keys} <= kept
    assert len(after.keys) == 2
    assert published <= published_keys(world)
    assert before.users == after.users
    assert set(before.claims) <= set(after.claims)
    seen = send(world, f"mx.{domain}", Credential("login", "correct-horse-battery-staple", f"login@{domain}"))
    assert str(seen).count("pass") == 4


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(a_key_is_written, id="while keys are persisted"),
        pytest.param(a_record_is_published, id="while records are published"),
        pytest.param(line("opendkim: write its files"), id="while the host converges"),
        pytest.param(line("waiting: "), id="while waiting"),
        pytest.param(line("postfix: write its files", 2), id="while submission opens"),
    ],
)
def test_a_first_provision_that_was_killed_is_finished_by_running_again(
    bare: Callable[[], World], send: Callable[..., object], moment: Moment
) -> None:
    """Nobody that the controller had started lives on; keys that were persisted or published stay what they were."""
    world = bare()
    killed_at(world, moment, *PROVISION)
    before, published = remembered(world), published_keys(world)

    assert_finished(world, send, before, published)


def test_apt_outlives_the_controller_and_the_next_run_waits_for_it(
    without_packages: World, send: Callable[..., object]
) -> None:
    """Killed while packages are unpacked: no daemon starts with package defaults, and no package is left half-done."""
    host = without_packages.lab.host(without_packages.declared.stack.hosts[0].name)
    killed_at(without_packages, lambda _: (host.root / "var/lib/dpkg/info/postfix.list").exists(), *PROVISION)
    before, published = remembered(without_packages), published_keys(without_packages)

    assert_finished(without_packages, send, before, published)
    assert host.run(["dpkg", "--audit"]).stdout == ""
    assert not (host.root / "usr/sbin/policy-rc.d").exists()


def test_a_first_provision_may_be_killed_again_and_again(
    bare: Callable[[], World], send: Callable[..., object]
) -> None:
    """Between any two stages, and in the longest ones: each run comes further than the last, until one is done."""
    world = bare()
    moments = (
        line("looked at the hosts and zones"),
        line("keys and certificates are in the state folder"),
        line("DNS holds what mail relies on"),
        line("unbound: restart"),
        line("postfix: validate"),
        line("converges: "),
        line("served by every name server"),
        line("every key is proven"),
        line("opendkim: reload"),
    )
    for moment in moments:
        killed_at(world, moment, *PROVISION)
    before, published = remembered(world), published_keys(world)

    assert before.keys
    assert_finished(world, send, before, published)


def greeting(host: LabHost) -> bytes:
    """Return what a host's Postfix says first on port 25: a setting of the configuration that it runs with."""
    with netns.inside(host.namespace), socket.create_connection((host.addresses[0], 25), 10) as connection:
        return connection.recv(512)


@pytest.mark.parametrize(("name", "unit"), [(BOOKWORM, "postfix@-.service"), (TRIXIE, "postfix.service")])
def test_a_daemon_that_runs_with_an_older_configuration_is_found_and_reloaded(
    world: World, name: str, unit: str
) -> None:
    """The controller died after it had written the file and before the daemon loaded it; on disk nothing differs."""
    host = world.lab.host(name)
    host.run(["sh", "-c", "postconf -e 'smtpd_banner = older' && postfix reload"])
    deadline = time.monotonic() + 10
    while greeting(host) != b"220 older\r\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    killed_at(world, line(f"{name}: postfix: validate"), *PROVISION, "--limit", name)
    ran_with = greeting(host)

    planned = world.sendwright("plan", str(world.folder), "--format", "json")
    world.provision()

    assert ran_with == b"220 older\r\n"
    changes = [(c["subject"], c["summary"]) for c in json.loads(planned.stdout)["changes"]]
    assert changes == [(name, f"restart {unit}")]
    assert greeting(host).startswith(f"220 {name} ESMTP".encode())
    assert world.provision().stdout == "no changes\n"
