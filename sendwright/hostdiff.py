"""What differs between a host's desired services and what was observed on it, item by item. Pure.

The same judgement makes the plan that people read, decides which services are converged, and what each of them needs.
"""

import difflib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from sendwright.observation import Observation, PathState, Stray
from sendwright.plan import Action, Change, Kind, Stage
from sendwright.service import Apply, Directory, File, Running, Service, Socket, Unit
from sendwright.stack import Address

# Lines of a diff that are shown: a plan is read by people.
_MOST_LINES = 400


class Load(StrEnum):
    """How a daemon is made to take the configuration that lies on disk."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"


@dataclass(frozen=True)
class Item:
    """One thing of a service that differs: what would be done, in one line; why; a diff where one may be shown."""

    action: Action
    summary: str
    why: str = ""
    diff: str = ""


def diff(host_name: str, services: tuple[Service, ...], observation: Observation) -> tuple[Change, ...]:
    """Return every change that converging a host would make, in the order of its services.

    Private files never show content; control characters from the host are escaped.
    """
    items = [*_held(observation)]
    for service in services:
        items += [*_items(service, services, observation), *_loading(service, observation)]
    return tuple(
        Change(Stage.HOSTS, Kind.HOST, i.action, host_name, printable(i.summary), printable(i.why), i.diff)
        for i in items
    )


def differing(services: tuple[Service, ...], observation: Observation) -> tuple[Service, ...]:
    """Return the services that need work, in their order."""
    held = any(_held(observation))
    return tuple(s for s in services if held or any(_items(s, services, observation)) or any(_loading(s, observation)))


def strays(service: Service, services: tuple[Service, ...], observation: Observation) -> tuple[Stray, ...]:
    """Return what lies in a service's exclusive directories and is declared by no service of the host.

    What lies below a stray directory goes with it and is not listed.
    """
    declared = {p for s in services for p in (*(f.path for f in s.files), *(d.path for d in s.directories))}
    kept = declared | {parent for path in declared for parent in _parents(path)}
    exclusive = tuple(d.path for d in service.directories if d.exclusive)
    found: list[Stray] = []
    for entry in observation.entries:
        inside = any(entry.path.startswith(f"{d}/") for d in exclusive)
        gone = {s.path for s in found if s.is_directory}
        if inside and entry.path not in kept and gone.isdisjoint(_parents(entry.path)):
            found.append(entry)
    return tuple(found)


def load(service: Service, observation: Observation) -> Load:
    """Return how a service's daemons must be made to take the configuration that will lie on disk.

    Whether they run with another one is judged by the stamp: so a run that died between writing and reloading is found.
    Without a stamp nobody knows what they loaded, and after a new group or package a reload is not enough: restart.
    """
    if not (service.reload_units or service.validate):
        return Load.NONE
    stamp = observation.stamps.get(service.name)
    fresh = stamp is None or any(_packages(service, observation)) or any(_accounts(service, observation))
    deaf = any(_deaf(service, observation))
    if fresh or deaf:
        return Load.RESTART
    if _stale(service, observation) or any(_files(service, observation)):
        return Load.RESTART if service.apply is Apply.RESTART else Load.RELOAD
    return Load.NONE


def needs_units(service: Service, observation: Observation) -> bool:
    """Whether a unit is not in its desired state."""
    return any(_units(service, observation))


def printable(text: str) -> str:
    """Escape control characters (and what could not be decoded) in text from a host, line breaks and tabs excepted."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _items(service: Service, services: tuple[Service, ...], observation: Observation) -> Iterator[Item]:
    yield from _packages(service, observation)
    yield from _accounts(service, observation)
    yield from _directories(service, observation)
    yield from _files(service, observation)
    yield from _absent(service, observation)
    yield from _stray_items(service, services, observation)
    yield from _units(service, observation)
    if not _stale(service, observation):
        yield from _deaf(service, observation)


def _held(observation: Observation) -> Iterator[Item]:
    if observation.held:
        why = "an earlier run was killed while it installed packages; until then no daemon starts by itself"
        yield Item(Action.DELETE, "/usr/sbin/policy-rc.d of an interrupted run", why)


def _packages(service: Service, observation: Observation) -> Iterator[Item]:
    for name in service.packages:
        if name not in observation.packages:
            yield Item(Action.CREATE, f"package {name}", f"{service.name} needs it")


def _accounts(service: Service, observation: Observation) -> Iterator[Item]:
    for user in service.users:
        if user.name not in observation.users:
            yield Item(Action.CREATE, f"user {user.name}", f"{service.name} runs as it")
    wanted = [*((u.name, g) for u in service.users for g in u.groups), *service.memberships]
    for name, group in wanted:
        if (name, group) not in observation.memberships:
            yield Item(Action.UPDATE, f"user {name} joins group {group}", f"{service.name} needs it")


def _directories(service: Service, observation: Observation) -> Iterator[Item]:
    for directory in service.directories:
        state = observation.paths.get(directory.path)
        if state is None:
            yield Item(Action.CREATE, f"directory {directory.path}", _ownership(directory))
        elif not state.is_directory:
            yield Item(Action.UPDATE, f"{directory.path}: {state.kind} -> directory")
        elif changed := _attributes(directory, state):
            yield Item(Action.UPDATE, f"directory {directory.path}: {changed}")


def _files(service: Service, observation: Observation) -> Iterator[Item]:
    for file in service.files:
        state = observation.paths.get(file.path)
        if state is None:
            yield Item(Action.CREATE, f"file {file.path}", _ownership(file), _shown(file, None))
        elif not state.is_file:
            yield Item(Action.UPDATE, f"{file.path}: {state.kind} -> plain file", _ownership(file), _shown(file, None))
        else:
            yield from _changed_file(file, state)


def _changed_file(file: File, state: PathState) -> Iterator[Item]:
    changed = _attributes(file, state)
    if state.sha256 != file.sha256:
        what = "content differs" + (f", {changed}" if changed else "")
        yield Item(Action.UPDATE, f"file {file.path}: {what}", "", _shown(file, state))
    elif changed:
        yield Item(Action.UPDATE, f"file {file.path}: {changed}")


def _absent(service: Service, observation: Observation) -> Iterator[Item]:
    for path in service.absent:
        if path in observation.paths:
            yield Item(Action.DELETE, path, f"{service.name} must not have it")


def _stray_items(service: Service, services: tuple[Service, ...], observation: Observation) -> Iterator[Item]:
    for stray in strays(service, services, observation):
        what = "directory" if stray.is_directory else "file"
        yield Item(Action.DELETE, f"{what} {stray.path}", "nobody declared it, and its directory is ours alone")


def _units(service: Service, observation: Observation) -> Iterator[Item]:
    for unit in service.units:
        yield from _unit(unit, observation)


def _unit(unit: Unit, observation: Observation) -> Iterator[Item]:
    state = observation.units.get(unit.name)
    exists = state is not None and state.load != "not-found"
    if unit.state is Running.UP:
        if state is None or not exists or not state.running:
            why = (
                "masked"
                if state is not None and state.masked
                else state.active
                if state and exists
                else "not there yet"
            )
            yield Item(Action.RUN, f"start {unit.name}", f"it is {why}")
        if state is not None and exists and not state.starts_at_boot:
            yield Item(Action.UPDATE, f"enable {unit.name}", f"it is {state.enabled} and would not survive a reboot")
        return
    if state is not None and exists and state.running:
        yield Item(Action.RUN, f"stop {unit.name}", f"it is {state.active}")
    if unit.state is Running.MASKED and (state is None or not state.masked):
        yield Item(Action.UPDATE, f"mask {unit.name}", "nothing may start it")
    elif unit.state is Running.DOWN and state is not None and state.enabled in ("enabled", "enabled-runtime"):
        yield Item(Action.UPDATE, f"disable {unit.name}", "it would start at the next boot")


def _deaf(service: Service, observation: Observation) -> Iterator[Item]:
    """Ports that are closed although every unit is up: a unit that is down says enough by itself."""
    if any(_units(service, observation)):
        return
    for socket in service.listens:
        if not _is_open(socket, observation):
            yield Item(Action.RUN, f"{service.name} listens on {place(socket)}", "nothing listens there")


def _loading(service: Service, observation: Observation) -> Iterator[Item]:
    how = load(service, observation)
    running = [u for u in service.reload_units if u in observation.units and observation.units[u].running]
    if how is Load.NONE or (service.reload_units and not running):
        return  # a daemon that is down loads its configuration when it starts
    stamp = observation.stamps.get(service.name)
    if stamp is None:
        why = "which configuration it runs with is not known"
    elif _stale(service, observation):
        why = "it runs with an older configuration than the one on disk"
    else:
        why = "its configuration changes"
    what = " ".join(service.reload_units) or f"{service.name} (its configuration is only validated)"
    yield Item(Action.RELOAD, f"{how} {what}", why)


def _stale(service: Service, observation: Observation) -> bool:
    stamp = observation.stamps.get(service.name)
    if stamp is None or stamp.digest != service.digest:
        return True
    states = (observation.paths.get(f.path) for f in service.files)
    return any(state is not None and state.changed > stamp.written for state in states)


def _attributes(wanted: File | Directory, state: PathState) -> str:
    """Return ``mode 0644 -> 0600, owner root -> opendkim`` for what differs, or nothing."""
    pairs = (
        ("mode", f"{state.mode:04o}", f"{wanted.mode:04o}"),
        ("owner", state.owner, wanted.owner),
        ("group", state.group, wanted.group),
    )
    return ", ".join(f"{what} {seen} -> {want}" for what, seen, want in pairs if seen != want)


def _ownership(wanted: File | Directory) -> str:
    return f"mode {wanted.mode:04o}, {wanted.owner}:{wanted.group}"


def _shown(file: File, state: PathState | None) -> str:
    """Return the unified diff of a public file; for what cannot be shown, why it is not."""
    if file.private or not isinstance(file.content, str):
        return ""
    if state is not None and state.content is None:
        return "the file on the host is too large or not text, its difference is not shown\n"
    before = printable(state.content or "").splitlines() if state else []
    source = file.path if state else "/dev/null"
    lines = [*difflib.unified_diff(before, file.content.splitlines(), source, file.path, lineterm="")]
    if not lines and state is not None:
        lines = ["the same lines, but with other line ends"]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES} more lines"]
    return "".join(f"{line}\n" for line in lines)


def place(socket: Socket) -> str:
    """Return a socket as people write it."""
    if socket.address is None:
        return f"port {socket.port}"
    return f"[{socket.address}]:{socket.port}" if ":" in socket.address else f"{socket.address}:{socket.port}"


def _is_open(socket: Socket, observation: Observation) -> bool:
    return any(port == socket.port and _answers(socket.address, at) for at, port in observation.listening)


def _answers(wanted: str | None, listening: Address) -> bool:
    # A listener on :: takes v4 connections too, unless it says otherwise, which cannot be seen from outside.
    if wanted is None or listening == IPv6Address("::"):
        return True
    address = ip_address(wanted)
    return listening == address or (listening.is_unspecified and listening.version == address.version)


def _parents(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) not in ("", "/"):
        yield path
