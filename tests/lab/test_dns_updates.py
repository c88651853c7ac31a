"""Records are read, changed and waited for at real servers: PowerDNS and Knot, which differ in what they answer."""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sendwright.dns.diff import diff, wanted
from sendwright.dns.edits import claims_of, edits
from sendwright.dns.freshness import Progress, Target, Timing, fresh_at
from sendwright.dns.propagation import World, timings, wait
from sendwright.dns.providers.base import Edit, Provider, RecordSet, open_provider
from sendwright.dns.rdata import txt
from sendwright.dns.records import Record
from sendwright.dns.reverse import needed, reverses
from sendwright.dns.transport import query
from sendwright.errors import NotAllowed, WorldMoved
from sendwright.lab import Lab
from sendwright.providers import Rfc2136
from sendwright.stack import Host

pytestmark = pytest.mark.lab

ZONE = "example.com"
KNOT_PORT = 5300
KNOT = """server:
  rundir: /var/lib/knot
  listen: {address}@{port}
database:
  storage: /var/lib/knot
key:
  - id: {key}
    algorithm: {algorithm}
    secret: {secret}
acl:
  - id: update
    key: {key}
    action: update
zone:
  - domain: example.com
    storage: /var/lib/knot
    file: example.com.zone
    acl: update
    dnssec-signing: on
"""
KNOT_ZONE = """@ 60 SOA ns1 h 1 60 5 604800 2
@ 60 NS ns1
ns1 60 A 192.0.2.1
@ 60 TXT "v=spf1 ip4:203.0.113.10 -all"
"""


@pytest.fixture(scope="module")
def knot(lab: Lab) -> Iterator[None]:
    """Run Knot beside the lab's own servers, with a zone of its own and the lab's key."""
    names = {"key": lab.tsig_name, "algorithm": lab.tsig_algorithm, "secret": lab.tsig_secret}
    folder = lab.world.root / "var/lib/knot"
    (folder / "knot.conf").write_text(KNOT.format(address=lab.primary.address, port=KNOT_PORT, **names))
    (folder / "example.com.zone").write_text(KNOT_ZONE)
    lab.world.run(["chown", "-R", "knot:", "/var/lib/knot"])
    control = ["knotc", "-c", "/var/lib/knot/knot.conf"]
    lab.world.run(["systemd-run", "--unit=knot-test", "--uid=knot", "knotd", "-c", "/var/lib/knot/knot.conf"])
    for _ in range(50):
        if lab.world.run([*control, "zone-status", ZONE], check=False).returncode == 0:
            break
        time.sleep(0.1)
    else:
        pytest.fail(lab.world.run(["journalctl", "-u", "knot-test", "-n", "20"], check=False).stdout)
    yield
    lab.world.run(["systemctl", "stop", "knot-test"])


def _provider(lab: Lab, folder: Path, port: int, *, name: str = "", secret: str = "") -> Provider:
    (folder / "tsig").write_text(secret or lab.tsig_secret)
    tsig = {"name": name or lab.tsig_name, "secret": {"file": "tsig"}, "algorithm": lab.tsig_algorithm}
    config = {"provider": "rfc2136", "server": lab.primary.address, "port": port, "tsig": tsig}
    return open_provider(Rfc2136.model_validate(config), folder)


@pytest.fixture(params=["powerdns", "knot"])
def port(request: pytest.FixtureRequest) -> int:
    """Return the port of either server."""
    if request.param == "powerdns":
        return 53
    request.getfixturevalue("knot")
    return KNOT_PORT


@pytest.fixture
def inside(lab: Lab) -> Iterator[None]:
    """Be at the controller's place."""
    with lab.inside():
        yield


@pytest.fixture
def provider(lab: Lab, port: int, tmp_path: Path, inside: None) -> Provider:  # noqa: ARG001 - requested for its place
    """Return the provider of either server."""
    return _provider(lab, tmp_path, port)


def _swap(provider: Provider, name: str, rdtype: str, after: RecordSet | None) -> None:
    before = next(iter(provider.read(ZONE, [(name, rdtype)])), None)
    provider.apply(ZONE, [Edit(name, rdtype, before, after)])


def test_values_are_created_changed_and_withdrawn(provider: Provider) -> None:
    """What is read afterwards is what was written, long TXT data and TTLs included."""
    key = f"r1._domainkey.{ZONE}"
    long, short = (RecordSet(key, "TXT", ttl, (txt(text),)) for ttl, text in ((3600, "p=" + "A" * 700), (60, "p=B")))

    _swap(provider, key, "TXT", long)
    (created,) = provider.read(ZONE, [(key, "TXT")])
    _swap(provider, key, "TXT", short)
    changed = provider.read(ZONE, [(key, "TXT")])
    _swap(provider, key, "TXT", RecordSet(key, "TXT", 120, short.values))
    (retimed,) = provider.read(ZONE, [(key, "TXT")])
    _swap(provider, key, "TXT", None)

    assert (created.ttl, [len(part) for part in created.values[0].split('" "')]) == (3600, [256, 255, 193])
    assert changed == (short,)
    assert retimed.ttl == 120
    assert provider.read(ZONE, [(key, "TXT")]) == ()


def test_a_lost_race_is_refused_whole(provider: Provider) -> None:
    """Somebody else's change since the reading is never overwritten, and nothing else of the update is applied."""
    name, other = f"race.{ZONE}", f"other.{ZONE}"
    theirs = RecordSet(name, "A", 60, ("203.0.113.1", "203.0.113.2"))
    _swap(provider, name, "A", theirs)
    stale = Edit(name, "A", RecordSet(name, "A", 60, ("203.0.113.1",)), None)
    absent = Edit(name, "A", None, theirs)
    harmless = Edit(other, "A", None, RecordSet(other, "A", 60, ("203.0.113.3",)))

    for edit in (stale, absent):
        with pytest.raises(WorldMoved):
            provider.apply(ZONE, [harmless, edit])

    assert provider.read(ZONE, [(name, "A"), (other, "A")]) == (theirs,)
    _swap(provider, name, "A", None)


@pytest.mark.parametrize("wrong", ["secret", "name"])
def test_a_wrong_key_is_explained_alike(lab: Lab, port: int, tmp_path: Path, inside: None, wrong: str) -> None:  # noqa: ARG001 - requested for its place
    """PowerDNS says REFUSED without a signature, Knot BADSIG or BADKEY: for a person it is one thing."""
    other = {"secret": base64.b64encode(b"x" * 32).decode(), "name": "nobody"}[wrong]
    refused = _provider(lab, tmp_path, port, **{wrong: other})

    with pytest.raises(NotAllowed) as caught:
        refused.apply(ZONE, [Edit(f"x.{ZONE}", "A", None, RecordSet(f"x.{ZONE}", "A", 60, ("203.0.113.1",)))])

    assert (
        f"does not let the TSIG key {'nobody' if wrong == 'name' else lab.tsig_name} change the zone"
        in caught.value.what
    )
    assert other not in str(caught.value) or wrong == "name"


def test_what_only_a_wildcard_answers_does_not_stand_at_the_name(provider: Provider) -> None:
    """Until it does: a name that is created with the wildcard's own value is then there (RFC 4592)."""
    wildcard, name = f"*.wild.{ZONE}", f"x.wild.{ZONE}"
    same = txt("same")
    _swap(provider, wildcard, "TXT", RecordSet(wildcard, "TXT", 60, (same,)))

    before = provider.read(ZONE, [(name, "TXT")])
    provider.apply(ZONE, [Edit(name, "TXT", None, RecordSet(name, "TXT", 60, (same,)))])
    after = provider.read(ZONE, [(name, "TXT")])

    assert (before, after) == ((), (RecordSet(name, "TXT", 60, (same,)),))
    for done in (name, wildcard):
        _swap(provider, done, "TXT", None)


def test_planning_again_after_applying_is_empty_and_others_values_stay(provider: Provider) -> None:
    """The whole way: zones, reading, diff, update, reading again."""
    desired = [
        Record(ZONE, "TXT", 3600, txt("ours=1"), "why"),
        Record(f"h.{ZONE}", "AAAA", 3600, "2001:db8::1", "why"),
        Record(f"_smtp._tls.{ZONE}", "TXT", 3600, txt("v=TLSRPTv1; rua=mailto:a@example.com"), "why"),
    ]
    assert set(provider.zones({r.name for r in desired}).values()) == {ZONE}
    served = provider.read(ZONE, wanted(ZONE, desired, []))
    plan = partial(diff, ZONE, now=datetime.now(UTC), retention=lambda _: timedelta())
    changes = plan(desired, served, [])
    claims = claims_of(changes, datetime.now(UTC), "main")

    provider.apply(ZONE, edits(changes, served))
    again = provider.read(ZONE, wanted(ZONE, desired, claims))

    assert plan(desired, again, claims).empty
    assert {v for s in served for v in s.values} <= {v for s in again for v in s.values}
    withdrawal = plan([], again, claims)
    provider.apply(ZONE, edits(withdrawal, again))
    assert provider.read(ZONE, wanted(ZONE, desired, claims)) == served


def test_a_value_is_waited_for_until_the_last_server_has_it(lab: Lab, tmp_path: Path, inside: None) -> None:  # noqa: ARG001 - requested for its place
    """A secondary that is held back is named; when it catches up, the value becomes fresh, and DNSSEC is sound."""
    name = f"slow._domainkey.{ZONE}"
    target = Target(ZONE, name, "TXT", txt("p=YQ=="))
    world = World.around([ZONE], query, lab.resolver)
    known = timings(world, [target])
    lab.hold_secondary()
    _swap(_provider(lab, tmp_path, 53), name, "TXT", RecordSet(name, "TXT", 60, (target.value,)))
    reports: list[Progress] = []

    def watch(seconds: float) -> Progress:
        return wait(
            world,
            known,
            timedelta(seconds=1),
            datetime.now(UTC) + timedelta(seconds=seconds),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            report=reports.append,
        )

    held = watch(0)
    lab.release_secondary()
    done = watch(20)
    _swap(_provider(lab, tmp_path, 53), name, "TXT", None)

    assert known == {target: Timing(negative=2)}
    assert len(world.servers[ZONE]) == 4
    assert all("ns2." in behind for behind in held.waiting[0].behind)
    assert done.done
    assert datetime.now(UTC) >= fresh_at(done.since[target], known[target], timedelta(seconds=1))


def test_the_pointers_of_the_labs_hosts_need_nothing(lab: Lab, inside: None) -> None:  # noqa: ARG001 - requested for its place
    """The lab's hosting provider has set them."""
    data = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
    hosts = [Host.model_validate(data)]

    assert needed(hosts, reverses(hosts, query, lab.resolver)) == ()
