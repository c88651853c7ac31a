"""Logging in to a host that has proven who it is: with the named key and no other, or with what the user has."""

from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko

from sendwright.declared import SecretRef
from sendwright.errors import LoginRefused
from sendwright.stack import Host

Secret = Callable[[SecretRef, Path, str], str]

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


def key_file(host: Host, base: Path) -> Path | None:
    """Return the path of the key that the inventory names for a host, or None."""
    return base / Path(host.ssh.key).expanduser() if host.ssh.key else None


def named_key(host: Host, base: Path, secret: Secret) -> paramiko.PKey | None:
    """Load the key that the inventory names for a host; None if it names none.

    Arguments: ``base``: the inventory folder; ``secret``: resolves the key's passphrase. Raises LoginRefused for a file
    that cannot be used, before anything is sent.
    """
    path = key_file(host, base)
    if path is None:
        return None
    password = host.ssh.key_password
    phrase = secret(password, base, f"the passphrase of {path}").encode() if password else None
    try:
        return paramiko.PKey.from_path(path, passphrase=phrase)
    except OSError as error:
        raise LoginRefused(
            host.name, f"the SSH key {path} cannot be read ({(error.strerror or '').lower()}).", "Check ssh_key."
        ) from error
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise LoginRefused(
            host.name, f"the SSH key {path} is encrypted.", "Name its passphrase in ssh_key_password."
        ) from error
    except (paramiko.SSHException, ValueError, paramiko.pkey.UnknownKeyType) as error:
        why = "does not open with ssh_key_password" if phrase else "is not a private SSH key"
        raise LoginRefused(host.name, f"the SSH key {path} {why}.", "Check ssh_key and ssh_key_password.") from error


def log_in(host: Host, transport: paramiko.Transport, named: paramiko.PKey | None) -> None:
    """Log in with the named key, or without one with the agent's and ``~/.ssh``'s; LoginRefused if none is taken."""
    keys = iter((named,)) if named else _users_keys()
    tried = 0
    for key in keys:
        tried += 1
        try:
            remaining = transport.auth_publickey(host.ssh.user, key)
        except paramiko.AuthenticationException:
            continue
        except (paramiko.SSHException, EOFError, OSError):
            break
        if not remaining:
            return
    who = f"{host.ssh.user}@{host.ssh.hostname}"
    if named:
        what = f"{who} refuses the SSH key {host.ssh.key} ({named.fingerprint})."
        raise LoginRefused(
            host.name, what, f"Add its public half to {host.ssh.user}'s authorized_keys, or set ssh_key."
        )
    what = (
        f"{who} refuses all {tried} SSH keys of the agent and ~/.ssh." if tried else f"no SSH key to log in as {who}."
    )
    raise LoginRefused(host.name, what, "Set ssh_key in the inventory to the key that may log in.")


def _users_keys() -> Iterator[paramiko.PKey]:
    yield from paramiko.Agent().get_keys()
    for name in _DEFAULT_KEYS:
        try:
            yield paramiko.PKey.from_path(Path("~/.ssh").expanduser() / name)
        except (OSError, TypeError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
            continue
