"""``sendwright dns`` at a zone that lives: what others have in it stays as it is, what is ours comes and goes."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.query
import dns.tsig
import dns.update
import dns.zone
import pytest

from sendwright.lab import Lab, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary
from sendwright.rehearse import World

pytestmark = pytest.mark.lab

# What a server writes by itself.
_SIGNING = {"SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "TYPE65534"}
NO_CHANGES = "no changes\n"
SPF = '"v=spf1 include:_spf.{zone} ip4:198.51.100.7 ~all"'
MERGED = '"v=spf1 ip4:203.0.113.1 include:_spf.{zone} ip4:198.51.100.7 ~all"'
ONE_IS_ENOUGH = pytest.mark.parametrize("primary", ["powerdns by api"], indirect=True)


@dataclass(frozen=True, order=True)
class Line:
    """One record as it is transferred."""

    name: str
    ttl: int
    type: str
    data: str

    def is_spf_of(self, domain: str) -> bool:
        """Whether it is an SPF record of that name."""
        return (self.name, self.type) == (domain, "TXT") and self.data.startswith('"v=spf1')


@dataclass(frozen=True)
class Master:
    """A zone at its primary, as somebody else sees and changes it, with a library alone."""

    lab: Lab
    server: str
    zone: str

    def lines(self) -> frozenset[Line]:
        """Return what stands in the zone, without serial number and signatures."""
        with self.lab.inside():
            answer = dns.query.xfr(self.server, self.zone, keyring=self._keyring, relativize=False, lifetime=20)
            found = dns.zone.from_xfr(answer, relativize=False)
        lines = (Line(str(n)[:-1], ttl, d.rdtype.name, d.to_text()) for n, ttl, d in found.iterate_rdatas())
        return frozenset(line for line in lines if line.type not in _SIGNING)

    def change(self, going: Collection[Line], coming: Collection[Line]) -> None:
        """Take records out, and put records in."""
        message = dns.update.UpdateMessage(self.zone, keyring=self._keyring)
        for line in going:
            message.delete(line.name + ".", line.type, line.data)
        for line in coming:
            message.add(line.name + ".", line.ttl, line.type, line.data)
        with self.lab.inside():
            assert dns.query.tcp(message, self.server, timeout=20).rcode() == 0

    @property
    def _keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        key = dns.tsig.Key(self.lab.tsig_name, self.lab.tsig_secret, self.lab.tsig_algorithm)
        return {key.name: key}


def foreign(zone: str) -> frozenset[Line]:
    """Return what others have published in a zone before us."""
    return frozenset(
        Line(f"{label}{zone}", ttl, kind, data)
        for label, ttl, kind, data in (
            ("", 300, "TXT", SPF.format(zone=zone)),
            ("", 300, "TXT", '"site-verification=0123456789abcdef"'),
            ("", 300, "TXT", '"in two " "pieces; and \\"quoted\\""'),
            ("", 900, "MX", f"10 mx.elsewhere.{zone}."),
            ("mx.elsewhere.", 900, "A", "198.51.100.25"),
            ("_spf.", 900, "TXT", '"v=spf1 ip4:198.51.100.0/24 -all"'),
            ("*.", 60, "TXT", '"v=spf1 -all"'),
            ("*.", 60, "A", "198.51.100.80"),
            ("www.", 60, "CNAME", f"mx.elsewhere.{zone}."),
            ("old._domainkey.", 3600, "TXT", '"v=DKIM1; p=" "' + "A" * 200 + '"'),
        )
    )


@pytest.fixture
def master(dns_lab: Lab, second: Knot, primary: Primary) -> Iterator[Master]:
    """The zone of a primary, alive with records of others; empty again at the end."""
    server = dns_lab.primary.address if primary.zone not in second.public else second.address
    master = Master(dns_lab, server, primary.zone)
    empty = master.lines()
    master.change((), foreign(primary.zone))
    yield master
    now = master.lines()
    master.change(now - empty, empty - now)


def run(world: World, verb: str, *argv: str, status: int = 0) -> str:
    """Run a verb of DNS, which has to end with that exit code; return all that it said."""
    done = world.sendwright("dns", verb, str(world.folder), *argv)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def claims(ledger: Path) -> set[tuple[str, str, str]]:
    """Return what a ledger says is ours."""
    return {(c["name"], c["type"], c["value"]) for c in json.loads(ledger.read_text())}


def test_the_records_of_others_stay_and_ours_join_them(
    master: Master, primary: Primary, declare: Callable[..., World], tmp_path: Path
) -> None:
    """Byte for byte; the one SPF record is merged; then nothing is left to do, and undo gives the zone as it was."""
    world, zone = declare(tmp_path, primary), primary.zone
    before = master.lines()

    plan = run(world, "plan", "--detailed-exitcode", status=3)
    planned = master.lines()
    run(world, "apply", "--yes", "--no-wait")
    after = master.lines()
    again = run(world, "plan", "--detailed-exitcode")
    run(world, "undo", "--yes")
    undone = master.lines()
    run(world, "undo", "--yes")
    redone = master.lines()

    assert f"~ {zone}  TXT {zone} SPF with ip4:203.0.113.1" in plan
    assert planned == before >= foreign(zone)
    (theirs,) = before - after
    assert (theirs.name, theirs.type, theirs.data) == (zone, "TXT", SPF.format(zone=zone))
    assert [line.data for line in after if line.is_spf_of(zone)] == [MERGED.format(zone=zone)]
    selectors = {line.name.partition("._domainkey.")[0] for line in after - before if "._domainkey." in line.name}
    assert {name[0] for name in selectors} == {"r", "e"}
    assert again.startswith(NO_CHANGES)
    assert undone == before
    assert redone == after


@ONE_IS_ENOUGH
def test_what_a_lost_ledger_held_stands_until_it_is_adopted(
    master: Master, primary: Primary, declare: Callable[..., World], tmp_path: Path
) -> None:
    """Nothing is withdrawn or replaced, and the plan says what stands; adopted, it is changed as ours again."""
    world, zone = declare(tmp_path, primary), primary.zone
    ledger = tmp_path / "state/claims.json"
    run(world, "apply", "--yes", "--no-wait")
    before, known = master.lines(), claims(ledger)
    ledger.unlink()
    declare(tmp_path, primary, dmarc={"rua": [f"mailto:reports@{zone}"]})

    stands = run(world, "plan")
    run(world, "apply", "--yes", "--no-wait")
    kept = master.lines()
    adopted = run(world, "adopt", "--yes")
    unwritten, again = master.lines(), claims(ledger)
    run(world, "apply", "--yes", "--no-wait")
    after = master.lines()

    assert "somebody else's DMARC record stays as it is" in stands
    assert "sendwright dns adopt makes that record ours to change" in stands
    assert kept == unwritten == before
    # Their verdict was not ours to write, but it is the declared one.
    assert again == known | {(zone, "TXT", "~all")}
    assert adopted.count("\n  + ") == len(again)
    assert before - after == {Line(f"_dmarc.{zone}", 3600, "TXT", '"v=DMARC1; p=none"')}
    assert after - before == {
        Line(f"_dmarc.{zone}", 3600, "TXT", f'"v=DMARC1; p=none; rua=mailto:reports@{zone}"'),
    }
    assert run(world, "plan", "--detailed-exitcode").startswith(NO_CHANGES)


@ONE_IS_ENOUGH
def test_a_saved_plan_is_carried_out_as_it_is_or_not_at_all(
    master: Master, primary: Primary, declare: Callable[..., World], tmp_path: Path
) -> None:
    """Somebody changed the record that it merges with: refused, and that record named. What others add is no reason."""
    world, zone, plan = declare(tmp_path / "mail", primary), primary.zone, str(tmp_path / "plan.json")
    (spf,) = (line for line in foreign(zone) if line.is_spf_of(zone))
    stricter = replace(spf, data=spf.data.replace("~all", "-all"))
    aside = Line(zone, 300, "TXT", '"another-verification=1"')
    run(world, "plan", "--out", plan)

    master.change([spf], [stricter])
    changed = master.lines()
    refused = run(world, "apply", "--plan", plan, status=1)
    untouched = master.lines()
    keys = [*(tmp_path / "mail/state").glob("keys/**/*.pem")]
    master.change([stricter], [spf, aside])
    run(world, "apply", "--plan", plan, "--no-wait")

    assert untouched == changed
    assert keys == []
    assert "the world is not as the saved plan has it, so nothing was changed." in refused
    assert f"~ {zone}: TXT {zone} SPF with ip4:203.0.113.1: differs" in refused
    assert master.lines() >= foreign(zone) - {spf} | {aside}
    assert [line.data for line in master.lines() if line.is_spf_of(zone)] == [MERGED.format(zone=zone)]
    assert run(world, "plan", "--detailed-exitcode").startswith(NO_CHANGES)


def test_a_server_that_nobody_is_led_to_is_warned_of(
    second: Knot, declare: Callable[..., World], tmp_path: Path
) -> None:
    """It keeps a zone of that name, but the public delegation leads to others: both are named, and the plan is made."""
    stray = primaries.knot_by_updates(second, second.strays[0])

    plan = run(declare(tmp_path, stray), "plan", "--detailed-exitcode", status=3)

    assert (
        f"zone {stray.zone}: the public delegation leads to ns1.sendwright-lab.example, ns2.sendwright-lab.example, "
        f"but {stray.provider(tmp_path).title} keeps it for ns.{stray.zone}: "
    ) in " ".join(plan.split())
