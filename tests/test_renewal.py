"""When a certificate is renewed and with which key; in a hostile world no sender ever meets a key it does not know."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from sendwright import renewal
from sendwright.renewal import Held, Hold, Known, Order, Use, Wanted
from sendwright.service import Sealed
from sendwright.state.model import NextKey
from tests.renewal_model import DAY, HOST, HOUR, MINUTE, SERVERS, START, Asked, Rules, World

K1, K2 = "1" * 64, "2" * 64
DIRECTORY = "https://acme.example/directory"
HELD = Held(K1, "ecdsa", "acme", frozenset({HOST}), START, START + 90 * DAY, DIRECTORY)
WANTED = Wanted(HOST, frozenset({HOST}), issuer=DIRECTORY)
NEXT = NextKey(HOST, Sealed("tls/x.key", K2), K2, START)
TOLD = Known(told=True, served=frozenset({K1, K2}))
END = HELD.not_after


def decide(
    held: Held | None = HELD,
    coming: NextKey | None = NEXT,
    wanted: Wanted = WANTED,
    known: Known = TOLD,
    now: timedelta = DAY,
) -> Order | Hold | None:
    """Decide, of what is plain but for what a test is about; ``now``: after the certificate began."""
    return renewal.decide(held, coming, "ecdsa", wanted, known, START + now)


@pytest.mark.parametrize(
    ("held", "wanted", "words"),
    [
        (None, WANTED, "none of the authority's"),
        (replace(HELD, mode="self-signed"), WANTED, "none of the authority's"),
        (HELD, replace(WANTED, names=frozenset({HOST, "mta-sts.a.example"})), "it does not name mta-sts.a.example"),
        (HELD, replace(WANTED, names=frozenset({HOST, "b.example", "a.example"})), "name a.example and 1 more"),
        (HELD, replace(WANTED, issuer="https://other.example/"), "it is from another authority"),
        (HELD, replace(WANTED, renew_now=True), "somebody asked for it"),
        (replace(HELD, not_after=START + 1.2 * DAY), WANTED, "it ends on 2026-11-02 04:48 UTC"),
    ],
)
def test_why_a_certificate_is_ordered(held: Held | None, wanted: Wanted, words: str) -> None:
    """Each reason is a phrase that a person can act on."""
    assert words in (renewal.due(held, wanted, START + DAY) or "")
    assert renewal.due(HELD, WANTED, START + DAY) is None


def test_a_name_too_many_is_no_reason() -> None:
    """A domain that left takes nothing from the others; its name goes with the next renewal."""
    assert renewal.due(replace(HELD, names=HELD.names | {"mta-sts.gone.example"}), WANTED, START + DAY) is None


@given(st.integers(3600, 400 * 86400), st.integers(0, 999))
def test_a_renewal_begins_within_the_last_third_of_any_life(seconds: int, number: int) -> None:
    """Six days or ninety: early enough for many tries, and hosts do not all come at once."""
    held = replace(HELD, not_after=START + timedelta(seconds=seconds))
    life = held.not_after - held.not_before

    begins = renewal.renew_from(held, f"mx{number}.example.com")

    assert held.not_after - life / 3 <= begins <= held.not_after - life / 3 * 0.899
    assert begins == renewal.renew_from(held, f"mx{number}.example.com")


def test_the_authority_may_suggest_an_earlier_renewal_and_no_later_one() -> None:
    """It knows of revocations to come (RFC 9773 section 4.2); our own window holds where it suggests too late."""
    own = renewal.renew_from(HELD, HOST)

    assert renewal.renew_from(HELD, HOST, START + DAY) == START + DAY
    assert renewal.renew_from(HELD, HOST, END) == own
    assert decide(known=replace(TOLD, window=START + DAY)) == Order(Use.CURRENT, "it ends on 2027-01-30 00:00 UTC")


def test_a_host_that_renews_by_itself_has_half_of_the_time_before_anybody_else_does() -> None:
    """Two that ask for the same at once would only come upon the authority's limits."""
    begins = renewal.renew_from(HELD, HOST, START + DAY, by_host=True)

    assert begins == renewal.renew_from(HELD, HOST) + 15 * DAY
    assert begins < END - 10 * DAY


def test_a_certificate_that_is_not_got_from_an_authority_is_judged_alike() -> None:
    """Its key changes by the same rules, where senders know it."""
    held, wanted = replace(HELD, mode="self-signed", issuer=None), replace(WANTED, mode="self-signed", issuer=None)

    assert decide(held=held, wanted=wanted) is None
    assert decide(held=held, wanted=replace(wanted, new_key=True)) == Hold("its next key has only just been served")


def test_a_renewal_keeps_its_key() -> None:
    """TLSA records stay true, so nothing else has to move (RFC 7671 section 5.1)."""
    for known in (Known(), TOLD):
        assert decide(known=known, now=80 * DAY) == Order(Use.CURRENT, "it ends on 2027-01-30 00:00 UTC")
    assert decide() is None


def test_another_key_is_used_once_it_is_served_and_fresh() -> None:
    """Every gate has its own sentence; the last one says when."""
    asked = replace(WANTED, new_key=True)
    fresh = replace(NEXT, fresh_at=START + 2 * DAY)

    assert decide(wanted=asked, coming=None) == Hold("its next key is not made yet")
    assert decide(wanted=asked, known=replace(TOLD, served=frozenset({K1}))) == Hold(
        "its next key is not served by every name server yet"
    )
    assert decide(wanted=asked, known=Known(told=True, behind="ns2 does not have it")) == Hold("ns2 does not have it")
    assert decide(wanted=asked) == Hold("its next key has only just been served")
    assert decide(wanted=asked, coming=fresh) == Hold(
        "caches may hold TLSA records without its next key", START + 2 * DAY
    )
    assert decide(wanted=asked, coming=fresh, now=2 * DAY) == Order(Use.NEXT, "somebody asked for another key")


def test_where_nobody_was_told_another_key_waits_for_nothing() -> None:
    """Without TLSA records no sender can refuse it."""
    asked = replace(WANTED, new_key=True)

    assert decide(wanted=asked, known=Known()) == Order(Use.NEXT, "somebody asked for another key")
    assert decide(wanted=asked, known=Known(), coming=None) == Order(Use.FRESH, "somebody asked for another key")


def test_another_kind_of_key_in_the_inventory_is_another_key() -> None:
    """The next one has to be of that kind, too."""
    rsa = replace(WANTED, kind="rsa")
    why = "the inventory says rsa, its key is ecdsa"

    assert decide(wanted=rsa, known=Known()) == Order(Use.FRESH, why)
    assert decide(wanted=rsa) == Hold("its next key is not made yet")
    known = replace(NEXT, fresh_at=START)
    assert renewal.decide(HELD, known, "rsa", rsa, TOLD, START + DAY) == Order(Use.NEXT, why)


@pytest.mark.parametrize("now", [False, True])
def test_a_certificate_that_ends_does_not_wait_for_another_key(now: bool) -> None:
    """It is renewed with the present key meanwhile, whatever else somebody asked for."""
    asked = replace(WANTED, new_key=True, renew_now=now)

    held = decide(wanted=asked, now=80 * DAY)

    assert isinstance(held, Hold)
    assert held.instead == Order(Use.CURRENT, "it ends on 2027-01-30 00:00 UTC")
    early = decide(wanted=asked)
    assert isinstance(early, Hold)
    assert early.instead is None


def test_keys_that_senders_know_and_nobody_has_are_not_replaced() -> None:
    """Whatever the state folder lost: a fresh key would be refused by every sender that enforces DANE."""
    assert decide(held=None, known=Known()) == Order(Use.FRESH, "there is none of the authority's yet")
    held = decide(held=None)
    assert isinstance(held, Hold)
    assert "restore" in held.why


def test_the_clock_of_a_next_key_runs_only_while_every_server_has_it() -> None:
    """What a server gave out without it may be held as long as any."""
    at = START + HOUR

    served = renewal.watched(NEXT, TOLD, at)

    assert served.fresh_at == at
    assert renewal.watched(served, TOLD, at + HOUR) == served
    assert renewal.watched(served, replace(TOLD, served=frozenset({K1})), at + HOUR) == NEXT
    assert renewal.unwatched(served) == NEXT


# In a hostile world.

spans = st.sampled_from([timedelta(seconds=30), MINUTE, 4 * MINUTE, 11 * MINUTE, HOUR, DAY, 3 * DAY])
asked = st.builds(Asked, st.booleans(), st.booleans())


class Renewals(RuleBasedStateMachine):
    """Anything happens in any order, between any two effects of a run; no sender refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.complete()
        self.running = self.world.run()

    @rule(asked=asked, steps=st.integers(0, 12))
    def a_run_begins_and_the_one_before_was_killed(self, asked: Asked, steps: int) -> None:
        """It goes so far, and may go on later."""
        self.running = self.world.run(asked)
        self._go_on(steps)

    @rule(steps=st.integers(1, 12))
    def a_run_goes_on(self, steps: int) -> None:
        """After whatever happened meanwhile."""
        self._go_on(steps)

    @rule(asked=asked)
    def a_run_comes_to_its_end(self, asked: Asked) -> None:
        """And then no certificate is due that the authority would have given."""
        self.world.complete(asked)
        self.running = iter(())
        if not (self.world.refusing or self.world.unreachable or self.world.wrong):
            assert renewal.due(self.world.held, self.world.wanted, self.world.time) is None

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        """A suspended laptop, a slow authority, or nobody runs anything."""
        self.world.advance(span)

    @rule(server=st.integers(0, SERVERS - 1), slow=st.booleans())
    def a_server_lags_or_follows(self, server: int, slow: bool) -> None:
        """Changes do not reach it, or all do."""
        if slow:
            self.world.slow.add(server)
        else:
            self.world.transfer(server)

    @rule()
    def the_authority_refuses_or_gives(self) -> None:
        """Rate limits, an outage, or not."""
        self.world.refusing ^= True

    @rule()
    def the_host_goes_or_comes_back(self) -> None:
        """It shows what it did, and cannot be reached."""
        self.world.unreachable ^= True

    @rule(kind=st.sampled_from(["ecdsa", "rsa"]))
    def another_kind_of_key_is_declared(self, kind: str) -> None:
        """In the inventory."""
        self.world.kind = kind

    @rule()
    def dane_is_declared_or_not(self) -> None:
        """In the inventory."""
        self.world.dane ^= True

    @rule(more=st.booleans())
    def another_name_is_declared_or_not(self, more: bool) -> None:
        """In the inventory."""
        self.world.names = frozenset({HOST, "mta-sts.example.com"} if more else {HOST})

    @rule(wrong=st.sampled_from([timedelta(), 2 * HOUR, -2 * HOUR]))
    def the_clock_here_jumps(self, wrong: timedelta) -> None:
        """Between two runs; hosts contradict it."""
        self.running = iter(())
        self.world.wrong = wrong

    @precondition(lambda self: len(self.world.zone) > 1)
    @rule(choice=st.integers(0, 9))
    def somebody_removes_the_record_of_a_key_that_nobody_uses(self, choice: int) -> None:
        """By hand, in the provider's web pages, while nothing runs: what is used then cannot be helped."""
        self.running = iter(())
        used = {self.world.shown, self.world.held.spki if self.world.held else None}
        if others := sorted(self.world.zone - used):
            self.world.write(self.world.zone - {others[choice % len(others)]})

    def teardown(self) -> None:
        """Heal the world: another key that somebody asks for comes, and nothing is left over."""
        world = self.world
        world.refusing = world.unreachable = False
        world.wrong, world.dane = timedelta(), True
        for server in range(SERVERS):
            world.transfer(server)
        settled(world)
        assert world.held is not None
        before = world.held.spki
        for _ in range(20):
            if world.held.spki == before:
                world.complete(Asked(new_key=True))
                world.advance(11 * MINUTE)
        assert world.held.spki != before
        settled(world)
        assert world.coming is not None
        assert world.zone == {world.held.spki, world.coming.spki} == {*world.ledger}

    def _go_on(self, steps: int) -> None:
        for _ in islice(self.running, steps):
            self.world.check()
        self.world.check()


def settled(world: World) -> None:
    """Run until nothing is left to do."""
    for _ in range(8):
        world.complete()
        world.advance(16 * MINUTE)


TestRenewals = Renewals.TestCase
TestRenewals.__doc__ = "No sender ever knows keys of which none is shown, and no certificate is left to expire."
TestRenewals.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


# Naive rules, each made of ours by leaving one thing out, and what shows it.


def _changing_keys_at_once(
    held: Held | None, coming: NextKey | None, kind: str, wanted: Wanted, known: Known, now: object
) -> Order | Hold | None:
    return renewal.decide(held, coming, kind, wanted, replace(known, told=False), now)  # type: ignore[arg-type]


def _trusting_what_was_once_fresh(
    held: Held | None, coming: NextKey | None, kind: str, wanted: Wanted, known: Known, now: object
) -> Order | Hold | None:
    served = known.served | ({coming.spki} if coming else set())
    return renewal.decide(held, coming, kind, wanted, replace(known, served=served), now)  # type: ignore[arg-type]


def _forgetting_what_caches_hold(coming: NextKey, known: Known, _fresh: object) -> NextKey:
    return renewal.watched(coming, known, START)


def _letting_its_clock_run_on(coming: NextKey, known: Known, fresh: object) -> NextKey:
    return coming if coming.fresh_at else renewal.watched(coming, known, fresh)  # type: ignore[arg-type]


def _quickly(world: World) -> None:
    for _ in range(4):
        world.complete(Asked(new_key=True))
        world.advance(MINUTE)


def _with_a_slow_server(world: World) -> None:
    world.slow.add(2)
    settled(world)
    _quickly(world)


def _with_a_server_that_falls_back(world: World) -> None:
    # Somebody removes the record, and one server hears of it.
    assert world.held is not None
    world.slow = {0, 1}
    world.write(frozenset({world.held.spki}))
    world.advance(MINUTE)
    _quickly(world)


def _with_a_record_that_went_and_came(world: World) -> None:
    assert world.held is not None
    world.write(frozenset({world.held.spki}))
    world.advance(MINUTE)
    world.complete()
    world.advance(MINUTE)
    _quickly(world)


def _with_a_clock_that_jumps(world: World) -> None:
    world.coming = None
    world.complete()
    world.advance(timedelta(seconds=1))
    world.complete()
    world.wrong = 2 * HOUR
    world.complete(Asked(new_key=True))


def _with_a_record_that_goes_after_the_look(world: World) -> None:
    assert world.held is not None
    for step in world.run():
        if step == "what was seen is thought about":
            world.write(frozenset({world.held.spki}))
            world.advance(MINUTE)
    _quickly(world)


def _with_a_laptop_that_sleeps(world: World) -> None:
    world.coming = None
    world.slow.add(2)
    world.complete()
    for step in world.run():
        if step == "servers are asked":
            world.advance(HOUR)
            world.transfer(2)
    _quickly(world)


def _without_dane(world: World) -> None:
    world.dane = False
    world.slow.add(2)
    for _ in range(3):
        world.complete()
        world.advance(21 * MINUTE)
    world.transfer(2)
    _quickly(world)


def _with_a_host_that_goes_while_dane_is_switched_on(world: World) -> None:
    world.dane = False
    settled(world)
    world.dane = True
    for step in world.run(Asked(new_key=True)):
        world.unreachable |= step.startswith("a certificate for the next key")
    world.advance(MINUTE)


_ON = Rules(_trusting_what_was_once_fresh, watched=_letting_its_clock_run_on)
TALES: list[tuple[str, Rules, Callable[[World], None]]] = [
    ("changing keys at once", Rules(_changing_keys_at_once), _with_a_slow_server),
    ("believing any clock", Rules(doubts_its_clock=False), _with_a_clock_that_jumps),
    ("forgetting caches", Rules(watched=_forgetting_what_caches_hold), _with_a_record_that_went_and_came),
    ("trusting what was once fresh", _ON, _with_a_server_that_falls_back),
    ("not noting a write", Rules(unwatched=lambda coming: coming), _with_a_record_that_goes_after_the_look),
    ("an early clock", Rules(reads_the_clock_last=False), _with_a_laptop_that_sleeps),
    ("forgetting what was withdrawn", Rules(remembers_what_it_withdrew=False), _without_dane),
    ("telling what is not shown", Rules(looks_before_it_tells=False), _with_a_host_that_goes_while_dane_is_switched_on),
]


@pytest.mark.parametrize(("rules", "tale"), [t[1:] for t in TALES], ids=[t[0] for t in TALES])
def test_naive_rules_are_found_out(rules: Rules, tale: Callable[[World], None]) -> None:
    """What the machine checks can fail: it does, for rules that leave out any one of what ours wait for."""
    world = World(rules)
    settled(world)

    with pytest.raises(AssertionError, match="is shown, a sender knows"):
        tale(world)


@pytest.mark.parametrize("tale", [t[2] for t in TALES], ids=[t[0] for t in TALES])
def test_the_same_tales_end_well_by_our_rules(tale: Callable[[World], None]) -> None:
    """What befalls naive rules does no harm to ours."""
    world = World()
    settled(world)

    tale(world)
