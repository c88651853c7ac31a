"""The order of operations is what makes a run that dies anywhere healable."""

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State
from pyinfra.connectors.fake import FakeConnector
from pyinfra.context import ctx_host, ctx_state

from sendwright import needs
from sendwright.answer import BEGIN, END, parse
from sendwright.deploys.converge import converge
from sendwright.observation import Observation
from sendwright.service import Directory, File, Release, Running, Sealed, Service, Socket, SystemUser, Unit

SECRET = b"-----BEGIN PRIVATE KEY-----\nhunter2hunter2\n-----END PRIVATE KEY-----\n"
SERVICE = Service(
    "daemon",
    packages=("daemon",),
    users=(SystemUser("runner", "/nonexistent"),),
    memberships=(("postfix", "daemon"),),
    directories=(Directory("/etc/daemon", exclusive=True),),
    files=(
        File("/etc/daemon/daemon.conf", "a = 1\n"),
        File("/etc/daemon/key.pem", Sealed("keys/key.pem", hashlib.sha256(SECRET).hexdigest()), mode=0o600),
        File("/etc/systemd/system/daemon.service", "[Service]\n"),
    ),
    validate=("daemon-check",),
    units=(Unit("daemon.service"), Unit("rival.service", Running.MASKED)),
    reload_units=("daemon.service",),
    listens=(Socket(53, "127.0.0.1"),),
)
UNITS = ("daemon.service", "rival.service")


def answer(**sections: bytes) -> str:
    """Return what the observing script prints on a bare Debian, with some sections changed."""
    bare: dict[str, bytes] = dict.fromkeys(
        [
            "vfour",
            "vsix",
            "packages",
            "users",
            "groups",
            "stat",
            "hashes",
            "contents",
            "entries",
            "tcp",
            "stamps",
            "digests",
            "mail",
        ],
        b"",
    )
    unit = b"LoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
    bare |= {
        "system": b"debian\00012\0000\0001700000000\0yes\00099999999\0",
        "units": unit + b"\n" + unit,
        "queue": b"0\n",
        "managed": b"no\n",
        "held": b"no\n",
        "generation": b"",
    }
    lines = [f"{name} {base64.b64encode(value).decode()}" for name, value in (bare | sections).items()]
    return "\n".join([BEGIN, *lines, END, ""])


STRAY = {"entries": b"f\0/etc/daemon/old.pem\0"}
_UP = (
    b"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nActiveEnterTimestamp=Sat 2026-11-21 22:09:21.5 UTC\n"
)
# A host of ours on which only the files of the service differ, and its daemon runs with another configuration.
LIVING = {
    "packages": b"daemon\t1\tii \n",
    "users": b"runner:x:1:1::/:/\n",
    "groups": b"daemon:x:2:postfix\n",
    "units": _UP + b"\nLoadState=masked\nActiveState=inactive\nUnitFileState=masked\n",
    "tcp": b"   0: 0100007F:0035 00000000:0000 0A\n",
    "stamps": b"/var/lib/sendwright/loaded/daemon\0001700000000\0",
    "digests": f"/var/lib/sendwright/loaded/daemon:{'0' * 64}\n".encode(),
    "managed": b"yes\n",
}


@pytest.fixture
def state(request: pytest.FixtureRequest) -> Iterator[State]:
    """A pyinfra State with one fake host, on which every command succeeds; a parameter says what is seen there."""
    responses = {re.compile('eval "'): answer(**getattr(request, "param", {}))}
    data = {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": responses}
    inventory = Inventory(([("@fake/mx1", data)], {}))  # type: ignore[no-untyped-call]
    made = State(inventory, Config(), check_for_changes=False)  # type: ignore[no-untyped-call]
    yield made
    ctx_host.reset()
    ctx_state.reset()


def executed(state: State, observation: Observation, *, adopt: bool = False) -> list[str]:
    """Converge the fake host and return the commands that changed it, in order."""
    connect_all(state)
    add_deploy(state, converge, (SERVICE,), observation, lambda _: SECRET, adopt=adopt)
    run_ops(state)
    (host,) = state.inventory
    assert isinstance(host.connector, FakeConnector)
    return [command for command in host.connector.executed_commands if 'eval "' not in command]


def observed(**sections: bytes) -> Observation:
    """Return the observation of an answer."""
    return parse("mx1", answer(**sections).encode(), UNITS)


def positions(commands: list[str], *parts: str) -> list[int]:
    """Return where each part first occurs."""
    return [next(i for i, command in enumerate(commands) if part in command) for part in parts]


def test_the_order_on_a_bare_host(state: State) -> None:
    """Marked as ours and stamps withdrawn first; validated before units start; the stamp last of all."""
    commands = executed(state, observed())

    found = positions(
        commands,
        "/var/lib/sendwright/managed",
        "rm -f /var/lib/sendwright/loaded/daemon",
        "policy-rc.d",
        "useradd",
        "usermod -aG daemon postfix",
        "tar -x",
        "daemon-check",
        "systemctl mask rival.service",
        "systemctl restart daemon.service",
        "/proc/net/tcp",
    )

    assert found == sorted(found)
    assert SERVICE.digest in commands[-1]
    assert "systemctl daemon-reload" in commands[found[8]]


@pytest.mark.parametrize("state", [LIVING | STRAY], indirect=True)
def test_another_table_is_loaded_by_a_reload_and_keys_go_only_after_that(state: State) -> None:
    """The daemon keeps its sessions, and uses the old keys until it has loaded the new table."""
    commands = executed(state, observed(**LIVING, **STRAY))

    found = positions(commands, "tar -x", "daemon-check", "systemctl reload-or-restart", "rm -rf", SERVICE.digest)
    assert found == sorted(found)
    assert not any("restart daemon.service" in command.replace("reload-or-restart", "") for command in commands)


def _stamped(digest: str) -> dict[str, bytes]:
    return LIVING | {"digests": f"/var/lib/sendwright/loaded/daemon:{digest}\n".encode()}


def test_a_run_that_dies_while_a_table_changes_is_healed_by_a_reload(state: State) -> None:
    """The stamp of another configuration tells by itself; that of the same one, which somebody edited, does not."""
    forget = "rm -f /var/lib/sendwright/loaded/daemon"

    assert not any(forget in command for command in executed(state, observed(**LIVING)))
    assert needs.load(SERVICE, observed(**LIVING)) is needs.Load.RELOAD


def test_a_run_that_dies_while_an_edit_is_undone_is_seen_by_the_missing_stamp(state: State) -> None:
    """Nothing else would tell that the daemon loaded the edit."""
    commands = executed(state, observed(**_stamped(SERVICE.digest)))

    assert any("rm -f /var/lib/sendwright/loaded/daemon" in command for command in commands)


def test_no_private_byte_is_in_a_command(state: State) -> None:
    """Contents travel by standard input only, so neither text nor base64 of the key is in a command line."""
    text = "\n".join(executed(state, observed()))

    assert "hunter2" not in text
    assert base64.b64encode(SECRET).decode()[8:40] not in text


def test_the_backup_of_an_adopted_server_comes_before_anything_else(state: State) -> None:
    """And only for a host that is to be adopted and is not ours yet."""
    commands = executed(state, observed(), adopt=True)

    assert "/var/backups/sendwright" in commands[0]
    assert "/var/lib/sendwright/managed" in commands[1]


def test_a_host_that_is_ours_is_not_backed_up_again(state: State) -> None:
    """The mail server that runs there is ours."""
    commands = executed(state, observed(managed=b"yes\n"), adopt=True)

    assert not any("/var/backups" in command for command in commands)


def test_the_release_of_a_run_is_its_own() -> None:
    """Guard the fixture: the canned answer is one that the parser takes."""
    assert observed().release is Release.BOOKWORM
