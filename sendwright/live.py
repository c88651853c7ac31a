"""testinfra over the connection that the deploys use: what a living host is asked goes the way on which it is changed.

For the checks in ``tests/live`` (docs/live-checks.md). testinfra is a development dependency: only they import this.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host as TestinfraHost

from sendwright import engine
from sendwright.deploys.render import program
from sendwright.errors import HostError
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
        self._arguments = {"_sudo": sudo, "_timeout": _SECONDS}

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run a shell command and return what it answered; HostError when the connection breaks."""
        del kwargs
        from pyinfra.api.command import StringCommand

        asked = self.get_command(command, *args)
        # pyinfra only tells success from failure: the status itself comes as a last line of its own.
        script = StringCommand(f"{_PATH}; ( {asked}\n); printf '\\n%s\\n' $?")
        _, said = self._target.run_shell_command(script, **self._arguments)
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
class Smtp:
    """What an SMTP service offers to who asks: its own name, extensions before and inside TLS, its certificate (DER).

    ``inside`` is None where there is no TLS.
    """

    name: str
    before: frozenset[str]
    inside: frozenset[str] | None
    certificate: bytes

    @property
    def requires_tls_before_auth(self) -> bool:
        """Whether credentials can be offered inside TLS, and only there."""
        return "auth" not in self.before and self.inside is not None and "auth" in self.inside


def smtp(asked: TestinfraHost, declared: Host, port: int) -> Smtp:
    """Ask a host's SMTP service what it offers, from the host itself; HostError when it does not answer.

    It is asked at the host's own address: no firewall in between, and no address that is trusted.
    """
    address = next((str(e.bind) for e in declared.egress if e.bind is not None), "127.0.0.1")
    answer = asked.run("/usr/bin/python3 -I -c %s %s %s", program("probe/smtp.py"), address, str(port))
    try:
        found = json.loads(answer.stdout)
        inside = found["inside"]
        return Smtp(
            str(found["name"]),
            frozenset(map(str, found["before"])),
            None if inside is None else frozenset(map(str, inside)),
            base64.b64decode(found["certificate"], validate=True),
        )
    except (ValueError, KeyError, TypeError, binascii.Error):
        last = (answer.stderr.strip().splitlines() or ["nothing"])[-1][:200]
        raise HostError(declared.name, f"port {port} gave no SMTP answer ({last!r}).", "Run sendwright plan.") from None
