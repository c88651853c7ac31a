"""The same operations under pyinfra's own command: ``pyinfra inventories/example/inventory.py deploys/sender.py``.

It reads the inventory folder that the command names, with the state beside it: the keys must exist. It changes no DNS.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError

from sendwright import host_renewals, preflight
from sendwright.deploys import renewed
from sendwright.deploys.converge import ask, converge, look
from sendwright.deploys.material import Material
from sendwright.deploys.sender import services
from sendwright.errors import PreflightFailed, SendwrightError, StateError
from sendwright.hostkeys import KnownHosts
from sendwright.inventory import load
from sendwright.stack import Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import State


def converge_this_host() -> None:
    """Add the operations of the host that pyinfra is at; what a person can mend is raised as PyinfraError."""
    try:
        _add_operations(_inventory_argument())
    except SendwrightError as error:
        raise PyinfraError(str(error)) from error


def _add_operations(path: Path) -> None:
    inventory = load(path)
    folder = StateFolder.of(inventory)
    state = folder.load()
    target = inventory.stack.host(host.name)
    _check_host_key(target)
    certificate = state.certificate_of(target.name)
    if certificate is None:
        raise StateError(
            f"{target.name} has no certificate in {inventory.state_dir}.", f"Run: sendwright provision {path}"
        )
    bare = look({})
    release = bare.release
    if release is None or not bare.root:
        raise _not_fit(target, preflight.problems(target, bare, datetime.now(UTC)))
    state = _with_renewals(inventory.stack, target, state)
    certificate = state.certificate_of(target.name) or certificate
    wanted = services(inventory.stack, target, release, Material.of(target, certificate, state))
    observation = look({release: wanted})
    found = preflight.problems(target, observation, datetime.now(UTC), wanted)
    if found:
        raise _not_fit(target, found)
    converge(wanted, observation, folder.open, adopt=target.adopt)


def _with_renewals(stack: Stack, target: Host, state: State) -> State:
    """Return the state with what the host has renewed by itself: nobody puts an older certificate back."""
    if not host_renewals.renews(stack, target.name):
        return state
    chains = renewed.parse(target.name, ask(renewed.command()))
    newer = host_renewals.newer(stack, state.certificates_of(target.name), chains)
    return host_renewals.with_certificates(state, newer)


def _inventory_argument() -> Path:
    """Return the path that the command line names, as pyinfra itself reads it."""
    from pyinfra_cli.cli import cli  # type: ignore[import-untyped]

    # Its own context cannot be asked here: it belongs to another greenlet.
    return Path(cli.make_context("pyinfra", sys.argv[1:], resilient_parsing=True).params["inventory"])


def _check_host_key(target: Host) -> None:
    # pyinfra checks known_hosts by its own rules; the inventory's fingerprint is ours to insist on.
    client = getattr(host.connector, "client", None)
    if client is None or target.ssh.host_key is None:
        return
    key = client.get_transport().get_remote_server_key()
    if not KnownHosts(fingerprint=target.ssh.host_key).accepts(key):
        what = f"its SSH host key is {key.fingerprint}, not the one that the inventory names; nothing was changed."
        raise PreflightFailed(target.name, what, "Compare it on the host, then set ssh_host_key.")


def _not_fit(target: Host, problems: tuple[str, ...]) -> PreflightFailed:
    return PreflightFailed(target.name, "nothing was changed.", " ".join(problems))
