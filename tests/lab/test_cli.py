"""Labs and rehearsals at the command line: each name once, nothing left of what was killed, nothing of the user's."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sendwright.lab import down, labs, mounts, netns, state, sweep
from sendwright.lab.machine import segment_name
from sendwright.lab.processes import identify

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_machine")]

EXAMPLE = Path(__file__).parents[2] / "inventories" / "example"
HOST, ADDRESS = "mx1.example.com", "203.0.113.10"
COMMAND = (sys.executable, "-m", "sendwright")
HOSTILE = """
Host *
    ProxyCommand touch {marker}; false
    HostName 192.0.2.66
    User mallory
    StrictHostKeyChecking no
    LocalCommand touch {marker}
    PermitLocalCommand yes
"""


def run(*argv: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the command line."""
    return subprocess.run([*COMMAND, *argv], input=given, capture_output=True, text=True, check=False, timeout=240)


def left_of(name: str) -> list[str]:
    """Return what is left of a lab on this machine: namespaces, mounts, files, and processes that speak of it."""
    segment = segment_name(name)
    found = [n for n in netns.names("") if n == segment or n.startswith(f"{segment}.")]
    found += [str(point) for point in mounts.below(state.disks(name))]
    found += [str(path) for path in (state.disks(name), state.FOLDER / name) if path.exists()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        speaks = name in words or any(word.startswith(f"--machine=sw-{name}.") for word in words)
        found += [" ".join(words)] if speaks else []
    return found


@pytest.fixture
def twice(tmp_path: Path) -> Iterator[Path]:
    """An inventory folder whose lab is this test's own."""
    folder = tmp_path / f"twice-{os.getpid()}"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("state"))
    yield folder
    down(folder.name)


def test_a_lab_is_kept_found_used_and_taken_down_by_its_name(twice: Path) -> None:
    """A second of one name is refused and the first stays; ssh and exec get in; down leaves nothing."""
    first = run("lab", "up", str(twice))
    second = run("lab", "up", str(twice))
    status = run("lab", "status")
    shell = run("lab", "ssh", HOST, "--lab", twice.name, given="hostname\n")
    wrong = run("lab", "ssh", "mx9.example.com", "--lab", twice.name)
    inside = run("lab", "exec", twice.name, "--", "cat", "/etc/resolv.conf")
    missing = run("lab", "exec", twice.name, "--", "no-such-program")
    gone = run("lab", "down", twice.name)
    again = run("lab", "down", twice.name)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 1
    assert f"there is a lab {twice.name} already" in second.stderr
    assert f"sendwright lab down {twice.name}" in second.stderr
    assert any(line.startswith(twice.name) and HOST in line and " up " in line for line in status.stdout.splitlines())
    assert HOST in shell.stdout, shell.stderr
    assert wrong.returncode == 1
    assert f"Hosts: {HOST}" in wrong.stderr
    assert "198.18.0.53" in inside.stdout
    assert missing.returncode == 127
    assert "no-such-program: not found" in missing.stderr
    assert "resolv.conf" not in missing.stderr
    assert gone.returncode == 0
    assert again.returncode == 1
    assert f"there is no lab {twice.name}" in again.stderr
    assert "Traceback" not in second.stderr + wrong.stderr + again.stderr
    assert left_of(twice.name) == []


@pytest.mark.parametrize("moment", ["creating the network", "the lab is up", "looked at"])
def test_a_rehearsal_that_was_killed_leaves_nothing_once_the_next_begins(moment: str) -> None:
    """Its own processes end with it; the rest is swept: machines, mounts, namespaces, files."""
    command = [*COMMAND, "rehearse", str(EXAMPLE)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as doomed:
        name = f"rehearsal-{doomed.pid}"
        assert doomed.stderr
        reached = any(moment in line for line in doomed.stderr)
        inside = [identify(int(p.parent.name)) for p in Path("/proc").glob("[0-9]*/cmdline") if _proves(p, name)]
        doomed.send_signal(signal.SIGKILL)
        doomed.wait(10)
        doomed.stderr.read()  # until the last of those that wrote to it is gone

    if moment == "the lab is up":
        told = run("lab", "down", name)  # a dead lab goes as a living one does
        # Whoever else begins a lab on this machine may have swept it already.
        assert told.returncode == 0 or f"there is no lab {name}" in told.stderr
    else:
        sweep()

    assert reached
    assert inside or moment != "looked at"
    assert not any(process.alive for process in inside)
    assert left_of(name) == []
    assert name not in {lab.name for lab in labs()}


def _proves(cmdline: Path, name: str) -> bool:
    try:
        words = cmdline.read_bytes().split(b"\0")
    except OSError:
        return False
    return b"sendwright.prove" in words and name.encode() in words


def test_a_whole_rehearsal_reads_and_writes_nothing_of_the_user_s_ssh(tmp_path: Path) -> None:
    """Known hosts that say otherwise, a hostile configuration and an agent: all byte for byte as they were, unasked."""
    home, marker = tmp_path / "home", tmp_path / "marker"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "config").write_text(HOSTILE.format(marker=marker))
    stranger = Ed25519PrivateKey.generate()
    public = stranger.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (home / ".ssh" / "known_hosts").write_text(f"{HOST},{ADDRESS} {public}\n")
    private = stranger.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (home / ".ssh" / "id_ed25519").write_bytes(private)
    before = digests(home)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        agent.setblocking(False)
        environment = os.environ | {"HOME": str(home), "SSH_AUTH_SOCK": str(tmp_path / "agent")}
        done = subprocess.run(
            [*COMMAND, "rehearse", str(EXAMPLE)], env=environment, capture_output=True, text=True, check=False
        )
        with pytest.raises(BlockingIOError):
            agent.accept()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PROVEN" in done.stdout
    assert digests(home) == before
    assert not marker.exists()


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder, with its mode and date of change."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode:o} {path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in folder.rglob("*")
    }
