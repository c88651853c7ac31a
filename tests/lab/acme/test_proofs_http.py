"""Answers to ``http-01`` challenges on real hosts, looked at by whoever may look, the authority among them."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sendwright import engine, inventory
from sendwright.acme.http01 import HttpProof, fetch
from sendwright.acme.proof import Challenge
from sendwright.connections import Fleet
from sendwright.deploys.material import Material
from sendwright.deploys.web import UNIT, web
from sendwright.errors import NotShown
from sendwright.lab import Lab, LabSpec, RRset, ZoneSpec
from sendwright.rehearse import World, world_in
from sendwright.report.progress import Progress
from sendwright.secrets import resolve
from sendwright.service import Sealed
from sendwright.ssh import connect
from sendwright.stack import Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate
from tests.lab.conftest import BOOKWORM, TRIXIE

pytestmark = pytest.mark.lab

COM, POLICY = "example.com", "mta-sts.example.com"
MX1, MX2 = BOOKWORM.name, TRIXIE.name
_ORDER = """
import json, sys
from pathlib import Path
from sendwright import certs, inventory
from sendwright.acme.authority import Authority
from sendwright.acme.dns01 import DnsProof
from sendwright.acme.http01 import HttpProof
from sendwright.acme.proof import both
from sendwright.connections import Fleet
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder

kinds = json.loads(sys.argv[2])
declared = inventory.load(Path(sys.argv[1]))
folder, progress = StateFolder.of(declared), Progress()
with Fleet(declared.stack.hosts, declared.folder) as fleet:
    prove = both(DnsProof(declared, folder, progress), HttpProof(fleet, declared.stack, progress))
    ordered = Authority.of(declared, folder, progress.note)
    print(ordered.issue(next(iter(kinds)), 0, list(kinds), certs.new_key("ecdsa"), prove, kinds.__getitem__))
"""


@pytest.fixture(scope="module")
def proofs(lab_machine: None) -> Iterator[World]:  # noqa: ARG001 - requested for its verdict
    """A Debian 12 and a Debian 13 with nothing but their web server, names that lead to them, and an authority."""
    addresses = {host.name: host.addresses for host in (BOOKWORM, TRIXIE)}
    six = RRset(MX1, "AAAA", 60, (addresses[MX1][1],))
    names = {MX1: (addresses[MX1][0],), MX2: addresses[MX2], POLICY: (addresses[MX1][0], addresses[MX2][0])}
    records = (*(RRset(name, "A", 60, values) for name, values in names.items()), six)
    spec = LabSpec(
        f"answers-{os.getpid()}", (BOOKWORM, TRIXIE), (ZoneSpec(COM, records),), authority=timedelta(days=90)
    )
    lab = Lab.up(spec, print)
    try:
        world = world_in(lab, _stack(), "inventory")
        with lab.inside():
            for host in world.declared.stack.hosts:
                service = web(world.declared.stack, host, Material(_none(host)))
                engine.converge(host, (service,), lambda _: b"", Path("/"), lambda _: None)
        yield world
    finally:
        lab.down()


def _stack() -> Stack:
    tls = {"mode": "acme", "challenge": "http-01"}
    login = {False: {}, True: {"ssh_user": "admin", "_sudo": True}}
    hosts = [
        (h.name, {"egress": [{"public": a} for a in h.addresses], "tls": tls, **login[h.admin]})
        for h in (BOOKWORM, TRIXIE)
    ]
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    # No policy yet: nobody fetches one, and there is no certificate to serve it with.
    data = {"dns": {"main": server}, "domains": {COM: {"dns": "main", "mta_sts": {"mode": "off"}}}}
    return inventory.parse(hosts, data, "a test")


def _none(host: Host) -> Certificate:
    now = datetime.now(UTC)
    return Certificate(host.name, "self-signed", "", Sealed("tls/none.key", "0" * 64), now, now)


def _challenge(name: str, which: str) -> Challenge:
    return Challenge(name, "http-01", which, f"{which}.thumbprint")


def _seen(world: World, challenge: Challenge) -> dict[str, str]:
    """Return what every address of every host answers."""
    with world.lab.inside():
        return {
            str(address): fetch(address, challenge.name, challenge.path).decode()
            for host in world.declared.stack.hosts
            for address in host.addresses
        }


def test_every_host_that_may_be_asked_answers_while_the_authority_looks(proofs: World) -> None:
    """At each of its addresses, over both families; a host's own name leads to it alone; afterwards nobody answers."""
    stack = proofs.declared.stack
    own, shared = _challenge(MX1, "-own_"), _challenge(POLICY, "shared")

    with Fleet(stack.hosts, proofs.folder) as fleet, proofs.lab.inside():
        with HttpProof(fleet, stack, Progress(held=True))((own, shared)):
            of_own, of_shared = _seen(proofs, own), _seen(proofs, shared)
        left = _seen(proofs, own) | _seen(proofs, shared)

    here, there = ([str(a) for a in host.addresses] for host in stack.hosts)
    assert of_own == dict.fromkeys(here, own.authorization) | dict.fromkeys(there, "404 Not Found")
    assert of_shared == dict.fromkeys((*here, *there), shared.authorization)
    assert set(left.values()) == {"404 Not Found"}


@pytest.mark.parametrize(
    "kinds",
    [
        {MX1: "http-01"},
        {MX2: "http-01", POLICY: "http-01"},
        {MX1: "http-01", POLICY: "dns-01"},
        {MX2: "dns-01", POLICY: "dns-01"},
    ],
)
def test_the_authority_is_convinced_each_way_and_by_both_at_once(proofs: World, kinds: dict[str, str]) -> None:
    """It issues for all names of the order, and nothing is left behind, at servers or on hosts."""
    done = proofs.lab.run([sys.executable, "-c", _ORDER, str(proofs.folder), json.dumps(kinds)], check=False)

    assert done.returncode == 0, done.stderr
    assert _named(done.stdout) == set(kinds)
    assert StateFolder.of(proofs.declared).claims() == ()
    assert not [r for r in proofs.lab.records(COM) if r.name.startswith("_acme-challenge.")]
    for host in proofs.declared.stack.hosts:
        assert _run(proofs, host, "ls /var/lib/sendwright-acme/.well-known/acme-challenge") == ""


def test_somebody_else_s_web_server_is_said_before_the_authority_asks(proofs: World) -> None:
    """It answers what nobody asked for."""
    stack = proofs.declared.stack
    other = "systemd-run -q --unit=theirs --working-directory=/tmp python3 -m http.server --bind :: 80"
    _run(proofs, stack.host(MX1), f"systemctl stop {UNIT} && {other} && sleep 1")
    try:
        with (
            proofs.lab.inside(),
            Fleet(stack.hosts, proofs.folder) as fleet,
            pytest.raises(NotShown, match=rf"{MX1} cannot be proven by http-01: at port 80 of .* is '404 "),
            HttpProof(fleet, stack, Progress(held=True))((_challenge(MX1, "own"),)),
        ):
            raise AssertionError
    finally:
        _run(proofs, stack.host(MX1), f"systemctl stop theirs; systemctl start {UNIT}")


def _named(chain: str) -> set[str]:
    leaf = x509.load_pem_x509_certificate(chain.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*names.get_values_for_type(x509.DNSName)}


def _run(world: World, host: Host, command: str) -> str:
    with world.lab.inside(), connect(host, world.folder, secret=resolve) as connection:
        result = connection.run(command)
    assert result.ok, result.stderr
    return result.stdout.decode()
