"""An inventory folder becomes a Stack, or an error that names every mistake in it at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sendwright import consistency, convention
from sendwright.errors import InventoryError, Problem
from sendwright.escape import plain
from sendwright.mistakes import Place, nearest, place, translate
from sendwright.names import domain_name
from sendwright.providers import Rfc2136
from sendwright.stack import AcmeTls, Domain, Host, Shared, Stack

# pyinfra's names for what our Ssh holds; the same data drives the stock command.
_SSH = {
    "ssh_hostname": "hostname",
    "ssh_port": "port",
    "ssh_user": "user",
    "ssh_key": "key",
    "ssh_key_password": "key_password",
    "ssh_host_key": "host_key",
    "ssh_known_hosts_file": "known_hosts",
    "_sudo": "sudo",
}
_OURS = ("egress", "state", "adopt", "tls", "dane")
# Strict is all that there is here, so pyinfra's own switch for it has nothing to say.
_IGNORED = ("ssh_strict_host_key_checking",)
_HOST = (*_SSH, *_OURS, *_IGNORED)
_SHARED = ("domains", *Shared.model_fields)
# Other underscore names are a file's own helpers; these would make the stock command act as somebody else.
_REFUSED = frozenset({"_sudo_user", "_sudo_password", "_su_user", "_doas", "_doas_user"})

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True)
class Inventory:
    """A valid inventory: its declaration, the folder that relative paths start at, and where its state lies."""

    stack: Stack
    folder: Path
    state_dir: Path


def load(path: Path) -> Inventory:
    """Read an inventory folder, or the file in it.

    Raises UsageError when there is none, InventoryError with every mistake otherwise.
    """
    file = convention.locate(path)
    declared = convention.read(file)
    stack = parse(declared.hosts, declared.data, plain(file))
    folder = file.parent.resolve()
    stack = _with_roots(stack, folder, plain(file))
    return Inventory(stack, folder, folder / Path(stack.state_dir or "state").expanduser())


def parse(hosts: Iterable[tuple[str, Mapping[str, Any]]], data: Mapping[str, Any], source: str) -> Stack:
    """Return the Stack that hosts and shared data declare; InventoryError lists every mistake, each with its place.

    Arguments: ``hosts``: names with their own (and their groups') data; ``data``: what all share, as in
    ``group_data/all.py``; ``source``: what the error calls the inventory.
    """
    reading = _Reading()
    hosts = tuple(hosts)
    reading.unknown(data)
    read_hosts = reading.hosts(hosts, data)
    domains = reading.domains(data.get("domains", {}))
    shared = reading.part(Shared, {key: data[key] for key in Shared.model_fields if key in data}, lambda at: at)
    draft = consistency.Draft(
        hosts=read_hosts,
        domains=domains,
        host_names=tuple(_normal(name) for name, _ in hosts),
        domain_names=tuple(_normal(name) for name in _keys(data.get("domains"))),
        providers=_keys(data.get("dns")),
        servers=tuple(p.server if isinstance(p, Rfc2136) else None for p in shared.dns.values()) if shared else (),
        rehearsal=shared is not None and shared.rehearsal is not None,
        shared=shared,
    )
    reading.problems.extend(consistency.problems(draft))
    if reading.problems or shared is None:
        # A mistake in shared data is found once for each host.
        raise InventoryError(source, tuple(dict.fromkeys(reading.problems)))
    return Stack(hosts=read_hosts, domains=domains, **{key: getattr(shared, key) for key in Shared.model_fields})


def _with_roots(stack: Stack, folder: Path, source: str) -> Stack:
    """Read what hosts that renew by themselves have to trust; nobody else looks at the file before it is used."""
    trust = stack.acme.trust
    if trust is None or not any(isinstance(h.tls, AcmeTls) and h.tls.renewal == "host" for h in stack.hosts):
        return stack
    try:
        return stack.model_copy(update={"roots": (folder / Path(trust).expanduser()).read_text("ascii")})
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no PEM file"
        raise InventoryError(source, [Problem("acme › trust", f"{plain(trust)} cannot be read: {why}")]) from error


def _normal(name: str) -> str:
    try:
        return domain_name(name)
    except ValueError:
        return name


def _keys(value: object) -> tuple[str, ...]:
    return tuple(str(key) for key in value) if isinstance(value, Mapping) else ()


class _Reading:
    """Reads part by part, so that a mistake in one never hides those of another."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def unknown(self, data: Mapping[str, Any]) -> None:
        for name in data:
            if name in _REFUSED or not (name.startswith("_") or name in _SHARED or name in _HOST):
                self.problems.append(Problem(plain(name), "no such setting", nearest(name, _SHARED + _HOST)))

    def hosts(self, hosts: tuple[tuple[str, Mapping[str, Any]], ...], data: Mapping[str, Any]) -> tuple[Host, ...]:
        if not hosts:
            self.problems.append(Problem("hosts", "no host is declared", 'senders = [("mx1.example.com", {…})]'))
        found = [self.host(name, own, data) for name, own in hosts]
        return tuple(host for host in found if host is not None)

    def host(self, name: str, own: Mapping[str, Any], data: Mapping[str, Any]) -> Host | None:
        for key in own:
            if key in _SHARED:
                allowed = "it belongs in group_data/all.py"
                self.problems.append(Problem(place("hosts", name, key), "is not a host's setting", allowed))
            elif key in _REFUSED or not (str(key).startswith("_") or key in _HOST):
                at = place("hosts", name, str(key))
                self.problems.append(Problem(at, "no such setting", nearest(str(key), _HOST)))
        settings = {**{key: data[key] for key in _HOST if key in data}, **own}
        ssh = {"hostname": name} | {ours: settings[key] for key, ours in _SSH.items() if key in settings}
        raw = {"name": name, "ssh": ssh, **{key: settings[key] for key in _OURS if key in settings}}

        def where(at: Place) -> Place | None:
            if at == ("name",):
                return ("hosts", name)
            if at == ("ssh", "hostname") and "ssh_hostname" not in settings:
                return None  # the host's name again
            if at[0] == "ssh" and len(at) > 1:
                at = (next(key for key, ours in _SSH.items() if ours == at[1]), *at[2:])
            return at if at[0] in data and at[0] not in own else ("hosts", name, *at)

        return self.part(Host, raw, where)

    def domains(self, declared: object) -> tuple[Domain, ...]:
        if not isinstance(declared, Mapping):
            self.problems.append(Problem("domains", "must be a mapping ({…})", 'domains = {"example.com": {…}}'))
            return ()
        if not declared:
            self.problems.append(Problem("domains", "no domain is declared", 'domains = {"example.com": {…}}'))
        found = [self.domain(name, settings) for name, settings in declared.items()]
        return tuple(domain for domain in found if domain is not None)

    def domain(self, name: object, settings: object) -> Domain | None:
        if not isinstance(settings, Mapping):
            self.problems.append(Problem(place("domains", str(name)), "must be a mapping ({…})"))
            return None
        if "name" in settings:
            self.problems.append(
                Problem(place("domains", str(name), "name"), "no such setting", "the name stands before")
            )
        return self.part(
            Domain,
            {**settings, "name": name},
            lambda at: ("domains", str(name)) if at == ("name",) else ("domains", str(name), *at),
        )

    def part(self, model: type[Part], raw: object, where: Callable[[Place], Place | None]) -> Part | None:
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            self.problems.extend(translate(error, model, raw, where))
            return None
