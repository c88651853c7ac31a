"""What a run tells of TLS: nothing before it was seen, and nothing goes before it is forgotten."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from sendwright import certs, dns_run, inventory, issuing
from sendwright.dns.plan import Write
from sendwright.dns.providers.zonefile import MasterFiles
from sendwright.dns.transport import Question
from sendwright.inventory import Inventory
from sendwright.plan import Plan
from sendwright.pointing import shows
from sendwright.provision import Outcome, Settings
from sendwright.publication import Internet, Publication
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder
from sendwright.tlsa import spki_of_chain

COM, MX1, MX2 = "example.com", "mx1.example.com", "mx2.example.com"
SMTP, POLICY = f"_25._tcp.{MX1}", f"_mta-sts.{COM}"
ONE = f'senders = [("{MX1}", {{"egress": [{{"public": "203.0.113.10"}}], "tls": "acme"}})]\n'
BOTH = ONE.replace("]\n", f', ("{MX2}", {{"egress": [{{"public": "203.0.113.11"}}], "tls": "acme"}})]\n')
SHARED = """
dns = {"main": {"provider": "zonefile", "folder": "zones", "margin": 0}}
domains = {"example.com": {"dns": "main", "mta_sts": {"mode": "MODE"}, "replace_mx": True}}
key_store = {"unencrypted": "I know that anybody who reads this folder can sign as us", "push": ["true"]}
"""
ENFORCED, TESTED = SHARED.replace("MODE", "enforce"), SHARED.replace("MODE", "testing")
ZONE = """\
example.com.     3600 IN SOA ns.example.com. me.example.com. 2026010100 3600 600 86400 60
example.com.     3600 IN NS  ns.example.com.
ns.example.com.  3600 IN A   192.0.2.53
"""
NOW = datetime.now(UTC)
Written = Callable[[str, str, str], Inventory]


@dataclass
class Served:
    """A name server, and a resolver, that answer what stands in the zone's file; ``asked``: what the latter was."""

    folder: Path
    signed: bool = True
    asked: list[Question] = field(default_factory=list)

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer one question."""
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AA
        if question.recurse:
            self.asked.append(question)
            answer.flags |= dns.flags.AD if self.signed else 0
        found = MasterFiles(self.folder, 0).read(COM, {(question.name, question.type)})
        answer.answer = [dns.rrset.from_text(s.name + ".", s.ttl, "IN", s.type, *s.values) for s in found]
        return answer


class World:
    """An inventory whose zone is a file, its state folder with a certificate, and runs over it."""

    def __init__(self, declared: Inventory) -> None:
        self.declared = declared
        self.folder = StateFolder.of(declared)
        self.served = Served(declared.folder / "zones")

    def certify(self, *, mode: str = "acme", key: bytes | None = None) -> str:
        """Have a certificate of that key, or of another; return the digest of it."""
        made, pem = certs.issue(self.declared.stack.host(MX1), NOW, None, key)
        self.folder.save_certificate(replace(made, mode=mode), pem)
        return spki_of_chain(made.chain)

    def make_next(self) -> str:
        """Make a key ahead; return its digest."""
        return issuing.make_next(self.declared.stack.host(MX1), self.folder, NOW).spki

    def promote(self) -> None:
        """Have a certificate of the next key."""
        (coming,) = self.folder.next_keys()
        self.certify(key=self.folder.open(coming.key))
        self.folder.forget_next_key(MX1)

    def publication(self, at: datetime = NOW) -> Publication:
        """Return a run that begins then."""
        internet = Internet(self.served, lambda: "127.0.0.1")
        return Publication(self.declared, self.folder, Progress(), at, internet=internet)

    def run(
        self,
        shown: Collection[str] = (),
        policies: Collection[str] = (),
        *,
        at: datetime = NOW,
    ) -> tuple[str, ...]:
        """Go through all stages; return what is waited for."""
        run = self.publication(at)
        run.look(())
        run.expand(self.folder.load(), {}, ())
        run.point(lambda _: True)

        def allowed(write: Write) -> bool:
            return shows(write, shown, policies)

        waiting = run.switch((), allowed, stay=False)
        return (*waiting, *run.withdraw((), clocks=True, addresses=(), shown=shown))

    def values(self, name: str, rdtype: str) -> frozenset[str]:
        """Return what stands at a name."""
        found = MasterFiles(self.declared.folder / "zones", 0).read(COM, {(name, rdtype)})
        return frozenset(found[0].values if found else ())

    def keys(self) -> set[str]:
        """Return the digests that are told of for port 25."""
        return {value.removeprefix("3 1 1 ").lower() for value in self.values(SMTP, "TLSA")}


@pytest.fixture
def world(written: Written) -> World:
    """Return one host whose domain's policy is in testing."""
    return World(written(ONE, TESTED, ZONE))


@pytest.fixture
def enforced(written: Written) -> World:
    """Return one host whose domain's policy is enforced, and that is told of."""
    found = World(written(ONE, ENFORCED, ZONE))
    found.certify()
    found.run({MX1}, {COM})
    return found


def _grown(world: World) -> World:
    """Return the same inventory with another host."""
    (world.declared.folder / "inventory.py").write_text(BOTH)
    return World(inventory.load(world.declared.folder))


def test_no_key_is_told_of_before_it_was_seen_from_outside(world: World) -> None:
    """Not one that the folder knows, nor the self-signed one that a host begins with; then the next one, too."""
    world.certify(mode="self-signed")
    world.make_next()
    world.run({MX1})
    begun = world.keys()
    current = world.certify()

    waiting = world.run()
    unseen = world.keys()
    world.run({MX1})

    assert begun == unseen == set()
    assert any("until its host is seen from outside to show its key" in line for line in waiting)
    assert world.keys() == {current, *(k.spki for k in world.folder.next_keys())}


def test_no_key_is_told_of_in_a_zone_that_is_not_signed(world: World) -> None:
    """The plan says so; and a zone that is no longer signed is no reason to take back what was told."""
    current = world.certify()
    world.served.signed = False
    run = world.publication()
    run.look(())
    (note,) = (n for n in run.zones.notes if MX1 in n)
    world.run({MX1})
    nothing = world.keys()
    world.served.signed = True
    world.run({MX1})
    world.served.signed = False
    world.run({MX1}, at=NOW + timedelta(days=1))

    assert "sign it with DNSSEC" in note
    assert nothing == set()
    assert world.keys() == {current}


def test_an_old_key_goes_when_its_clock_has_run_out_that_starts_when_another_is_shown(world: World) -> None:
    """While the host is not seen to show the new one, any time may pass."""
    old = world.certify()
    new = world.make_next()
    world.run({MX1})
    world.promote()
    later = world.make_next()

    world.run(at=NOW + timedelta(days=9))
    unseen = world.keys()
    (held,) = (line for line in world.run({MX1}) if "TLSA" in line)
    world.run({MX1}, at=datetime.now(UTC) + timedelta(minutes=9))
    early = world.keys()
    world.run((), at=datetime.now(UTC) + timedelta(minutes=11))
    not_shown = world.keys()
    world.run({MX1}, at=datetime.now(UTC) + timedelta(minutes=11))

    assert unseen == {old, new}
    assert "senders may know its host by that key" in held
    assert early == not_shown == {old, new, later}
    assert world.keys() == {new, later}


def test_what_was_withdrawn_counts_as_told_until_caches_have_forgotten_it(world: World) -> None:
    """A host whose port is taken out of dane may change its key only then."""
    world.certify()
    world.run({MX1})
    inventory_file = world.declared.folder / "inventory.py"
    inventory_file.write_text(ONE.replace('"tls"', '"dane": [], "tls"'))
    world = World(inventory.load(world.declared.folder))

    world.run()
    world.run(at=NOW + timedelta(hours=1))

    (claim,) = (c for c in world.folder.claims() if c.type == "TLSA")
    assert world.keys() == set()
    assert claim.withdrawn
    run = world.publication()
    run.look(())
    assert run.tlsa_known(MX1).told


def test_the_next_key_is_fresh_when_no_cache_can_hold_records_without_it(world: World) -> None:
    """That is the TTL of the records or that of denials, counted from when every server had it."""
    current, coming = world.certify(), world.make_next()
    run = world.publication()
    run.look(())
    before = run.tlsa_known(MX1), run.tlsa_fresh_at(MX1, NOW)

    world.run({MX1})
    run.look(())

    assert before[0].served == frozenset()
    assert before[1] is None
    assert run.tlsa_known(MX1).served == {current, coming}
    assert run.tlsa_fresh_at(MX1, NOW) == NOW + timedelta(seconds=300)


def test_no_resolver_is_asked_for_keys_before_they_stand(world: World) -> None:
    """It would remember that there are none; and the zone is asked about once a run."""
    world.certify()
    run = world.publication()

    run.look(())
    run.tlsa_known(MX1)
    run.look(())

    assert not [q for q in world.served.asked if q.type == "TLSA"]
    assert len([q for q in world.served.asked if q.type == "SOA" and q.name == COM]) == 1


def test_a_policy_is_told_of_when_it_was_seen_to_be_served(world: World) -> None:
    """Its addresses are there before."""
    waiting = world.run()
    untold = world.values(POLICY, "TXT")
    world.run(policies={COM})

    assert world.values(f"mta-sts.{COM}", "A") == {"203.0.113.10"}
    assert untold == frozenset()
    assert any("until every host of the domain is seen from outside to serve the policy" in line for line in waiting)
    (told,) = world.values(POLICY, "TXT")
    assert told.startswith('"v=STSv1; id=')


def test_dns_alone_tells_of_a_further_key_and_of_nothing_that_was_never_seen(world: World) -> None:
    """A key beside one that stands harms nobody; the first, a policy, and a withdrawal ask for a look at the hosts."""

    def apply() -> Outcome:
        internet = Internet(world.served, lambda: "127.0.0.1")

        def approve(_: Plan) -> bool:
            return True

        return dns_run.apply(world.declared, Settings(wait=False), Progress(), approve, internet=internet)

    old = world.certify()
    first = apply()
    nothing = world.keys()
    world.run({MX1})
    new = world.make_next()
    apply()
    both = world.keys()
    world.promote()
    world.folder.mark(replace(c, left=NOW - timedelta(days=1)) for c in world.folder.claims() if old in c.value)
    last = apply()

    assert nothing == set()
    assert any(f"TLSA {SMTP}" in note and "sees from outside" in note for note in first.plan.notes)
    assert any(f"TXT {POLICY}" in note and "sees from outside" in note for note in first.plan.notes)
    assert both == world.keys() == {old, new}
    assert any(f"withdraw TLSA {SMTP}" in note for note in last.plan.notes)


def test_a_key_that_is_told_of_again_is_new_to_senders_whoever_writes_it(world: World) -> None:
    """Its record was gone for a while: caches may hold the set without it, and it must not be used on old times."""
    world.certify()
    coming = world.make_next()
    world.run({MX1})
    (remembered,) = world.folder.next_keys()
    world.folder.save_next_key(replace(remembered, fresh_at=NOW))
    (zone,) = (world.declared.folder / "zones").iterdir()
    zone.write_text("".join(line for line in zone.read_text().splitlines(True) if coming not in line.lower()))
    gone = world.keys()
    internet = Internet(world.served, lambda: "127.0.0.1")

    dns_run.apply(world.declared, Settings(wait=False), Progress(), lambda _: True, internet=internet)

    again = world.keys()
    assert coming in again - gone
    assert [key.fresh_at for key in world.folder.next_keys()] == [None]


def test_another_exchange_waits_until_senders_know_the_policy_that_names_it(enforced: World) -> None:
    """They would not deliver to it before, and the first run that has it tells of that policy."""
    before = enforced.values(COM, "MX"), enforced.values(POLICY, "TXT")
    world = _grown(enforced)

    (first,) = (line for line in world.run(policies={COM}) if " MX " in line)
    told = world.values(POLICY, "TXT")
    (second,) = (line for line in world.run(policies={COM}) if " MX " in line)
    waited = world.values(COM, "MX")
    _age(world, timedelta(minutes=6))
    world.run(policies={COM})

    assert before[0] == waited == {f"10 {MX1}."}
    assert "until no sender remembers an older policy" in first
    assert "until no sender remembers an older policy" in second
    assert told != before[1]
    assert world.values(COM, "MX") == {f"10 {MX1}.", f"10 {MX2}."}


def test_another_exchange_waits_for_a_policy_that_nobody_serves_yet(enforced: World) -> None:
    """However long."""
    world = _grown(enforced)

    (line,) = (line for line in world.run() if " MX " in line)
    world.run(at=NOW + timedelta(days=9))

    assert "until senders are told of the policy" in line
    assert world.values(COM, "MX") == {f"10 {MX1}."}


def test_another_exchange_waits_although_the_ledger_was_lost(enforced: World) -> None:
    """Senders hold the domain to the policy that they were told of; adopting its record goes on from there."""
    world = _grown(enforced)
    world.folder.release(c for c in world.folder.claims() if c.name == POLICY)

    (line,) = (line for line in world.run(policies={COM}) if " MX " in line)
    run = world.publication()
    run.look(())
    offers = [offer.name for offer in run.zones.found[COM].changes.offers]

    assert "until senders are told of the policy" in line
    assert world.values(COM, "MX") == {f"10 {MX1}."}
    assert POLICY in offers


def test_a_run_that_waits_writes_the_exchange_itself(enforced: World) -> None:
    """Once the policy is known, in the same run."""
    world = _grown(enforced)
    world.run(policies={COM})
    run = world.publication()
    run.look(())
    run.expand(world.folder.load(), {}, ())

    run.point(lambda _: True)
    waited = world.values(COM, "MX")
    _age(world, timedelta(minutes=6))
    run.switch((), lambda write: shows(write, (), {COM}), stay=True)

    assert waited == {f"10 {MX1}."}
    assert world.values(COM, "MX") == {f"10 {MX1}.", f"10 {MX2}."}


def test_another_exchange_waits_where_a_policy_is_enforced_no_more_and_senders_do_not_know_it(enforced: World) -> None:
    """Whoever makes a policy milder and moves the mail at once would have them keep it back; in testing nobody does."""
    (enforced.declared.folder / "group_data" / "all.py").write_text(TESTED)
    world = _grown(enforced)

    (line,) = (line for line in world.run(policies={COM}) if " MX " in line)
    waited = world.values(COM, "MX")
    _age(world, timedelta(minutes=6))
    world.run(policies={COM})

    assert "until no sender remembers an older policy" in line
    assert waited == {f"10 {MX1}."}
    assert world.values(COM, "MX") == {f"10 {MX1}.", f"10 {MX2}."}


def test_another_exchange_of_a_policy_in_testing_waits_for_nothing(world: World) -> None:
    """Senders deliver all the same."""
    world.certify()
    world.run({MX1}, {COM})
    assert world.values(POLICY, "TXT")
    world = _grown(world)

    world.run()

    assert world.values(COM, "MX") == {f"10 {MX1}.", f"10 {MX2}."}


def test_the_first_exchange_of_a_domain_waits_for_no_policy(written: Written) -> None:
    """No sender holds it to any; nor does one in testing."""
    world = World(written(ONE, ENFORCED, ZONE))
    world.run()
    tested = world.declared.folder / "group_data" / "all.py"
    first = world.values(COM, "MX")
    tested.write_text(TESTED)
    world = _grown(world)
    world.run(policies={COM})

    assert first == {f"10 {MX1}."}
    assert world.values(COM, "MX") == {f"10 {MX1}.", f"10 {MX2}."}


def test_no_policy_is_enforced_that_does_not_name_where_the_mail_goes(written: Written) -> None:
    """An exchange of others that is replaced in this run is remembered by senders: the next one tells of the policy."""
    world = World(written(ONE, ENFORCED, ZONE + "example.com. 3600 IN MX 5 mail.example.net.\n"))

    waiting = world.run(policies={COM})
    untold = world.values(POLICY, "TXT")
    world.run(policies={COM})

    assert world.values(COM, "MX") == {f"10 {MX1}."}
    assert untold == frozenset()
    assert any(POLICY in line for line in waiting)
    assert world.values(POLICY, "TXT")


def test_the_name_of_a_policy_keeps_the_address_that_its_host_still_has(enforced: World) -> None:
    """Until the host was moved, the policy is served nowhere else."""
    (enforced.declared.folder / "inventory.py").write_text(ONE.replace("203.0.113.10", "203.0.113.20"))
    world = World(inventory.load(enforced.declared.folder))
    run = world.publication()
    run.look(())
    run.expand(world.folder.load(), {}, ())

    run.withdraw((), clocks=True, addresses={MX1})
    moving = world.values(f"mta-sts.{COM}", "A")
    run.withdraw((), clocks=True, addresses=())

    assert moving == {"203.0.113.10", "203.0.113.20"}
    assert world.values(f"mta-sts.{COM}", "A") == {"203.0.113.20"}


def _age(world: World, age: timedelta) -> None:
    """Have all records been written that much earlier."""
    world.folder.mark(replace(c, since=c.since - age) for c in world.folder.claims())
