"""The only door to pyinfra's API: hosts are brought to their desired state, several at a time.

Everything of pyinfra is imported here only when a host really changes. Each host has a State of its own (pyinfra orders
operations by position) in a process of its own (unpatched, its pool runs blocking calls one after another).
"""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sendwright import handshake, ssh
from sendwright.errors import ConvergeFailed, HostError
from sendwright.escape import printable
from sendwright.login import key_file
from sendwright.secrets import resolve
from sendwright.service import Sealed, Service
from sendwright.ssh import Connection
from sendwright.stack import Host

if TYPE_CHECKING:
    from pyinfra.api.host import Host as PyinfraHost
    from pyinfra.api.state import State

Report = Callable[[str], None]
OpenSealed = Callable[[Sealed], bytes]

_MOST_ERROR_LINES = 12


@dataclass(frozen=True)
class Job:
    """One host to converge: its services, and what its private files hold, by `Sealed.name` (shown nowhere)."""

    host: Host
    services: tuple[Service, ...]
    opened: Mapping[str, bytes] = field(repr=False)

    def open(self, sealed: Sealed) -> bytes:
        """Return the bytes of a private file."""
        return self.opened[sealed.name]


@dataclass(frozen=True)
class Outcome:
    """What converging a host did: the operations that changed something, in order."""

    host: str
    changed: tuple[str, ...] = ()


def job(host: Host, services: tuple[Service, ...], open_sealed: OpenSealed) -> Job:
    """Return a Job with its private files opened: the key store and its passphrase stay in this process."""
    sealed = [f.content for s in services for f in s.files if isinstance(f.content, Sealed)]
    return Job(host, services, {s.name: open_sealed(s) for s in sealed})


def converge(
    host: Host,
    services: tuple[Service, ...],
    open_sealed: OpenSealed,
    base: Path,
    report: Report,
    *,
    accept_unknown: bool = False,
) -> Outcome:
    """Bring one host to its desired state, in this process.

    Arguments: ``services``: those of the host's own release, in their order; ``base``: the inventory folder;
    ``report`` gets each operation's name before it runs; ``accept_unknown``: see `ssh.connect`.
    Raises ConvergeFailed (running again heals), and what `ssh.connect` raises.
    """
    return converge_job(job(host, services, open_sealed), base, report, accept_unknown=accept_unknown)


def converge_job(work: Job, base: Path, report: Report, *, accept_unknown: bool = False) -> Outcome:
    """Bring one host to its desired state, in this process; see `converge`."""
    with session(work.host, base, accept_unknown=accept_unknown) as target:
        return _run(target, work, report)


@contextlib.contextmanager
def session(host: Host, base: Path, *, accept_unknown: bool = False) -> "Iterator[PyinfraHost]":
    """Connect pyinfra to a host that proved who it is, and yield pyinfra's own host; its state is ``.state``.

    Arguments: ``base``: the inventory folder; ``accept_unknown``: see `ssh.connect`. A command that is run through it
    by itself needs ``_sudo=host.ssh.sudo``. Raises what `ssh.connect` raises, ConvergeFailed if pyinfra cannot connect.
    """
    with (
        ssh.connect(host, base, secret=resolve, accept_unknown=accept_unknown) as verified,
        tempfile.TemporaryDirectory(prefix="sendwright-") as private,
    ):
        verified.run("true")  # where sudo wants a password, pyinfra would ask for it on the terminal
        known_hosts = Path(private) / "known_hosts"
        known_hosts.write_text(verified.known_hosts_line)
        state = _state(host, _connection_data(verified, base, known_hosts))
        try:
            yield _connected(state, host.name)
        finally:
            _forget(state)


def _connection_data(verified: Connection, base: Path, known_hosts: Path) -> dict[str, Any]:
    """Return pyinfra's host data: the verified key only, our socket, nothing of the user's SSH configuration."""
    host = verified.host
    data: dict[str, Any] = {
        "ssh_hostname": host.ssh.hostname,
        "ssh_port": host.ssh.port,
        "ssh_user": host.ssh.user,
        "ssh_known_hosts_file": str(known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_config_file": "/dev/null",
        "ssh_forward_agent": False,
        "ssh_paramiko_connect_kwargs": {"sock": handshake.open_socket(host, 10.0)},
        "_sudo": host.ssh.sudo,
    }
    key = key_file(host, base)
    if key is not None:
        data |= {"ssh_key": str(key), "ssh_allow_agent": False, "ssh_look_for_keys": False}
        if host.ssh.key_password:
            data["ssh_key_password"] = resolve(host.ssh.key_password, base, f"the passphrase of {key}")
    return data


def _state(host: Host, data: dict[str, Any]) -> "State":
    from pyinfra.api.config import Config
    from pyinfra.api.inventory import Inventory
    from pyinfra.api.state import State

    # pyinfra logs what it runs and what failed; all of that comes back as data, and is said once.
    logger = logging.getLogger("pyinfra")
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    inventory = Inventory(([(host.name, data)], {}))  # type: ignore[no-untyped-call]
    return State(inventory, Config(CONNECT_TIMEOUT=10), check_for_changes=False)  # type: ignore[no-untyped-call]


def _connected(state: "State", name: str) -> "PyinfraHost":
    import gevent  # type: ignore[import-untyped]
    from pyinfra.api.connect import connect_all
    from pyinfra.api.exceptions import PyinfraError

    # Errors come back as data; pyinfra's greenlets would print a traceback of each as well.
    gevent.get_hub().exception_stream = None
    try:
        connect_all(state)
    except PyinfraError as error:
        raise _unexpected(name, error) from error
    return state.inventory.get_host(name)


def _run(target: "PyinfraHost", work: Job, report: Report) -> Outcome:
    from pyinfra.api.deploy import add_deploy
    from pyinfra.api.exceptions import PyinfraError
    from pyinfra.api.operations import run_ops

    state, name = target.state, work.host.name
    try:
        add_deploy(state, _deploy, work)
        state.add_callback_handler(_reporter(report))  # type: ignore[no-untyped-call]
        run_ops(state)
    except PyinfraError as error:
        raise _failure(state, target, work) or _unexpected(name, error) from error
    failure = _failure(state, target, work)
    if failure:
        raise failure
    return Outcome(name, tuple(_title(state, h) for h, op in _operations(state, target) if op.did_change()))


def _deploy(work: Job) -> None:
    from sendwright.deploys.converge import converge as add_operations
    from sendwright.deploys.converge import look
    from sendwright.service import Release

    observation = look(dict.fromkeys(Release, work.services))
    add_operations(work.services, observation, work.open, adopt=work.host.adopt)


def _reporter(report: Report) -> Any:
    from pyinfra.api.state import BaseStateCallback

    class Reporter(BaseStateCallback):
        @staticmethod
        def operation_host_start(state: "State", host: "PyinfraHost", op_hash: str) -> None:
            del host
            report(_title(state, op_hash))

    return Reporter()


def _operations(state: "State", target: "PyinfraHost") -> list[tuple[str, Any]]:
    return [(h, state.ops[target][h].operation_meta) for h in target.op_hash_order if h in state.ops[target]]


def _title(state: "State", op_hash: str) -> str:
    return ", ".join(sorted(state.op_meta[op_hash].names))


def _failure(state: "State", target: "PyinfraHost", work: Job) -> ConvergeFailed | None:
    operations = _operations(state, target)
    done = [op for _, op in operations if op.is_complete() and op.did_succeed()]
    for op_hash, op in operations:
        if op.is_complete() and not op.did_succeed():
            said = _excerpt(op.stderr_lines, work)
            what = f"“{_title(state, op_hash)}” failed; {len(done)} of {len(operations)} operations were done."
            return ConvergeFailed(work.host.name, what, f"{said}Mend that and run again: it goes on from here.")
    return None


def _excerpt(lines: list[str], work: Job) -> str:
    """Return what a host said, bounded, escaped, and without any line that a private file holds."""
    texts = [*work.opened.values(), *(_content(f.content) for s in work.services for f in s.files if f.secret)]
    secret = {line.strip() for text in texts for line in text.decode(errors="replace").splitlines() if line.strip()}
    long = [s for s in secret if len(s) >= 8]
    shown = [printable(line) if not any(s in line for s in long) else "(a line with a secret)" for line in lines]
    kept = [f"  {line[:300]}\n" for line in shown if line.strip()][-_MOST_ERROR_LINES:]
    return f"It said:\n{''.join(kept)}" if kept else "It said nothing; the connection may have broken. "


def _content(content: str | Sealed) -> bytes:
    return content.encode() if isinstance(content, str) else b""


def _unexpected(name: str, error: Exception) -> HostError:
    return ConvergeFailed(name, f"pyinfra stopped ({printable(str(error))}).", "Run again: it goes on from here.")


def _forget(state: "State") -> None:
    from pyinfra.api.connect import disconnect_all
    from pyinfra.context import ctx_host, ctx_state

    try:
        disconnect_all(state)
    finally:
        ctx_host.reset()
        ctx_state.reset()
