"""The first words with a host over SSH: a TCP connection, an agreement on keys, and who it proves to be.

The user's known_hosts is read as a last resort, and never written.
"""

import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import paramiko

from sendwright.errors import HostKeyMismatch, Unreachable
from sendwright.hostkeys import KnownHosts
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


def verified(host: Host, base: Path, accept_unknown: bool, timeout: float) -> tuple[paramiko.Transport, paramiko.PKey]:
    """Agree on keys with a host; return the connection and the host key that was verified before anything was sent.

    Arguments as for ``ssh.connect``. Raises Unreachable or HostKeyMismatch.
    """
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
            host.name, f"no SSH server answers at {place} ({shown(error)}).", "Check ssh_hostname and ssh_port."
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


def shown(text: object) -> str:
    """Return what a host or paramiko said, as it can be shown: one line that moves no cursor."""
    raw = text.decode(errors="replace") if isinstance(text, bytes) else str(text) or type(text).__name__
    return "".join(c if c.isprintable() else " " for c in raw).strip()[:300]
