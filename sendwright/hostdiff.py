"""What converging a host would change, in a person's words: a pure rendering of what its services still need."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from sendwright import needs
from sendwright.escape import printable
from sendwright.needs import Load
from sendwright.observation import Observation, PathState
from sendwright.plan import Action, Change, Kind, Stage
from sendwright.service import Directory, File, Service, Socket

# Lines of a diff that are shown: a plan is read by people.
_MOST_LINES = 400
_UNIT_ACTIONS = {"start": Action.RUN, "stop": Action.RUN}


@dataclass(frozen=True)
class _Item:
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
        items += _items(service, services, observation)
    once = {(i.action, i.summary): i for i in reversed(items)}  # services share packages and directories
    return tuple(
        Change(Stage.HOSTS, Kind.HOST, i.action, host_name, printable(i.summary), printable(i.why), i.diff)
        for i in items
        if once[i.action, i.summary] is i
    )


def differing(services: tuple[Service, ...], observation: Observation) -> tuple[Service, ...]:
    """Return the services that need work, in their order."""
    return tuple(s for s in services if any(_items(s, services, observation)))


def place(socket: Socket) -> str:
    """Return a socket as people write it."""
    if socket.address is None:
        return f"port {socket.port}"
    return f"[{socket.address}]:{socket.port}" if ":" in socket.address else f"{socket.address}:{socket.port}"


def _items(service: Service, services: tuple[Service, ...], observation: Observation) -> Iterator[_Item]:
    yield from _accounts(service, observation)
    yield from _directories(service, observation)
    yield from _files(service, observation)
    for path in needs.removals(service, observation):
        yield _Item(Action.DELETE, path, f"{service.name} must not have it")
    for stray in needs.strays(service, services, observation):
        what = "directory" if stray.is_directory else "file"
        yield _Item(Action.DELETE, f"{what} {_one_line(stray.path)}", "nobody declared it in a directory of ours")
    for step in (*needs.unit_steps(service, observation, False), *needs.unit_steps(service, observation, True)):
        yield _Item(_UNIT_ACTIONS.get(step.verb, Action.UPDATE), f"{step.verb} {step.unit}", step.why)
    yield from _loading(service, observation)


def _held(observation: Observation) -> Iterator[_Item]:
    if observation.held:
        why = "a run was killed while it installed packages; until this is gone no daemon starts by itself"
        yield _Item(Action.DELETE, "/usr/sbin/policy-rc.d of an interrupted run", why)


def _accounts(service: Service, observation: Observation) -> Iterator[_Item]:
    for name in needs.packages(service, observation):
        yield _Item(Action.CREATE, f"package {name}", f"{service.name} needs it")
    for name in needs.users(service, observation):
        yield _Item(Action.CREATE, f"user {name}", f"{service.name} needs it")
    for name, group in needs.memberships(service, observation):
        yield _Item(Action.UPDATE, f"user {name} joins group {group}", f"{service.name} needs it")


def _directories(service: Service, observation: Observation) -> Iterator[_Item]:
    for directory in needs.directories(service, observation):
        state = observation.paths.get(directory.path)
        if state is None:
            yield _Item(Action.CREATE, f"directory {directory.path}", _ownership(directory))
        elif not state.is_directory:
            yield _Item(Action.UPDATE, f"{directory.path}: {state.kind} -> directory", _ownership(directory))
        else:
            yield _Item(Action.UPDATE, f"directory {directory.path}: {needs.attributes(directory, state)}")


def _files(service: Service, observation: Observation) -> Iterator[_Item]:
    for file in needs.files(service, observation):
        state = observation.paths.get(file.path)
        if state is None:
            yield _Item(Action.CREATE, f"file {file.path}", _ownership(file), _shown(file, None))
        elif not state.is_file:
            yield _Item(Action.UPDATE, f"{file.path}: {state.kind} -> file", _ownership(file), _shown(file, None))
        else:
            yield _changed(file, state)


def _changed(file: File, state: PathState) -> _Item:
    differs = state.sha256 != file.sha256
    what = [*(["content differs"] if differs else []), *filter(None, [needs.attributes(file, state)])]
    return _Item(Action.UPDATE, f"file {file.path}: {', '.join(what)}", "", _shown(file, state) if differs else "")


def _loading(service: Service, observation: Observation) -> Iterator[_Item]:
    how = needs.load(service, observation)
    running = [u for u in service.reload_units if u in observation.units and observation.units[u].running]
    if how is Load.NONE or (service.reload_units and not running):
        return  # a daemon that is down loads its configuration when it starts
    what = f"{how} {' '.join(service.reload_units)}" if running else f"validate {service.name}"
    yield _Item(Action.RELOAD, what, _why_loading(service, observation))


def _why_loading(service: Service, observation: Observation) -> str:
    if service.name not in observation.stamps:
        return "which configuration it runs with is not known"
    if observation.stamps[service.name].digest != service.digest:
        return "it runs with another configuration than the one that should be on disk"
    if needs.files(service, observation):
        return "its files change"
    if needs.stale(service, observation):
        return "its files were changed after it had loaded them"
    if closed := needs.closed_ports(service, observation):
        return f"nothing listens on {', '.join(map(place, closed))}"
    return "its groups or packages change"


def _ownership(wanted: File | Directory) -> str:
    return f"mode {wanted.mode:04o}, {wanted.owner}:{wanted.group}"


def _shown(file: File, state: PathState | None) -> str:
    """Return the unified diff of a public file, and nothing for a private one."""
    if file.private or not isinstance(file.content, str):
        return ""
    if state is not None and state.content is None:
        return "the file on the host is too large or no text: its difference is not shown\n"
    before = printable(state.content or "").splitlines() if state else []
    source = file.path if state else "/dev/null"
    lines = [*difflib.unified_diff(before, file.content.splitlines(), source, file.path, lineterm="")]
    if not lines and state is not None:
        lines = ["the same lines with other line ends"]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES} more lines"]
    return "".join(f"{line}\n" for line in lines)


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t")
