"""The rules of rotation, each as a sentence: what comes next for a key, and what it waits for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dkim import record_text
from sendwright.lines import (
    CLOCKS_DIFFER,
    Act,
    Held,
    HostSeen,
    Line,
    Policy,
    Record,
    Seen,
    Step,
    confirmed,
    lines,
    promoted,
    removed,
    restarted,
    revoked,
)
from sendwright.rotation import due, next_steps, resting, retires_at
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MX1, MX2 = "mx1.example.com", "mx2.example.com"
HOSTS = (MX1, MX2)
RSA, ED25519 = DkimAlgorithm.RSA, DkimAlgorithm.ED25519
POLICY = Policy(others=3 * DAY, ttl=HOUR, revoked=5 * DAY)
# Long enough ago that no clock of the policy runs any more.
LONG_AGO = NOW - 60 * DAY
SERVED = Record(Held.KEY, (), NOW - HOUR)
REVOKED = Record(Held.EMPTY, (), NOW - HOUR)
GONE = Record(Held.NOTHING)


def _key(selector: str, stage: KeyStage, age: timedelta, **story: object) -> DkimKey:
    key = DkimKey("example.com", selector, RSA, selector.upper(), "0" * 64, NOW - age, stage, None, HOSTS)
    return replace(key, **story)  # type: ignore[arg-type]


OLD = _key("old", KeyStage.SIGNING, 50 * DAY)
NEW = _key("new", KeyStage.PROVEN, 2 * DAY)
GENERATED = replace(NEW, stage=KeyStage.GENERATED, proven_on=())
SIGNS = replace(NEW, stage=KeyStage.SIGNING, signing_since=NOW - DAY)
RETIRING = replace(OLD, stage=KeyStage.RETIRING, last_signed=LONG_AGO, lifetime=86400, drained=LONG_AGO + DAY)
ENDED = replace(OLD, stage=KeyStage.REVOKED, revoked=NOW - 2 * DAY)


def _line(*keys: DkimKey, policy: Policy = POLICY, **declared: object) -> Line:
    line = Line("example.com", RSA, keys, HOSTS, policy)
    return replace(line, **declared)  # type: ignore[arg-type]


def _host(holds: str = "old new", signs: str | None = "new", **seen: object) -> HostSeen:
    signing = None if signs is None else _names(signs)
    return replace(HostSeen(_names(holds), signing, DAY, None, NOW), **seen)  # type: ignore[arg-type]


def _names(selectors: str) -> frozenset[str]:
    return frozenset(f"{s}._domainkey.example.com" for s in selectors.split())


def _seen(host: HostSeen | None = None, other: HostSeen | None = None, **records: Record) -> Seen:
    """Two hosts, alike if only one is given, and records by selector."""
    host = host or _host()
    named = {f"{s}._domainkey.example.com": r for s, r in records.items()}
    return Seen({MX1: host, MX2: other or host}, named)


def _alone(host: HostSeen, **records: Record) -> Seen:
    seen = _seen(host, None, **records)
    return replace(seen, hosts={MX1: host})


def _next(line: Line, seen: Seen, key: DkimKey | None, now: datetime = NOW) -> Step:
    (step,) = (s for s in next_steps(line, seen, now) if s.key == key)
    return step


def _none(line: Line, seen: Seen, key: DkimKey | None) -> bool:
    return not [s for s in next_steps(line, seen, NOW) if s.key == key]


def _both(host: HostSeen | None = None, other: HostSeen | None = None) -> Seen:
    return _seen(host, other, old=SERVED, new=SERVED)


# A new key is asked for.


def test_a_key_that_is_due_gets_a_successor_where_that_is_declared() -> None:
    """``dkim.rotate``: without it a person is told, and nothing is done."""
    later = OLD.created + POLICY.period

    automatic, told = (
        [s.act for s in next_steps(_line(OLD, policy=replace(POLICY, automatic=a)), _at(later), later)]
        for a in (True, False)
    )

    assert automatic == [Act.GENERATE]
    assert told == [Act.DUE]


def _at(now: datetime) -> Seen:
    return _seen(_host(clock=now))


def test_a_key_is_due_a_period_after_it_began_to_sign() -> None:
    """Not after it was made: it may have waited for a host that was away."""
    assert due(_line(OLD)) == OLD.created + POLICY.period
    assert due(_line(SIGNS)) == NOW - DAY + POLICY.period
    assert due(_line(NEW)) is None


@pytest.mark.parametrize("line", [_line(OLD, start=True), _line(replace(OLD, leaked=NOW))])
def test_a_key_that_leaked_or_whose_successor_is_asked_for_gets_one_at_once(line: Line) -> None:
    """Whatever its age."""
    assert _next(line, _seen(), None).act is Act.GENERATE


def test_one_successor_at_a_time_is_made() -> None:
    """What is on its way is waited for, asked or not."""
    assert _none(_line(OLD, NEW, start=True), _both(), None)


def test_an_older_candidate_is_no_successor() -> None:
    """Hosts sign with the newest key: one that was made before it never would."""
    older = replace(NEW, created=OLD.created - DAY)

    assert _next(_line(older, OLD, start=True), _seen(), None).act is Act.GENERATE
    assert _next(_line(older, OLD), _seen(new=SERVED), older).act is Act.REVOKE


def test_no_key_is_made_by_a_clock_that_no_host_confirms() -> None:
    """The newest key is the one that signs: one that was made too early would never sign, or hold up all others."""
    line = _line(OLD, start=True)

    assert _next(line, Seen(), None).act is Act.WAIT
    assert _next(line, _seen(_host(clock=NOW + 2 * CLOCKS_DIFFER)), None).act is Act.WAIT
    future = _line(replace(OLD, created=NOW + HOUR), start=True)
    assert (_next(future, _seen(), None).act, _next(future, _seen(), None).until) == (Act.WAIT, None)


def test_the_first_key_of_all_is_left_to_provision() -> None:
    """Nothing signs before: nothing has to be rotated, and no look is taken."""
    line = _line(NEW)

    assert next_steps(line, _seen(new=SERVED), NOW) == ()
    assert resting(line, NOW)


# A successor becomes ready.


def test_a_key_is_published_only_when_a_copy_of_it_is_safe() -> None:
    """A runner that vanishes with the only copy would leave a record that nobody can sign for."""
    line = _line(OLD, GENERATED)

    step = _next(line, _seen(_host("old"), new=GONE), GENERATED)
    assert (step.act, step.hosts) == (Act.CONVERGE, HOSTS)
    assert _next(line, _seen(_host("old"), _host("old new"), new=GONE), GENERATED).act is Act.PUBLISH
    assert _next(line, Seen({}, _seen(new=GONE).records), GENERATED).act is Act.WAIT


def test_a_key_that_was_pushed_is_published_without_a_copy_on_a_host() -> None:
    """``key_store.push``: the state folder itself is durable."""
    line = _line(OLD, GENERATED, policy=replace(POLICY, pushed=True))

    assert _next(line, Seen({}, _seen(new=GONE).records), GENERATED).act is Act.PUBLISH


def test_a_publication_that_was_not_remembered_is_done_again() -> None:
    """A run may die between the provider's answer and the story."""
    assert _next(_line(OLD, GENERATED), _seen(new=SERVED), GENERATED).act is Act.PUBLISH


def test_a_record_that_is_lost_is_published_again() -> None:
    """An apply may report success and do nothing."""
    assert _next(_line(OLD, NEW), _seen(new=GONE), NEW).act is Act.PUBLISH


def test_a_host_whose_signers_may_not_have_loaded_the_key_is_converged_before_it_proves_it() -> None:
    """A run was killed between the file and the reload: its probe would leave unsigned, each time again."""
    step = _next(_line(OLD, NEW), _seen(_host(signs="old"), _host(signs=None), new=SERVED), NEW)

    assert (step.act, step.hosts) == (Act.CONVERGE, (MX2,))


def test_every_host_holds_a_key_before_any_signs_with_it() -> None:
    """A host without it would defer its mail."""
    step = _next(_line(OLD, NEW), _seen(_host(), _host("old"), new=SERVED), NEW)

    assert (step.act, step.hosts) == (Act.CONVERGE, (MX2,))


def test_a_host_that_is_away_holds_up_the_promotion() -> None:
    """It could not be brought to sign with the new key, and what it holds is not known."""
    step = _next(_line(OLD, NEW), _alone(_host(), new=SERVED), NEW)

    assert (step.act, step.hosts) == (Act.WAIT, (MX2,))


def test_a_line_that_no_host_sends_for_waits() -> None:
    """Nobody could prove its keys, and nobody says what the time is."""
    assert _next(_line(OLD, NEW, hosts=()), _seen(new=SERVED), NEW).act is Act.WAIT
    assert _next(_line(OLD, hosts=(), start=True), _seen(), None).act is Act.WAIT


@pytest.mark.parametrize("off", [2 * CLOCKS_DIFFER, -2 * CLOCKS_DIFFER])
def test_a_clock_that_differs_holds_up_the_promotion(off: timedelta) -> None:
    """Whether a record is fresh is a matter of time: either clock may be wrong."""
    step = _next(_line(OLD, NEW), _seen(_host(), _host(clock=NOW + off), new=SERVED), NEW)

    assert (step.act, step.hosts) == (Act.WAIT, (MX2,))


def test_a_key_waits_for_every_server_by_name() -> None:
    """A verifier may ask any of them."""
    step = _next(_line(OLD, NEW), _seen(new=Record(Held.KEY, ("ns2 does not have it yet",))), NEW)

    assert (step.act, step.why) == (Act.WAIT, "ns2 does not have it yet")


def test_a_key_waits_until_no_cache_holds_that_it_does_not_exist() -> None:
    """Served is not enough: resolvers remember a negative answer."""
    step = _next(_line(OLD, NEW), _seen(new=replace(SERVED, fresh_at=NOW + HOUR)), NEW)

    assert (step.act, step.until) == (Act.WAIT, NOW + HOUR)


def test_a_key_is_proven_on_every_host_before_it_signs() -> None:
    """By a probe that verifies through live DNS."""
    key = replace(NEW, proven_on=(MX1,))
    step = _next(_line(OLD, key), _seen(new=SERVED), key)

    assert (step.act, step.hosts) == (Act.PROVE, (MX2,))


def test_a_key_that_is_served_fresh_and_proven_everywhere_is_promoted() -> None:
    """And both sign, until every host was seen to have switched."""
    assert _next(_line(OLD, NEW), _seen(_host(signs="old"), new=SERVED), NEW).act is Act.PROMOTE
    assert promoted(NEW, NOW) == replace(NEW, stage=KeyStage.SIGNING, signing_since=NOW)


def test_a_record_that_could_not_be_looked_at_is_waited_for() -> None:
    """At every stage: what is not known is no reason to act."""
    for key in (GENERATED, NEW, RETIRING, ENDED):
        signing = OLD if key.selector == "new" else SIGNS
        assert _next(_line(signing, key), _seen(_host("new", "new")), key).act is Act.WAIT


def test_a_key_from_the_future_is_not_promoted() -> None:
    """It would be the newest for as long as that, whatever is made after it."""
    key = replace(NEW, created=NOW + DAY)
    step = _next(_line(OLD, key), _seen(new=SERVED), key)

    assert (step.act, step.until) == (Act.WAIT, None)


# Candidates that are given up.


@pytest.mark.parametrize(
    ("stage", "record", "act"),
    [
        (KeyStage.GENERATED, GONE, Act.REMOVE),
        (KeyStage.GENERATED, Record(Held.OTHER), Act.REMOVE),
        (KeyStage.GENERATED, SERVED, Act.REVOKE),
        (KeyStage.PUBLISHED, SERVED, Act.REVOKE),
        (KeyStage.PROVEN, GONE, Act.REVOKE),
    ],
)
def test_a_candidate_that_leaked_is_revoked_wherever_its_record_may_stand(
    stage: KeyStage, record: Record, act: Act
) -> None:
    """Only what was never in DNS may just be forgotten: a run that died may have published it."""
    key = replace(NEW, stage=stage, leaked=NOW)

    assert _next(_line(OLD, key), _seen(new=record), key).act is act


def test_a_candidate_that_leaked_holds_no_other_one_up() -> None:
    """Where both leaked, the one that signs is replaced at once, not in the run after the other is revoked."""
    line = _line(replace(OLD, leaked=NOW), replace(NEW, leaked=NOW))

    assert {step.act for step in next_steps(line, _both(), NOW)} >= {Act.GENERATE, Act.REVOKE}


def test_a_candidate_gives_way_to_a_newer_one() -> None:
    """As when a key is imported while another is on its way."""
    newer = replace(NEW, selector="newer", created=NOW - HOUR)
    line = _line(OLD, NEW, newer)

    assert _next(line, _seen(_host("old new newer"), new=SERVED, newer=SERVED), NEW).act is Act.REVOKE
    assert _next(line, _seen(_host("old new newer"), new=SERVED, newer=SERVED), newer).act is Act.PROMOTE


@pytest.mark.parametrize("stage", [KeyStage.GENERATED, KeyStage.PUBLISHED, KeyStage.PROVEN])
def test_an_imported_key_that_gives_way_retires(stage: KeyStage) -> None:
    """Where it came from it signed, and its record stood: revoked at once, what it signed would fail."""
    imported = replace(NEW, stage=stage, signing_since=NEW.created)
    newer = replace(NEW, selector="newer", created=NOW - HOUR)
    line = _line(OLD, imported, newer)
    seen = _seen(_host("old new newer", signs="old"), old=SERVED, new=SERVED, newer=SERVED)

    assert _next(line, seen, imported).act is Act.DEMOTE
    retiring = confirmed(line, imported, seen, NOW)
    assert _next(_line(OLD, retiring, newer), seen, retiring).until == NOW + DAY
    leaked = replace(imported, leaked=NOW)
    assert _next(_line(OLD, leaked, newer), seen, leaked).act is Act.REVOKE


def test_a_candidate_of_an_algorithm_that_is_switched_off_is_revoked() -> None:
    """It will not sign."""
    assert _next(_line(OLD, NEW, declared=False), _both(), NEW).act is Act.REVOKE


# The switch.


@pytest.mark.parametrize("signs", ["old", "old new", None, ""])
def test_hosts_are_brought_to_sign_with_the_newest_key(signs: str | None) -> None:
    """A host of which nobody knows what it signs with may sign with the older."""
    step = _next(_line(OLD, SIGNS), _both(_host(), _host(signs=signs)), OLD)

    assert (step.act, step.hosts) == (Act.CONVERGE, (MX2,))


def test_the_older_key_is_demoted_only_when_every_host_was_seen_to_sign_with_the_newer() -> None:
    """One that is away may sign with it for as long as it likes."""
    line = _line(OLD, SIGNS)

    away = _next(line, _alone(_host(), old=SERVED, new=SERVED), OLD)
    assert (away.act, away.hosts) == (Act.WAIT, (MX2,))
    assert _next(line, _both(), OLD).act is Act.DEMOTE


def test_the_older_key_is_not_demoted_while_some_server_lacks_the_newer() -> None:
    """In doubt it is there to go back to."""
    for record in (Record(Held.KEY, ("ns2 does not have it yet",)), GONE):
        assert _next(_line(OLD, SIGNS), _seen(old=SERVED, new=record), OLD).act is Act.WAIT


def test_a_host_that_did_not_prove_the_newest_key_proves_it() -> None:
    """It would go on signing with the older, which would never retire."""
    current = replace(SIGNS, proven_on=(MX1,))
    line = _line(OLD, current)
    behind = _both(_host(), _host(signs="old"))

    assert (_next(line, behind, current).act, _next(line, behind, current).hosts) == (Act.PROVE, (MX2,))
    assert _next(line, behind, OLD).act is Act.WAIT
    lacking = _both(_host(), _host("old", "old"))
    assert (_next(line, lacking, current).act, _next(line, lacking, current).hosts) == (Act.CONVERGE, (MX2,))


def test_the_records_of_both_keys_are_kept_during_the_switch() -> None:
    """Either may have signed what is judged now."""
    assert _next(_line(OLD, SIGNS), _seen(old=GONE, new=SERVED), OLD).act is Act.PUBLISH
    assert _next(_line(OLD, SIGNS), _seen(old=SERVED, new=GONE), SIGNS).act is Act.PUBLISH


def test_a_key_of_an_algorithm_that_is_switched_off_retires_when_no_host_signs_with_it() -> None:
    """It has no successor to wait for."""
    line = _line(OLD, declared=False)

    assert _next(line, _seen(_host(signs="old"), old=SERVED), OLD).act is Act.CONVERGE
    assert _next(line, _alone(_host(signs=""), old=SERVED), OLD).act is Act.WAIT
    assert _next(line, _seen(_host(signs=""), old=SERVED), OLD).act is Act.DEMOTE
    assert not resting(line, NOW)


# Retirement.


def test_the_clock_starts_when_no_host_was_seen_to_sign_any_more() -> None:
    """At the time of that look, with the longest that any host keeps mail."""
    seen = _seen(_host(), _host(lifetime=3 * DAY))

    assert confirmed(_line(OLD, SIGNS), OLD, seen, NOW) == replace(
        OLD, stage=KeyStage.RETIRING, last_signed=NOW, lifetime=3 * 86400
    )


@pytest.mark.parametrize("signs", ["old", None])
def test_a_host_that_signs_again_or_may_stops_the_clocks(signs: str | None) -> None:
    """As one that was set back to what it was weeks ago; it is converged, and then they start anew."""
    line, back = _line(RETIRING, SIGNS), _both(_host(), _host(signs=signs))

    assert _next(line, back, RETIRING).act is Act.RESTART
    stopped = restarted(RETIRING)
    assert (stopped.last_signed, stopped.drained) == (None, None)
    line = _line(stopped, SIGNS)
    assert (_next(line, back, stopped).act, _next(line, back, stopped).hosts) == (Act.CONVERGE, (MX2,))
    assert _next(line, _both(), stopped).act is Act.CONFIRM
    assert retires_at(line, stopped) is None


def test_a_host_that_is_away_keeps_the_clock_from_starting() -> None:
    """And from running out: what it does is not known."""
    stopped = restarted(RETIRING)

    for key in (stopped, RETIRING):
        assert _next(_line(key, SIGNS), _alone(_host(), old=SERVED, new=SERVED), key).act is Act.WAIT


def test_the_record_stays_for_our_queues_and_then_for_those_of_others() -> None:
    """The second clock starts when the first was seen to be over, and TTLs come on top."""
    line, key = _line(RETIRING, SIGNS), replace(RETIRING, last_signed=NOW - HOUR, drained=None)

    ours = _next(_line(key, SIGNS), _both(), key)
    assert (ours.act, ours.until) == (Act.WAIT, NOW - HOUR + DAY)
    assert retires_at(line, key) == NOW - HOUR + DAY + 3 * DAY + HOUR
    key = replace(key, last_signed=NOW - DAY)
    assert _next(_line(key, SIGNS), _both(), key).act is Act.CONFIRM
    key = confirmed(_line(key, SIGNS), key, _both(), NOW)
    assert (key.last_signed, key.drained) == (NOW - DAY, NOW)
    others = _next(_line(key, SIGNS), _both(), key)
    assert (others.act, others.until) == (Act.WAIT, NOW + 3 * DAY + HOUR)


def test_a_key_is_revoked_when_no_queue_can_hold_what_it_signed() -> None:
    """And not a moment before."""
    until = retires_at(_line(RETIRING, SIGNS), RETIRING)
    assert until is not None

    for now, act in ((until - timedelta(seconds=1), Act.WAIT), (until, Act.REVOKE)):
        seen = _both(_host(clock=now))
        assert _next(_line(RETIRING, SIGNS), seen, RETIRING, now).act is act


@pytest.mark.parametrize("arrived", [LONG_AGO - DAY, LONG_AGO, LONG_AGO + CLOCKS_DIFFER])
def test_a_message_on_hold_keeps_the_key_it_may_be_signed_with(arrived: datetime) -> None:
    """No queue lifetime counts for it; and the clock of its host may have been ahead when it arrived."""
    key = replace(RETIRING, drained=None)
    full = _both(_host(), _host(oldest=arrived))
    step = _next(_line(key, SIGNS), full, key)

    assert (step.act, step.hosts) == (Act.WAIT, (MX2,))
    assert confirmed(_line(key, SIGNS), key, full, NOW).drained is None


def test_a_message_that_came_later_keeps_no_key() -> None:
    """Its successor signed it."""
    key = replace(RETIRING, drained=None)
    seen = _both(_host(oldest=LONG_AGO + CLOCKS_DIFFER + timedelta(seconds=1)))

    assert _next(_line(key, SIGNS), seen, key).act is Act.CONFIRM


def test_a_message_that_was_let_go_late_is_given_the_time_of_others() -> None:
    """It left our queue just now, and lies in somebody else's."""
    key = replace(RETIRING, drained=None)

    key = confirmed(_line(key, SIGNS), key, _both(), NOW)

    assert _next(_line(key, SIGNS), _both(), key).until == NOW + 3 * DAY + HOUR


def test_a_host_that_keeps_mail_for_longer_than_was_known_extends_the_clock() -> None:
    """Lifetimes are read from Postfix as it is now; a shorter one takes nothing back."""
    key = replace(RETIRING, last_signed=NOW - 2 * DAY, drained=None)
    line, seen = _line(key, SIGNS), _both(_host(lifetime=5 * DAY))

    assert _next(line, seen, key).act is Act.CONFIRM
    later = confirmed(line, key, seen, NOW)
    assert (later.last_signed, later.lifetime, later.drained) == (NOW - 2 * DAY, 5 * 86400, None)
    assert confirmed(line, later, _both(), NOW).lifetime == 5 * 86400


def test_the_record_of_a_retiring_key_is_kept() -> None:
    """Mail that it signed is judged by it."""
    assert _next(_line(RETIRING, SIGNS), _seen(old=GONE, new=SERVED), RETIRING).act is Act.PUBLISH


# Leaks.


def test_a_successor_of_a_leaked_key_does_not_wait_for_caches() -> None:
    """But for every server, every host and every proof."""
    leaked = replace(OLD, leaked=NOW)
    line, stale = _line(leaked, NEW), replace(SERVED, fresh_at=NOW + HOUR)

    assert _next(line, _seen(new=stale), NEW).act is Act.PROMOTE
    assert _next(line, _seen(new=Record(Held.KEY, ("ns2 lags",))), NEW).act is Act.WAIT
    assert _next(line, _alone(_host(), new=stale), NEW).act is Act.WAIT
    unproven = replace(NEW, proven_on=())
    assert _next(_line(leaked, unproven), _seen(new=stale), unproven).act is Act.PROVE


def test_a_leaked_key_is_revoked_as_soon_as_every_host_signs_with_its_successor() -> None:
    """Without the clocks of queues; not before, or mail would leave that nobody can verify."""
    leaked = replace(OLD, leaked=NOW)
    assert _next(_line(leaked, SIGNS), _alone(_host(), old=SERVED, new=SERVED), leaked).act is Act.WAIT
    assert _next(_line(leaked, SIGNS), _both(_host(signs="old")), leaked).act is Act.CONVERGE
    assert _next(_line(leaked, SIGNS), _both(), leaked).act is Act.DEMOTE

    retiring = confirmed(_line(leaked, SIGNS), leaked, _seen(), NOW)
    assert _next(_line(retiring, SIGNS), _both(), retiring).act is Act.REVOKE
    assert _next(_line(retiring, SIGNS), _alone(_host(), old=SERVED, new=SERVED), retiring).act is Act.WAIT


@pytest.mark.parametrize("record", [GONE, REVOKED, Record(Held.OTHER)])
def test_a_leaked_key_that_retires_is_not_published_again(record: Record) -> None:
    """Whatever stands there: it is to be revoked."""
    key = replace(RETIRING, leaked=NOW)

    assert _next(_line(key, SIGNS), _seen(old=record, new=SERVED), key).act is Act.REVOKE


# What DNS says against it.


@pytest.mark.parametrize("record", [Record(Held.EMPTY), Record(Held.OTHER)])
def test_a_new_key_whose_selector_dns_knows_makes_room_for_another(record: Record) -> None:
    """Caches may hold what stands there, or stood there, for as long as it likes; nobody has seen the new key."""
    assert _next(_line(OLD, GENERATED), _seen(new=record), GENERATED).act is Act.REMOVE
    gone = removed(GENERATED, NOW)
    assert _none(_line(OLD, gone), _seen(new=record), gone)


@pytest.mark.parametrize("record", [Record(Held.EMPTY), Record(Held.OTHER)])
def test_a_record_that_contradicts_a_living_key_is_left_alone(record: Record) -> None:
    """No empty ``p=`` becomes a key again, and nobody else's key is replaced: a person has to look."""
    for key in (replace(GENERATED, signing_since=NOW - DAY), NEW):
        assert _next(_line(OLD, key), _seen(new=record), key).act is Act.BLOCKED
    assert _next(_line(OLD, SIGNS), _seen(old=record, new=SERVED), OLD).act is Act.BLOCKED
    assert _next(_line(RETIRING, SIGNS), _seen(old=record, new=SERVED), RETIRING).act is Act.BLOCKED


def test_hosts_leave_a_contradicted_key_all_the_same() -> None:
    """Mail that they sign with it does not verify."""
    seen = _seen(_host(signs="old"), old=Record(Held.OTHER), new=SERVED)

    assert _next(_line(OLD, SIGNS), seen, OLD).act is Act.CONVERGE


def test_somebody_elses_key_is_not_revoked() -> None:
    """Where a key of ours should say that it is revoked."""
    assert _next(_line(ENDED, SIGNS), _seen(_host("new"), old=Record(Held.OTHER)), ENDED).act is Act.BLOCKED


# The end.


def test_the_private_part_of_a_revoked_key_leaves_the_hosts() -> None:
    """Those that can be reached: nothing waits for another."""
    step = _next(_line(ENDED, SIGNS), _alone(_host(), old=REVOKED), ENDED)

    assert (step.act, step.hosts) == (Act.CONVERGE, (MX1,))


@pytest.mark.parametrize("record", [SERVED, GONE])
def test_a_revoked_key_has_an_empty_record(record: Record) -> None:
    """RFC 6376 section 3.6.1: nobody has to guess."""
    assert _next(_line(ENDED, SIGNS), _seen(_host("new"), old=record), ENDED).act is Act.PUBLISH
    assert record_text(revoked(OLD)).endswith("p=")
    assert revoked(replace(OLD, served_since=NOW)).served_since is None


def test_a_revocation_is_dated_when_every_server_says_so() -> None:
    """By a clock that a host confirms: what follows is counted from it."""
    key = replace(ENDED, revoked=None)
    line = _line(key, SIGNS)

    assert _next(line, _seen(_host("new"), old=Record(Held.EMPTY, ("ns2 lags",))), key).act is Act.WAIT
    assert _next(line, _seen(_host("new", clock=NOW + DAY), old=REVOKED), key).act is Act.WAIT
    assert _next(line, Seen({}, _seen(old=REVOKED).records), key).act is Act.WAIT
    assert _next(line, _alone(_host("new"), old=REVOKED), key).act is Act.DATE


def test_an_empty_record_goes_after_its_time() -> None:
    """And nobody asks the servers about it any more meanwhile."""
    line, seen = _line(ENDED, SIGNS), _seen(_host("new"), old=Record(Held.EMPTY))

    assert (_next(line, seen, ENDED).act, _next(line, seen, ENDED).until) == (Act.WAIT, NOW + 3 * DAY)
    over = replace(ENDED, revoked=NOW - 5 * DAY)
    assert _next(_line(over, SIGNS), seen, over).act is Act.REMOVE


def test_a_removed_key_leaves_no_record() -> None:
    """As far as it was looked at: a removed key alone is no reason to look."""
    key = removed(ENDED, NOW)
    line = _line(key, SIGNS)

    assert _next(line, _seen(old=REVOKED), key).act is Act.PUBLISH
    for nothing in (_seen(old=GONE), _seen(old=Record(Held.OTHER)), _seen()):
        assert _none(line, nothing, key)
    assert resting(line, NOW)


def test_a_private_part_is_disclosed_only_when_no_cache_holds_the_key() -> None:
    """Else anybody could sign as us; and only where that is declared."""
    policy = replace(POLICY, disclose=True)
    early, late = replace(ENDED, revoked=NOW - HOUR + timedelta(seconds=1)), replace(ENDED, revoked=NOW - HOUR)
    seen = _seen(_host("new"), old=REVOKED)

    assert _next(_line(early, SIGNS, policy=policy), seen, early).act is Act.WAIT
    assert _next(_line(late, SIGNS, policy=policy), seen, late).act is Act.DISCLOSE
    assert _next(_line(late, SIGNS), seen, late).act is Act.WAIT
    told = replace(late, disclosed="AAAA")
    assert _next(_line(told, SIGNS, policy=policy), seen, told).act is Act.WAIT
    wrong = _seen(_host("new", clock=NOW + DAY), old=REVOKED)
    assert _next(_line(late, SIGNS, policy=policy), wrong, late).act is Act.WAIT


# Lines.


def _stack(**dkim: object) -> Stack:
    hosts = tuple(
        Host.model_validate({"name": n, "ssh": {"hostname": n}, "egress": [{"public": f"203.0.113.{i}"}]})
        for i, n in enumerate(HOSTS, 10)
    )
    domains = (
        Domain.model_validate({"name": "example.com", "dns": "main", "dkim": dkim}),
        Domain.model_validate({"name": "example.org", "dns": "main"}),
    )
    return Stack(hosts=hosts, domains=domains)


def test_rsa_and_ed25519_are_lines_of_their_own() -> None:
    """What holds one up does not concern the other."""
    other = replace(OLD, selector="ed", algorithm=ED25519, leaked=NOW)
    found = lines(_stack(), (OLD, other))

    assert [(line.domain, line.algorithm, line.keys) for line in found] == [
        ("example.com", RSA, (OLD,)),
        ("example.com", ED25519, (other,)),
    ]
    assert [[s.act for s in next_steps(line, _seen(), NOW)] for line in found] == [[], [Act.GENERATE]]


def test_a_line_of_an_algorithm_that_is_switched_off_is_not_declared() -> None:
    """It is there for as long as it has keys."""
    other = replace(OLD, selector="ed", algorithm=ED25519)

    assert [line.declared for line in lines(_stack(algorithms=("rsa",)), (OLD, other))] == [True, False]


def test_a_host_that_was_never_provisioned_holds_nothing_up() -> None:
    """It signs nothing."""
    (line,) = lines(_stack(), (OLD,), bare={MX2})

    assert line.hosts == (MX1,)


def test_why_a_host_does_not_count_is_told() -> None:
    """One that is away comes back by itself; one that was given up has an error, which somebody has to mend."""
    line, seen = _line(OLD, SIGNS), _alone(_host(), old=SERVED, new=SERVED)

    away = _next(line, seen, OLD)
    left = _next(line, replace(seen, given_up=frozenset({MX2})), OLD)
    both = _next(line, replace(seen, hosts={}, given_up=frozenset({MX2})), OLD)

    assert (away.why, left.why) == (f"{MX2} cannot be reached", f"{MX2} was given up")
    assert both.why == f"{MX1} cannot be reached, and {MX2} was given up"


def test_a_host_that_sends_no_more_counts_until_the_keys_that_it_signed_with_have_retired() -> None:
    """It signs on until somebody provisions, and then mail lies in its queue; a new key has nothing to do with it."""
    draining = replace(RETIRING, drained=None)
    line, retiring, early = (
        _line(*keys, hosts=(MX1,), former=(MX2,)) for keys in ((OLD, SIGNS), (draining, SIGNS), (OLD, NEW))
    )

    still = _next(line, _both(_host(), _host(signs="old")), OLD)
    away = _next(line, _alone(_host(), old=SERVED, new=SERVED), OLD)
    kept = _next(retiring, _both(_host(), _host(oldest=LONG_AGO - HOUR)), draining)

    assert (still.act, still.hosts) == (Act.CONVERGE, (MX2,))
    assert (away.act, away.hosts) == (Act.WAIT, (MX2,))
    assert _next(line, _both(), OLD).act is Act.DEMOTE
    assert (kept.act, kept.hosts) == (Act.WAIT, (MX2,))
    assert confirmed(line, OLD, _both(_host(), _host(lifetime=9 * DAY)), NOW).lifetime == 9 * 86400
    assert _next(early, _alone(_host(signs="old"), old=SERVED, new=SERVED), NEW).act is Act.PROMOTE


def test_hosts_that_a_domain_left_are_known_by_its_keys() -> None:
    """By what was proven on them, also where that is of the past; one that was set up anew has nothing of it."""
    domain = Domain.model_validate({"name": "example.com", "dns": "main", "hosts": [MX1]})
    stack = _stack().model_copy(update={"domains": (domain,)})

    for key in (OLD, replace(OLD, proven_on=(MX1,), former=(MX2, "mx9.example.com"))):
        assert [(line.hosts, line.former) for line in lines(stack, (key,))] == [((MX1,), (MX2,))]
        assert lines(stack, (key,), bare={MX2})[0].former == ()
    assert lines(stack, (replace(OLD, proven_on=(MX1,)),))[0].former == ()


def test_a_private_part_that_stands_behind_another_selector_too_is_not_disclosed() -> None:
    """The other one may sign yet, for another domain even, whatever became of this one."""
    twin = replace(OLD, domain="example.org", selector="same")
    stack = _stack(publish_revoked_keys=True)

    assert not lines(stack, (ENDED, twin))[0].policy.disclose
    assert lines(stack, (ENDED, replace(twin, public="BBBB")))[0].policy.disclose
    assert lines(stack, (ENDED, removed(twin, NOW)))[0].policy.disclose


def test_nothing_is_looked_at_while_one_key_signs_and_is_not_to_be_replaced() -> None:
    """Not even when it is due and a person has to begin: that is said without a look."""
    later = NOW + 365 * DAY

    assert resting(_line(OLD, removed(ENDED, NOW)), NOW)
    assert resting(_line(OLD), later)
    assert [s.act for s in next_steps(_line(OLD), Seen(), later)] == [Act.DUE]
    for line in (_line(OLD, start=True), _line(OLD, NEW), _line(RETIRING, SIGNS), _line(ENDED, SIGNS)):
        assert not resting(line, NOW)
    assert not resting(_line(OLD, policy=replace(POLICY, automatic=True)), later)
    assert not resting(_line(replace(OLD, leaked=NOW)), NOW)


stories = st.builds(
    _key,
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(KeyStage),
    st.integers(-2, 90).map(lambda days: days * DAY),
    leaked=st.sampled_from([None, NOW]),
    last_signed=st.sampled_from([None, NOW - DAY, LONG_AGO]),
    drained=st.sampled_from([None, NOW - HOUR, LONG_AGO]),
    revoked=st.sampled_from([None, NOW - HOUR, LONG_AGO]),
    proven_on=st.sampled_from([(), (MX1,), HOSTS]),
)
selectors = st.sampled_from(["", "a", "a b", "c d", "a b c d"])
hosts = st.builds(_host, selectors, st.one_of(st.none(), selectors), oldest=st.sampled_from([None, LONG_AGO, NOW]))
records = st.builds(Record, st.sampled_from(Held), st.sampled_from([(), ("ns2 lags",)]), st.sampled_from([None, NOW]))
looks = st.builds(
    lambda hosts, records: Seen(hosts, {f"{s}._domainkey.example.com": r for s, r in records.items()}),
    st.dictionaries(st.sampled_from(HOSTS), hosts),
    st.dictionaries(st.sampled_from("abcd"), records),
)


@given(st.lists(stories, unique_by=lambda key: key.selector), looks, st.booleans(), st.booleans())
def test_whatever_is_remembered_and_seen_there_is_one_step_a_key(
    keys: list[DkimKey], seen: Seen, start: bool, declared: bool
) -> None:
    """Also for stories that no run of ours would write: a folder may come from anywhere."""
    steps = next_steps(_line(*keys, start=start, declared=declared), seen, NOW)

    assert len({step.key for step in steps}) == len(steps)
    assert all(step.why for step in steps)
    assert all({*step.hosts} <= {*seen.hosts} for step in steps if step.act in {Act.CONVERGE, Act.PROVE} and seen.hosts)
