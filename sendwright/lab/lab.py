"""The lab as others see it: brought up, found again, used, and taken down."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab import building, commands, layout, netns, registry, requirements, snapshots, state, world, zones
from sendwright.lab.authority import Authority
from sendwright.lab.building import Progress
from sendwright.lab.inbox import Inbox
from sendwright.lab.machine import Machine, segment_name
from sendwright.lab.powerdns import PowerDns
from sendwright.lab.registry import Condition
from sendwright.lab.spec import RESOLVER, HostSpec, LabSpec, RRset


@dataclass(frozen=True)
class LabHost:
    """A host of a lab: what was asked for, its machine, its SSH key's fingerprint, and who may log in."""

    spec: HostSpec
    machine: Machine
    fingerprint: str

    @property
    def name(self) -> str:
        """The host's full name."""
        return self.spec.name

    @property
    def addresses(self) -> tuple[str, ...]:
        """The host's addresses, as it was given them."""
        return self.spec.addresses

    @property
    def user(self) -> str:
        """The user that the lab's SSH key belongs to."""
        return "admin" if self.spec.admin else "root"

    @property
    def namespace(self) -> str:
        """The host's network namespace, for probes that are to come from its addresses."""
        return self.machine.namespace

    @property
    def root(self) -> Path:
        """The host's file system, from outside."""
        return self.machine.root

    def run(
        self, argv: Sequence[str], *, given: str = "", check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root on the host, without SSH; as :meth:`Machine.run`."""
        return self.machine.run(argv, given=given, check=check, timeout=timeout)


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
        requirements.make_room(progress)
        registry.sweep()
        building.ensure_images(spec, progress)
        drawn = state.draw(spec, keep=keep)
        with state.lock():
            state.claim(drawn)
        try:
            return cls(building.build(drawn, progress))
        except BaseException:
            registry.down(spec.name)
            raise

    @classmethod
    def load(cls, name: str) -> "Lab":
        """Return the lab of this name; LabError if there is none, or if it is not up."""
        found = state.load(name)
        if found is None:
            raise LabError(f"there is no lab {name}.", f"Labs: {', '.join(state.names()) or 'none'}.")
        if (condition := registry.condition(found)) not in {Condition.UP, Condition.DAMAGED}:
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
        parts = zip(self.state.spec.hosts, layout.hosts(self.state), self.state.host_keys, strict=True)
        return tuple(LabHost(spec, machine, key.fingerprint) for spec, machine, key in parts)

    def host(self, name: str) -> LabHost:
        """Return the host of this name; LabError if the lab has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(
            f"the lab {self.name} has no host {name}.",
            f"Hosts: {', '.join(host.name for host in self.hosts)}.",
        )

    @property
    def world(self) -> Machine:
        """The machine that serves DNS."""
        return layout.world(self.state)

    @property
    def inbox(self) -> Inbox:
        """The receiving server."""
        return layout.inbox(self.state)

    @property
    def authority(self) -> Authority:
        """The certificate authority; LabError if the lab was built without one."""
        if not self.state.spec.authority:
            raise LabError(f"the lab {self.name} has no authority.", "Build it with LabSpec(authority=...).")
        return Authority(self.world)

    @property
    def primary(self) -> PowerDns:
        """The primary name server."""
        return building.primary(self.state)

    @property
    def secondary(self) -> PowerDns:
        """The secondary name server, which every zone names too."""
        return building.secondary(self.state)

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

    def stop(self, name: str) -> None:
        """Shut a host down; its disk stays, and nobody has its addresses meanwhile."""
        self.host(name).machine.stop()
        netns.forget_neighbours(self.namespace)

    def start(self, name: str) -> None:
        """Start a host that was stopped, with its disk as it was left; return when it takes logins."""
        building.start_again(self.state, self.host(name).spec)

    def records(self, zone: str) -> tuple[RRset, ...]:
        """Return what the primary holds of a zone, without signatures."""
        return self.primary.records(zone)

    def hold_secondary(self) -> None:
        """Keep the secondary from learning of changes in the inventory's zones."""
        world.hold(self.secondary, [zone.name for zone in self.state.spec.zones])

    def release_secondary(self) -> None:
        """Let the secondary catch up."""
        world.release(self.secondary, [zone.name for zone in self.state.spec.zones])

    def forget(self, below: str = ".") -> None:
        """Have the resolver forget every answer about a name and all names below it, as if its TTL had run out.

        The inbox forgets all keys that it has verified with.
        """
        world.forget(self.world, below)
        self.inbox.forget()

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
        return commands.run(
            self.command(argv), of=f"lab {self.name}: ", shown=argv, given=given, check=check, timeout=timeout
        )

    def snapshot(self, name: str, key: str) -> None:
        """Shut a host down and keep its disk as a snapshot; the host is gone from the lab then."""
        snapshots.save(self.host(name).machine, key)

    def down(self) -> None:
        """Take the lab down and leave nothing of it."""
        registry.down(self.name)
