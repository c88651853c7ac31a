"""Rehearse an inventory: build its world, let :mod:`sendwright.prove` prove it from inside, take everything down."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from sendwright import inventory
from sendwright.errors import LabError
from sendwright.inventory import Inventory
from sendwright.lab.lab import Lab
from sendwright.lab.netns import command as in_namespace
from sendwright.lab.registry import down, labs
from sendwright.lab.spec import HostSpec, LabSpec, ZoneSpec
from sendwright.overlay import LabFacts, asks_authority, inventory_files, rehearsed
from sendwright.report.progress import Progress
from sendwright.secrets import inheritable
from sendwright.stack import Stack

#: How long certificates of a rehearsal's authority are valid: as long as those of most others.
VALIDITY = timedelta(days=90)


@dataclass(frozen=True)
class World:
    """A lab and the folder of the inventory that is to be provisioned in it."""

    lab: Lab
    folder: Path

    @property
    def declared(self) -> Inventory:
        """The inventory as it is rehearsed."""
        return inventory.load(self.folder)

    def declare(self, stack: Stack) -> None:
        """Write the inventory of a stack as it is rehearsed here, in the place of what the folder declares."""
        for relative, text in inventory_files(rehearsed(stack, lab_facts(self.lab))).items():
            file = self.folder / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def sendwright(self, *argv: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run the command line at the controller's place; ``timeout`` in seconds."""
        command = self.lab.command([sys.executable, "-m", "sendwright", *argv])
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)

    def provision(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Provision the inventory without asking."""
        return self.sendwright("provision", str(self.folder), "--yes", *argv)


def rehearse(path: Path, debian: str, progress: Progress, *, keep: bool, form: str) -> int:
    """Build the world of an inventory, prove it, and take it down unless ``keep``; return the exit code.

    Errors: LabError where a lab cannot run, InventoryError.
    """
    world = build(path, debian, progress, keep=keep)
    try:
        argv = [sys.executable, "-m", "sendwright.prove", world.lab.name, str(world.folder), form]
        # It must not outlive us: its lab goes with us. Secrets of production have no business in a rehearsal.
        command = ["setpriv", "--pdeathsig", "KILL", *in_namespace(world.lab.namespace, argv)]
        return subprocess.run(command, check=False, env=inheritable()).returncode
    finally:
        if keep:
            progress.say(f"The lab {world.lab.name} stays up: sendwright lab down {world.lab.name}")
        else:
            take_down(world.lab.name, progress)


def build(path: Path, debian: str, progress: Progress, *, keep: bool) -> World:
    """Build the world of an inventory: bare hosts, DNS, an inbox; and the inventory as it is rehearsed there."""
    declared = inventory.load(path)
    name = _lab_name(declared.folder) if keep else f"rehearsal-{os.getpid()}"
    with progress.step("the lab is up"):
        return build_from(lab_spec(name, declared.stack, int(debian)), declared.stack, progress.note, keep=keep)


def build_from(spec: LabSpec, stack: Stack, report: Callable[[str], None], *, keep: bool = False) -> World:
    """Build the world of a stack from a lab that is described already; LabError."""
    lab = Lab.up(spec, report, keep=keep)
    return world_in(lab, stack, "inventory")


def world_in(lab: Lab, stack: Stack, name: str) -> World:
    """Write the inventory of a stack as it is rehearsed in a lab, in a folder of that name, and return both."""
    world = World(lab, lab.state.folder / name)
    world.declare(stack)
    return world


def lab_spec(name: str, stack: Stack, debian: int) -> LabSpec:
    """Return the lab that a stack needs: its hosts bare, its zones empty. Pure."""
    hosts = tuple(HostSpec(h.name, tuple(map(str, h.addresses)), debian, admin=h.ssh.sudo) for h in stack.hosts)
    validity = VALIDITY if asks_authority(stack) else None
    return LabSpec(name, hosts, tuple(ZoneSpec(zone) for zone in _zones(stack)), authority=validity)


def _zones(stack: Stack) -> list[str]:
    # A declared name below another declared one lies in the same zone.
    names = [d.name for d in stack.domains]
    return [name for name in names if not any(name.endswith("." + other) for other in names)]


def lab_facts(lab: Lab) -> LabFacts:
    """Return what the rehearsed inventory has to know of its lab; writes the TSIG secret beside its other ones."""
    secret = lab.state.folder / "tsig"
    secret.touch(mode=0o600)
    secret.write_text(lab.tsig_secret)
    root = lab.state.folder / "authority.pem"
    if has_authority := lab.state.spec.authority is not None:
        root.write_text(lab.authority.root)
    return LabFacts(
        ssh_key=str(lab.ssh_key),
        known_hosts=str(lab.known_hosts),
        fingerprints={host.spec.name: host.fingerprint for host in lab.hosts},
        server=ip_address(lab.primary.address),
        tsig_name=lab.tsig_name,
        tsig_file=str(secret),
        root_hints=lab.root_hints,
        trust_anchor=lab.trust_anchor,
        inbox=lab.inbox.domain,
        directory=lab.authority.directory if has_authority else "",
        root=str(root) if has_authority else "",
    )


def _lab_name(folder: Path) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in folder.resolve().name.lower())
    return plain.strip("-")[:24] or "lab"


def take_down(name: str, progress: Progress) -> None:
    """Take a lab down and say how long it took."""
    with progress.step(f"the lab {name} is down"):
        down(name)


def choose(name: str | None) -> str:
    """Return the name of a lab in whatever condition: that one, or the only one; LabError if there is none or more."""
    names = [status.name for status in labs()]
    if name is None and len(names) != 1:
        raise LabError(f"there are {len(names)} labs.", f"Name one: {', '.join(names)}" if names else "")
    if name is not None and name not in names:
        raise LabError(f"there is no lab {name}.", f"Labs: {', '.join(names) or 'none'}.")
    return name or names[0]


def find(name: str | None) -> Lab:
    """Return the lab of that name, or the only one; LabError if there is none or more than one, or it is not up."""
    return Lab.load(choose(name))


def inside_command(lab: Lab, argv: Sequence[str]) -> list[str]:
    """Return the command line that runs ``argv`` as the lab's controller."""
    return in_namespace(lab.namespace, argv)


def ssh_command(lab: Lab, host: str) -> list[str]:
    """Return the ssh command to a lab host: the lab's own key and known hosts, nothing of the user's."""
    found = lab.host(host)
    options = [f"UserKnownHostsFile={lab.known_hosts}", "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes"]
    options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
    argv = ["ssh", "-F", "none", "-i", str(lab.ssh_key), *(word for o in options for word in ("-o", o))]
    return inside_command(lab, [*argv, f"{found.user}@{found.spec.addresses[0]}"])
