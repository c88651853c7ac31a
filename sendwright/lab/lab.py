"""The lab as a whole: brought up, found again, taken down, and swept when its owner died."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab import (
    images,
    inbox,
    mounts,
    netns,
    processes,
    requirements,
    snapshots,
    state,
    world,
    zones,
)
from sendwright.lab import login as logins
from sendwright.lab.machine import Machine, lab_group, segment_name
from sendwright.lab.powerdns import PowerDns
from sendwright.lab.spec import (
    CONTROLLER,
    INBOX,
    PRIMARY,
    RESOLVER,
    SECONDARY,
    HostSpec,
    LabSpec,
    Resolver,
    RRset,
)

Progress = Callable[[str], None]
_WORLD, _INBOX, _FIRST_HOST = 1, 2, 3


class Condition(StrEnum):
    """What a lab is fit for."""

    BUILDING = "building"
    UP = "up"
    DAMAGED = "damaged"  # some of its machines do not run
    DEAD = "dead"  # nobody needs it any more: it is swept before the next one is built


@dataclass(frozen=True)
class Status:
    """One line of the list of labs."""

    name: str
    condition: Condition
    kept: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class LabHost:
    """A host of a lab: what was asked for, its machine, its SSH key's fingerprint, and who may log in."""

    spec: HostSpec
    machine: Machine
    fingerprint: str

    @property
    def user(self) -> str:
        """The user that the lab's SSH key belongs to."""
        return "admin" if self.spec.admin else "root"

    @property
    def root(self) -> Path:
        """The host's file system, from outside."""
        return self.machine.root


@dataclass(frozen=True)
class Lab:
    """A lab that is up. Make one with :meth:`up`, find one with :meth:`load`."""

    state: state.State

    @classmethod
    def up(cls, spec: LabSpec, progress: Progress, *, keep: bool = False) -> "Lab":
        """Build a lab and return it when every server in it answers.

        A lab that is not kept belongs to this process and is swept once the process is gone. What fails or is
        interrupted half-way is taken down again. Raises LabError.
        """
        requirements.check()
        spec.check()
        sweep()
        for recipe in {_recipe(host) for host in spec.hosts} | {images.WORLD}:
            images.ensure(recipe, progress)
        drawn = state.draw(spec, keep=keep)
        with state.lock():
            state.claim(drawn)
        lab = cls(drawn)
        try:
            return lab._build(progress)
        except BaseException:
            lab.down()
            raise

    @classmethod
    def load(cls, name: str) -> "Lab":
        """Return the lab of this name; LabError if there is none, or if it is not up."""
        found = state.load(name)
        if found is None:
            raise LabError(f"there is no lab {name}.", f"Labs: {', '.join(state.names()) or 'none'}.")
        if (condition := _condition(found)) not in {Condition.UP, Condition.DAMAGED}:
            raise LabError(f"the lab {name} is {condition}.", f"Take it down: sendwright lab down {name}")
        return cls(found)

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.state.spec.name

    @property
    def namespace(self) -> str:
        """The network namespace in which the controller is to run."""
        return segment_name(self.name)

    @property
    def ssh_key(self) -> Path:
        """The private key that logs in to every machine of the lab."""
        return self.state.folder / "ssh_key"

    @property
    def known_hosts(self) -> Path:
        """The known-hosts file of the lab, complete from the start."""
        return self.state.folder / "known_hosts"

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """The hosts, in the order of the specification."""
        numbered = enumerate(zip(self.state.spec.hosts, self.state.host_keys, strict=True), _FIRST_HOST)
        return tuple(
            LabHost(spec, self._machine(number, spec.name, spec.addresses, _lower(spec)), key.fingerprint)
            for number, (spec, key) in numbered
        )

    def host(self, name: str) -> LabHost:
        """Return the host of this name; LabError if the lab has none."""
        for host in self.hosts:
            if host.spec.name == name:
                return host
        raise LabError(
            f"the lab {self.name} has no host {name}.",
            f"Hosts: {', '.join(h.name for h in self.state.spec.hosts)}.",
        )

    @property
    def world(self) -> Machine:
        """The machine that serves DNS."""
        return self._machine(
            _WORLD, f"dns.{zones.HOME}", (*PRIMARY, *SECONDARY, *RESOLVER), (images.path(images.WORLD),)
        )

    @property
    def inbox(self) -> inbox.Inbox:
        """The receiving server."""
        domain = self.state.spec.inbox_domain
        return inbox.Inbox(domain, self._machine(_INBOX, f"mx.{domain}", INBOX, (images.path(images.WORLD),)))

    @property
    def primary(self) -> PowerDns:
        """The primary name server."""
        return PowerDns(self.namespace, PRIMARY[0], self.state.api_key)

    @property
    def secondary(self) -> PowerDns:
        """The secondary name server, which every zone names too."""
        return PowerDns(self.namespace, SECONDARY[0], self.state.api_key)

    @property
    def resolver(self) -> str:
        """The address of the validating resolver."""
        return RESOLVER[0]

    @property
    def root_hints(self) -> str:
        """The text of a root hints file for this world."""
        return zones.root_hints()

    @property
    def trust_anchor(self) -> str:
        """The DS record of this world's root, as a line of a trust anchor file."""
        return self.state.trust_anchor

    @property
    def tsig_name(self) -> str:
        """The name of the key that may update every zone by RFC 2136 at the primary."""
        return world.TSIG_NAME

    @property
    def tsig_algorithm(self) -> str:
        """The algorithm of that key, as dnspython and nsupdate call it."""
        return world.TSIG_ALGORITHM

    @property
    def tsig_secret(self) -> str:
        """The secret of that key, in base64."""
        return self.state.tsig_secret

    def records(self, zone: str) -> tuple[RRset, ...]:
        """Return what the primary holds of a zone, without signatures."""
        return self.primary.records(zone)

    def hold_secondary(self) -> None:
        """Keep the secondary from learning of changes in the inventory's zones."""
        world.hold(self.secondary, [zone.name for zone in self.state.spec.zones])

    def release_secondary(self) -> None:
        """Let the secondary catch up."""
        world.release(self.secondary, [zone.name for zone in self.state.spec.zones])

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move the current thread to the controller's place in the lab; see :func:`netns.inside`."""
        with netns.inside(self.namespace):
            yield

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs ``argv`` at the controller's place, with the lab's resolver."""
        return netns.command(self.namespace, argv)

    def run(
        self, argv: Sequence[str], *, given: str = "", check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command at the controller's place; ``given`` is its standard input, ``timeout`` in seconds.

        Raises LabError if it fails, with ``check``.
        """
        done = subprocess.run(
            self.command(argv), input=given, capture_output=True, text=True, check=False, timeout=timeout
        )
        if check and done.returncode:
            output = (done.stderr or done.stdout).strip()
            raise LabError(f"`{' '.join(argv)}` in the lab {self.name} ended with {done.returncode}: {output}")
        return done

    def snapshot(self, name: str, key: str) -> None:
        """Shut a host down and keep its disk as a snapshot; the host is gone from the lab then."""
        snapshots.save(self.host(name).machine, key)

    def down(self) -> None:
        """Take the lab down and leave nothing of it."""
        down(self.name)

    def _machine(self, number: int, name: str, addresses: tuple[str, ...], lower: tuple[Path, ...]) -> Machine:
        return Machine(self.name, number, name, addresses, self.state.disks / str(number), lower)

    def _build(self, progress: Progress) -> "Lab":
        progress("creating the network")
        netns.create_segment(self.namespace, CONTROLLER, RESOLVER[0])
        certificate = inbox.certificate(self.inbox.machine.name)
        contents = zones.plan(self.state.spec, zones.Inbox(self.state.spec.inbox_domain, certificate.tlsa))
        with ThreadPoolExecutor(max_workers=4) as pool:
            dns = pool.submit(self._start_world)
            mail = pool.submit(self._start_inbox, certificate.pem)
            booting = [pool.submit(self._start_host, number, progress) for number in range(len(self.hosts))]
            dns.result()
            progress("publishing and signing the zones")
            anchor = world.fill(self.world, self.primary, self.secondary, contents, self.tsig_secret)
            for each in (mail, *booting):
                each.result()
        self.inbox.machine.wait(25, b"220 ")
        finished = replace(self.state, phase=state.Phase.UP, trust_anchor=anchor)
        state.save(finished)
        progress(f"the lab {self.name} is up")
        return Lab(finished)

    def _start_world(self) -> None:
        self.world.mount()
        self._identify(self.world, logins.generate())
        world.prepare(self.world, self.state.api_key)
        self.world.boot()

    def _start_inbox(self, pem: str) -> None:
        machine = self.inbox.machine
        machine.mount()
        self._identify(machine, logins.generate())
        inbox.prepare(machine, self.inbox.domain, machine.name, pem)
        machine.boot()

    def _start_host(self, index: int, progress: Progress) -> None:
        host = self.hosts[index]
        host.machine.mount()
        spec = host.spec
        self._identify(host.machine, self.state.host_keys[index], admin=spec.admin, resolver=spec.resolver)
        host.machine.boot()
        host.machine.wait()
        progress(f"{spec.name} is up (Debian {spec.release})")

    def _identify(
        self,
        machine: Machine,
        key: logins.SshKey,
        *,
        admin: bool = False,
        resolver: Resolver = Resolver.PLAIN,
    ) -> None:
        logins.prepare(machine.root, machine.name, key, self.state.login.public, admin=admin, resolver=resolver)


def labs() -> tuple[Status, ...]:
    """List the labs of this machine and what each is fit for."""
    return tuple(_status(name) for name in state.names())


def down(name: str) -> None:
    """Take a lab down, whatever its condition; fine if nothing of it is left."""
    with state.lock():
        _clean(name)


def sweep() -> tuple[str, ...]:
    """Take down every dead lab and return their names; living labs are not touched."""
    with state.lock():
        dead = [status.name for status in labs() if status.condition is Condition.DEAD]
        for name in dead:
            _clean(name)
    return tuple(dead)


def _clean(name: str) -> None:
    found = state.load(name)
    folder = found.disks if found else state.disks(name)
    processes.end_group(lab_group(name))
    mounts.unmount_below(folder)
    for namespace in (*netns.names(f"{segment_name(name)}."), segment_name(name)):
        netns.delete(namespace)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(state.FOLDER / name, ignore_errors=True)


def _status(name: str) -> Status:
    found = state.load(name)
    if found is None:
        # Its creator was killed in the instant between making the folder and writing the file.
        return Status(name, Condition.DEAD, kept=False, hosts=())
    return Status(name, _condition(found), found.kept, tuple(host.name for host in found.spec.hosts))


def _condition(found: state.State) -> Condition:
    if found.phase is state.Phase.BUILDING:
        return Condition.BUILDING if found.owner.alive else Condition.DEAD
    if not found.kept and not found.owner.alive:
        return Condition.DEAD
    lab = Lab(found)
    machines = [lab.world, lab.inbox.machine, *(host.machine for host in lab.hosts)]
    running = [machine for machine in machines if machine.leader]
    if not running:
        return Condition.DEAD
    return Condition.UP if len(running) == len(machines) else Condition.DAMAGED


def _recipe(host: HostSpec) -> images.Recipe:
    return images.BOOKWORM if host.release == 12 else images.TRIXIE


def _lower(host: HostSpec) -> tuple[Path, ...]:
    return snapshots.lower(host.snapshot) if host.snapshot else (images.path(_recipe(host)),)
