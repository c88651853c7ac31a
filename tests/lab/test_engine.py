"""Real hosts are converged, disturbed, and healed; a controller that dies between any two operations does no harm.

The daemon is one of the tests' own, so that nothing that other tests look at is disturbed.
"""

import base64
import hashlib
import pickle
import signal
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sendwright import engine, fleet, preflight, ssh
from sendwright.errors import ConvergeFailed, HostKeyMismatch, LoginRefused, Unreachable
from sendwright.hostdiff import diff
from sendwright.lab import Lab
from sendwright.observation import Observation
from sendwright.observe import observe
from sendwright.secrets import resolve
from sendwright.service import Directory, File, Release, Sealed, Service, Socket, Unit
from sendwright.stack import Egress, Host, Ssh

pytestmark = pytest.mark.lab

SECRET = b"the private half\n"
FOLDER = "/etc/engine-test"
DAEMON = """
import signal, socket, time
def load(*_):
    with open("/etc/engine-test/daemon.conf") as conf, open("/run/engine-test.loaded", "w") as loaded:
        loaded.write(conf.read())
signal.signal(signal.SIGHUP, load)
listener = socket.create_server(("127.0.0.1", 8025))
load()
while True:
    time.sleep(60)
"""
UNIT = """[Service]
ExecStart=/usr/bin/python3 /etc/engine-test/daemon.py
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""


def service(conf: str = "word = one\n") -> Service:
    """Return a small daemon with everything that a Service has but packages."""
    return Service(
        "engine-test",
        directories=(Directory(FOLDER, mode=0o750, exclusive=True),),
        files=(
            File(f"{FOLDER}/daemon.conf", conf),
            File(f"{FOLDER}/daemon.py", DAEMON),
            File(f"{FOLDER}/key.pem", Sealed("keys/key.pem", hashlib.sha256(SECRET).hexdigest()), mode=0o600),
            File("/etc/systemd/system/engine-test.service", UNIT),
        ),
        validate=(f"grep -q word {FOLDER}/daemon.conf",),
        units=(Unit("engine-test.service"),),
        reload_units=("engine-test.service",),
        listens=(Socket(8025, "127.0.0.1"),),
    )


def a_host(lab: Lab, name: str) -> Host:
    """Return a lab host as an inventory declares it."""
    found = lab.host(name)
    address = found.spec.addresses[0]
    login = Ssh(
        hostname=address, user=found.user, sudo=found.spec.admin, key=str(lab.ssh_key), host_key=found.fingerprint
    )
    return Host(name=name, ssh=login, egress=(Egress.model_validate({"public": address}),))


def look(lab: Lab, host: Host, *services: Service) -> Observation:
    """Observe a host from the controller's place."""
    with lab.inside(), ssh.connect(host, Path("/"), secret=resolve) as connection:
        observation = observe(connection, dict.fromkeys(Release, services))
        assert connection.commands == 1
    return observation


def run(lab: Lab, host: Host, command: str) -> str:
    """Run a command as root on a host."""
    with lab.inside(), ssh.connect(host, Path("/"), secret=resolve) as connection:
        result = connection.run(command)
    assert result.ok, result.stderr
    return result.stdout.decode()


def converge(lab: Lab, host: Host, *services: Service) -> engine.Outcome:
    """Converge a host from the controller's place."""
    with lab.inside():
        return engine.converge(host, services, lambda _: SECRET, Path("/"), lambda _: None)


def plan(lab: Lab, host: Host, *services: Service) -> list[str]:
    """Return the summaries of what would change."""
    return [change.summary for change in diff(host.name, services, look(lab, host, *services))]


@pytest.fixture(params=["mx1.example.com", "mx2.example.com"])
def host(lab: Lab, request: pytest.FixtureRequest) -> Host:
    """Each host of the lab: Debian 12 as root, Debian 13 as a user with sudo."""
    return a_host(lab, request.param)


def test_a_second_run_finds_nothing_to_do(lab: Lab, host: Host) -> None:
    """Converged once; then one remote command, and an empty plan."""
    converge(lab, host, service())

    assert plan(lab, host, service()) == []
    assert run(lab, host, f"stat -c '%a %U' {FOLDER}/key.pem") == "600 root\n"
    assert preflight.problems(host, look(lab, host, service()), datetime.now(UTC)) == ()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (f"echo '# x' >>{FOLDER}/daemon.conf", f"file {FOLDER}/daemon.conf: content differs"),
        (f"chmod 644 {FOLDER}/key.pem", f"file {FOLDER}/key.pem: mode 0644 -> 0600"),
        ("systemctl stop engine-test", "start engine-test.service"),
        ("systemctl disable engine-test", "enable engine-test.service"),
        (f"mkdir {FOLDER}/old && touch {FOLDER}/old/key.pem", f"directory {FOLDER}/old"),
        (f"ln -sf /etc/hosts {FOLDER}/daemon.py", f"{FOLDER}/daemon.py: symbolic link -> file"),
        (f"touch {FOLDER}/daemon.conf", "reload engine-test.service"),
    ],
)
def test_what_somebody_did_is_named_and_healed(lab: Lab, host: Host, harm: str, expected: str) -> None:
    """The plan says exactly that (and that the daemon loads it again); converging heals it."""
    converge(lab, host, service())
    run(lab, host, harm)

    found = plan(lab, host, service())
    converge(lab, host, service())

    assert found[0] == expected
    assert found[1:] in ([], ["reload engine-test.service"])
    assert plan(lab, host, service()) == []


_DYING = textwrap.dedent("""
    import base64, os, pickle, signal, sys
    from pathlib import Path
    from sendwright import engine
    left = int(sys.argv[1])
    def report(line):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    engine.converge_job(pickle.loads(base64.b64decode(sys.stdin.read())), Path("/"), report)
""")


@pytest.mark.parametrize("name", ["mx1.example.com"])
def test_a_controller_killed_between_any_two_operations_does_no_harm(lab: Lab, name: str) -> None:
    """The next run finds what is left to do, and then the daemon runs with what lies on disk."""
    host = a_host(lab, name)
    converge(lab, host, service())
    for operations in range(20):
        changed = service(f"word = {operations}\n")
        job = engine.job(host, (changed,), lambda _: SECRET)
        given = base64.b64encode(pickle.dumps(job)).decode()
        ended = lab.run([sys.executable, "-c", _DYING, str(operations)], given=given, check=False)
        left = plan(lab, host, changed)
        converge(lab, host, changed)

        assert plan(lab, host, changed) == []
        assert run(lab, host, "cat /run/engine-test.loaded") == f"word = {operations}\n"
        if ended.returncode == 0:
            assert left == []
            break
        assert ended.returncode == -signal.SIGKILL
        assert left
    assert operations > 4


def test_hosts_that_fail_keep_no_other_from_being_served(lab: Lab, tmp_path: Path) -> None:
    """Unreachable, a wrong key, a changed host key: each its own error, and the good host is converged."""
    good = a_host(lab, "mx1.example.com")
    other = lab.host("mx2.example.com").fingerprint

    def altered(name: str, **changes: object) -> Host:
        return good.model_copy(update={"name": name, "ssh": good.ssh.model_copy(update=changes)})

    key = tmp_path / "key"
    key.write_text("no key at all")
    hosts = (
        good,
        altered("gone.example.com", hostname="203.0.113.99"),
        altered("wrong.example.com", key=str(key)),
        altered("changed.example.com", host_key=other),
    )
    lines: list[str] = []

    def report(name: str, line: str) -> None:
        lines.append(f"{name}: {line}")

    with lab.inside():
        jobs = [engine.job(h, (service("word = fleet\n"),), lambda _: SECRET) for h in hosts]
        results = fleet.converge_all(jobs, Path("/"), report)

    assert [type(results[h.name]) for h in hosts] == [engine.Outcome, Unreachable, LoginRefused, HostKeyMismatch]
    assert {line.split(":")[0] for line in lines} == {good.name}
    assert run(lab, good, "cat /run/engine-test.loaded") == "word = fleet\n"


def test_a_configuration_that_does_not_validate_never_reaches_the_daemon(lab: Lab) -> None:
    """The error names the operation; the daemon goes on with what it has; the plan still wants the reload."""
    host = a_host(lab, "mx1.example.com")
    converge(lab, host, service("word = good\n"))
    bad = service("nothing = here\n")

    with pytest.raises(ConvergeFailed, match="engine-test: validate its configuration"):
        converge(lab, host, bad)

    assert run(lab, host, "cat /run/engine-test.loaded") == "word = good\n"
    assert plan(lab, host, bad) == ["reload engine-test.service"]
    converge(lab, host, service("word = good\n"))
