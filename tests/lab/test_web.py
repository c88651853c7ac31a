"""Policies over HTTPS, answers to an authority, and renewals by the host itself, on Debian 12 and 13."""

import http.client
import os
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sendwright import certs, engine, inventory, planning, ssh, sts, tlsa
from sendwright.deploys import renewed
from sendwright.deploys.base import chain_path, tls_folder
from sendwright.deploys.challenges import WELL_KNOWN
from sendwright.deploys.renewal import UNIT
from sendwright.hostdiff import diff
from sendwright.lab import HostSpec, Lab, LabSpec, RRset, ZoneSpec, installed
from sendwright.observe import observe
from sendwright.rehearse import World, world_in
from sendwright.secrets import resolve
from sendwright.service import Release, Service
from sendwright.stack import Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.layout import tls_key
from sendwright.state.model import Certificate, State

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
ADDRESSES = {"twelve.example": "203.0.113.112", "thirteen.example": "203.0.113.113"}
RELEASES = {"twelve.example": Release.BOOKWORM, "thirteen.example": Release.TRIXIE}
# Both hosts send for it.
SHARED = "both.example"
LIFE = timedelta(days=6)
ISSUER = "https://ca.example/dir"
# Asks for STARTTLS again and again until somebody says enough; tells how often, and what went wrong.
_ENOUGH = "/run/enough"
_ASKING = f"""
import os, smtplib, ssl, time
wrong, count = [], 0
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
while not os.path.exists("{_ENOUGH}"):
    count += 1
    time.sleep(0.01)
    try:
        with smtplib.SMTP("127.0.0.1", timeout=10) as session:
            session.starttls(context=context)
    except (OSError, smtplib.SMTPException) as error:
        wrong.append(repr(error))
print(count, *wrong, sep="\\n")
"""


@dataclass(frozen=True)
class Web:
    """A host with its domain of the same release."""

    world: World
    domain: str

    @property
    def host(self) -> Host:
        """The host as it is declared."""
        return self.world.declared.stack.host(f"mx.{self.domain}")

    @property
    def name(self) -> str:
        """The name of its policy."""
        return sts.policy_host(self.domain)

    @property
    def names(self) -> tuple[str, ...]:
        """All names of its certificate."""
        return sts.names(self.world.declared.stack, self.host)

    @property
    def folder(self) -> StateFolder:
        """What is remembered."""
        return StateFolder.of(self.world.declared)

    @property
    def certificate(self) -> Certificate:
        """What the state folder has for it."""
        found = self.folder.load().certificate_of(self.host.name)
        assert found is not None
        return found

    def give(self, left: timedelta, key: bytes | None = None) -> Certificate:
        """Remember a certificate of the lab's authority with so much of its life left; of the same key without one."""
        private = key or self.folder.open(self.certificate.key)
        ends = datetime.now(UTC) + left
        chain = self.world.lab.authority.issued(private, self.names, ends - LIFE, ends)
        sealed = self.certificate.key if key is None else tls_key(self.host.name, key)
        made = certs.from_chain(self.host.name, chain, sealed, tlsa.spki_of_key(private), self.names, issuer=ISSUER)
        self.folder.save_certificate(made, key)
        return self.certificate

    def services(self, state: State | None = None) -> dict[Release, tuple[Service, ...]]:
        """What should run on the host."""
        return planning.desired(self.world.declared.stack, self.host, state or self.folder.load())

    def converge(self) -> None:
        """Bring the host to what it should be."""
        found, base = self.services()[RELEASES[self.domain]], self.world.folder
        with self.world.lab.inside():
            engine.converge(self.host, found, self.folder.open, base, print)

    def plan(self, state: State | None = None) -> list[str]:
        """Return what would change."""
        wanted = self.services(state)
        with self.world.lab.inside(), ssh.connect(self.host, self.world.folder, secret=resolve) as connection:
            seen = observe(connection, wanted)
        return [change.summary for change in diff(self.host.name, wanted[RELEASES[self.domain]], seen)]

    def renewed(self) -> bytes:
        """Ask the host what it has by now."""
        with self.world.lab.inside(), ssh.connect(self.host, self.world.folder, secret=resolve) as connection:
            return connection.run(renewed.command()).stdout

    def run(self, *command: str) -> str:
        """Run a command on the host."""
        return str(self.world.lab.host(self.host.name).run(list(command)).stdout)

    def get(self, name: str, path: str, *, tls: bool = True) -> http.client.HTTPResponse:
        """Ask the host's web server, believing in the lab's authority only."""
        with self.world.lab.inside():
            connected = socket.create_connection((ADDRESSES[self.domain], 443 if tls else 80), timeout=10)
        if tls:
            context = ssl.create_default_context(cadata=self.world.lab.authority.root)
            connected = context.wrap_socket(connected, server_hostname=name)
        connection = http.client.HTTPConnection(name)
        connection.sock = connected
        connection.request("GET", path)
        return connection.getresponse()

    def shown_by_smtp(self) -> str:
        """Return the certificate that port 25 shows, PEM, without a second connection's help."""
        context = ssl.create_default_context(cadata=self.world.lab.authority.root)
        with self.world.lab.inside(), smtplib.SMTP(ADDRESSES[self.domain], timeout=10) as session:
            session._host = self.host.name  # type: ignore[attr-defined]  # the name that is verified
            session.starttls(context=context)
            assert isinstance(session.sock, ssl.SSLSocket)
            return _pem(session.sock)

    def shown_by_https(self) -> str:
        """Return the certificate that the web server shows for the policy's name."""
        context = ssl.create_default_context(cadata=self.world.lab.authority.root)
        with self.world.lab.inside():
            connected = socket.create_connection((ADDRESSES[self.domain], 443), timeout=10)
        with context.wrap_socket(connected, server_hostname=self.name) as secured:
            return _pem(secured)


def _pem(secured: ssl.SSLSocket) -> str:
    shown = secured.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).public_bytes(Encoding.PEM).decode()


def _stack() -> Stack:
    egress = {f"mx.{domain}": {"egress": [{"public": address}]} for domain, address in ADDRESSES.items()}
    tls = {"mode": "acme", "challenge": "http-01", "renewal": "host"}
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    domains: dict[str, object] = {d: {"dns": "main", "hosts": [f"mx.{d}"]} for d in ADDRESSES}
    domains[SHARED] = {"dns": "main"}
    admin = {"ssh_user": "admin", "_sudo": True}
    hosts = [(name, {**data, "tls": tls, **(admin if "thirteen" in name else {})}) for name, data in egress.items()]
    return inventory.parse(hosts, {"dns": {"main": server}, "domains": domains}, "a test")


@pytest.fixture(scope="module")
def web_world(lab_machine: None) -> Iterator[World]:  # noqa: ARG001 - requested for its verdict
    """A host of each release, with packages and without anything else, and an authority of short lives."""
    stack = _stack()
    hosts = []
    for domain, address in ADDRESSES.items():
        release = RELEASES[domain]
        host = stack.host(f"mx.{domain}")
        wanted = planning.services(stack, host, release, State())
        key = installed.ensure(int(release), (package for service in wanted for package in service.packages), print)
        hosts.append(HostSpec(host.name, (address,), int(release), admin=host.ssh.sudo, snapshot=key))
    zones = tuple(
        ZoneSpec(domain, tuple(RRset(f"{name}.{domain}", "A", 60, (address,)) for name in ("mx", "mta-sts")))
        for domain, address in ADDRESSES.items()
    )
    zones += (ZoneSpec(SHARED, (RRset(sts.policy_host(SHARED), "A", 60, tuple(ADDRESSES.values())),)),)
    lab = Lab.up(LabSpec(f"web-{os.getpid()}", tuple(hosts), zones, authority=LIFE), print)
    try:
        yield world_in(lab, stack, "inventory")
    finally:
        lab.down()


@pytest.fixture(scope="module")
def webs(web_world: World) -> dict[str, Web]:
    """Both hosts, converged, with certificates that have long to live."""
    found = {domain: Web(web_world, domain) for domain in ADDRESSES}
    for web in found.values():
        web.give(timedelta(days=5), certs.new_key("ecdsa"))
        web.converge()
    return found


@pytest.fixture(params=list(ADDRESSES))
def web(webs: dict[str, Web], request: pytest.FixtureRequest) -> Web:
    """Each of them."""
    return webs[str(request.param)]


def test_a_policy_is_served_to_the_byte_and_nothing_else_is(web: Web) -> None:
    """As plain text, by a certificate of its name; every other place and name is none."""
    stack = web.world.declared.stack

    policy = web.get(web.name, "/.well-known/mta-sts.txt")
    other = web.get(web.name, "/")

    assert (policy.status, policy.getheader("Content-Type")) == (200, "text/plain")
    assert policy.read().decode() == sts.policy(stack, stack.domain(web.domain), ())
    assert policy.getheader("Server") == "nginx"
    assert other.status == 404
    with pytest.raises(ssl.SSLError):
        web.get(web.host.name, "/")


def test_over_http_there_are_challenges_and_the_way_to_the_policy(web: Web) -> None:
    """An authority asks any of the names; a browser that comes to a policy's name is led on."""
    web.run("sh", "-c", f"printf 'token.key' >{WELL_KNOWN}/token")

    for name in (web.host.name, web.name):
        answer = web.get(name, "/.well-known/acme-challenge/token", tls=False)
        assert (answer.status, answer.read()) == (200, b"token.key")
        assert web.get(name, "/.well-known/acme-challenge/other", tls=False).status == 404
        assert web.get(name, "/.well-known/acme-challenge/../../../etc/passwd", tls=False).status != 200
    assert web.get(web.host.name, "/", tls=False).status == 404
    led = web.get(web.name, "/.well-known/mta-sts.txt", tls=False)
    assert (led.status, led.getheader("Location")) == (301, f"https://{web.name}/.well-known/mta-sts.txt")


def test_an_answer_that_lies_on_the_other_host_is_found(web: Web, webs: dict[str, Web]) -> None:
    """A name that leads to both is looked at on either; the host's own name leads nowhere else."""
    (other,) = (each for each in webs.values() if each.domain != web.domain)
    token = f"of-{other.domain.partition('.')[0]}"
    other.run("sh", "-c", f"printf 'its.key' >{WELL_KNOWN}/{token}")

    found = web.get(sts.policy_host(SHARED), f"/.well-known/acme-challenge/{token}", tls=False)

    assert (found.status, found.read()) == (200, b"its.key")
    assert web.get(sts.policy_host(SHARED), "/.well-known/acme-challenge/nowhere", tls=False).status == 404
    assert web.get(web.host.name, f"/.well-known/acme-challenge/{token}", tls=False).status == 404


def test_a_second_look_finds_nothing_to_do_and_debian_s_own_server_does_not_run(web: Web) -> None:
    """One nginx, ours; who speaks with strangers has no rights."""
    assert web.plan() == []
    states = web.run("sh", "-c", "systemctl is-active nginx sendwright-web; systemctl is-system-running || :").split()
    assert states == ["inactive", "active", "running"]
    assert "www-data" in web.run("sh", "-c", "ps -o user= -C nginx")


def test_a_host_renews_by_itself_with_the_key_that_it_has(web: Web) -> None:
    """certbot proves all names, also that of both hosts; both daemons show the new one; a plan is empty then."""
    before = web.give(timedelta(days=1))
    web.converge()

    web.run("systemctl", "start", UNIT)

    path = chain_path(before)
    chains = renewed.parse(web.host.name, web.renewed())
    assert chains.keys() == {path}
    assert web.shown_by_smtp() == web.shown_by_https() == chains[path][: len(web.shown_by_smtp())]
    assert tlsa.spki_of_chain(chains[path]) == tlsa.spki_of_chain(before.chain)
    assert chains[path] != before.chain
    assert renewed.trouble(web.host.name, web.renewed()) is None
    taken = certs.from_chain(web.host.name, chains[path], before.key, tlsa.spki_of_chain(before.chain), web.names)
    state = web.folder.load()
    others = tuple(c for c in state.certificates if c.host != web.host.name)
    assert web.plan(replace(state, certificates=(*others, replace(taken, issuer=ISSUER)))) == []


def test_the_stock_command_leaves_what_a_host_has_renewed(web: Web) -> None:
    """The state folder has not heard of it; nobody puts the older one back."""
    before = web.certificate
    renewed_one = renewed.parse(web.host.name, web.renewed())[chain_path(before)]

    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    argv = [pyinfra, "-y", "--limit", web.host.name, str(web.world.folder / "inventory.py"), "deploys/sender.py"]
    done = subprocess.run(
        web.world.lab.command(argv), cwd=ROOT, capture_output=True, text=True, check=False, timeout=180
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert renewed_one != before.chain
    assert renewed.parse(web.host.name, web.renewed()) == {chain_path(before): renewed_one}


def test_a_refusing_authority_fails_the_unit_and_nothing_that_works(web: Web) -> None:
    """Its words are on the host and come to the controller; the certificate stays."""
    before = web.give(timedelta(days=1, hours=1))
    web.converge()

    with web.world.lab.authority.refusing("no such customer"):
        failed = web.world.lab.host(web.host.name).run(["systemctl", "start", UNIT], check=False)

    said = renewed.trouble(web.host.name, web.renewed())
    assert failed.returncode != 0
    assert said is not None
    assert (said.failures, "no such customer" in said.said) == (1, True)
    assert web.shown_by_smtp() == web.shown_by_https() == before.chain[: len(web.shown_by_smtp())]
    assert web.run("sh", "-c", f"systemctl is-failed {UNIT}").strip() == "failed"


def test_another_key_comes_without_a_moment_at_which_port_25_has_no_tls(web: Web) -> None:
    """Asked all the time while the host changes over; then only the new key's folder is left."""
    before = web.certificate
    # From the host itself, whom no rate limits.
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(web.run, "python3", "-c", _ASKING)
        after = web.give(timedelta(days=5), certs.new_key("ecdsa"))
        web.converge()
        web.run("touch", _ENOUGH)

    count, *wrong = asking.result().splitlines()
    assert wrong == []
    assert int(count) > 20
    assert web.shown_by_smtp() == web.shown_by_https() == after.chain[: len(web.shown_by_smtp())]
    assert web.run("ls", "/etc/sendwright/tls").split() == [tls_folder(after).rpartition("/")[2]]
    assert tls_folder(before) != tls_folder(after)
    assert web.plan() == []
