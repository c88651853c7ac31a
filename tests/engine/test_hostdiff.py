"""A plan names exactly what differs on a host, and converging knows what to do about it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from sendwright.hostdiff import diff, differing
from sendwright.needs import Load, load, strays
from sendwright.observation import Observation, PathState, Stamp, Stray, UnitState
from sendwright.plan import Action
from sendwright.service import Apply, Directory, File, Release, Running, Sealed, Service, Socket, Unit

CONFIG = File("/etc/daemon/daemon.conf", "a = 1\n")
KEY = File("/etc/daemon/key.pem", Sealed("keys/key.pem", "0" * 64), group="daemon", mode=0o640)
SERVICE = Service(
    "daemon",
    packages=("daemon",),
    memberships=(("postfix", "daemon"),),
    directories=(Directory("/etc/daemon", exclusive=True),),
    files=(CONFIG, KEY),
    absent=("/etc/daemon/old.conf",),
    units=(Unit("daemon.service"), Unit("rival.service", Running.MASKED)),
    reload_units=("daemon.service",),
    listens=(Socket(53, "127.0.0.1"),),
)
FINE = Observation(
    "debian 12",
    Release.BOOKWORM,
    root=True,
    systemd=True,
    clock=0,
    disk_free=10**10,
    packages={"daemon": "1"},
    memberships=frozenset({("postfix", "daemon")}),
    paths={
        "/etc/daemon": PathState("directory", "root", "root", 0o755, 100),
        CONFIG.path: PathState("regular file", "root", "root", 0o644, 100, CONFIG.sha256),
        KEY.path: PathState("regular file", "root", "daemon", 0o640, 100, "0" * 64),
    },
    entries=(Stray(CONFIG.path), Stray(KEY.path)),
    units={
        "daemon.service": UnitState("loaded", "active", "enabled"),
        "rival.service": UnitState("masked", "inactive", "masked"),
    },
    listening=frozenset({(ip_address("127.0.0.1"), 53)}),
    stamps={"daemon": Stamp(SERVICE.digest, 200)},
    managed=True,
)


def summaries(observation: Observation, service: Service = SERVICE) -> list[str]:
    """Return the summaries of a plan."""
    return [c.summary for c in diff("mx1.example.com", (service,), observation)]


def with_path(path: str, **changes: object) -> Observation:
    """Return the fine world with one path changed."""
    return replace(FINE, paths={**FINE.paths, path: replace(FINE.paths[path], **changes)})  # type: ignore[arg-type]


def test_a_world_that_is_as_desired_has_an_empty_plan() -> None:
    """No change, no service to converge, nothing to load."""
    assert diff("h", (SERVICE,), FINE) == ()
    assert differing((SERVICE,), FINE) == ()
    assert load(SERVICE, FINE) is Load.NONE


def test_an_edited_file_is_shown_as_a_diff() -> None:
    """With the lines that would go and come, and control characters of the host escaped."""
    seen = with_path(CONFIG.path, sha256="1" * 64, content="a = 1\nb = \x1b[31m2\n", changed=300)

    change = diff("h", (SERVICE,), seen)[0]

    assert change.summary == "file /etc/daemon/daemon.conf: content differs"
    assert "-b = \\x1b[31m2\n" in change.diff
    assert load(SERVICE, seen) is Load.RELOAD


def test_a_private_file_never_shows_content() -> None:
    """It only says that the content differs."""
    seen = with_path(KEY.path, sha256="1" * 64, content="PRIVATE")

    changes = diff("h", (SERVICE,), seen)

    assert changes[0].summary == "file /etc/daemon/key.pem: content differs"
    assert "PRIVATE" not in repr(changes)


@pytest.mark.parametrize(
    ("path", "changes", "expected"),
    [
        (KEY.path, {"mode": 0o644}, "file /etc/daemon/key.pem: mode 0644 -> 0640"),
        (
            KEY.path,
            {"owner": "mail", "group": "mail"},
            "file /etc/daemon/key.pem: owner mail -> root, group mail -> daemon",
        ),
        ("/etc/daemon", {"mode": 0o777}, "directory /etc/daemon: mode 0777 -> 0755"),
        (CONFIG.path, {"kind": "symbolic link", "sha256": None}, "/etc/daemon/daemon.conf: symbolic link -> file"),
    ],
)
def test_changed_attributes_are_named_exactly(path: str, changes: dict[str, object], expected: str) -> None:
    """From what to what, and nothing else of the service but its daemon's reload."""
    found = summaries(with_path(path, **changes))

    assert found[0] == expected
    assert found[1:] in ([], ["reload daemon.service"])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (UnitState("loaded", "inactive", "enabled"), ["start daemon.service"]),
        (UnitState("loaded", "failed", "enabled"), ["start daemon.service"]),
        (UnitState("loaded", "active", "disabled"), ["enable daemon.service"]),
        (UnitState("masked", "inactive", "masked"), ["unmask", "enable", "start"]),
        (UnitState("not-found", "inactive", ""), ["start daemon.service"]),
        (UnitState("loaded", "active", "static"), []),
    ],
)
def test_a_unit_that_should_be_up_is_brought_up(state: UnitState, expected: list[str]) -> None:
    """Whatever is wrong with it, with one step for each."""
    found = summaries(replace(FINE, units={**FINE.units, "daemon.service": state}))

    assert len(found) == len(expected)
    assert all(step in summary for step, summary in zip(expected, found, strict=True))


def test_a_rival_that_runs_is_stopped_and_masked() -> None:
    """Both steps are named."""
    rival = UnitState("loaded", "active", "enabled")

    assert summaries(replace(FINE, units={**FINE.units, "rival.service": rival})) == [
        "stop rival.service",
        "mask rival.service",
    ]


@pytest.mark.parametrize(
    "observation",
    [
        replace(FINE, stamps={"daemon": Stamp("f" * 64, 200)}),
        with_path(CONFIG.path, changed=200.5),
    ],
)
def test_a_daemon_that_runs_with_another_configuration_is_reloaded(observation: Observation) -> None:
    """The stamp is of another configuration, or a file changed after it: an earlier run died, or somebody edited."""
    changes = diff("h", (SERVICE,), observation)

    assert [c.action for c in changes] == [Action.RELOAD]
    assert changes[0].summary == "reload daemon.service"
    assert load(replace(SERVICE, apply=Apply.RESTART), observation) is Load.RESTART


def test_a_daemon_that_was_restarted_since_is_no_news() -> None:
    """It has loaded what lies on disk, and its start may have touched its files; one that started before has not."""
    touched = with_path(CONFIG.path, changed=300)

    def started(at: float) -> Observation:
        up = UnitState("loaded", "active", "enabled", at)
        return replace(touched, units={**FINE.units, "daemon.service": up})

    assert load(SERVICE, started(301)) is Load.NONE
    assert load(SERVICE, started(299)) is Load.RELOAD


def test_a_daemon_of_which_nothing_is_known_is_restarted() -> None:
    """No stamp: a run died after it withdrew it, so a group or package may be new to the process as well."""
    assert summaries(replace(FINE, stamps={})) == ["restart daemon.service"]


def test_a_new_group_needs_a_restart() -> None:
    """A running process never joins a group."""
    assert summaries(replace(FINE, memberships=frozenset())) == [
        "user postfix joins group daemon",
        "restart daemon.service",
    ]


def test_a_closed_port_is_a_reason_to_restart() -> None:
    """The ports are the judge of "really up"."""
    (change,) = diff("h", (SERVICE,), replace(FINE, listening=frozenset({(ip_address("127.0.0.2"), 53)})))

    assert change.summary == "restart daemon.service"
    assert change.why == "nothing listens on 127.0.0.1:53"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104 - nothing is bound here
def test_a_wildcard_listener_counts(address: str) -> None:
    """A daemon on every address listens on ours too."""
    assert summaries(replace(FINE, listening=frozenset({(ip_address(address), 53)}))) == []


def test_a_listener_on_loopback_does_not_serve_all_addresses() -> None:
    """A port without an address has to be open on every one."""
    service = replace(SERVICE, listens=(Socket(25),))

    def seen(address: str) -> Observation:
        return replace(FINE, listening=frozenset({(ip_address(address), 25)}))

    assert load(service, seen("127.0.0.1")) is Load.RESTART
    assert load(service, seen("0.0.0.0")) is Load.NONE  # noqa: S104 - nothing is bound here


def test_ports_that_a_new_configuration_opens_need_no_restart() -> None:
    """A reload keeps the connections that a restart would drop; only what should be open by now is a sign of harm."""
    changed = replace(SERVICE, files=(replace(CONFIG, content="a = 3\n"), KEY), listens=(*SERVICE.listens, Socket(587)))

    assert load(changed, FINE) is Load.RELOAD


def test_strays_and_forbidden_paths_are_removed() -> None:
    """A stray directory goes as a whole; declared files, and folders that hold declared ones, stay."""
    entries = (
        Stray("/etc/daemon/old", is_directory=True),
        Stray("/etc/daemon/old/key.pem"),
        *FINE.entries,
        Stray("/etc/daemonic/other"),
    )
    old = PathState("regular file", "root", "root", 0o644, 1)
    seen = replace(FINE, entries=entries, paths={**FINE.paths, "/etc/daemon/old.conf": old})

    assert strays(SERVICE, (SERVICE,), seen) == (entries[0],)
    assert summaries(seen) == ["/etc/daemon/old.conf", "directory /etc/daemon/old"]


def test_daemon_starts_that_a_killed_run_held_back_are_released() -> None:
    """Even when no service differs."""
    assert summaries(replace(FINE, held=True)) == ["/usr/sbin/policy-rc.d of an interrupted run"]


def test_a_bare_host_gets_everything_and_no_reload() -> None:
    """A daemon that does not run yet loads its configuration when it starts."""
    bare = Observation("debian 12", Release.BOOKWORM, root=True, systemd=True, clock=0, disk_free=10**10)

    assert summaries(bare) == [
        "package daemon",
        "user postfix joins group daemon",
        "directory /etc/daemon",
        "file /etc/daemon/daemon.conf",
        "file /etc/daemon/key.pem",
        "mask rival.service",
        "start daemon.service",
    ]
    assert load(SERVICE, bare) is Load.RESTART
