"""Sending hosts in memory: they take what they are converged to, sign probes by their tables, and count commands."""

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from sendwright import engine
from sendwright.connections import Fleet
from sendwright.converging import Jobs
from sendwright.deploys.generation import swap_command
from sendwright.deploys.probe import send_probes_command
from sendwright.observation import Observation, PathState, Stamp, Stray, UnitState
from sendwright.observe import Desired
from sendwright.service import Release, Running, Service
from sendwright.ssh import Connection, Result
from sendwright.stack import Host
from sendwright.state.folder import StateFolder

T = TypeVar("T")
_TABLES = (".keytable", ".signingtable")
_UNITS = {
    Running.UP: UnitState("loaded", "active", "enabled"),
    Running.DOWN: UnitState("not-found", "inactive", ""),
    Running.MASKED: UnitState("masked", "inactive", "masked"),
}


@dataclass
class Machine:
    """A host: the services that it runs, and its private files.

    ``commands``: how many of a kind it was sent; ``seconds``: how long it computed.
    """

    host: Host
    services: tuple[Service, ...] = ()
    opened: Mapping[str, bytes] = field(default_factory=dict)
    commands: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Answer a command as a host does."""
        del timeout
        if script == send_probes_command():
            self.commands["probe"] += 1
            with self._computing():
                return Result(json.dumps(self._delivered(json.loads(stdin))).encode(), b"", 0)
        if script == swap_command():
            self.commands["claim"] += 1
            return Result(b"sendwright generation 1\n\ntaken\n", b"", 0)
        raise ValueError(f"no rotation sends this to a host: {script}")

    def observed(self, wanted: tuple[Service, ...]) -> Observation:
        """Return what a look finds of what is wanted."""
        self.commands["look"] += 1
        with self._computing():
            return self._observed(wanted)

    def _observed(self, wanted: tuple[Service, ...]) -> Observation:
        desired = {file.path: file.sha256 for service in wanted for file in service.files}
        files = [file for service in self.services for file in service.files]
        folders = [folder for service in self.services for folder in service.directories]
        paths = {
            **{f.path: PathState("regular file", f.owner, f.group, f.mode, 0.0, f.sha256) for f in files},
            **{f.path: PathState("directory", f.owner, f.group, f.mode, 0.0) for f in folders},
        }
        strays = (Stray(path, state.is_directory) for path, state in paths.items() if path not in desired)
        return Observation(
            *("debian 12", Release.BOOKWORM, True, True, time.time(), 10**12),
            addresses=frozenset(self.host.addresses),
            packages={name: "1" for service in (*self.services, *wanted) for name in service.packages},
            paths=paths,
            entries=tuple(stray for stray in strays if stray.path.startswith("/etc/opendkim/keys/")),
            units={unit.name: _UNITS[unit.state] for service in self.services for unit in service.units},
            stamps={service.name: Stamp(service.digest, 1.0) for service in self.services},
            managed=True,
            lifetime=timedelta(days=10),
            tables={p: t for p, t in self._tables.items() if hashlib.sha256(t.encode()).hexdigest() != desired.get(p)},
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        started = time.thread_time()
        yield
        self.seconds += time.thread_time() - started

    @property
    def _tables(self) -> dict[str, str]:
        files = (file for service in self.services for file in service.files)
        return {f.path: f.content for f in files if isinstance(f.content, str) and f.path.endswith(_TABLES)}

    def _delivered(self, order: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Sign each probe with the key of each signer's tables, as OpenDKIM does."""
        signers = [dict(_rows(text)) for path, text in self._tables.items() if path.endswith(".signingtable")]
        keys = {
            name: at for path, text in self._tables.items() if path.endswith(".keytable") for name, at in _rows(text)
        }
        sealed = {f.path: f.content for service in self.services for f in service.files}
        found = {}
        for token, author in order["probes"].items():
            message = f"From: {author}\nSubject: probe\n\nprobe\n".encode()
            for table in signers:
                domain, selector, path = keys[table[author]].split(":")
                name = getattr(sealed[path], "name")  # noqa: B009 - what lies there is a reference
                message = signature(domain, selector, self.opened[name], author) + message
            found[token] = base64.b64encode(message).decode()
        return found


class Machines(Fleet):
    """Machines in the place of hosts that are reached by SSH."""

    def __init__(self, machines: Iterable[Machine]) -> None:
        self.machines = {machine.host.name: machine for machine in machines}
        super().__init__((machine.host for machine in self.machines.values()), Path())

    @property
    def commands(self) -> dict[str, int]:
        """How many commands each host was sent."""
        return {name: machine.commands.total() for name, machine in self.machines.items()}

    def each(self, names: Iterable[str], do: Callable[[Connection], T]) -> dict[str, T]:
        """Do something on hosts, one after the other."""
        return {name: do(cast("Connection", self.machines[name])) for name in names if name not in self.errors}

    def observe(self, desired: Mapping[str, Desired], *, queues: bool = False) -> dict[str, Observation]:
        """Look at hosts."""
        del queues
        release = Release.BOOKWORM
        return {n: self.machines[n].observed(wanted[release]) for n, wanted in desired.items() if n not in self.errors}

    def converge(
        self, fleet: Fleet, folder: StateFolder, base: Path, jobs: Jobs, report: Callable[[str, str], None]
    ) -> None:
        """Bring hosts to what they should run, with private files opened as for a real one."""
        del fleet, base, report
        for name, services in jobs.items():
            machine = self.machines[name]
            machine.commands["converge"] += 1
            machine.services = services
            machine.opened = engine.job(machine.host, services, folder.open).opened


def signature(domain: str, selector: str, pem: bytes, author: str) -> bytes:
    """Return a DKIM-Signature (RFC 6376 section 3.5, RFC 8463 section 3) of a probe: simple, over From alone."""
    private = _loaded(pem)
    kind = "ed25519" if isinstance(private, ed25519.Ed25519PrivateKey) else "rsa"
    body = base64.b64encode(hashlib.sha256(b"probe\r\n").digest()).decode()
    field_ = f"DKIM-Signature: v=1; a={kind}-sha256; c=simple/simple; d={domain}; s={selector}; h=From; bh={body}; b="
    digested = f"From: {author}\r\n{field_}".encode()
    if isinstance(private, ed25519.Ed25519PrivateKey):
        signed = private.sign(hashlib.sha256(digested).digest())
    else:
        signed = private.sign(digested, padding.PKCS1v15(), hashes.SHA256())
    return field_.encode() + base64.b64encode(signed) + b"\n"


@cache
def _loaded(pem: bytes) -> "ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey":
    private = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    return cast("ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey", private)


def _rows(text: str) -> Iterable[tuple[str, str]]:
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return ((name, value) for name, value in lines)
