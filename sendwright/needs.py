"""What a service still needs on a host, as data: the one judgement behind the plan and the converging. Pure."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from sendwright.observation import Observation, PathState, Stray
from sendwright.service import Apply, Directory, File, Running, Service, Socket
from sendwright.stack import Address


class Load(StrEnum):
    """How a daemon is made to take the configuration that lies on disk."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"


@dataclass(frozen=True)
class UnitStep:
    """One systemctl verb for one unit, and the state that asks for it."""

    verb: str
    unit: str
    why: str


def packages(service: Service, observation: Observation) -> tuple[str, ...]:
    """Return the packages that are missing."""
    return tuple(name for name in service.packages if name not in observation.packages)


def users(service: Service, observation: Observation) -> tuple[str, ...]:
    """Return the names of the users that are missing."""
    return tuple(user.name for user in service.users if user.name not in observation.users)


def memberships(service: Service, observation: Observation) -> tuple[tuple[str, str], ...]:
    """Return the (user, group) pairs that are missing."""
    wanted = [*((u.name, g) for u in service.users for g in u.groups), *service.memberships]
    return tuple(pair for pair in wanted if pair not in observation.memberships)


def directories(service: Service, observation: Observation) -> tuple[Directory, ...]:
    """Return the directories that are missing or differ."""
    return tuple(d for d in service.directories if not _same_directory(d, observation.paths.get(d.path)))


def files(service: Service, observation: Observation) -> tuple[File, ...]:
    """Return the files that are missing or differ."""
    return tuple(f for f in service.files if not _same_file(f, observation.paths.get(f.path)))


def removals(service: Service, observation: Observation) -> tuple[str, ...]:
    """Return the paths that must not exist and do."""
    return tuple(path for path in service.absent if path in observation.paths)


def strays(service: Service, services: tuple[Service, ...], observation: Observation) -> tuple[Stray, ...]:
    """Return what lies in a service's exclusive directories and is declared by no service of the host.

    What lies below a stray directory goes with it and is not listed.
    """
    exclusive = tuple(f"{d.path}/" for d in service.directories if d.exclusive)
    if not exclusive:
        return ()
    declared = {p for s in services for p in (*(f.path for f in s.files), *(d.path for d in s.directories))}
    kept = declared | {parent for path in declared for parent in _parents(path)}
    gone: set[str] = set()
    found: list[Stray] = []
    for entry in observation.entries:
        if entry.path.startswith(exclusive) and entry.path not in kept and gone.isdisjoint(_parents(entry.path)):
            found.append(entry)
            gone.add(entry.path)
    return tuple(found)


def unit_steps(service: Service, observation: Observation, up: bool) -> tuple[UnitStep, ...]:
    """Return what brings the units that should be up (or those that should not) to their state, in order."""
    steps: list[UnitStep] = []
    for unit in service.units:
        if (unit.state is Running.UP) is up:
            steps += _rise(unit.name, observation) if up else _fall(unit.name, unit.state, observation)
    return tuple(steps)


def closed_ports(service: Service, observation: Observation) -> tuple[Socket, ...]:
    """Return the ports that nothing listens on although every unit is up; a unit that is down says enough by itself."""
    if unit_steps(service, observation, up=True):
        return ()
    return tuple(s for s in service.listens if not _is_open(s, observation))


def stale(service: Service, observation: Observation) -> bool:
    """Whether daemons run with another configuration than the one on disk, judged by the stamp.

    So a run that died between writing and reloading is found, and so is a file that somebody edited and put back. A
    daemon that was started since then, by an upgrade or a reboot, has loaded what lies on disk.
    """
    stamp = observation.stamps.get(service.name)
    if stamp is None or stamp.digest != service.digest:
        return True
    loaded = max(stamp.written, _started(service, observation))
    states = (observation.paths.get(f.path) for f in service.files)
    return any(state is not None and state.changed > loaded for state in states)


def load(service: Service, observation: Observation) -> Load:
    """Return how a service's daemons must be made to take the configuration that will lie on disk.

    Without a stamp nobody knows what they loaded, a new group or package needs a new process, and a daemon whose ports
    are closed although it loaded what should open them is not well: a reload is not enough then.
    """
    if not (service.reload_units or service.validate):
        return Load.NONE
    renewed = packages(service, observation) or users(service, observation) or memberships(service, observation)
    if renewed or service.name not in observation.stamps or _unwell(service, observation):
        return Load.RESTART
    if stale(service, observation) or files(service, observation):
        return Load.RESTART if service.apply is Apply.RESTART else Load.RELOAD
    return Load.NONE


def attributes(wanted: File | Directory, state: PathState) -> str:
    """Return what differs besides content, as ``mode 0644 -> 0600, owner root -> opendkim``, or nothing."""
    pairs = (
        ("mode", f"{state.mode:04o}", f"{wanted.mode:04o}"),
        ("owner", state.owner, wanted.owner),
        ("group", state.group, wanted.group),
    )
    return ", ".join(f"{what} {seen} -> {want}" for what, seen, want in pairs if seen != want)


def _same_directory(wanted: Directory, state: PathState | None) -> bool:
    return state is not None and state.is_directory and not attributes(wanted, state)


def _same_file(wanted: File, state: PathState | None) -> bool:
    if state is None or not state.is_file:
        return False
    return state.sha256 == wanted.sha256 and not attributes(wanted, state)


def _rise(name: str, observation: Observation) -> Iterator[UnitStep]:
    state = observation.units.get(name)
    if state is None or state.load == "not-found":
        yield UnitStep("start", name, "it is not there yet")
        return
    if state.masked:
        yield UnitStep("unmask", name, "it is masked")
    if not state.starts_at_boot:
        yield UnitStep("enable", name, f"it is {state.enabled} and would not survive a reboot")
    if not state.running:
        yield UnitStep("start", name, f"it is {state.active}")


def _fall(name: str, wanted: Running, observation: Observation) -> Iterator[UnitStep]:
    state = observation.units.get(name)
    exists = state is not None and state.load != "not-found"
    if state is not None and exists and state.running:
        yield UnitStep("stop", name, f"it is {state.active}")
    if wanted is Running.MASKED and not (state is not None and state.masked):
        yield UnitStep("mask", name, "nothing may start it")
    elif wanted is Running.DOWN and state is not None and state.enabled in ("enabled", "enabled-runtime"):
        yield UnitStep("disable", name, "it would start at the next boot")


def _started(service: Service, observation: Observation) -> float:
    # Debian 12 copies files into Postfix's chroot at each start, the same content again.
    units = [observation.units.get(name) for name in service.reload_units]
    return min((unit.since if unit and unit.running else 0.0 for unit in units), default=0.0)


def _unwell(service: Service, observation: Observation) -> bool:
    # Ports that only a configuration yet to be loaded will open say nothing about the daemon.
    loaded = observation.stamps[service.name].digest == service.digest
    return loaded and bool(closed_ports(service, observation))


def _is_open(socket: Socket, observation: Observation) -> bool:
    return any(port == socket.port and _answers(socket.address, at) for at, port in observation.listening)


def _answers(wanted: str | None, listening: Address) -> bool:
    # A listener on :: takes v4 connections too, unless it says otherwise, which cannot be seen from outside.
    if listening == IPv6Address("::"):
        return True
    if wanted is None:
        return listening.is_unspecified
    address = ip_address(wanted)
    return listening == address or (listening.is_unspecified and listening.version == address.version)


def _parents(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) not in ("", "/"):
        yield path
