"""testinfra over the connection that the deploys use: what a living host is asked goes the way on which it is changed.

For the checks in ``tests/live`` (docs/live-checks.md). testinfra is a development dependency: only they import this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host as TestinfraHost

from sendwright import engine
from sendwright.deploys.probe import Smtp, parse_smtp, smtp_command
from sendwright.errors import HostError
from sendwright.ssh import Result
from sendwright.stack import Host

if TYPE_CHECKING:
    from pyinfra.api.host import Host as PyinfraHost

# Debian keeps daemons and their tools where a user with sudo does not look.
_PATH = "export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 60


class PyinfraBackend(BaseBackend):  # type: ignore[misc]  # testinfra carries no types
    """testinfra's way to a host: pyinfra's host, as root where the inventory says how."""

    NAME = "pyinfra"

    def __init__(self, target: "PyinfraHost", *, sudo: bool) -> None:
        # sudo is pyinfra's here: testinfra's would ask for it a second time.
        super().__init__(target.name)
        self._target = target
        self._sudo = sudo

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run a shell command and return what it answered; HostError when the connection breaks.

        Arguments: ``stdin``: text that it may read; ``timeout`` in seconds.
        """
        from pyinfra.api.command import StringCommand

        asked = self.get_command(command, *args)
        # pyinfra only tells success from failure: the status itself comes as a last line of its own.
        script = StringCommand(f"{_PATH}; ( {asked}\n); printf '\\n%s\\n' $?")
        seconds, stdin = kwargs.get("timeout", _SECONDS), kwargs.get("stdin", "")
        _, said = self._target.run_shell_command(script, _sudo=self._sudo, _timeout=int(seconds), _stdin=stdin)
        *lines, status = said.stdout_lines or [""]
        if not status.isdigit():
            raise HostError(self.hostname, "it broke off while it was asked.", "Look at its load, then try again.")
        return self.result(int(status), asked.encode(), "\n".join(lines), said.stderr)


@contextmanager
def connect(host: Host, base: Path) -> Iterator[TestinfraHost]:
    """Connect testinfra to a host of an inventory; ``base`` is its folder. Raises what `engine.session` raises."""
    with engine.session(host, base) as target:
        backend = PyinfraBackend(target, sudo=host.ssh.sudo)
        asked = TestinfraHost(backend)
        backend.set_host(asked)
        yield asked


@dataclass(frozen=True)
class Asking:
    """testinfra's connection, in the role of what observes hosts (`sendwright.ssh.Runs`)."""

    asked: TestinfraHost
    host: Host

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Run a POSIX shell script as root and return what it answered; HostError when the connection breaks."""
        # By standard input, as `Connection.run` does: a script for many domains is longer than an argument may be.
        command = f'eval "$(head -c {len(script.encode())})"'
        answer = self.asked.run(command, stdin=script + stdin.decode(), timeout=timeout)
        return Result(answer.stdout.encode(), answer.stderr.encode(), answer.rc)


def smtp(asked: TestinfraHost, declared: Host, port: int) -> Smtp:
    """Ask a host's SMTP service what it offers, from the host itself; HostError when it does not answer.

    It is asked at the host's own address: no firewall in between, and no address that is trusted.
    """
    address = next((e.bind for e in declared.egress if e.bind is not None), ip_address("127.0.0.1"))
    answer = asked.run(f"( {smtp_command(address, port)} ) 2>&1")
    found = parse_smtp(answer.stdout)
    if isinstance(found, str):
        raise HostError(declared.name, f"port {port} gave no SMTP answer ({found!r}).", "Run sendwright plan.")
    return found
