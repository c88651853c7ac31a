"""The services of a host that show its certificate, and what else of them is not as declared. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sendwright import planning
from sendwright.deploys.base import TLS
from sendwright.observation import Observation
from sendwright.service import Sealed, Service
from sendwright.stack import Host, Stack
from sendwright.state.model import State

_TAG = 16


def showing(services: Iterable[Service]) -> tuple[Service, ...]:
    """Return the services whose daemons show a certificate."""
    return tuple(s for s in services if any(file.path.startswith(f"{TLS}/") for file in s.files))


def bearers(services: Iterable[Service]) -> tuple[Service, ...]:
    """Return those, and what renews the certificate on the host: it goes by where the key lies."""
    found = tuple(services)
    shown = showing(found)
    return tuple(s for s in found if s in shown or (s.name == "renewal" and s.files))


def in_place(services: Iterable[Service], seen: Observation) -> bool:
    """Return whether a host has its keys and certificates: then nothing else of it is a renewal's business."""
    files = (file for service in services for file in service.files if file.path.startswith(f"{TLS}/"))
    return all((lies := seen.paths.get(file.path)) is not None and lies.sha256 == file.sha256 for file in files)


def chains_alone(services: Iterable[Service], seen: Observation) -> tuple[Service, ...]:
    """Return the services that show a certificate with nothing but its files, where its keys are in place; else none.

    A renewal that keeps its key replaces one file: that may come to a host of which something else is not as declared.
    """
    reduced = tuple(
        Service(
            service.name,
            files=tuple(file for file in service.files if file.path.startswith(f"{TLS}/")),
            validate=service.validate,
            reload_units=service.reload_units,
        )
        for service in showing(services)
    )
    keys = (file for service in reduced for file in service.files if file.private)
    there = all((lies := seen.paths.get(key.path)) is not None and lies.sha256 == key.sha256 for key in keys)
    return reduced if there else ()


def undeclared(stack: Stack, host: Host, state: State, seen: Observation) -> tuple[str, ...]:
    """Return the files of these services, but for certificates, that differ from the inventory for another reason.

    Configurations name the folder of the key: those of a run that died name an older one, which is no reason.
    """
    if seen.release is None:
        return ()
    variants = [showing(planning.services(stack, host, seen.release, each)) for each in _with_keys(state, host, seen)]
    same = {
        file.path
        for services in variants
        for service in services
        for file in service.files
        if (lies := seen.paths.get(file.path)) and lies.sha256 == file.sha256
    }
    wanted = (file.path for service in variants[0] for file in service.files)
    return tuple(dict.fromkeys(path for path in wanted if not path.startswith(f"{TLS}/") and path not in same))


def _with_keys(state: State, host: Host, seen: Observation) -> Iterator[State]:
    """Yield the state, and what it would be if the host's certificates had one of the keys that lie on it."""
    yield state
    found = {entry.path.removeprefix(f"{TLS}/").partition("/")[0] for entry in seen.entries}
    for tag in sorted(tag for tag in found if len(tag) == _TAG and tag.isalnum()):
        other = (
            replace(c, key=Sealed(c.key.name, tag.ljust(64, "0"))) if c.host == host.name else c
            for c in state.certificates
        )
        yield replace(state, certificates=tuple(other))
