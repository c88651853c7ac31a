"""What breaks for one host or zone is one clear sentence, and the others are served."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sendwright import credentials, inventory, planning
from sendwright.lab import installed
from sendwright.received import Results
from sendwright.rehearse import World, build_from, lab_spec
from sendwright.service import Release
from sendwright.state.model import State
from sendwright.submission import Credential

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_machine")]

GOOD, BAD = "mx1.example.com", "mx2.example.org"
HOSTS = """
senders = [
    ("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]}),
    ("mx2.example.org", {"egress": [{"public": "203.0.113.11"}]}),
]
"""
SHARED = """
_server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "TSIG"}}}
dns = {"main": _server, "other": _server}
domains = {
    "example.com": {"dns": "main", "hosts": ["mx1.example.com"]},
    "example.org": {"dns": "other", "hosts": ["mx2.example.org"]},
}
"""
PASSWORD = "correct-horse-battery-staple"
NOBODY = "203.0.113.99"
# Well-formed, and nobody's.
FINGERPRINT = "SHA256:" + "A" * 43


@dataclass
class Broken:
    """A world of two hosts and two zones; ``provision`` breaks one of each and gives the others something to do."""

    world: World
    hosts: str
    shared: str
    changes: list[str] = field(default_factory=list)

    def provision(self, host: str = "", zone: str = "", *argv: str) -> "CompletedProcess[str]":
        """Provision with Python appended that breaks a host (its data is ``host``) or a provider (``provider``)."""
        folder = self.world.folder
        self.changes.append(f"mailto:r{len(self.changes)}@example.net")
        wish = f'domains["example.com"]["dmarc"] = {{"rua": ["{self.changes[-1]}"]}}\n'
        (folder / "inventory.py").write_text(f"{self.hosts}\nhost = senders[1][1]\n{host}\ndel host\n")
        found = 'provider = dns["other"] = {**dns["other"], "tsig": {**dns["other"]["tsig"]}}'
        (folder / "group_data" / "all.py").write_text(f"{self.shared}\n{wish}{found}\n{zone}\ndel provider\n")
        return self.world.provision(*argv)

    @property
    def published(self) -> bool:
        """Whether what was asked for last is served in the good zone."""
        records = self.world.lab.records("example.com")
        return any(self.changes[-1] in value for r in records if r.type == "TXT" for value in r.values)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """Two hosts that have their packages, nothing else; nothing is provisioned yet."""
    source = tmp_path_factory.mktemp("source")
    (source / "group_data").mkdir()
    (source / "inventory.py").write_text(HOSTS)
    (source / "group_data" / "all.py").write_text(SHARED)
    stack = inventory.load(source).stack
    services = planning.services(stack, stack.hosts[0], Release.BOOKWORM, State())
    key = installed.ensure(12, (package for service in services for package in service.packages), print)
    spec = lab_spec(f"faults-{os.getpid()}", stack, 12)
    hosts = tuple(replace(host, snapshot=key) for host in spec.hosts)
    world = build_from(replace(spec, hosts=hosts), stack, print)
    try:
        (world.folder / "wrong").write_text("d3Jvbmcgc2VjcmV0IG9mIG91cnM=\n")
        stranger = Ed25519PrivateKey.generate()
        (world.folder / "stranger").write_bytes(
            stranger.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
        credentials.add(world.folder, "app", ("example.com",), PASSWORD)
        declared, shared = world.folder / "inventory.py", world.folder / "group_data" / "all.py"
        yield Broken(world, declared.read_text(), shared.read_text())
    finally:
        world.lab.down()


def errors(done: "CompletedProcess[str]") -> list[str]:
    """Return each error with its hint; what is printed as progress is left out."""
    assert "Traceback" not in done.stdout + done.stderr
    return [part.strip() for part in done.stderr.split("error: ")[1:]]


def about(found: list[str], start: str) -> str:
    """Return the one error that begins so; it says what to do next on a line of its own."""
    (error,) = (text for text in found if text.startswith(start))
    what, _, hint = error.partition("\n")
    assert what.endswith(".")
    assert hint.strip()
    return error


def test_a_host_that_is_not_there_and_a_refused_key_do_not_stop_the_others(
    broken: Broken, send: Callable[..., Results]
) -> None:
    """The good host, bare until then, sends; its zone is published; the others get a sentence each."""
    done = broken.provision(f'host["ssh_hostname"] = "{NOBODY}"', 'provider["tsig"]["secret"] = {"file": "wrong"}')

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 2)
    assert NOBODY in about(found, f"{BAD}: cannot connect")
    assert "does not let the TSIG key" in about(found, "zone example.org:")
    assert broken.published
    arrived = send(broken.world, GOOD, Credential("app", PASSWORD, "app@example.com"), 465)
    assert (arrived.spf, arrived.dmarc, [result for _, result in arrived.dkim]) == ("pass", "pass", ["pass"] * 2)
    assert {r.type for r in broken.world.lab.records("example.org")} <= {"SOA", "NS"}


@pytest.mark.parametrize(
    ("host", "host_says", "zone", "zone_says"),
    [
        ('host["ssh_port"] = 2', "connection refused", 'provider["tsig"]["name"] = "nobodys-key"', "nobodys-key"),
        (
            'host["ssh_key"] = "stranger"',
            "refuses the SSH key",
            'provider["server"] = "198.18.0.99"',
            "does not answer",
        ),
        ('host["ssh_key"] = "missing"', "cannot be read", 'provider["tsig"]["secret"] = {"file": "no"}', "no file"),
        ('host["ssh_key"] = "wrong"', "is not a private SSH key", 'provider["port"] = 54', "does not answer"),
        (
            'host["ssh_key_password"] = {"env": "NEVER_SET"}',
            "NEVER_SET is not set",
            'provider["tsig"]["secret"] = {"command": ["false"]}',
            "failed with status 1",
        ),
    ],
)
def test_each_way_of_being_out_of_reach_is_a_sentence_and_the_others_go_on(
    host: str, host_says: str, zone: str, zone_says: str, broken: Broken
) -> None:
    """A host's and a zone's fault at once: two errors, exit 1, and the good zone has its new record."""
    done = broken.provision(host, zone)

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 2), done.stderr
    assert host_says in about(found, f"{BAD}: ")
    (other,) = (text for text in found if not text.startswith(f"{BAD}: "))
    assert zone_says in other
    assert broken.published


def test_a_changed_host_key_is_refused_whatever_is_asked_for(broken: Broken) -> None:
    """Both fingerprints are shown, and the host's own log knows of nobody who tried to log in."""
    host = broken.world.lab.host(BAD)
    since = host.run(["date", "+%s"]).stdout.strip()

    done = broken.provision(f'host["ssh_host_key"] = "{FINGERPRINT}"', "", "--trust-new-hosts")

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 1)
    error = about(found, f"{BAD}: its SSH host key has changed")
    assert FINGERPRINT in error
    assert host.fingerprint in error
    log = host.run(["journalctl", "--no-pager", f"--since=@{since}", "-u", "ssh"]).stdout
    assert "preauth" in log
    # Whoever had begun to log in would be an "authenticating user" there.
    assert "user" not in log
    assert broken.published


def test_an_unknown_host_key_is_refused_unless_asked_for(broken: Broken, tmp_path: Path) -> None:
    """The fingerprint is shown to be compared; --trust-new-hosts looks at the host and remembers nothing."""
    known = tmp_path / "known_hosts"
    known.write_text("")
    unknown = f'del host["ssh_host_key"]; host["ssh_known_hosts_file"] = "{known}"'

    done = broken.provision(unknown)
    trusting = broken.world.sendwright("plan", str(broken.world.folder), "--trust-new-hosts")

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 1)
    assert broken.world.lab.host(BAD).fingerprint in about(found, f"{BAD}: its SSH host key is not known")
    assert broken.published
    assert trusting.returncode == 0, trusting.stderr
    assert known.read_text() == ""


@pytest.mark.parametrize("damage", ["not a key\n", None])
def test_a_damaged_or_lost_private_key_stops_its_host_only(damage: str | None, broken: Broken) -> None:
    """Nothing is changed on the host that needs it; a lost one is noticed before anything is tried."""
    # A lost one counts from when it was published: of one that nobody has seen nothing depends.
    domain = "example.com" if damage is None else "example.org"
    pem = min((broken.world.declared.state_dir / "keys" / domain).glob("*.pem"))
    kept = pem.read_bytes()
    pem.unlink()
    if damage is not None:
        pem.write_text(damage)
    try:
        done = broken.provision()
    finally:
        pem.write_bytes(kept)

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 1), done.stderr
    assert str(pem.with_suffix("")) in found[0]
    assert "git or a backup" in found[0]
    assert broken.published == (damage is not None)
    assert not (broken.world.lab.host(BAD).root / "var/lib/sendwright/managed").exists()


def test_a_damaged_ledger_is_noticed_before_anything_is_tried(broken: Broken) -> None:
    """Without it nobody knows which records are ours, so none is touched."""
    claims = broken.world.declared.state_dir / "claims.json"
    kept = claims.read_bytes()
    claims.write_bytes(kept[: len(kept) // 2])
    try:
        done = broken.provision()
    finally:
        claims.write_bytes(kept)

    found = errors(done)
    assert (done.returncode, len(found)) == (1, 1)
    assert str(claims) in found[0]
    assert not broken.published
