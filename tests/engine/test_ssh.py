"""The host proves who it is before anything is sent, and each way of failing is one clear sentence."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendwright import ssh
from sendwright.declared import SecretRef
from sendwright.errors import HostKeyMismatch, LoginRefused, Unreachable
from sendwright.hostkeys import lookup_name
from sendwright.ssh import Connection
from sendwright.stack import Host

Make = Callable[..., Any]


def password(ref: SecretRef, base: Path, what: str) -> str:
    """Resolve every secret to the same word."""
    del ref, base, what
    return "correct horse"


def connect(host: Host, base: Path, *, accept_unknown: bool = False, timeout: float = 3) -> Connection:
    """Connect with little patience."""
    return ssh.connect(host, base, secret=password, accept_unknown=accept_unknown, timeout=timeout)


def test_a_script_runs_and_its_text_is_in_no_process_list(start_server: Make, make_host: Make, tmp_path: Path) -> None:
    """Script and input travel by standard input: the command line holds a length only."""
    server = start_server()
    host = make_host(server.port, key="user", host_key=server.host_key.fingerprint)

    with connect(host, tmp_path) as connection:
        result = connection.run('word="hunter2"; read -r line; echo "$word $line"; echo no >&2; exit 3', b"more\n")

    assert (result.stdout, result.stderr, result.status) == (b"hunter2 more\n", b"no\n", 3)
    assert connection.commands == 1
    assert "hunter2" not in "".join(server.commands)


def test_large_input_and_output_at_once_do_not_block(start_server: Make, make_host: Make, tmp_path: Path) -> None:
    """A few megabytes pass in both directions."""
    server = start_server()
    host = make_host(server.port, key="user", host_key=server.host_key.fingerprint)
    data = b"x" * 3_000_000

    with connect(host, tmp_path) as connection:
        result = connection.run("cat", data)

    assert result.stdout == data


def test_a_changed_host_key_is_refused_before_anybody_logs_in(
    start_server: Make, make_host: Make, tmp_path: Path
) -> None:
    """The error names both fingerprints, and the server saw no attempt to log in."""
    server, other = start_server(), start_server()
    host = make_host(server.port, key="user", host_key=other.host_key.fingerprint)

    with pytest.raises(HostKeyMismatch) as caught:
        connect(host, tmp_path, accept_unknown=True)

    assert server.host_key.fingerprint in str(caught.value)
    assert other.host_key.fingerprint in str(caught.value)
    assert server.authentications == 0


def test_an_unknown_host_key_is_refused_unless_asked_for(start_server: Make, make_host: Make, tmp_path: Path) -> None:
    """First contact shows the fingerprint; only ``accept_unknown`` goes on, and writes nothing down."""
    server = start_server()
    known = tmp_path / "known_hosts"
    known.write_text("")
    host = make_host(server.port, key="user", known_hosts="known_hosts")

    with pytest.raises(HostKeyMismatch, match="is not known") as caught:
        connect(host, tmp_path)
    with connect(host, tmp_path, accept_unknown=True) as connection:
        accepted = connection.host_key

    assert server.host_key.fingerprint in str(caught.value)
    assert accepted.fingerprint == server.host_key.fingerprint
    assert known.read_text() == ""


def test_the_inventorys_known_hosts_decides(start_server: Make, make_host: Make, tmp_path: Path) -> None:
    """A listed key is accepted; another key for the same host is refused even when unknown keys are accepted."""
    server, other = start_server(), start_server()
    name = lookup_name("127.0.0.1", server.port)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(f"# ours\n{name} ssh-ed25519 {server.host_key.get_base64()}\n")
    bad.write_text(f"{name} ssh-ed25519 {other.host_key.get_base64()}\n")

    with connect(make_host(server.port, key="user", known_hosts="good"), tmp_path) as connection:
        line = connection.known_hosts_line
    with pytest.raises(HostKeyMismatch, match="has changed"):
        connect(make_host(server.port, key="user", known_hosts="bad"), tmp_path, accept_unknown=True)

    assert line in good.read_text()


def test_a_key_that_the_host_refuses_is_a_refused_login(
    start_server: Make, make_host: Make, make_key: Make, tmp_path: Path
) -> None:
    """The sentence names user, host and key."""
    server = start_server()
    make_key(tmp_path / "stranger")
    host = make_host(server.port, key="stranger", host_key=server.host_key.fingerprint)

    with pytest.raises(LoginRefused, match=r"root@127\.0\.0\.1 refuses the SSH key stranger"):
        connect(host, tmp_path)


def test_a_missing_damaged_or_locked_key_file_is_said_before_connecting(
    make_host: Make, make_key: Make, tmp_path: Path
) -> None:
    """Each of them by name, with nothing listening at all."""
    make_key(tmp_path / "locked", "another word")
    (tmp_path / "damaged").write_text("no key")
    secret = {"env": "UNUSED"}

    for key, reference, expected in (
        ("missing", None, "cannot be read"),
        ("damaged", None, "is not a private SSH key"),
        ("locked", None, "is encrypted"),
        ("locked", secret, "does not open with ssh_key_password"),
    ):
        host = make_host(1, key=key)
        host = host.model_copy(
            update={"ssh": type(host.ssh).model_validate(host.ssh.model_dump() | {"key_password": reference})}
        )
        with pytest.raises(LoginRefused, match=expected) as caught:
            connect(host, tmp_path)
        assert "word" not in str(caught.value).replace("ssh_key_password", "")


def test_an_encrypted_key_opens_with_its_named_passphrase(
    start_server: Make, make_host: Make, make_key: Make, tmp_path: Path
) -> None:
    """The passphrase comes from the resolver that is passed in."""
    server = start_server()
    server.allowed = make_key(tmp_path / "locked", "correct horse")
    host = make_host(server.port, key="locked", host_key=server.host_key.fingerprint)
    locked = type(host.ssh).model_validate(host.ssh.model_dump() | {"key_password": {"env": "UNUSED"}})

    with connect(host.model_copy(update={"ssh": locked}), tmp_path) as connection:
        assert connection.run("true").ok


def test_a_host_that_is_not_there_is_unreachable(make_host: Make, make_key: Make, tmp_path: Path) -> None:
    """Refused, not resolving and not SSH are three sentences."""
    make_key(tmp_path / "user")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    host = make_host(free, key="user")
    unresolved = host.model_copy(update={"ssh": host.ssh.model_copy(update={"hostname": "nowhere.invalid"})})

    with pytest.raises(Unreachable, match="connection refused"):
        connect(host, tmp_path, accept_unknown=True)
    with pytest.raises(Unreachable, match="does not resolve"):
        connect(unresolved, tmp_path, accept_unknown=True)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unreachable, match="no SSH server answers"),
    ):
        connect(make_host(silent.getsockname()[1], key="user"), tmp_path, accept_unknown=True, timeout=0.5)


@pytest.mark.parametrize(
    ("sudo", "expected"),
    [
        ("echo 'sudo: a password is required' >&2; exit 1", "a password is required"),
        ("echo 'sudo: unable to resolve host x' >&2; exit 1", None),
        ('echo "sudo: unable to resolve host x" >&2; shift 2; exec "$@"', None),
    ],
)
def test_sudo_that_wants_a_password_is_a_refused_login(
    start_server: Make, make_host: Make, tmp_path: Path, sudo: str, expected: str | None
) -> None:
    """Its warnings are not taken for refusals."""
    server = start_server()
    server.tools = tmp_path
    (tmp_path / "sudo").write_text(f"#!/bin/sh\n{sudo}\n")
    (tmp_path / "sudo").chmod(0o755)
    host = make_host(server.port, key="user", host_key=server.host_key.fingerprint, sudo=True)

    with connect(host, tmp_path) as connection:
        if expected is None:
            assert connection.run("exit 1").status == 1
        else:
            with pytest.raises(LoginRefused, match=expected):
                connection.run("exit 1")


def test_a_command_that_hangs_is_given_up(start_server: Make, make_host: Make, tmp_path: Path) -> None:
    """The time for a whole command is bounded."""
    server = start_server()
    host = make_host(server.port, key="user", host_key=server.host_key.fingerprint)

    with connect(host, tmp_path) as connection, pytest.raises(Unreachable, match="did not finish within 0 s"):
        connection.run("sleep 20", timeout=0.5)
