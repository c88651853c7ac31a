"""The world whose certificates come from an authority."""

import os
from collections.abc import Iterator

import pytest

from sendwright.lab import HostSpec, Lab, LabSpec, ZoneSpec, senders
from sendwright.lab.senders import Level, streaming
from sendwright.rehearse import world_in
from tests.lab.living import snapshot
from tests.lab.tls.world import ADDRESSES, CACHES, RECIPIENTS, TWO, VALIDITY, ZONES, Tls, stack

_RELEASES = dict(zip(ADDRESSES, (12, 13, 12, 13), strict=True))
# As long as a TLSA record is remembered: a sender may know for so long what is no longer so.
_MEMORY = 300


@pytest.fixture(scope="session")
def world_of_certificates(lab_machine: None) -> Iterator[Tls]:  # noqa: ARG001 - requested for its verdict
    """Two hosts that took mail with certificates of their own before the authority was declared, and two bare ones.

    Mail arrives all the time while the authority issues certificates for the first two.
    """
    lab = Lab.up(spec(f"tls-{os.getpid()}"), print)
    try:
        yield begun(lab)
    finally:
        lab.down()


def spec(name: str) -> LabSpec:
    """Return the lab: hosts with all packages and nothing configured."""
    declared = stack()
    keys = {release: snapshot(declared, release) for release in (12, 13)}
    hosts = tuple(
        HostSpec(name, (at,), _RELEASES[name], snapshot=keys[_RELEASES[name]], admin=name == TWO)
        for name, at in ADDRESSES.items()
    )
    return LabSpec(name, hosts, tuple(ZoneSpec(zone) for zone in ZONES), memory=_MEMORY, authority=VALIDITY)


def begun(lab: Lab) -> Tls:
    """Provision the lab as the fixture says."""
    tls = Tls(world_in(lab, stack(authority=False), "inventory"), {}, senders.start(lab))
    tls.began["bare"] = tls.provision()
    tls.settle()
    with streaming(tls.senders, RECIPIENTS) as streams:
        tls.world.declare(stack())
        tls.began["authority"] = tls.provision()
        tls.issued.extend(streams)
    tls.settle()
    tls.began["again"] = tls.provision()
    tls.senders.believe(Level.ALWAYS)
    return tls


@pytest.fixture
def tls(world_of_certificates: Tls) -> Tls:
    """The same: its clocks ran out, and caches know nothing."""
    world_of_certificates.settle()
    world_of_certificates.pass_time(CACHES)
    return world_of_certificates
