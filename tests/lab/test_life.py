"""Labs come and go without a trace, and never in each other's way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sendwright.errors import LabError
from sendwright.lab import (
    Condition,
    HostSpec,
    Lab,
    LabSpec,
    ZoneSpec,
    down,
    labs,
    mounts,
    netns,
    snapshots,
    state,
    sweep,
)
from sendwright.lab.machine import segment_name

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_machine")]

HOST = HostSpec("mx1.example.com", ("203.0.113.10",))
# A process that builds a lab, and is killed by its own progress line.
DOOMED = """
import os, signal, sys
from sendwright.lab import HostSpec, Lab, LabSpec
def progress(line):
    if line.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
Lab.up(LabSpec(sys.argv[1], (HostSpec("mx1.example.com", ("203.0.113.10",)),)), progress)
"""


def traces(name: str) -> list[str]:
    """List everything on this machine that belongs to the lab of this name."""
    found = [*netns.names(f"{segment_name(name)}."), *(n for n in netns.names("") if n == segment_name(name))]
    found += [str(point) for point in mounts.below(state.disks(name))]
    folders = (state.disks(name), state.FOLDER / name, Path("/etc/netns") / segment_name(name))
    candidates = (*folders, *Path("/sys/fs/cgroup").glob(f"**/sendwright/{name}"))
    found += [str(path) for path in candidates if path.exists()]
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found += [" ".join(words)] if any(word.startswith(f"--machine=sw-{name}.") for word in words) else []
    return found


def name(suffix: str) -> str:
    """Name a lab of this test process."""
    return f"test-{os.getpid()}-{suffix}"


def conditions() -> dict[str, Condition]:
    """Return what each lab of this machine is fit for."""
    return {status.name: status.condition for status in labs()}


def test_down_leaves_nothing() -> None:
    """No namespace, mount, process, control group or file outlives a lab."""
    lab = Lab.up(LabSpec(name("gone"), (HOST,)), print)
    while_up = traces(lab.name)

    lab.down()

    assert while_up
    assert traces(lab.name) == []


@pytest.mark.parametrize("moment", ["creating the network", "publishing", "mx1.example.com is up"])
def test_a_lab_whose_creator_was_killed_is_swept(lab: Lab, moment: str) -> None:
    """Whenever the creator is killed, the next start cleans up, and living labs are left alone."""
    doomed = name("doomed")
    killed = subprocess.run([sys.executable, "-c", DOOMED, doomed, moment], check=False, timeout=120)
    before = conditions().get(doomed)

    sweep()

    assert killed.returncode == -signal.SIGKILL
    # None: whoever else builds a lab on this machine may have swept it already.
    assert before in {Condition.DEAD, None}
    assert traces(doomed) == []
    assert conditions()[lab.name] is Condition.UP


def test_two_labs_hold_the_same_addresses_without_colliding(lab: Lab) -> None:
    """Each lab is a world of its own: same names and addresses, other machines."""
    second = Lab.up(LabSpec(name("twin"), (HOST,), (ZoneSpec("example.com"),)), print)
    try:
        machines = [each.host("mx1.example.com").machine for each in (lab, second)]
        for machine in machines:
            machine.run(["sh", "-c", f"echo {machine.lab} > /root/lab"])
        seen = [machine.run(["cat", "/root/lab"]).stdout.strip() for machine in machines]

        assert seen == [lab.name, second.name]
        assert {rrset.name for rrset in second.records("example.com")} == {"example.com"}
    finally:
        second.down()

    assert conditions()[lab.name] is Condition.UP
    assert lab.host("mx1.example.com").machine.greets(22, b"SSH-")


def test_a_name_is_not_given_twice(lab: Lab) -> None:
    """A second lab of one name is refused, and the first is not touched."""
    with pytest.raises(LabError, match="already"):
        Lab.up(lab.state.spec, print)

    assert conditions()[lab.name] is Condition.UP


def test_a_lab_is_found_again_by_its_name(lab: Lab) -> None:
    """Another process can use a lab that is up."""
    assert Lab.load(lab.name) == lab


def test_a_host_starts_from_a_snapshot_with_a_key_of_its_own() -> None:
    """What was installed once is there again; who the host is, is not."""
    key = name("snapshot")
    first = Lab.up(LabSpec(name("before"), (HOST,)), print)
    try:
        first.host(HOST.name).run(["touch", "/etc/installed-once"])
        first.snapshot(HOST.name, key)
    finally:
        first.down()
    second = Lab.up(LabSpec(name("after"), (HostSpec("mx9.example.org", ("192.0.2.9",), snapshot=key),)), print)
    try:
        host = second.host("mx9.example.org")

        assert host.run(["cat", "/etc/hostname"]).stdout.strip() == "mx9.example.org"
        assert (host.root / "etc/installed-once").exists()
        assert host.fingerprint != first.host(HOST.name).fingerprint
    finally:
        second.down()
        snapshots.delete(key)

    assert not snapshots.exists(key)


def test_a_lab_written_down_by_another_version_is_kept_until_told() -> None:
    """A sweep never takes down what it cannot read; a person can."""
    folder = state.FOLDER / name("foreign")
    folder.mkdir(parents=True)
    (folder / "lab.json").write_text('{"version": 99}')

    sweep()
    kept = conditions()[folder.name]
    with pytest.raises(LabError, match="another version"):
        Lab.load(folder.name)
    down(folder.name)

    assert kept is Condition.DAMAGED
    assert traces(folder.name) == []


def test_a_kept_lab_outlives_its_creator_and_another_does_not() -> None:
    """A lab that was asked to stay is not swept; one that belonged to a process goes with it."""
    made = """
import sys
from sendwright.lab import Lab, LabSpec
for name, keep in ((sys.argv[1], True), (sys.argv[2], False)):
    Lab.up(LabSpec(name), print, keep=keep)
"""
    kept, owned = name("kept"), name("owned")
    subprocess.run([sys.executable, "-c", made, kept, owned], check=True, timeout=120)

    sweep()

    try:
        assert conditions()[kept] is Condition.UP
        assert traces(owned) == []
    finally:
        down(kept)


def test_a_thread_comes_home_from_a_namespace_even_if_it_fails_there(lab: Lab) -> None:
    """A probe that raises inside the lab leaves the controller where it was."""
    home = Path("/proc/thread-self/ns/net").readlink()

    with lab.inside():
        away = Path("/proc/thread-self/ns/net").readlink()
    with pytest.raises(TimeoutError), lab.inside():
        raise TimeoutError

    assert away != home
    assert Path("/proc/thread-self/ns/net").readlink() == home


def test_a_missing_snapshot_is_noticed_before_anything_is_built() -> None:
    """The error names the snapshot, and no part of the lab was made."""
    spec = LabSpec(name("early"), (HostSpec("mx1.example.com", ("203.0.113.10",), snapshot="no-such-snapshot"),))
    told: list[str] = []

    with pytest.raises(LabError, match="no-such-snapshot"):
        Lab.up(spec, told.append)

    assert told == []
    assert traces(spec.name) == []
