"""One SSH connection with one rule: the host proves who it is before anything is sent to it.

Light on purpose: this transport carries the whole path of a run that changes nothing, so it needs paramiko only and
sets TCP_NODELAY (a round trip costs 47 ms without it, 3 ms with it). Neither the user's SSH configuration nor, when a
key is named, the agent or ``~/.ssh`` takes part (see ``handshake`` for known_hosts).
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import paramiko

from sendwright.errors import LoginRefused, Unreachable
from sendwright.handshake import shown, verified
from sendwright.hostkeys import lookup_name
from sendwright.login import Secret, log_in, named_key
from sendwright.stack import Host

# An observation of thousands of files stays far below this; what is above is not an answer but an attack on memory.
_MOST_OUTPUT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Result:
    """What a command answered: its output as bytes and its exit status."""

    stdout: bytes
    stderr: bytes
    status: int

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0


class Runs(Protocol):
    """What runs scripts on a host: a `Connection`, or testinfra's way there."""

    @property
    def host(self) -> Host:
        """The host as it is declared."""
        ...

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Run a POSIX shell script as root; see `Connection.run`."""
        ...


@dataclass
class Connection:
    """An authenticated connection to a verified host. ``commands`` counts what was executed through it."""

    host: Host
    transport: paramiko.Transport
    host_key: paramiko.PKey
    commands: int = field(default=0, init=False)

    @property
    def known_hosts_line(self) -> str:
        """The verified key as a line for a private known_hosts file, for another SSH client."""
        name = lookup_name(self.host.ssh.hostname, self.host.ssh.port)
        return f"{name} {self.host_key.get_name()} {self.host_key.get_base64()}\n"

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Run a POSIX shell script as root (with sudo where declared) and return what it answered.

        Arguments: ``script`` travels by standard input, so that nothing in it shows up in a process list; ``stdin`` is
        what the script reads after itself; ``timeout`` in seconds for the whole command.
        Raises Unreachable when the connection breaks or the time is up, LoginRefused when sudo asks for a password.
        """
        text = script.encode()
        command = f"sh -c 'eval \"$(head -c {len(text)})\"'"
        result = self._execute(
            f"env LC_ALL=C sudo -n -- {command}" if self.host.ssh.sudo else command, text + stdin, timeout
        )
        refusal = _refusal(result) if self.host.ssh.sudo else ""
        if refusal:
            raise LoginRefused(
                self.host.name,
                f"{self.host.ssh.user} cannot become root ({refusal}).",
                f"Allow it without a password: `{self.host.ssh.user} ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d/.",
            )
        return result

    def _execute(self, command: str, data: bytes, timeout: float) -> Result:
        self.commands += 1
        deadline = time.monotonic() + timeout
        try:
            channel = self.transport.open_session(timeout=timeout)
            channel.settimeout(timeout)
            channel.exec_command(command)
            errors: list[bytes] = []
            helpers = (
                threading.Thread(target=_send, args=(channel, data), daemon=True),
                threading.Thread(target=lambda: errors.extend(_receive(channel.recv_stderr, 1024 * 1024)), daemon=True),
            )
            for helper in helpers:
                helper.start()
            output = b"".join(_receive(channel.recv, _MOST_OUTPUT, channel, deadline))
            for helper in helpers:
                helper.join(max(0.0, deadline - time.monotonic()))
            _wait_for_status(channel, deadline)
            return Result(output, b"".join(errors), channel.exit_status)
        except TimeoutError as error:
            raise Unreachable(
                self.host.name, f"a command did not finish within {timeout:.0f} s.", "Look at the host's load."
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise Unreachable(
                self.host.name, f"the SSH connection broke ({shown(error)}).", "Run it again: it goes on."
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    host: Host, base: Path, *, secret: Secret, accept_unknown: bool = False, timeout: float = 10.0
) -> Connection:
    """Connect to a host, verify its key, then log in.

    Arguments: ``base``: the inventory folder, where relative paths start; ``secret``: resolves the key's passphrase;
    ``accept_unknown``: take a key that nothing is known about (never one that differs); ``timeout`` in seconds.
    Raises Unreachable, HostKeyMismatch (nothing was sent) or LoginRefused.
    """
    named = named_key(host, base, secret)
    transport, key = verified(host, base, accept_unknown, timeout)
    try:
        log_in(host, transport, named)
    except BaseException:
        transport.close()
        raise
    return Connection(host, transport, key)


def _send(channel: paramiko.Channel, data: bytes) -> None:
    try:
        channel.sendall(data)
        channel.shutdown_write()
    except OSError:
        return  # the command ended without reading everything: its status tells


def _receive(
    read: Callable[[int], bytes], most: int, channel: paramiko.Channel | None = None, deadline: float = 0.0
) -> Iterator[bytes]:
    size = 0
    while True:
        if channel is not None:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            chunk = read(65536)
        except TimeoutError:
            if channel is not None:
                raise
            return
        if not chunk:
            return
        size += len(chunk)
        if size > most:
            raise OSError("more output than any answer has")
        yield chunk


def _wait_for_status(channel: paramiko.Channel, deadline: float) -> None:
    if not channel.status_event.wait(max(0.1, deadline - time.monotonic())):
        raise TimeoutError


def _refusal(result: Result) -> str:
    """Return what sudo said when it refused, or what env said when there is no sudo; its warnings are no refusals."""
    if result.ok or result.stdout:
        return ""
    lines = [line for line in result.stderr.splitlines() if b"unable to resolve host" not in line]
    return next((shown(line) for line in lines if line.startswith((b"sudo: ", b"env: "))), "")
