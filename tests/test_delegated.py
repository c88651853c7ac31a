"""Delegated selectors: which fixed selector a key gets, and what its domain's owner has to publish."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import dkim, planning, rotation
from sendwright.delegated import RESTS, SLOTS, Alias, aliases, free, free_at, slots
from sendwright.dns.records import asked_of_others, desired
from sendwright.domain import Domain
from sendwright.lines import Act, Held, HostSeen, Line, Record, Seen, removed
from sendwright.overlay import writable
from sendwright.plan import Kind
from sendwright.publishing import Zones
from sendwright.stack import DkimAlgorithm, Host, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage, State
from tests.server53 import Server53

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CUSTOMER, OURS, MX1 = "customer.example", "ours.example", "mx1.ours.example"
RSA = DkimAlgorithm.RSA
DOMAIN = Domain.model_validate({"name": CUSTOMER, "dns": None, "dkim": {"delegate_to": OURS}})
HOST = Host.model_validate({"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]})
STACK = Stack(hosts=(HOST,), domains=(Domain.model_validate({"name": OURS, "dns": "main"}), DOMAIN))


def _key(selector: str, stage: KeyStage = KeyStage.SIGNING, **story: object) -> DkimKey:
    target = f"{selector}.{CUSTOMER}._domainkey.{OURS}"
    key = DkimKey(CUSTOMER, selector, RSA, "AAAA", "1" * 64, NOW - timedelta(30), stage, target=target)
    return replace(key, **story)  # type: ignore[arg-type]


def _removed(selector: str, at: datetime) -> DkimKey:
    return removed(_key(selector, KeyStage.REVOKED), at)


def _line(*keys: DkimKey) -> Line:
    return Line(CUSTOMER, RSA, keys, (MX1,), start=True, slots=slots(DOMAIN, RSA, keys))


def test_a_new_key_takes_a_slot_and_lies_in_our_zone() -> None:
    """The name that verifiers ask for is the customer's, the one that is written is ours."""
    place = dkim.place(DOMAIN, RSA, NOW, ())
    assert place is not None
    key, _ = dkim.generate(CUSTOMER, RSA, NOW, place=place)

    assert key.record_name == f"s1._domainkey.{CUSTOMER}"
    assert key.txt_name == f"s1.{CUSTOMER}._domainkey.{OURS}"


def test_a_domain_without_delegation_goes_on_naming_keys_by_the_month() -> None:
    """Its selectors are never used twice."""
    plain = Domain.model_validate({"name": CUSTOMER, "dns": "main"})

    assert dkim.place(plain, RSA, NOW, ()) == dkim.Place("r202611")


@given(
    st.lists(
        st.tuples(st.sampled_from(KeyStage), st.integers(-(10**5), 10**5)),
        max_size=3,
    )
)
def test_a_slot_is_taken_only_when_its_key_is_removed_and_caches_forgot_it(
    stories: list[tuple[KeyStage, int]],
) -> None:
    """Whatever the stories are, a new key never meets an older one at its name."""
    keys = [
        _removed(name, NOW + timedelta(seconds=at)) if stage is KeyStage.REMOVED else _key(name, stage)
        for name, (stage, at) in zip(SLOTS[RSA], stories, strict=False)
    ]

    place = dkim.place(DOMAIN, RSA, NOW, keys)

    used = {k.selector: k for k in keys}
    rested = {n for n in SLOTS[RSA] if n not in used or (used[n].removed and used[n].removed + RESTS <= NOW)}  # type: ignore[operator]
    assert (place is None) == (not rested)
    assert place is None or place.selector in rested


def test_a_slot_is_not_free_while_its_record_may_stand() -> None:
    """A provider that was away, or a run that died, left it there: its rest begins when it goes."""
    old = _removed("s1", NOW - RESTS)
    others = [_key("s2"), _key("s3")]
    claim = Claim(OURS, old.txt_name, "TXT", '"v=DKIM1; p="', NOW, "main")
    state, went = (
        State((old, *others), claims=(claim,)),
        State((old, *others), claims=(replace(claim, withdrawn=True),)),
    )

    assert free(slots(DOMAIN, RSA, state.keys, state.standing), NOW) is None
    assert free_at(slots(DOMAIN, RSA, state.keys, state.standing)) is None
    assert dkim.place(DOMAIN, RSA, NOW, state.keys, state.standing) is None
    assert dkim.place(DOMAIN, RSA, NOW, went.keys, went.standing) == dkim.place(DOMAIN, RSA, NOW, state.keys)
    (dated,) = planning.gone(state.keys, state.standing - went.standing, NOW)
    assert dated == replace(old, removed=NOW)


def test_slots_take_turns() -> None:
    """The one that rests for longest comes first: what nobody can remember is better than what hardly anybody can."""
    keys = [_removed("s1", NOW - timedelta(2)), _removed("s2", NOW - timedelta(3)), _key("s3")]

    found = free(slots(DOMAIN, RSA, keys), NOW)

    assert found is not None
    assert found.selector == "s2"


def test_each_algorithm_has_slots_of_its_own() -> None:
    """RSA and Ed25519 keys rotate independently."""
    keys = [_key(name) for name in SLOTS[RSA]]

    assert free(slots(DOMAIN, RSA, keys), NOW) is None
    assert free(slots(DOMAIN, DkimAlgorithm.ED25519, keys), NOW)


def test_without_a_free_slot_a_new_key_waits_and_says_until_when() -> None:
    """Nothing is generated that could not be published."""
    gone = NOW - timedelta(minutes=5)
    line = _line(_key("s1"), _key("s2", KeyStage.REVOKED), _removed("s3", gone))

    (step,) = (s for s in rotation.next_steps(line, Seen(), NOW) if s.key is None)

    assert (step.act, step.until) == (Act.WAIT, gone + RESTS)
    assert "each of s1, s2, s3 is in use yet" in step.why


def test_with_a_free_slot_a_successor_is_generated() -> None:
    """As for any other domain."""
    line = _line(_key("s1"), _key("s2", KeyStage.REVOKED), _removed("s3", NOW - RESTS))

    seen = Seen({MX1: HostSeen(frozenset(), frozenset(), timedelta(days=5), None, NOW)})

    assert [s.act for s in rotation.next_steps(line, seen, NOW) if s.key is None] == [Act.GENERATE]


def test_the_first_free_slot_is_known_while_all_rest() -> None:
    """None: a key has to leave one before anybody can say."""
    early, late = NOW, NOW + timedelta(hours=1)

    assert free_at(slots(DOMAIN, RSA, [_removed("s1", late), _removed("s2", early), _key("s3")])) == early + RESTS
    assert free_at(slots(DOMAIN, RSA, [_key(name) for name in SLOTS[RSA]])) is None


def test_every_slot_has_its_alias_once_and_for_all() -> None:
    """The owner publishes six, whatever keys there are."""
    wanted = [
        Alias(f"{name}._domainkey.{CUSTOMER}", f"{name}.{CUSTOMER}._domainkey.{OURS}")
        for name in ("e1", "e2", "e3", "s1", "s2", "s3")
    ]

    assert list(aliases(DOMAIN, ())) == wanted
    assert list(aliases(DOMAIN, [_key("s1"), _key("s2", KeyStage.RETIRING)])) == wanted


@pytest.mark.parametrize("stage", [stage for stage in KeyStage if stage is not KeyStage.REMOVED])
def test_an_alias_stays_where_a_living_key_stands_whatever_is_declared_by_now(stage: KeyStage) -> None:
    """Mail that it signed is verified there."""
    elsewhere = Domain.model_validate({"name": CUSTOMER, "dns": None, "dkim": {"delegate_to": "new.ours.example"}})
    found = {alias.name: alias.target for alias in aliases(elsewhere, [_key("s1", stage)])}

    assert found[f"s1._domainkey.{CUSTOMER}"].endswith(f"._domainkey.{OURS}")
    assert found[f"s2._domainkey.{CUSTOMER}"].endswith("._domainkey.new.ours.example")


def test_nothing_is_written_to_a_zone_that_is_not_ours() -> None:
    """Its owner gets all of it, and our zone the key."""
    key = _key("s1")
    mine, theirs = desired(STACK, [key]), asked_of_others(STACK, [key])

    assert not any(r.name == CUSTOMER or r.name.endswith(f".{CUSTOMER}") for r in mine)
    assert [r.name for r in mine if "_domainkey" in r.name] == [key.txt_name]
    assert {r.name for r in theirs if r.type == "CNAME"} == {a.name for a in aliases(DOMAIN, [key])}
    assert {r.type for r in theirs if r.name == CUSTOMER} == {"TXT", "MX"}


def test_aliases_of_a_zone_that_is_ours_are_written_like_anything_else() -> None:
    """Delegation is a choice there."""
    both = Stack(
        hosts=(HOST,), domains=(STACK.domains[0], Domain.model_validate({**DOMAIN.model_dump(), "dns": "main"}))
    )

    assert len([r for r in desired(both, ()) if r.type == "CNAME"]) == 6
    assert asked_of_others(both, ()) == ()


NAME = f"s2._domainkey.{CUSTOMER}"
ASTRAY = Record(Held.KEY, (f"CNAME {NAME}: ns1 leads to elsewhere.example instead",), astray=True)


@pytest.mark.parametrize(
    ("record", "act"),
    [
        (ASTRAY, Act.BLOCKED),
        (replace(ASTRAY, astray=False), Act.WAIT),
        (Record(Held.KEY, fresh_at=NOW), Act.PROMOTE),
    ],
)
def test_a_key_whose_alias_leads_elsewhere_is_blocked_until_its_owner_mends_it(record: Record, act: Act) -> None:
    """No time mends that; what is only missing is waited for."""
    old, new = _key("s1"), _key("s2", KeyStage.PROVEN, created=NOW, proven_on=(MX1,))
    host = HostSeen(frozenset({old.record_name, NAME}), frozenset({old.record_name}), timedelta(1), None, NOW)
    line = replace(_line(old, new), start=False)

    steps = rotation.next_steps(line, Seen({MX1: host}, {NAME: record}), NOW)

    assert [(step.act, step.key) for step in steps] == [(act, new)]


def test_a_revoked_key_makes_room_for_the_successor_of_one_that_leaked() -> None:
    """An empty record is a statement and guards nothing; a leaked key that signs on does harm."""
    revoked = _key("s2", KeyStage.REVOKED, revoked=NOW - timedelta(1))
    seen = Seen({MX1: HostSeen(frozenset(), frozenset(), timedelta(1), None, NOW)}, {NAME: Record(Held.EMPTY)})

    def acts(*keys: DkimKey) -> set[tuple[Act, str]]:
        line = replace(_line(*keys), start=False)
        return {(step.act, step.key.selector) for step in rotation.next_steps(line, seen, NOW) if step.key}

    full = _key("s1"), revoked, _key("s3", KeyStage.RETIRING)
    leaked = _key("s1", leaked=NOW), revoked, _key("s3", KeyStage.RETIRING)
    roomy = _key("s1", leaked=NOW), revoked, _removed("s3", NOW)

    assert (Act.REMOVE, "s2") in acts(*leaked)
    assert (Act.REMOVE, "s2") not in acts(*full)
    assert (Act.REMOVE, "s2") not in acts(*roomy)


def test_what_was_written_before_a_zone_was_given_away_is_not_withdrawn(tmp_path: Path) -> None:
    """Whoever keeps it now keeps it as it stands: nothing there is ours to write any more."""
    server = Server53((OURS, CUSTOMER))
    server.put(CUSTOMER, CUSTOMER, "MX", f"10 {MX1}.")
    claim = Claim(CUSTOMER, CUSTOMER, "MX", f"10 {MX1}.", NOW - timedelta(90), "main", left=NOW - timedelta(80))
    data = {"dns": {"main": {"provider": "zonefile", "folder": "zones"}}}
    stack = Stack.model_validate({**data, "hosts": (HOST,), "domains": STACK.domains})

    zones = Zones.look(stack, (), (claim,), tmp_path, lambda *_: server, now=NOW)

    assert [zone.name for zone in zones.found.values()] == [OURS]
    assert zones.errors == {}


def test_in_a_rehearsal_the_zone_of_everybody_can_be_written() -> None:
    """Nobody else is there to publish what its owner would."""
    data = {"dns": {"main": {"provider": "zonefile", "folder": "zones"}}}
    stack = Stack.model_validate({**data, "hosts": (HOST,), "domains": STACK.domains})

    assert {domain.dns for domain in writable(stack)} == {"main"}


def test_a_plan_says_why_a_key_that_is_needed_is_not_made() -> None:
    """Each slot is in use by a key that is gone and not forgotten."""
    stories = [_key(name, KeyStage.REVOKED) for name in SLOTS[RSA]]

    plan = planning.make(STACK, State(tuple(stories)), planning.Seen({}), NOW)

    (note,) = (note for note in plan.notes if CUSTOMER in note)
    assert "each of s1, s2, s3 is in use" in note
    assert not any("rsa" in c.summary for c in plan.changes if c.kind is Kind.KEY and c.subject == CUSTOMER)
