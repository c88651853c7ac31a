"""One SSH connection with one rule: the host proves who it is before anything is sent to it.

Light on purpose: this transport carries the whole path of a run that changes nothing, so it needs paramiko only and
sets TCP_NODELAY (a round trip costs 47 ms without it, 3 ms with it). Neither the user's SSH configuration nor, when a
key is named, the agent or ``~/.ssh`` takes part; the user's known_hosts is read as a last resort, and never written.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import paramiko

from sendwright.errors import HostKeyMismatch, LoginRefused, Unreachable
from sendwright.hostkeys import KnownHosts, lookup_name
from sendwright.login import Secret, log_in, named_key
from sendwright.stack import Host

# Without a handler paramiko's own errors would land on the terminal, beside the sentence that we make of them.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
# Kinds of host keys as known_hosts names them, and the signature algorithms by which a server proves each.
_FAMILIES = (
    (("ssh-ed25519",), ("ssh-ed25519",)),
    (_ECDSA, _ECDSA),
    (("ssh-rsa",), ("rsa-sha2-512", "rsa-sha2-256")),
)
# An observation of thousands of files stays far below this; what is above is not an answer but an attack on memory.
_MOST_OUTPUT = 64 * 1024 * 1024


class _Prompt(socket.socket):
    """A TCP socket that acknowledges at once: sshd leaves Nagle's algorithm on, and each side would wait for the other.

    Without it a connection's first command takes 50 ms longer (measured). The kernel forgets the wish after a while.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive, and acknowledge."""
        data = super().recv(size, flags)
        if hasattr(socket, "TCP_QUICKACK"):  # Linux only
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


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
                self.host.name, f"the SSH connection broke ({_plain(error)}).", "Run it again: it goes on."
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
    transport, key = _verified(host, base, accept_unknown, timeout)
    try:
        log_in(host, transport, named)
    except BaseException:
        transport.close()
        raise
    return Connection(host, transport, key)


def open_socket(host: Host, timeout: float) -> socket.socket:
    """Open a TCP connection to a host's SSH port with TCP_NODELAY; Unreachable says in plain words why not."""
    ssh = host.ssh
    place = f"{ssh.hostname} port {ssh.port}"
    try:
        sock = socket.create_connection((ssh.hostname, ssh.port), timeout)
    except socket.gaierror as error:
        raise Unreachable(
            host.name, f"the name {ssh.hostname} does not resolve.", "Set ssh_hostname to an address, or mend DNS."
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            host.name, f"no answer from {place} within {timeout:.0f} s.", "Is it up, and does a firewall let you in?"
        ) from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Unreachable(
            host.name, f"cannot connect to {place}: {why}.", "Check ssh_hostname and ssh_port."
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Prompt(sock.family, sock.type, sock.proto, sock.detach())


def _verified(host: Host, base: Path, accept_unknown: bool, timeout: float) -> tuple[paramiko.Transport, paramiko.PKey]:
    known = _known(host, base)
    seen: list[str] = []
    for offered in _offers(known):
        transport = _handshake(host, offered, timeout)
        if transport is None:
            continue
        key = transport.get_remote_server_key()
        if known.accepts(key) or (accept_unknown and known.empty):
            return transport, key
        transport.close()
        seen.append(f"{key.fingerprint} ({key.get_name()})")
    raise _mismatch(host, known, seen)


def _offers(known: KnownHosts) -> Iterator[tuple[str, ...]]:
    # A host has a key of each kind and proves one a connection: each kind that may be the known one is asked for.
    if known.empty:
        yield tuple(algorithm for _, algorithms in _FAMILIES for algorithm in algorithms)
        return
    for kinds, algorithms in _FAMILIES:
        if known.fingerprint or not known.kinds.isdisjoint(kinds):
            yield algorithms


def _known(host: Host, base: Path) -> KnownHosts:
    ssh = host.ssh
    if ssh.host_key:
        return KnownHosts(fingerprint=ssh.host_key)
    path = base / Path(ssh.known_hosts).expanduser() if ssh.known_hosts else Path("~/.ssh/known_hosts").expanduser()
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise HostKeyMismatch(
            host.name, f"{path} cannot be read ({error.strerror}).", "Nothing was sent; make it readable."
        ) from error
    return KnownHosts.parse(text, ssh.hostname, ssh.port)


def _handshake(host: Host, algorithms: tuple[str, ...], timeout: float) -> paramiko.Transport | None:
    """Agree on keys with a host; None if it has no host key for these algorithms."""
    sock = open_socket(host, timeout)
    transport = paramiko.Transport(sock)
    transport.banner_timeout = transport.auth_timeout = timeout
    transport.get_security_options().key_types = algorithms
    try:
        transport.start_client(timeout=timeout)
        transport.get_remote_server_key()  # start_client returns in silence when the time is up
    except paramiko.ssh_exception.IncompatiblePeer:
        transport.close()
        return None
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        place = f"{host.ssh.hostname} port {host.ssh.port}"
        raise Unreachable(
            host.name, f"no SSH server answers at {place} ({_plain(error)}).", "Check ssh_hostname and ssh_port."
        ) from error
    return transport


def _mismatch(host: Host, known: KnownHosts, seen: list[str]) -> HostKeyMismatch:
    shown = ", ".join(seen) or "no key of the known kind"
    if known.empty:
        return HostKeyMismatch(
            host.name,
            f"its SSH host key is not known; it shows {shown}. Nothing was sent.",
            "Compare it on the host (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`), then set ssh_host_key to it.",
        )
    expected = known.fingerprint or "another key in known_hosts"
    return HostKeyMismatch(
        host.name,
        f"its SSH host key has changed: expected {expected}, seen {shown}. Nothing was sent.",
        "If the host was reinstalled, compare the key on its console and set ssh_host_key; if not, do not go on.",
    )


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
    return next((_plain(line) for line in lines if line.startswith((b"sudo: ", b"env: "))), "")


def _plain(text: object) -> str:
    raw = text.decode(errors="replace") if isinstance(text, bytes) else str(text) or type(text).__name__
    return "".join(c if c.isprintable() else " " for c in raw).strip()[:300]
