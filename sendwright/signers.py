"""What a host's signers sign with, from one look at it: pure, and in doubt not known."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from sendwright import needs
from sendwright.deploys.guard import SESSION
from sendwright.deploys.opendkim import WAITING, instance_paths, key_path, unit
from sendwright.gates import may_sign
from sendwright.lines import HostSeen, restarted
from sendwright.observation import Observation
from sendwright.service import File, Running, Service
from sendwright.signing import PROBE
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import DkimKey, KeyStage

# Postfix's own defaults, five days for a message and five for its bounce: where no Postfix says anything else.
_USUAL = timedelta(days=10)
# The settings of opendkim.conf(5) that decide by which key a message is signed; names of settings have no case.
_CHOOSING = frozenset({"signingtable", "keytable", "domain", "selector", "keyfile", "include"})


class _Unknown(Exception):
    """It cannot be told what a signer signs with."""


def host_seen(observation: Observation, services: tuple[Service, ...], keys: Iterable[DkimKey]) -> HostSeen:
    """Return what a host holds, and what it signs with.

    Arguments: ``observation``: a look at it that asked for queues; ``services``: what it should run, as it was looked
    at for; ``keys``: all whose private part may lie there. A signer that is down counts by what lies on disk: that is
    what it signs with once it comes back. A session that began before signers loaded other tables goes on with the old
    ones: by as much mail may be younger than its key seems to be used, and is kept for longer.
    """
    service = next((s for s in services if s.name == "opendkim"), Service("opendkim"))
    return HostSeen(
        holds=frozenset(_held(observation, service, keys)),
        signs=_signs(observation, service),
        lifetime=SESSION + (_USUAL if observation.lifetime is None else observation.lifetime),
        oldest=observation.oldest and observation.oldest - SESSION,
        clock=datetime.fromtimestamp(observation.clock, UTC),
    )


def restarted_clocks(stack: Stack, keys: Iterable[DkimKey], hosts: Mapping[str, HostSeen]) -> tuple[DkimKey, ...]:
    """Return all keys; the clock of a retiring one stands again where a host signs with it, or may.

    A host that was set back from a backup does so, and once it is converged nobody could see it any more.
    """
    of = {domain.name: [h.name for h in stack.hosts_of(domain)] for domain in stack.domains}
    return tuple(
        restarted(key)
        if key.stage is KeyStage.RETIRING
        and key.last_signed
        and any(
            may_sign(hosts[name], key)
            for name in (*of.get(key.domain, ()), *key.proven_on, *key.former)
            if name in hosts
        )
        else key
        for key in keys
    )


def unprovisioned(observation: Observation, services: tuple[Service, ...]) -> tuple[str, ...]:
    """Return the names whose mail a host signs, and that fewer signers would sign by ``services``, or would hold back.

    The inventory has changed since the host was provisioned: its Postfix takes their mail yet, and asks the signers of
    then. Of tables that nobody can read nothing is known.
    """
    service = next((s for s in services if s.name == "opendkim"), Service("opendkim"))
    wanted = {file.path: file for file in service.files}
    tables = [instance_paths(algorithm)[-1] for algorithm in DkimAlgorithm]
    before: dict[str, dict[str, str]] = {}
    for path in tables:
        if path in wanted and path in observation.paths:
            with contextlib.suppress(_Unknown):
                before[path] = _signing(_content(observation, wanted[path]))
    signed = {name for table in before.values() for name, key in table.items() if key != WAITING}
    if any(path in observation.paths and path not in wanted for path in tables):
        return tuple(sorted(signed))  # a signer would be stopped that Postfix asks about all mail
    changed = set[str]()
    for path, table in before.items():
        after = _signing(str(wanted[path].content))
        changed |= {name for name, key in table.items() if key != WAITING and name not in after}
        changed |= {name for name, key in after.items() if key == WAITING and name in signed and name not in table}
    return tuple(sorted(changed))


def _held(observation: Observation, service: Service, keys: Iterable[DkimKey]) -> Iterator[str]:
    """The keys that lie there as they should; of those that should not, the ones that lie there at all."""
    wanted = {file.path for file in service.files}
    whole = wanted - {file.path for file in needs.files(service, observation)}
    strays = {entry.path for entry in observation.entries}
    yield from (key.record_name for key in keys if key_path(key) in (whole if key_path(key) in wanted else strays))


def _signs(observation: Observation, service: Service) -> frozenset[str] | None:
    try:
        if not service.units or _others(observation, service):
            return None
        algorithms = (a for a in DkimAlgorithm if unit(a) in service.reload_units)
        found = [_instance(observation, service, algorithm) for algorithm in algorithms]
        return frozenset(name for names in found for name in names)
    except _Unknown:
        return None


def _others(observation: Observation, service: Service) -> bool:
    """Whether a signer that should not be there may sign: one of another algorithm, or Debian's own."""
    down = (observation.units.get(u.name) for u in service.units if u.state is not Running.UP)
    return any(state and state.running for state in down) or any(p in observation.paths for p in service.absent)


def _instance(observation: Observation, service: Service, algorithm: DkimAlgorithm) -> frozenset[str]:
    """The record names of the keys by which one signer signs what is no probe."""
    paths = instance_paths(algorithm)
    state = observation.units.get(unit(algorithm))
    running = state is not None and state.running
    if any(path not in observation.paths for path in paths):
        if running:
            raise _Unknown
        return frozenset()  # without them it does not come up
    if state is not None and running and _changed(observation, paths) > max(_noted(observation, service), state.since):
        raise _Unknown
    wanted = {file.path: file for file in service.files}
    conf, key_table, signing_table = (_content(observation, wanted[path]) for path in paths)
    declared = wanted[paths[0]].content
    if not isinstance(declared, str) or _choosing(conf) != _choosing(declared):
        raise _Unknown
    keys = {name: _record_name(place) for name, place in _rows(key_table)}
    signers = {value.partition(":")[0] for name, value in _rows(signing_table) if not name.startswith(PROBE)}
    # A name that is in no key table signs nothing: mail waits.
    return frozenset(keys[name] for name in signers if name in keys)


def _changed(observation: Observation, paths: Iterable[str]) -> float:
    return max(observation.paths[path].changed for path in paths)


def _noted(observation: Observation, service: Service) -> float:
    stamp = observation.stamps.get(service.name)
    return stamp.written if stamp else 0.0


def _content(observation: Observation, wanted: File) -> str:
    """What lies at a path: as it should, or as it was read."""
    state = observation.paths[wanted.path]
    if state.sha256 == wanted.sha256 and isinstance(wanted.content, str):
        return wanted.content
    found = observation.tables.get(wanted.path, state.content)
    if found is None:
        raise _Unknown
    return found


def _signing(table: str) -> dict[str, str]:
    """The rows of a signing table but for those of probes: who signs for each name."""
    return {name: value for name, value in _rows(table) if not name.startswith(PROBE)}


def _choosing(conf: str) -> list[tuple[str, str]]:
    """What an opendkim.conf says about keys."""
    return [(name.lower(), value) for name, value in _rows(conf) if name.lower() in _CHOOSING]


def _rows(text: str) -> Iterator[tuple[str, str]]:
    """The rows of a table or of an opendkim.conf: a name, white space, a value; what follows a # says nothing."""
    for line in text.splitlines():
        words = line.partition("#")[0].split(maxsplit=1)
        if len(words) == 2:
            yield words[0], words[1].strip()


def _record_name(place: str) -> str:
    """The record name of a key table's ``domain:selector:file``; a domain of ``%`` is any."""
    domain, selector, *path = place.split(":")
    if not path or "%" in domain:
        raise _Unknown
    return f"{selector}._domainkey.{domain}".lower()
