"""Answers to ``dns-01`` challenges at real name servers: served by all before anybody looks, and gone afterwards."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from pprint import pformat

import pytest

from sendwright import inventory
from sendwright.acme.dns01 import PATIENCE, DnsProof
from sendwright.acme.proof import Challenge
from sendwright.acme.provable import unprovable
from sendwright.dns.answers import record_set
from sendwright.dns.authority import discover
from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.transport import Question, query
from sendwright.errors import NotShown
from sendwright.inventory import Inventory
from sendwright.lab import Lab, LabSpec, RRset, ZoneSpec, knot, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary
from sendwright.publication import Internet
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder

pytestmark = pytest.mark.lab

COM, ORG, KNOT = "example.com", "example.org", "knot.example"
UNENCRYPTED = "I know that anybody who reads this folder can sign as us"
# A run that is killed at the moment that its first argument names: the process, at once.
_KILLED = """
import os, signal, sys
from pathlib import Path
from sendwright import inventory
from sendwright.acme.dns01 import DnsProof
from sendwright.acme.proof import Challenge
from sendwright.dns.providers.base import open_provider
from sendwright.publication import INTERNET
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder

moment, folder, *names = sys.argv[1:]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying:
    seen = False

    def __init__(self, provider):
        self.provider, self.margin, self.title = provider, provider.margin, provider.title
        self.zones, self.read = provider.zones, provider.read

    def apply(self, zone, edits):
        does = "withdrawn" if self.seen else "written"
        if moment == f"before it is {does}":
            kill()
        self.provider.apply(zone, edits)
        if moment == f"when it is {does}":
            kill()

declared = inventory.load(Path(folder))
proof = DnsProof(declared, StateFolder.of(declared), Progress(), INTERNET, lambda *a: Dying(open_provider(*a)))
with proof(tuple(Challenge(name, "dns-01", "killed", "killed.thumbprint") for name in names)):
    Dying.seen = True
    if moment == "while the authority looks":
        kill()
"""
MOMENTS = (
    "before it is written",
    "when it is written",
    "while the authority looks",
    "before it is withdrawn",
    "when it is withdrawn",
)


@pytest.fixture(scope="module")
def proof_lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """A lab without hosts, whose resolver remembers who serves a zone while one of them is down."""
    lab = Lab.up(LabSpec(f"proofs-{os.getpid()}", (), (ZoneSpec(COM), ZoneSpec(ORG)), memory=60), print)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def second(proof_lab: Lab) -> Knot:
    """Knot, beside the lab's own servers."""
    return knot.start(proof_lab, [KNOT])


@pytest.fixture
def inside(proof_lab: Lab) -> Iterator[None]:
    """Be at the controller's place."""
    with proof_lab.inside():
        yield


@pytest.fixture(params=["powerdns by api", "powerdns by updates", "knot by updates"])
def primary(request: pytest.FixtureRequest, proof_lab: Lab, second: Knot) -> Primary:
    """Each of the servers in turn, each in each way that it is spoken to."""
    make = {
        "powerdns by api": partial(primaries.powerdns_by_api, proof_lab, COM),
        "powerdns by updates": partial(primaries.powerdns_by_updates, proof_lab, COM),
        "knot by updates": partial(primaries.knot_by_updates, second, KNOT),
    }
    return make[request.param]()


Declare = Callable[..., Inventory]
Prove = Callable[..., DnsProof]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Return what writes an inventory of domains at these primaries, with a host each."""

    def written(*primaries: Primary) -> Inventory:
        (tmp_path / "group_data").mkdir(exist_ok=True)
        for name, secret in (pair for primary in primaries for pair in primary.secrets.items()):
            (tmp_path / name).write_text(secret)
        names = {primary.zone: primary.zone.replace(".", "-") for primary in primaries}
        shared = {
            "dns": {names[primary.zone]: dict(primary.entry) for primary in primaries},
            "domains": {primary.zone: {"dns": names[primary.zone]} for primary in primaries},
            "key_store": {"unencrypted": UNENCRYPTED},
        }
        lines = (f"{key} = {pformat(value)}\n" for key, value in shared.items())
        (tmp_path / "group_data/all.py").write_text("".join(lines))
        hosts = [
            (f"mx.{p.zone}", {"egress": [{"public": f"203.0.113.{n}"}], "tls": "acme"})
            for n, p in enumerate(primaries, 1)
        ]
        (tmp_path / "inventory.py").write_text(f"senders = {pformat(hosts)}\n")
        return inventory.load(tmp_path)

    return written


@pytest.fixture
def internet(proof_lab: Lab) -> Internet:
    """The lab's."""
    return Internet(query, lambda: proof_lab.resolver)


@pytest.fixture
def prove(internet: Internet, inside: None) -> Prove:  # noqa: ARG001 - requested for its place
    """Return what makes the proof of a run."""

    def made(declared: Inventory, patience: timedelta = PATIENCE) -> DnsProof:
        return DnsProof(declared, StateFolder.of(declared), Progress(held=True), internet, patience=patience)

    return made


def _challenge(name: str, which: str = "first") -> Challenge:
    return Challenge(name, "dns-01", which, f"{which}.thumbprint")


def _served(lab: Lab, zone: str, name: str) -> dict[str, set[str]]:
    """Return what each address of each authoritative server has at a name."""
    found = {}
    for server in discover(zone, query, lab.resolver):
        there = record_set(query(Question(server.address, name, "TXT")), name, "TXT")
        found[server.address] = {value.strip('"') for value in there.values} if there else set()
    return found


def _gone(lab: Lab, zone: str, name: str) -> bool:
    """Whether that is so at every server within a while: a secondary comes later."""
    deadline = time.monotonic() + 20
    while any(_served(lab, zone, name).values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not any(_served(lab, zone, name).values())


def _put(declared: Inventory, primary: Primary, found: RecordSet, before: RecordSet | None = None) -> None:
    primary.provider(declared.folder).apply(primary.zone, [Edit(found.name, found.type, before, found)])


def test_an_answer_is_at_every_address_of_every_server_before_the_authority_is_told(
    proof_lab: Lab, primary: Primary, declare: Declare, prove: Prove
) -> None:
    """Two at one name, and one of another name; nothing is left of them, neither served nor remembered."""
    declared, host = declare(primary), f"mx.{primary.zone}"
    asked = (_challenge(host), _challenge(host, "second"), _challenge(f"mta-sts.{primary.zone}"))

    with prove(declared)(asked):
        one = _served(proof_lab, primary.zone, f"_acme-challenge.{host}")
        other = _served(proof_lab, primary.zone, f"_acme-challenge.mta-sts.{primary.zone}")

    assert len(one) >= 2
    assert set(map(frozenset, one.values())) == {frozenset({asked[0].record_text, asked[1].record_text})}
    assert set(map(frozenset, other.values())) == {frozenset({asked[2].record_text})}
    assert _gone(proof_lab, primary.zone, f"_acme-challenge.{host}")
    assert StateFolder.of(declared).claims() == ()


def test_what_others_have_at_the_name_stays(proof_lab: Lab, primary: Primary, declare: Declare, prove: Prove) -> None:
    """Before, while and after: another program may prove the same name."""
    declared, host = declare(primary), f"mx{time.time_ns()}.{primary.zone}"
    at = f"_acme-challenge.{host}"
    _put(declared, primary, RecordSet(at, "TXT", 120, ('"somebody else"',)))

    with prove(declared)((_challenge(host),)):
        meanwhile = _served(proof_lab, primary.zone, at)
    (left,) = primary.provider(declared.folder).read(primary.zone, [(at, "TXT")])

    assert set(map(frozenset, meanwhile.values())) == {frozenset({_challenge(host).record_text, "somebody else"})}
    assert left == RecordSet(at, "TXT", 120, ('"somebody else"',))


def test_a_secondary_that_is_held_back_is_named_and_nothing_is_left(
    proof_lab: Lab, primary: Primary, declare: Declare, prove: Prove
) -> None:
    """The authority might ask it, and counts what fails: so it is not told at all."""
    declared, host = declare(primary), f"mx{time.time_ns()}.{primary.zone}"
    primary.hold()
    try:
        with (
            pytest.raises(NotShown, match=rf"TXT _acme-challenge\.{host}: ns2\..* does not have it yet") as caught,
            prove(declared, timedelta(seconds=3))((_challenge(host),)),
        ):
            raise AssertionError
    finally:
        primary.release()

    assert "ns1." not in str(caught.value)
    assert _gone(proof_lab, primary.zone, f"_acme-challenge.{host}")
    assert StateFolder.of(declared).claims() == ()


def test_a_secondary_that_comes_late_is_waited_for(
    proof_lab: Lab, primary: Primary, declare: Declare, prove: Prove
) -> None:
    """As long as the patience lasts."""
    declared, host = declare(primary), f"mx{time.time_ns()}.{primary.zone}"
    primary.hold()
    timer = threading.Timer(3, primary.release)
    timer.start()
    try:
        with prove(declared)((_challenge(host),)):
            seen = _served(proof_lab, primary.zone, f"_acme-challenge.{host}")
    finally:
        timer.join()

    assert all(seen.values())


def test_a_secondary_that_is_down_is_named_and_nothing_is_left(proof_lab: Lab, declare: Declare, prove: Prove) -> None:
    """Nobody knows what it will say when it is up again."""
    primary = primaries.powerdns_by_api(proof_lab, COM)
    declared, host = declare(primary), f"mx.{COM}"
    _served(proof_lab, COM, COM)
    proof_lab.world.run(["systemctl", "stop", "pdns@secondary"])
    try:
        with (
            pytest.raises(NotShown, match=r"ns2\..* does not answer"),
            prove(declared, timedelta(seconds=1))((_challenge(host),)),
        ):
            raise AssertionError
        claims = StateFolder.of(declared).claims()
    finally:
        proof_lab.world.run(["systemctl", "start", "pdns@secondary"])

    assert claims == ()
    assert _gone(proof_lab, COM, f"_acme-challenge.{host}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_controller_that_is_killed_leaves_nothing_that_the_next_run_does_not_find(
    proof_lab: Lab, second: Knot, declare: Declare, prove: Prove, moment: str
) -> None:
    """By the ledger, in all of its zones; a value of somebody else's at the same name stays."""
    com, other = primaries.powerdns_by_updates(proof_lab, COM), primaries.knot_by_updates(second, KNOT)
    declared = declare(com, other)
    names = (f"mx{time.time_ns()}.{COM}", f"mx{time.time_ns()}.{KNOT}")
    at = f"_acme-challenge.{names[0]}"
    _put(declared, com, RecordSet(at, "TXT", 60, ('"somebody else"',)))

    argv = [sys.executable, "-c", _KILLED, moment, str(declared.folder), *names]
    died = proof_lab.run(argv, check=False)
    remembered = StateFolder.of(declared).claims()
    with prove(declared)((_challenge(f"mta-sts.{COM}", "next"), _challenge(f"mta-sts.{KNOT}", "next"))):
        meanwhile, until = _served(proof_lab, COM, at), time.monotonic() + 20
        # A secondary may be on its way to the version in which what others have stands alone again.
        while any(found != {"somebody else"} for found in meanwhile.values()) and time.monotonic() < until:
            meanwhile = _served(proof_lab, COM, at)
    (left,) = com.provider(declared.folder).read(COM, [(at, "TXT")])

    assert died.returncode in {-9, 137}, died.stderr
    assert remembered
    assert set(map(frozenset, meanwhile.values())) == {frozenset({"somebody else"})}
    assert left.values == ('"somebody else"',)
    assert _gone(proof_lab, KNOT, f"_acme-challenge.{names[1]}")
    assert StateFolder.of(declared).claims() == ()


def test_an_alias_is_followed_into_another_zone_of_ours_or_refused(
    proof_lab: Lab, declare: Declare, prove: Prove, second: Knot
) -> None:
    """Where it leads to somebody else's zone nothing is written."""
    com, other = primaries.powerdns_by_updates(proof_lab, COM), primaries.knot_by_updates(second, KNOT)
    declared, host, target = declare(com, other), f"mx{time.time_ns()}.{COM}", f"proofs.{KNOT}"
    alias = RecordSet(f"_acme-challenge.{host}", "CNAME", 60, (f"{target}.",))
    _put(declared, com, alias)

    with prove(declared)((_challenge(host),)):
        seen = _served(proof_lab, KNOT, target)
    _put(declared, com, RecordSet(alias.name, "CNAME", 60, (f"proofs.{ORG}.",)), alias)
    with pytest.raises(NotShown, match=f"CNAME.* of proofs.{ORG}"), prove(declared)((_challenge(host),)):
        raise AssertionError

    assert set(map(frozenset, seen.values())) == {frozenset({_challenge(host).record_text})}
    assert _gone(proof_lab, KNOT, target)


@contextmanager
def _published(lab: Lab, *records: RRset) -> Iterator[None]:
    lab.primary.replace(COM, records)
    try:
        yield
    finally:
        lab.primary.replace(COM, [RRset(r.name, r.type, 0, ()) for r in records])


def test_a_name_leads_where_real_servers_say(
    proof_lab: Lab,
    internet: Internet,
    declare: Declare,
    inside: None,  # noqa: ARG001 - requested for its place
) -> None:
    """From the root down, signed zones and all; a resolver learns nothing of it."""
    declared = declare(primaries.powerdns_by_updates(proof_lab, COM))
    tls = declared.stack.hosts[0].tls.model_copy(update={"challenge": "http-01"})
    stack = declared.stack.model_copy(update={"hosts": (declared.stack.hosts[0].model_copy(update={"tls": tls}),)})
    host, at = stack.hosts[0], f"mx.{COM}"

    def why() -> str:
        return str(unprovable(stack, host, [at], internet).get(at, ""))

    absent = why()
    with _published(proof_lab, RRset(at, "A", 60, ("203.0.113.1",))):
        deadline = time.monotonic() + 20
        while (there := why()) and time.monotonic() < deadline:
            time.sleep(0.2)
        proof_lab.hold_secondary()
    with _published(proof_lab, RRset(at, "A", 60, ("203.0.113.1", "198.51.100.7"))):
        elsewhere = why()
        proof_lab.release_secondary()

    assert "it has no address at ns1." in absent
    assert there == ""
    assert "it leads to 198.51.100.7, which is no address of" in elsewhere
