"""An SSH server in this process: it shows a key, lets one user's key in and runs commands as the user of the tests."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sendwright.declared import EnvSecret
from sendwright.stack import Egress, Host, Ssh


def new_key(path: Path, password: str | None = None) -> paramiko.PKey:
    """Write a new private key and return it."""
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    private = Ed25519PrivateKey.generate()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption))
    path.chmod(0o600)
    return paramiko.PKey.from_path(path, passphrase=password.encode() if password else None)


@dataclass
class Server(paramiko.ServerInterface):
    """A server on loopback; ``authentications`` counts who tried to log in; ``tools`` comes first on its PATH."""

    host_key: paramiko.PKey
    allowed: paramiko.PKey
    commands: list[str] = field(default_factory=list)
    authentications: int = 0
    port: int = 0
    tools: Path = Path("/nonexistent")

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Let the one key in."""
        del username
        self.authentications += 1
        return paramiko.common.AUTH_SUCCESSFUL if key == self.allowed else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        """Offer keys only."""
        del username
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open sessions."""
        del chanid
        return paramiko.common.OPEN_SUCCEEDED if kind == "session" else 1

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run a command."""
        self.commands.append(command.decode())
        threading.Thread(target=_execute, args=(channel, command, self.tools), daemon=True).start()
        return True


def _execute(channel: paramiko.Channel, command: bytes, tools: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
    ) as process:
        given = b"".join(iter(lambda: channel.recv(65536), b""))
        output, errors = process.communicate(given)
    channel.sendall(output)
    channel.sendall_stderr(errors)
    channel.send_exit_status(process.returncode)
    channel.close()


def _serve(listener: socket.socket, server: Server) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        transport = paramiko.Transport(client)
        transport.add_server_key(server.host_key)
        try:
            transport.start_server(server=server)
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start SSH servers on loopback, each with a key of its own; ``tmp_path/user`` may log in."""
    with ExitStack() as stack:
        allowed = new_key(tmp_path / "user")

        def start() -> Server:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = Server(new_key(tmp_path / f"host{listener.getsockname()[1]}"), allowed)
            server.port = listener.getsockname()[1]
            threading.Thread(target=_serve, args=(listener, server), daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return server

        yield start


def a_host(
    port: int,
    *,
    key: Path | None,
    host_key: str | None = None,
    known_hosts: Path | None = None,
    key_password: EnvSecret | None = None,
    sudo: bool = False,
) -> Host:
    """Return a host at a port of this machine."""
    ssh = Ssh(
        hostname="127.0.0.1",
        port=port,
        user="root",
        key=str(key) if key else None,
        key_password=key_password,
        host_key=host_key,
        known_hosts=str(known_hosts) if known_hosts else None,
        sudo=sudo,
    )
    return Host(name="mx1.example.com", ssh=ssh, egress=(Egress.model_validate({"public": "203.0.113.10"}),))


@pytest.fixture
def make_host() -> Callable[..., Host]:
    """Make hosts at ports of this machine; see `a_host`."""
    return a_host


@pytest.fixture
def make_key() -> Callable[..., paramiko.PKey]:
    """Make private key files; see `new_key`."""
    return new_key
