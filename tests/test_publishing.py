"""Zones: claimed before they are written, each with its own fate, and never less careful than what was approved."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dns.message import Message

from sendwright import awaiting
from sendwright.dns.authority import Server
from sendwright.dns.freshness import Progress, Target, Waiting
from sendwright.dns.propagation import World
from sendwright.dns.records import desired
from sendwright.dns.transport import NoAnswer, Question
from sendwright.errors import ForeignRecord, NotDelegated, SecretError, ServerUnreachable, WorldMoved
from sendwright.plan import Stage
from sendwright.providers import Rfc2136
from sendwright.publishing import Zones
from sendwright.stack import DkimAlgorithm, Domain, Host, KeyStore, Mx, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey, KeyStage
from tests.server53 import Server53

NOW = datetime(2026, 11, 1, tzinfo=UTC)
COM, ORG = "example.com", "example.org"
MX1, MX2 = "mx1.example.com", "mx2.example.com"


class Killed(BaseException):
    """The process ends here."""


def _host(name: str, last: int, state: str = "active") -> Host:
    egress = [{"public": f"203.0.113.{last}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, "state": state})


def _stack(
    *, hosts: tuple[Host, ...] = (_host(MX1, 10),), domains: tuple[str, ...] = (COM, ORG), **more: object
) -> Stack:
    tsig = {"name": "k", "secret": {"env": "UNSET"}}
    config = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": tsig}
    declared = tuple(
        Domain.model_validate({"name": d, "dns": "main", "submission_srv": False, **more}) for d in domains
    )
    return Stack(hosts=hosts, domains=declared, dns={"main": Rfc2136.model_validate(config)})


def _key(domain: str, stage: KeyStage = KeyStage.GENERATED) -> DkimKey:
    return DkimKey(domain, "r202611", DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW, stage)


KEYS = (_key(COM), _key(ORG))
Look = Callable[..., Zones]


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Return an empty state folder."""
    return StateFolder(tmp_path / "state", KeyStore())


@pytest.fixture
def server() -> Server53:
    """Return a server with two empty zones."""
    return Server53()


@pytest.fixture
def look(server: Server53, folder: StateFolder, tmp_path: Path) -> Look:
    """Look at the zones of a stack, by the server in memory and the ledger of the folder."""

    def look(
        stack: Stack | None = None,
        keys: Iterable[DkimKey] = KEYS,
        now: datetime = NOW,
        *,
        allow_deletions: bool = False,
    ) -> Zones:
        claims = folder.load().claims
        return Zones.look(
            *(stack or _stack(), keys, claims, tmp_path, lambda *_: server), now=now, allow_deletions=allow_deletions
        )

    return look


def _publish_all(zones: Zones, folder: StateFolder) -> None:
    for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH):
        zones.publish(folder, stage)


def test_claims_are_in_the_ledger_before_anything_is_applied(server: Server53, folder: StateFolder, look: Look) -> None:
    """A run that is killed inside apply leaves a ledger that knows every value which may have been written."""
    server.fails[COM] = Killed()

    with pytest.raises(Killed):
        look().publish(folder, Stage.EXPAND)

    claims = folder.load().claims
    soon = {(r.name, r.type, r.value) for r in desired(_stack(), KEYS) if r.stage is Stage.EXPAND}
    whole = {value for value in soon if "v=spf1" not in value[2]}
    assert {(c.name, c.type, c.value) for c in claims if not c.mechanism} == whole
    assert {(c.name, c.value) for c in claims if c.mechanism} == {
        *((name, "ip4:203.0.113.10") for name in (COM, ORG, MX1)),
        *((COM, "~all"), (ORG, "~all"), (MX1, "-all")),
    }


def test_every_apply_is_in_the_journal_before_it_is_sent(server: Server53, folder: StateFolder, look: Look) -> None:
    """With what stood there and what the ledger gained; a run that is killed cannot say what came of it."""
    server.put(ORG, ORG, "TXT", '"somebody" "else"')
    server.fails[ORG] = Killed()
    with pytest.raises(Killed):
        look().publish(folder, Stage.EXPAND)

    done, sent = folder.journal.applies()

    assert [(a.zone, a.dns, a.outcome) for a in (done, sent)] == [(COM, "main", "applied"), (ORG, "main", "sent")]
    (own,) = (e for e in sent.edits if (e.name, e.type) == (ORG, "TXT"))
    assert own.before is not None
    assert own.before.values == ('"somebody" "else"',)
    assert own.after is not None
    assert own.after.values[0] == '"somebody" "else"'
    assert {c.zone for c in sent.entered} == {ORG}


def test_nothing_written_is_nothing_remembered(folder: StateFolder, look: Look) -> None:
    """A zone that is as it should be adds no line to the journal."""
    _publish_all(look(), folder)
    before = folder.journal.applies()

    _publish_all(look(), folder)

    assert folder.journal.applies() == before


def test_what_a_killed_run_wrote_is_its_own_for_the_next_one(server: Server53, folder: StateFolder, look: Look) -> None:
    """The next look finds the rest to do, nobody else's records, and nothing in the way."""
    server.fails[ORG] = Killed()
    with pytest.raises(Killed):
        look().publish(folder, Stage.EXPAND)
    server.fails.clear()

    again = look()
    _publish_all(again, folder)

    assert again.errors == {}
    assert all(zone.changes.empty for zone in look().found.values())


def test_the_old_address_stays_while_its_host_may_still_send_from_it(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Receivers look the client's name up, and refuse mail from an address that it does not lead to."""
    _publish_all(look(), folder)
    moved = _stack(hosts=(_host(MX1, 20),))
    _publish_all(look(moved), folder)

    look(moved).settled().with_addresses({MX1}).publish(folder, Stage.CONTRACT)
    before = server.values(COM, MX1, "A")
    look(moved).settled().with_addresses(()).publish(folder, Stage.CONTRACT)

    assert before == ("203.0.113.10", "203.0.113.20")
    assert server.values(COM, MX1, "A") == ("203.0.113.20",)


def test_a_zone_that_fails_does_not_stop_the_others(server: Server53, folder: StateFolder, look: Look) -> None:
    """A server that refuses one zone is named with it, and the other zone is written."""
    server.fails[COM] = ServerUnreachable(COM, "does not answer.")
    zones = look()

    _publish_all(zones, folder)

    assert zones.errors.keys() == {COM}
    assert server.values(ORG, ORG, "MX") == (f"10 {MX1}.",)


def test_a_zone_that_failed_once_is_left_alone_for_the_rest_of_the_run(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Later stages build on earlier ones: even if the server answers again, or something else is found in the way."""
    zones = look()
    zones.errors[COM] = WorldMoved(COM, "moved.")
    server.put(COM, COM, "MX", "5 elsewhere.example.net.")

    later = zones.again(look())
    _publish_all(later, folder)

    assert isinstance(later.errors[COM], WorldMoved)
    assert server.values(COM, COM, "TXT") == ()


def test_a_name_that_the_server_does_not_keep_takes_no_other_with_it(look: Look) -> None:
    """One domain that lies elsewhere is named; the others of the same provider are looked at."""
    zones = look(_stack(domains=(COM, "example.net")))

    assert zones.found.keys() == {COM}
    assert "example.net" in zones.errors


def test_a_provider_that_cannot_be_opened_is_named_by_its_place(tmp_path: Path) -> None:
    """A secret without a value stops that provider, not the run."""

    def opener(*_: object) -> Server53:
        raise SecretError("UNSET is not set.")

    zones = Zones.look(_stack(), KEYS, (), tmp_path, opener, now=NOW)

    assert zones.found == {}
    assert list(zones.errors) == ["dns › main"]


def test_a_world_that_moved_since_the_plan_is_refused_zone_by_zone(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """What was approved is what is done: the zone that changed is left alone, the other is written."""
    planned = look()
    server.put(COM, MX1, "A", "203.0.113.10")

    fresh = planned.again(look())
    fresh.refuse_moved(planned, set())
    _publish_all(fresh, folder)

    assert {name: type(error) for name, error in fresh.errors.items()} == {COM: WorldMoved}
    assert server.values(COM, COM, "TXT") == ()
    assert server.values(ORG, ORG, "TXT") != ()


def test_the_records_of_keys_that_were_generated_since_are_no_surprise(look: Look) -> None:
    """Their content was announced as known after generation; everything else has to be as it was shown."""
    planned = look(keys=())

    fresh = planned.again(look())
    fresh.refuse_moved(planned, {k.record_name for k in KEYS})

    assert fresh.errors == {}


def test_a_record_of_an_old_key_that_went_missing_is_a_surprise(server: Server53, look: Look) -> None:
    """Only new keys' records were announced: one that somebody removes meanwhile is shown first."""
    server.put(COM, KEYS[0].record_name, "TXT", '"v=DKIM1; k=rsa; h=sha256; p=AAAA"')
    planned = look()
    del server.held[COM][KEYS[0].record_name, "TXT"]

    fresh = planned.again(look())
    fresh.refuse_moved(planned, set())

    assert fresh.errors.keys() == {COM}


def test_only_what_is_allowed_is_written_and_claimed(server: Server53, folder: StateFolder, look: Look) -> None:
    """A record that has to wait is neither in the zone nor in the ledger."""
    look().publish(folder, Stage.HOSTS, lambda write: write.name == ORG)

    assert server.values(ORG, ORG, "MX") == (f"10 {MX1}.",)
    assert server.values(COM, COM, "MX") == ()
    assert {c.zone for c in folder.load().claims} == {ORG}


def test_spf_and_dkim_of_an_undeclared_domain_stay_and_the_plan_says_so(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Mail that is still on its way is judged by them; that they stay is said, with their names and the reason."""
    stack = _stack(domains=(COM, f"news.{COM}"))
    keys = (KEYS[0], _key(f"news.{COM}"))
    _publish_all(look(stack, keys), folder)

    after = look(_stack(domains=(COM,)), keys)
    after.publish(folder, Stage.CONTRACT)

    assert server.values(COM, f"news.{COM}", "TXT")
    assert server.values(COM, keys[1].record_name, "TXT")
    assert server.values(COM, f"_smtp._tls.news.{COM}", "TXT") == ()
    for held in (f"TXT news.{COM} ip4:203.0.113.10 stays", f"TXT {keys[1].record_name} "):
        (sentence,) = (s for s in after.held if held in s)
        assert "mail that is on its way" in sentence


def test_what_is_no_longer_declared_goes_when_its_clock_has_run_out(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """The clock starts once, with the first run that finds nothing in need of it, and stops when that changes."""
    both, one = _stack(domains=(COM, f"news.{COM}")), _stack(domains=(COM,))
    _publish_all(look(both), folder)
    look(one).publish(folder, Stage.CONTRACT)
    later = datetime.now(UTC) + timedelta(days=10, hours=2)

    look(both, now=later).publish(folder, Stage.EXPAND)
    look(one, now=later).publish(folder, Stage.CONTRACT)
    assert server.values(COM, f"news.{COM}", "TXT")
    look(one, now=later).publish(folder, Stage.CONTRACT)

    assert server.values(COM, f"news.{COM}", "TXT") == ()
    assert server.values(COM, f"_dmarc.news.{COM}", "TXT") == ()


def test_no_clock_starts_while_a_host_may_still_do_what_is_no_longer_declared(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """A host that failed may send from its old address still: whatever is due at once goes, the rest stays."""
    _publish_all(look(_stack(hosts=(_host(MX1, 10), _host(MX2, 11)))), folder)

    look().without_clocks().publish(folder, Stage.CONTRACT)

    assert not any(claim.left for claim in folder.load().claims if claim.mechanism)
    assert server.values(COM, COM, "MX") == (f"10 {MX1}.",)
    assert "203.0.113.11" in server.values(COM, COM, "TXT")[0]


def test_what_was_not_in_the_plan_is_not_written_by_a_later_stage(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Somebody's record comes into the way between the plan and the last stage: what follows from it was not shown."""
    _publish_all(look(_stack(domains=(COM, ORG, f"news.{COM}"))), folder)
    planned = look(_stack(domains=(COM, ORG)))
    folder.claim([Claim(COM, COM, "CAA", '0 issue "somebody.example"', NOW, "main")])
    server.put(COM, COM, "CAA", '0 issue "somebody.example"')

    fresh = planned.again(look(_stack(domains=(COM, ORG))))
    fresh.refuse_unplanned(planned, (), Stage.CONTRACT)
    fresh.publish(folder, Stage.CONTRACT)

    assert isinstance(fresh.errors[COM], WorldMoved)
    assert server.values(COM, COM, "CAA") == ('0 issue "somebody.example"',)


def test_an_inventory_that_lost_its_domains_withdraws_nothing_unasked(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Very many withdrawals in one zone are refused whole, until somebody agrees in so many words."""
    many = tuple(f"d{n}.{COM}" for n in range(12))
    _publish_all(look(_stack(domains=(COM, *many))), folder)

    look(_stack(domains=(COM,))).publish(folder, Stage.CONTRACT)
    later = datetime.now(UTC) + timedelta(days=11)
    lost = _stack(domains=(COM,))

    refused = look(lost, now=later)
    refused.publish(folder, Stage.CONTRACT)
    before = server.values(COM, f"d1.{COM}", "TXT")
    look(lost, now=later, allow_deletions=True).publish(folder, Stage.CONTRACT)

    assert "--allow-deletions" in str(refused.errors[COM])
    assert before
    assert server.values(COM, f"d1.{COM}", "TXT") == ()


def test_a_zone_is_filled_before_it_is_delegated(server: Server53, folder: StateFolder, look: Look) -> None:
    """Nobody sees it yet, which is said; but what nobody can write nobody can delegate to."""
    zones = look()
    zones.errors[COM] = NotDelegated(COM, "nobody is known to serve it.")

    zones.publish(folder, Stage.EXPAND)

    assert server.values(COM, COM, "TXT") != ()
    assert isinstance(zones.errors[COM], NotDelegated)


def test_the_policy_of_a_living_domain_is_no_ones_to_loosen_by_a_default(server: Server53, look: Look) -> None:
    """Adopting what stands must not turn reject into none, where the inventory never said so."""
    server.put(COM, f"_dmarc.{COM}", "TXT", '"v=DMARC1; p=reject"')

    silent = look().found[COM].changes
    reports = look(_stack(dmarc={"rua": ["mailto:a@example.net"]})).found[COM].changes
    said = look(_stack(dmarc={"policy": "none"})).found[COM].changes

    assert f"_dmarc.{COM}" not in {offer.name for offer in silent.offers}
    assert any("declares no policy of its own" in note for note in silent.notes)
    assert f"_dmarc.{COM}" not in {offer.name for offer in reports.offers}
    assert f"_dmarc.{COM}" in {offer.name for offer in said.offers}


def test_whoever_names_where_reports_go_may_adopt_a_policy_that_is_no_stricter(server: Server53, look: Look) -> None:
    """Nothing is loosened by that."""
    server.put(COM, f"_dmarc.{COM}", "TXT", '"v=DMARC1; p=none"')

    reports = look(_stack(dmarc={"rua": ["mailto:a@example.net"]})).found[COM].changes

    assert f"_dmarc.{COM}" in {offer.name for offer in reports.offers}


def test_the_mx_of_a_domain_that_is_gone_outlives_it_no_longer_than_the_rest(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """It takes bounces as long as there may be any; then nobody is led to hosts that know nothing of the domain."""
    _publish_all(look(), folder)
    gone = _stack(domains=(COM,))
    look(gone).publish(folder, Stage.CONTRACT)
    left = {c.left for c in folder.load().claims if (c.name, c.type) == (ORG, "MX")}
    stays = server.values(ORG, ORG, "MX")

    look(gone, now=datetime.now(UTC) + timedelta(days=10, hours=2)).publish(folder, Stage.CONTRACT)

    assert left != {None}
    assert stays == (f"10 {MX1}.",)
    assert server.values(ORG, ORG, "MX") == ()


def test_the_last_mx_of_a_domain_stays_until_there_is_another(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Without any, its mail would have nowhere to go; the ledger then remembers it until caches forgot it."""
    _publish_all(look(), folder)
    away = _stack(mx="elsewhere")

    look(away).publish(folder, Stage.CONTRACT)
    assert server.values(COM, COM, "MX") == (f"10 {MX1}.",)
    assert any("MX example.com" in sentence and "nowhere to go" in sentence for sentence in look(away).notes)
    server.put(COM, COM, "MX", f"10 {MX1}.", "5 mx.example.net.")
    look(away).publish(folder, Stage.CONTRACT)

    assert server.values(COM, COM, "MX") == ("5 mx.example.net.",)
    (claim,) = (c for c in folder.load().claims if (c.name, c.type) == (COM, "MX"))
    assert claim.left
    look(away, now=claim.left + timedelta(minutes=119)).publish(folder, Stage.CONTRACT)
    assert claim in folder.load().claims
    look(away, now=claim.left + timedelta(minutes=121)).publish(folder, Stage.CONTRACT)
    assert claim not in folder.load().claims


def test_a_zone_in_which_nothing_is_declared_any_more_is_looked_at_all_the_same(
    folder: StateFolder, look: Look
) -> None:
    """The ledger knows by which provider we wrote there: what is ours is withdrawn, not forgotten."""
    _publish_all(look(), folder)

    zone = look(_stack(domains=(COM,))).found[ORG]

    assert (f"_smtp._tls.{ORG}", "TXT") in {(w.name, w.type) for w in zone.changes.at(Stage.CONTRACT).writes}


def test_a_zone_that_its_provider_keeps_no_more_is_named_and_left(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """The domain moved away or was given up: nobody is left to believe that its records were withdrawn."""
    _publish_all(look(), folder)
    server.keeps = (COM,)

    zones = look(_stack(domains=(COM,)))

    (sentence,) = zones.notes
    assert sentence.startswith(f"zone {ORG}: nothing in it is declared any more, and it is not kept here: ")
    assert f"MX {ORG}" in sentence
    assert zones.errors == {}


def test_a_world_as_declared_needs_nothing_from_anybody(folder: StateFolder, look: Look) -> None:
    """No sentence without a cause."""
    _publish_all(look(), folder)

    assert look().notes == ()


def test_nothing_is_withdrawn_before_its_successor_stands(server: Server53, folder: StateFolder, look: Look) -> None:
    """mx2 takes the place of mx1: while mx2 does not work, the MX of mx1 stays."""
    _publish_all(look(), folder)
    new = _stack(hosts=(_host(MX2, 11),))
    first = look(new)
    first.publish(folder, Stage.EXPAND)

    look(new).settled().publish(folder, Stage.CONTRACT)

    assert server.values(COM, COM, "MX") == (f"10 {MX1}.",)
    look(new).publish(folder, Stage.HOSTS)
    look(new).settled().publish(folder, Stage.CONTRACT)
    assert server.values(COM, COM, "MX") == (f"10 {MX2}.",)


def test_a_draining_host_leaves_mx_and_stays_in_spf(server: Server53, folder: StateFolder, look: Look) -> None:
    """It takes nothing new, but its queue still sends."""
    both = (_host(MX1, 10), _host(MX2, 11))
    _publish_all(look(_stack(hosts=both)), folder)

    after = look(_stack(hosts=(_host(MX1, 10, "draining"), both[1])))
    after.settled().publish(folder, Stage.CONTRACT)

    assert server.values(COM, COM, "MX") == (f"10 {MX2}.",)
    assert "203.0.113.10" in server.values(COM, COM, "TXT")[0]


def test_what_a_zone_lacks_is_said_with_what_it_waits_for(folder: StateFolder, look: Look) -> None:
    """A DMARC policy that is held back is not "done"."""
    zones = look(_stack(dmarc={"policy": "reject"}))
    zones.publish(folder, Stage.EXPAND)
    zones.publish(folder, Stage.HOSTS)

    lacking = look(_stack(dmarc={"policy": "reject"})).lacking()

    assert [s.partition(" p=")[0] for s in lacking] == [
        f'zone {zone}: TXT _dmarc.{zone} "v=DMARC1;' for zone in (COM, ORG)
    ]
    assert all(s.endswith("until mail leaves signed from every host of the domain") for s in lacking)


def test_a_key_without_a_copy_is_lacking_and_not_waited_for(folder: StateFolder, look: Look) -> None:
    """Its record was not written, so no server will ever serve it; the sentence says what it waits for."""
    zones = look()
    written = (*zones.publish(folder, Stage.EXPAND), *zones.publish(folder, Stage.HOSTS, lambda w: w.type == "MX"))

    pending = zones.pending(written, *Stage)
    lacking = look().lacking()

    assert {target.name for target in pending} == {key.record_name for key in KEYS}
    assert len(lacking) == 2
    assert all(s.endswith("until a host of its domain holds a copy of the key") for s in lacking)


def test_a_foreign_record_stops_its_record_set_only_and_no_mail_relies_on_that_zone(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """A second SPF stays; the rest is written; the domain is not waited for, so its keys do not sign."""
    server.put(COM, COM, "TXT", '"v=spf1 include:elsewhere.example.net -all"', '"v=spf1 mx"')
    zones = look()

    _publish_all(zones, folder)

    assert isinstance(zones.errors[COM], ForeignRecord)
    assert server.values(COM, COM, "TXT") == ('"v=spf1 include:elsewhere.example.net -all"', '"v=spf1 mx"')
    assert server.values(COM, KEYS[0].record_name, "TXT") != ()
    assert {t.zone for t in awaiting.awaited(zones, KEYS, {MX1}, ())} == {ORG}


def test_new_keys_wait_for_all_that_is_about_to_be_written(look: Look) -> None:
    """Their own records, and the name of their host, in whichever zone it lies."""
    awaited = awaiting.awaited(look(keys=(KEYS[1],)), {KEYS[1]}, {MX1}, ())

    assert {(t.zone, t.type, t.name) for t in awaited} >= {
        (ORG, "TXT", KEYS[1].record_name),
        (ORG, "MX", ORG),
        (COM, "A", MX1),
    }


def test_another_zone_is_waited_for_only_at_the_names_of_the_hosts(look: Look) -> None:
    """A DMARC record that changes elsewhere may be remembered for an hour: no new domain waits for that."""
    awaited = awaiting.awaited(look(keys=(KEYS[1],)), {KEYS[1]}, {MX1}, ())

    assert {t.name for t in awaited if t.zone == COM} == {MX1}


def test_nothing_is_waited_for_without_unproven_keys(look: Look) -> None:
    """Nobody's mail begins to leave, so nothing that is written delays anything."""
    assert awaiting.awaited(look(), (), (), ()) == {}


def test_a_host_that_moves_waits_for_whatever_is_written_at_the_names_it_speaks_for(
    folder: StateFolder, look: Look
) -> None:
    """Its SPF and its own address: what this run writes has no date yet, what a killed run wrote has the ledger's."""
    _publish_all(look(_stack()), folder)
    claims = folder.load().claims
    moved = look(_stack(hosts=(_host(MX1, 99),)))

    soon = awaiting.awaited(moved, (), (), claims, moving={MX1, COM})
    later = awaiting.awaited(look(), (), (), claims, moving={MX1, COM})

    assert {(t.type, t.name): at for t, at in soon.items() if "203.0.113.99" in t.value} == {
        ("TXT", COM): None,
        ("TXT", MX1): None,
        ("A", MX1): None,
    }
    assert {("TXT", COM), ("A", MX1)} <= {(t.type, t.name) for t, at in later.items() if at is not None}


def test_a_host_without_any_address_in_dns_was_away_and_one_that_moves_was_not(folder: StateFolder, look: Look) -> None:
    """The one has to prove itself again before it sends; the other goes on from its old address."""
    _publish_all(look(), folder)

    zones = look(_stack(hosts=(_host(MX1, 99), _host(MX2, 11))))

    assert zones.returning == {MX2}


def test_a_key_whose_record_is_there_but_unclaimed_is_waited_for_all_the_same(server: Server53, look: Look) -> None:
    """The ledger was lost: the record is adopted, and the key proven in this run, not in the next one."""
    server.put(COM, KEYS[0].record_name, "TXT", '"v=DKIM1; k=rsa; h=sha256; p=AAAA"')

    awaited = awaiting.awaited(look(), {KEYS[0]}, {MX1}, ())

    assert KEYS[0].record_name in {t.name for t in awaited}


def test_no_mail_leaves_under_a_name_that_is_yet_to_be_served(look: Look) -> None:
    """A new host's address is not fresh, or could not be written: its keys are not proven yet, in no zone."""
    zones = look()

    assert awaiting.stands(zones, MX1, late={ORG})
    assert not awaiting.stands(zones, MX1, late={COM})
    zones.errors[COM] = ServerUnreachable(COM, "does not answer.")
    assert not awaiting.stands(zones, MX1, late=())


def test_a_name_that_was_there_before_is_believed(folder: StateFolder, look: Look) -> None:
    """Trouble in the zone of an old host's name does not stop a new domain that lies elsewhere."""
    _publish_all(look(), folder)
    zones = look()
    zones.errors[COM] = ServerUnreachable(COM, "does not answer.")

    assert awaiting.stands(zones, MX1, late={COM})
    assert awaiting.stands(Zones(), MX1, late=())


def test_what_was_served_already_keeps_its_clock(folder: StateFolder, look: Look) -> None:
    """A run that comes back does not start to wait anew: the state folder knows since when."""
    _publish_all(look(), folder)
    since = NOW - timedelta(hours=2)
    key = replace(KEYS[0], stage=KeyStage.PUBLISHED, served_since=since)

    awaited = awaiting.awaited(look(keys=(key, KEYS[1])), {key}, {MX1}, folder.load().claims)

    assert {t.name: at for t, at in awaited.items()} == {key.record_name: since}


def test_a_server_that_lags_for_good_is_named_with_its_zone(look: Look) -> None:
    """There was time, and one server still does not have the record: that zone failed, and only that one."""
    zones = look()
    late = Waiting(Target(COM, KEYS[0].record_name, "TXT", "x"), ("ns2 does not have it yet",))
    clock = Waiting(Target(ORG, KEYS[1].record_name, "TXT", "x"), until=NOW)

    awaiting.not_served(zones, Progress({}, (late, clock)))

    assert zones.errors.keys() == {COM}
    assert "ns2 does not have it yet" in str(zones.errors[COM])


def _mute(question: Question) -> Message:
    raise NoAnswer(f"no answer to {question.name}")


def test_a_zone_whose_servers_are_all_silent_is_given_up_by_itself(look: Look) -> None:
    """How long caches hold its answers is unknown, so nothing is promised for it; no error ends the run."""
    zones = look()
    world = World(_mute, "127.0.0.1", {COM: (Server("ns1.example.com", "192.0.2.1"),)})

    known = awaiting.timings(zones, world, [Target(COM, COM, "TXT", "x")])

    assert known == {}
    assert isinstance(zones.errors[COM], ServerUnreachable)


def test_a_zone_that_nobody_is_known_to_serve_is_given_up_by_itself(look: Look) -> None:
    """The resolver is silent: each zone is named, and the run goes on."""
    zones = look()

    world = awaiting.world(zones, {COM, ORG}, _mute, "127.0.0.1")

    assert world.servers == {}
    assert zones.errors.keys() == {COM, ORG}


def test_a_domain_that_could_not_be_located_loses_nothing(server: Server53, folder: StateFolder, look: Look) -> None:
    """One name below it that lies elsewhere is a mistake to mend: what is declared is not taken for undeclared."""
    news = f"news.{COM}"
    both, keys = _stack(domains=(COM, news)), (*KEYS, _key(news))
    _publish_all(look(both, keys), folder)
    server.foreign = (f"_dmarc.{news}",)

    broken = look(both, keys)
    broken.publish(folder, Stage.CONTRACT)

    assert news in broken.errors
    assert server.values(COM, f"_smtp._tls.{news}", "TXT")
    assert broken.found[COM].changes.leaving == ()
    assert broken.found[COM].changes.gone == ()


def test_a_zone_none_of_whose_domains_could_be_located_is_left_alone(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """It is not a zone in which nothing is declared any more."""
    news, host = f"news.{COM}", f"mx1.news.{COM}"
    stack = _stack(hosts=(_host(host, 10),), domains=(news,))
    _publish_all(look(stack, ()), folder)
    server.foreign = (f"_dmarc.{news}",)

    broken = look(stack, ())
    broken.publish(folder, Stage.CONTRACT)

    assert broken.errors.keys() == {news}
    assert server.values(COM, f"_smtp._tls.{news}", "TXT")


def test_a_zone_that_two_entries_of_dns_keep_is_refused(server: Server53, folder: StateFolder, look: Look) -> None:
    """Each would take what the other has to publish for undeclared."""
    stack, news = _stack(domains=(COM, f"news.{COM}")), f"news.{COM}"
    other = {"second": stack.dns["main"]}
    moved = tuple(d.model_copy(update={"dns": "second"}) if d.name == news else d for d in stack.domains)
    twice = stack.model_copy(update={"dns": {**stack.dns, **other}, "domains": moved})

    zones = look(twice, (KEYS[0], _key(news)))
    _publish_all(zones, folder)

    assert "main" in str(zones.errors[COM])
    assert "second" in str(zones.errors[COM])
    assert server.values(COM, COM, "TXT") == ()


def test_what_was_written_by_an_entry_that_was_renamed_is_withdrawn_by_the_one_that_keeps_the_zone(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """The name of an entry of dns is the inventory's, and may change: the zone is where it was."""
    _publish_all(look(), folder)
    stack = _stack(domains=(COM,))
    domains = tuple(d.model_copy(update={"dns": "prod"}) for d in stack.domains)
    renamed = stack.model_copy(update={"dns": {"prod": stack.dns["main"]}, "domains": domains})

    zones = look(renamed, KEYS[:1])
    zones.publish(folder, Stage.CONTRACT)

    assert zones.forsaken == ()
    assert server.values(ORG, f"_smtp._tls.{ORG}", "TXT") == ()


def test_an_alias_in_the_place_of_a_policy_is_kept(server: Server53, folder: StateFolder, look: Look) -> None:
    """Many have their DMARC record kept by a service that watches their reports: it stays, and mail can leave."""
    server.put(COM, f"_dmarc.{COM}", "CNAME", "example.com.dmarc.example.net.")

    zones = look()
    _publish_all(zones, folder)

    assert zones.errors == {}
    assert server.values(COM, f"_dmarc.{COM}", "TXT") == ()
    assert any(f"_dmarc.{COM}" in note and "alias" in note for note in zones.notes)


def test_the_clock_of_what_is_written_again_starts_again(server: Server53, folder: StateFolder, look: Look) -> None:
    """An apply that failed, or somebody's hand, may lie between the claim and the value: caches know the later one."""
    server.fails[COM] = ServerUnreachable(COM, "does not answer.")
    look().publish(folder, Stage.EXPAND)
    server.fails.clear()
    before = {c.since for c in folder.load().claims if c.zone == COM}

    look().publish(folder, Stage.EXPAND)

    assert min(c.since for c in folder.load().claims if c.zone == COM) > max(before)


def test_hosts_that_are_replaced_in_many_domains_are_no_withdrawal(folder: StateFolder, look: Look) -> None:
    """Where something else of the kind is declared, nothing is lost: nobody has to agree to that."""
    many = (COM, *(f"d{n}.{COM}" for n in range(40)))
    keys = [_key(d) for d in many]
    _publish_all(look(_stack(domains=many, submission_srv=True), keys), folder)
    moved = _stack(hosts=(_host(MX2, 11),), domains=many, submission_srv=True)

    zones = look(moved, keys)

    assert zones.errors == {}


def test_a_host_moves_when_every_name_that_it_speaks_for_is_published_and_fresh(look: Look) -> None:
    """Also where nothing had to be written: somebody else may have listed the new address long ago."""
    zones, speaking = look(), {MX1: {MX1, COM, ORG}}
    assert awaiting.may_move(zones, speaking, ()) == {MX1}
    assert awaiting.may_move(zones, speaking, {ORG}) == frozenset()

    zones.errors[COM] = WorldMoved(COM, "moved.")
    assert awaiting.may_move(zones, {MX1: {MX1, ORG}}, ()) == frozenset()


def test_a_domain_that_sends_again_loses_its_null_mx_before_its_mail_leaves(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """Receivers refuse the mail of a domain that says that it takes none (RFC 7505 section 4.2)."""
    stack = _stack()
    locked = tuple(d.model_copy(update={"sends": False, "mx": Mx.NONE}) if d.name == ORG else d for d in stack.domains)
    _publish_all(look(stack.model_copy(update={"domains": locked})), folder)
    look(stack.model_copy(update={"domains": locked})).publish(folder, Stage.CONTRACT)
    before = server.values(ORG, ORG, "MX")

    look(_stack(mx="elsewhere")).publish(folder, Stage.EXPAND)

    assert before == ("0 .",)
    assert server.values(ORG, ORG, "MX") == ()


def test_an_mx_that_was_withdrawn_and_is_there_again_is_somebody_elses(
    server: Server53, folder: StateFolder, look: Look
) -> None:
    """A domain and its host moved to another inventory: two runs would withdraw and write it in turn, without end."""
    _publish_all(look(), folder)
    away = _stack(mx="elsewhere")
    server.put(COM, COM, "MX", *server.values(COM, COM, "MX"), "5 mx.example.net.")
    look(away).publish(folder, Stage.CONTRACT)
    assert server.values(COM, COM, "MX") == ("5 mx.example.net.",)
    server.put(COM, COM, "MX", f"10 {MX1}.", "5 mx.example.net.")

    later = look(away, now=datetime.now(UTC) + timedelta(hours=3))
    later.publish(folder, Stage.CONTRACT)

    assert f"10 {MX1}." in server.values(COM, COM, "MX")
    assert not any(c.zone == COM and c.type == "MX" for c in folder.claims())
