"""One machine: a Debian tree on an overlay, booted with systemd in a network namespace of its own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab import commands, mounts, netns, processes

# Nothing of the controller's environment gets in: it may hold production secrets.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_LOOKS = 20


@dataclass(frozen=True)
class Machine:
    """A machine of a lab, by what its parts are called; whether they exist is asked of the system."""

    lab: str
    number: int
    name: str
    addresses: tuple[str, ...]
    disk: Path

    @property
    def segment(self) -> str:
        """The namespace of the lab's bridge and controller."""
        return segment_name(self.lab)

    @property
    def namespace(self) -> str:
        """The machine's own network namespace."""
        return f"{self.segment}.{self.name}"

    @property
    def root(self) -> Path:
        """The machine's file system as it sees it, readable and writable from outside."""
        return self.disk / "root"

    @property
    def group(self) -> Path:
        """The control group that holds all of the machine's processes."""
        return lab_group(self.lab) / str(self.number)

    @property
    def leader(self) -> processes.Process | None:
        """The machine's first process, its systemd; None while it does not run."""
        for _ in range(_LOOKS):
            members = self._members()
            for pid in members:
                if processes.number_inside(pid) == 1:
                    return processes.identify(pid)
            if not members:
                break
            # While it boots, systemd moves to a group of its own, and may be in neither when we look.
            time.sleep(0.01)
        return None

    def _members(self) -> list[int]:
        return processes.members(self.group) if self.group.exists() else []

    def mount(self, lower: Sequence[Path]) -> None:
        """Mount the machine's file system over the folders ``lower``, uppermost first; plug its cable in."""
        mounts.overlay(lower, self.disk)
        netns.join(self.namespace, self.segment, f"port{self.number}", self.addresses)

    def boot(self) -> None:
        """Start the machine and return at once; :meth:`wait` waits until it answers."""
        self.group.mkdir(parents=True, exist_ok=True)
        command = [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no", f"--directory={self.root}"),
            *(
                f"--network-namespace-path={netns.FOLDER / self.namespace}",
                f"--machine=sw-{self.lab}.{self.number}",
            ),
        ]
        # The shell joins the machine's control group, then becomes nspawn; setsid cuts it off from ours.
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        with (self.disk / "console.log").open("wb") as console:
            subprocess.run(
                ["setsid", "--fork", "sh", "-c", script, str(self.group), *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                # Debian 13's systemd refuses cgroup v1, which nspawn would hand it where both exist.
                env=_ENVIRONMENT | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                check=True,
            )

    def wait(self, port: int = 22, greeting: bytes = b"SSH-", *, timeout: float = 60) -> None:
        """Wait until the machine greets on a port, by default SSH's; ``timeout`` is in seconds.

        Raises LabError with the end of its console if it stops or stays silent.
        """
        deadline = time.monotonic() + timeout
        started = False
        while time.monotonic() < deadline:
            if self.greets(port, greeting):
                return
            running = bool(self._members())
            if started and not running:
                raise LabError(f"{self.name} stopped while it booted.", self._console())
            started = started or running
            time.sleep(0.05)
        raise LabError(f"{self.name} did not answer on port {port} within {timeout:.0f} s.", self._console())

    def _console(self) -> str:
        lines = (self.disk / "console.log").read_text(errors="replace").strip().splitlines()
        return "Its console:\n" + "\n".join(lines[-8:])

    def greets(self, port: int, greeting: bytes) -> bool:
        """Whether a server on the machine's first address greets with these bytes, within a second."""
        try:
            with (
                netns.inside(self.segment),
                socket.create_connection((self.addresses[0], port), 1) as connection,
            ):
                return connection.recv(len(greeting)) == greeting
        except OSError:
            return False

    def run(
        self, argv: Sequence[str], *, given: str = "", check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside the machine, without SSH; ``given`` is its standard input.

        ``timeout`` is in seconds. Raises LabError if the machine does not run, or, with ``check``, if the
        command fails.
        """
        if (leader := self.leader) is None:
            raise LabError(f"{self.name} does not run.", "Build the lab anew.")
        entry = ["nsenter", f"--target={leader.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return commands.run(
            [*entry, *argv],
            of=f"{self.name}: ",
            shown=argv,
            given=given,
            check=check,
            timeout=timeout,
            env=_ENVIRONMENT,
        )

    def stop(self, *, timeout: float = 30) -> None:
        """Shut the machine down in order, so that its disk is whole; ``timeout`` is in seconds."""
        for pid in processes.members(self.group) if self.group.exists() else ():
            if processes.number_inside(pid) is None:
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.leader and time.monotonic() < deadline:
            time.sleep(0.05)
        self.release()

    def release(self) -> None:
        """End the machine at once, unmount it and delete its namespace; its disk stays."""
        processes.end_group(self.group)
        mounts.unmount_below(self.disk)
        netns.delete(self.namespace)


def segment_name(lab: str) -> str:
    """Return the name of a lab's namespace; machines' namespaces begin with it and a dot."""
    return f"sw-{lab}"


def lab_group(lab: str) -> Path:
    """Return the control group that holds those of all machines of a lab."""
    return processes.group("sendwright") / lab


@dataclass(frozen=True)
class File:
    """A file to be written: text, mode, and the names of owner and group as the machine knows them."""

    text: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"


def write(root: Path, files: Mapping[str, File]) -> None:
    """Write files, by absolute path, into a machine that is mounted and has not been booted."""
    for path, file in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
        target.write_text(file.text)
        os.chown(target, _number(root, "passwd", file.owner), _number(root, "group", file.group))
        target.chmod(file.mode)


def enable(root: Path, units: Mapping[str, str]) -> None:
    """Let units start at boot: name of the unit -> the file in /lib/systemd/system that it is made from."""
    wants = root / "etc/systemd/system/multi-user.target.wants"
    for unit, source in units.items():
        (wants / unit).unlink(missing_ok=True)
        (wants / unit).symlink_to(f"/lib/systemd/system/{source}")


def discard(disk: Path) -> None:
    """Delete a machine's disk, after making sure that nothing is mounted there any more."""
    mounts.unmount_below(disk)
    shutil.rmtree(disk, ignore_errors=True)


def _number(root: Path, database: str, name: str) -> int:
    for line in (root / "etc" / database).read_text().splitlines():
        known, _, number, *_ = line.split(":")
        if known == name:
            return int(number)
    raise LabError(f"there is no {name} in /etc/{database} of {root}.")
