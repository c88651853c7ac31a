"""A run that changes nothing: against the least that a controller must do, and against plain pyinfra for the same."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plain
from benchmarks.measure import Contender, Result, aim, combined, interleaved, ratio
from benchmarks.worlds import RELEASE, example, provisioned, world
from sendwright import planning
from sendwright.lab import Lab, LabHost
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder

ROUNDS = 5


def measure(rounds: int) -> Result:
    """Measure whole processes at the controller's place of a lab with one provisioned host."""
    with world(example(), "noop") as built, tempfile.TemporaryDirectory(prefix="sendwright-bench-") as private:
        provisioned(built)
        contenders = _contenders(built, Path(private))
        commands = _commands(built.lab.hosts[0], contenders)
        series = interleaved(contenders, rounds)
    start, floor, ours, pyinfra = series
    bound = combined("twice the floor plus start-up", ((2, floor), (1, start)))
    notes = (
        "remote commands: " + ", ".join(f"{name} {count}" for name, count in commands.items()),
        aim("no-op against twice the floor plus start-up", ratio(ours, bound), below=1),
        aim("plain pyinfra against the no-op", ratio(pyinfra, ours), at_least=10),
    )
    return Result("no-op: one host, nothing to change", series, floor.name, notes)


def _contenders(built: World, private: Path) -> tuple[Contender, ...]:
    lab, host = built.lab, built.lab.hosts[0]
    inventory = plain.write(private / "plain", *_plain(built))
    floor = (host.name, host.addresses[0], host.user, str(lab.ssh_key), host.fingerprint)
    argv = {
        "interpreter start-up": ("-c", "pass"),
        "floor: connect, one command": ("-m", "benchmarks.floor", *floor),
        "sendwright provision": ("-m", "sendwright", "provision", str(built.folder), "--yes"),
        "plain pyinfra": ("-m", "pyinfra", "-y", str(inventory), str(plain.DEPLOY)),
    }
    return tuple(Contender(name, _process(lab, words)) for name, words in argv.items())


def _plain(built: World) -> tuple[Any, ...]:
    declared = built.declared
    folder = StateFolder.of(declared)
    host = declared.stack.hosts[0]
    services = planning.services(declared.stack, host, RELEASE, folder.load())
    login = {
        "name": host.name,
        "ssh_hostname": str(host.ssh.hostname),
        "ssh_user": host.ssh.user,
        "ssh_key": str(built.lab.ssh_key),
        "ssh_known_hosts_file": str(built.lab.known_hosts),
    }
    return services, login, folder.open


def _process(lab: Lab, argv: Sequence[str]) -> Callable[[], None]:
    def run() -> None:
        lab.run([sys.executable, *argv], timeout=300)

    return run


def _commands(host: LabHost, contenders: Sequence[Contender]) -> dict[str, int]:
    """Count what the host's own sshd executes for each contender: the same judge for all."""
    (host.root / "etc/ssh/sshd_config.d/benchmark.conf").write_text("LogLevel VERBOSE\n")
    host.run(["systemctl", "reload", "ssh"])
    counts = {}
    for contender in contenders:
        before = _sessions(host)
        contender.run()
        counts[contender.name] = _sessions(host) - before
    (host.root / "etc/ssh/sshd_config.d/benchmark.conf").unlink()
    host.run(["systemctl", "reload", "ssh"])
    return counts


def _sessions(host: LabHost) -> int:
    host.run(["journalctl", "--sync"])
    return host.run(["journalctl", "--no-pager", "-o", "cat", "-t", "sshd"]).stdout.count("Starting session:")
