"""How a lab is brought up: the network, then all machines side by side, then the zones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sendwright.lab import authority, images, inbox, layout, login, netns, snapshots, world, zones
from sendwright.lab.machine import segment_name
from sendwright.lab.powerdns import PowerDns
from sendwright.lab.spec import CONTROLLER, PRIMARY, RESOLVER, SECONDARY, HostSpec, LabSpec
from sendwright.lab.state import Phase, State, save

Progress = Callable[[str], None]


def ensure_images(spec: LabSpec, progress: Progress) -> None:
    """Build what images a lab needs and the cache lacks; LabError if one cannot be built, or a snapshot is missing."""
    for host in spec.hosts:
        if host.snapshot:
            snapshots.lower(host.snapshot)
    recipes = {_recipe(host) for host in spec.hosts if not host.snapshot} | {images.WORLD}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for build in [pool.submit(images.ensure, recipe, progress) for recipe in recipes]:
            build.result()


def build(state: State, progress: Progress) -> State:
    """Build a lab that was written down, and return how it is written down when every server answers."""
    progress("creating the network")
    netns.create_segment(segment_name(state.spec.name), CONTROLLER, RESOLVER[0])
    receiver = layout.inbox(state)
    certificate = inbox.certificate(receiver.machine.name)
    contents = zones.plan(state.spec, zones.Inbox(receiver.domain, certificate.tlsa))
    with ThreadPoolExecutor(max_workers=4) as pool:
        dns = pool.submit(_start_world, state)
        others = [pool.submit(_start_inbox, state, certificate.pem)]
        others += [pool.submit(_start_host, state, index, progress) for index in range(len(state.spec.hosts))]
        dns.result()
        progress("publishing and signing the zones")
        servers = primary(state), secondary(state)
        anchor = world.fill(layout.world(state), *servers, contents, state.tsig_secret)
        for each in others:
            each.result()
        if state.spec.authority:
            progress("starting the authority")
            root = authority.start(layout.world(state)).root
            trusting = (layout.world(state), *layout.hosts(state))
            for trusted in [pool.submit(authority.trust, machine, root) for machine in trusting]:
                trusted.result()
    receiver.machine.wait(25, b"220 ")
    finished = replace(state, phase=Phase.UP, trust_anchor=anchor)
    save(finished)
    progress(f"the lab {state.spec.name} is up")
    return finished


def primary(state: State) -> PowerDns:
    """Return the API of the primary name server."""
    return PowerDns(segment_name(state.spec.name), PRIMARY[0], state.api_key)


def secondary(state: State) -> PowerDns:
    """Return the API of the secondary name server."""
    return PowerDns(segment_name(state.spec.name), SECONDARY[0], state.api_key)


def start_again(state: State, host: HostSpec) -> None:
    """Start a host whose machine was stopped, from the disk that it left."""
    machine = layout.hosts(state)[state.spec.hosts.index(host)]
    machine.mount(_lower(host))
    machine.boot()
    machine.wait()


def _start_world(state: State) -> None:
    machine = layout.world(state)
    machine.mount([images.path(images.WORLD)])
    login.prepare(machine.root, machine.name, login.generate(), state.login.public)
    world.prepare(machine, state.api_key, state.spec.memory)
    if state.spec.authority:
        authority.prepare(machine, state.spec.authority)
    machine.boot()
    machine.wait()


def _start_inbox(state: State, pem: str) -> None:
    receiver = layout.inbox(state)
    machine = receiver.machine
    machine.mount([images.path(images.WORLD)])
    login.prepare(machine.root, machine.name, login.generate(), state.login.public)
    inbox.prepare(machine, receiver.domain, pem)
    machine.boot()


def _start_host(state: State, index: int, progress: Progress) -> None:
    machine, spec, key = layout.hosts(state)[index], state.spec.hosts[index], state.host_keys[index]
    machine.mount(_lower(spec))
    public = state.login.public
    login.prepare(machine.root, machine.name, key, public, admin=spec.admin, resolver=spec.resolver)
    machine.boot()
    machine.wait()
    progress(f"{spec.name} is up (Debian {spec.release})")


def _recipe(host: HostSpec) -> images.Recipe:
    return images.BOOKWORM if host.release == 12 else images.TRIXIE


def _lower(host: HostSpec) -> tuple[Path, ...]:
    return snapshots.lower(host.snapshot) if host.snapshot else (images.path(_recipe(host)),)
