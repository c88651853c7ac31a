"""Rotation in a hostile world: whatever happens, mail verifies, and running again heals. And that this can fail."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sendwright.lines import Act, HostSeen, Line, Record, Seen, Step, leaves
from sendwright.rotation import next_steps
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage
from tests.rotation_model import DAY, DOMAIN, HOUR, NAMES, SERVERS, Look, Rules, World

names, servers, numbers = st.sampled_from(NAMES), st.sampled_from(range(SERVERS)), st.integers(0, 30)
faults = st.sampled_from(["", "", "", "dies", "lost", "failed", "first", "unloaded"])
spans = st.sampled_from([timedelta(minutes=5), timedelta(minutes=40), 2 * HOUR, DAY, 4 * DAY, 8 * DAY, 31 * DAY])


class Rotation(RuleBasedStateMachine):
    """Anything happens in any order; ``World.check`` holds after every rule, and all comes to rest in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.looked: Look | None = None

    @rule()
    def look(self) -> None:
        """Look, and act later, or never."""
        self.looked = self.world.look()

    @rule(choice=numbers, fault=faults)
    def step(self, choice: int, fault: str) -> None:
        """Look, carry out one step, whichever it is; it may go wrong."""
        look = self.world.look()
        if todo := [step for step in look.steps if not step.waits]:
            self.world.carry_out(look, todo[choice % len(todo)], fault)
        self._done()

    @rule(turned=st.booleans(), fault=faults)
    def all_steps_of_an_older_look(self, turned: bool, fault: str) -> None:
        """Carry out all that was to be done when somebody looked last."""
        look = self.looked or self.world.look()
        for step in reversed(look.steps) if turned else look.steps:
            self.world.carry_out(look, step, fault)
            self.world.tick()
        self._done()

    @rule(span=spans)
    def a_pass_and_time(self, span: timedelta) -> None:
        """Run to where nothing but waiting is left."""
        self.world.passes(1, span)
        self._done()

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        """Nobody runs anything."""
        self.world.advance(span)

    @rule(server=servers, slow=st.booleans())
    def a_secondary_lags_or_follows(self, server: int, slow: bool) -> None:
        """Changes do not reach it, or all do."""
        if slow:
            self.world.slow.add(server)
        else:
            self.world.transfer(server)
        self.world.tick()

    @rule(name=names)
    def a_host_goes_or_comes_back(self, name: str) -> None:
        """It sends on as it did, and cannot be reached."""
        self.world.hosts[name].reachable ^= True

    @rule(name=names)
    def mail_is_held_or_let_go(self, name: str) -> None:
        """A person does that, and no queue lifetime counts."""
        host = self.world.hosts[name]
        if host.held:
            self.world.release(host)
        else:
            self.world.hold(host)
        self.world.tick()

    @rule(name=names, lifetime=st.sampled_from([2 * DAY, 5 * DAY, 7 * DAY]), busy=st.booleans())
    def a_host_keeps_mail_for_another_time(self, name: str, lifetime: timedelta, busy: bool) -> None:
        """Its Postfix is told so."""
        self.world.hosts[name].busy = busy
        self.world.keep(self.world.hosts[name], lifetime)
        self.world.tick()

    @rule(name=names)
    def a_host_is_set_up_anew(self, name: str) -> None:
        """It has nothing, and sends nothing."""
        self.world.reinstall(self.world.hosts[name])

    @rule(name=names)
    def a_host_is_set_back(self, name: str) -> None:
        """From a backup: it signs with what it had."""
        self.world.set_back(self.world.hosts[name])
        self._done()

    @rule(span=st.sampled_from([timedelta(), 2 * HOUR, -2 * HOUR, 20 * DAY, -20 * DAY]))
    def the_clock_here_jumps(self, span: timedelta) -> None:
        """By hours or weeks, there and back."""
        self.world.wrong = span

    @rule(name=names, span=st.sampled_from([timedelta(), 3 * HOUR, -3 * HOUR, 9 * DAY]))
    def the_clock_of_a_host_jumps(self, name: str, span: timedelta) -> None:
        """By hours or days, there and back."""
        self.world.hosts[name].wrong = span

    @rule()
    def providers_answer_or_do_not(self) -> None:
        """No record can be looked at for a while."""
        self.world.dark ^= True

    @rule()
    def somebody_asks_for_successors(self) -> None:
        """As by ``rotate --start``."""
        self.world.start = frozenset({DOMAIN})
        self._done()

    @rule(choice=numbers)
    def a_key_leaks(self, choice: int) -> None:
        """As by ``rotate --force-new``, at any stage."""
        self.world.leak(choice)
        self._done()

    @rule(algorithm=st.sampled_from(DkimAlgorithm))
    def a_key_is_imported(self, algorithm: DkimAlgorithm) -> None:
        """As by ``keys import``."""
        self.world.adopt(algorithm)
        self._done()

    @rule(both=st.booleans())
    def an_algorithm_is_switched_off_or_on(self, both: bool) -> None:
        """In the inventory."""
        algorithms = ("rsa", "ed25519") if both else ("rsa",)
        self.world.declare(replace(self.world.declared, algorithms=algorithms))
        self._done()

    @rule(rotate=st.booleans(), others=st.sampled_from([3, 5]), pushed=st.booleans())
    def something_else_is_declared(self, rotate: bool, others: int, pushed: bool) -> None:
        """In the inventory."""
        self.world.declare(replace(self.world.declared, rotate=rotate, others=others, pushed=pushed))
        self._done()

    @rule(name=names)
    def a_host_leaves_the_domain_or_returns(self, name: str) -> None:
        """In the inventory: the host itself stays there, and sends on until somebody provisions."""
        if left := tuple(sorted({*self.world.declared.hosts} ^ {name})):
            self.world.declare(replace(self.world.declared, hosts=left))
        self._done()

    @rule()
    def somebody_provisions(self) -> None:
        """In the middle of it."""
        self.world.provision()
        self._done()

    def teardown(self) -> None:
        """Heal the world, and see it come to rest."""
        self.world.rest()

    def _done(self) -> None:
        self.world.tick()
        self.looked = None


TestRotation = Rotation.TestCase
TestRotation.__doc__ = "Every message verifies for as long as it may be judged, and from anywhere all comes to rest."
TestRotation.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


# Naive rules, each made of ours by having them believe what nobody has seen, and what shows it.


def _with_hosts(seen: Seen, change: Callable[[HostSeen], HostSeen]) -> Seen:
    return replace(seen, hosts={name: change(host) for name, host in seen.hosts.items()})


def _with_records(seen: Seen, change: Callable[[Record], Record]) -> Seen:
    return replace(seen, records={name: change(record) for name, record in seen.records.items()})


def _with_keys(line: Line, change: Callable[[DkimKey], DkimKey]) -> Line:
    return replace(line, keys=tuple(change(key) for key in line.keys))


def _ignoring_hosts_that_are_away(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(replace(line, hosts=tuple(h for h in line.hosts if h in seen.hosts)), seen, now)


def _forgetting_who_sends_no_more(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(replace(line, former=()), seen, now)


def _demoting_as_soon_as_the_successor_is_chosen(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    chosen = frozenset(key.record_name for key in line.signing[-1:])
    return next_steps(line, _with_hosts(seen, lambda host: replace(host, signs=chosen)), now)


def _trusting_the_primary_alone(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(line, _with_records(seen, lambda r: replace(r, behind=(), fresh_at=r.fresh_at or now)), now)


def _forgetting_what_caches_hold(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(line, _with_records(seen, lambda r: replace(r, fresh_at=r.fresh_at and now)), now)


def _forgetting_the_queues_of_others(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(replace(line, policy=replace(line.policy, others=timedelta())), seen, now)


def _forgetting_our_own_queues(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(_with_keys(line, lambda key: replace(key, drained=key.last_signed)), seen, now)


def _forgetting_mail_on_hold(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    line = _with_keys(line, lambda key: replace(key, drained=leaves(key)))
    return next_steps(line, _with_hosts(seen, lambda host: replace(host, oldest=None)), now)


def _forgetting_mail_that_was_on_hold(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(_with_keys(line, lambda key: replace(key, drained=key.drained and leaves(key))), seen, now)


def _believing_any_clock(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(line, _with_hosts(seen, lambda host: replace(host, clock=now)), now)


def _revoking_what_leaked_at_once(line: Line, _seen: Seen, _now: datetime) -> tuple[Step, ...]:
    return tuple(Step(Act.REVOKE, line, key, "it leaked") for key in line.signing if key.leaked)


def _disclosing_while_caches_have_it(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    return next_steps(replace(line, policy=replace(line.policy, ttl=timedelta())), seen, now)


def _overlooking_who_signs_again(line: Line, seen: Seen, now: datetime) -> tuple[Step, ...]:
    retiring = {key.record_name for key in line.keys if key.stage is KeyStage.RETIRING}
    return next_steps(
        line, _with_hosts(seen, lambda host: replace(host, signs=(host.signs or frozenset()) - retiring)), now
    )


def _quietly(world: World) -> None:
    world.passes(80, 12 * HOUR)


def _quickly(world: World) -> None:
    world.passes(5, timedelta(minutes=1))
    _quietly(world)


def _with_a_host_away(world: World) -> None:
    world.hosts[NAMES[2]].reachable = False
    _quietly(world)


def _with_a_slow_secondary(world: World) -> None:
    world.slow.add(2)
    _quietly(world)


def _with_mail_on_hold(world: World) -> None:
    world.hold(world.hosts[NAMES[0]])
    _quietly(world)


def _with_mail_let_go_late(world: World) -> None:
    world.hold(world.hosts[NAMES[0]])
    world.passes(40, 12 * HOUR)
    world.release(world.hosts[NAMES[0]])
    _quietly(world)


def _with_a_clock_that_jumps(world: World) -> None:
    world.passes(4, 12 * HOUR)
    world.wrong = 20 * DAY
    _quietly(world)


def _with_a_host_set_back(world: World) -> None:
    world.passes(4, 12 * HOUR)
    world.set_back(world.hosts[NAMES[0]])
    _quietly(world)


def _with_a_host_that_leaves(world: World) -> None:
    world.declare(replace(world.declared, hosts=NAMES[1:]))
    _quietly(world)


def _with_mail_on_hold_where_a_host_left(world: World) -> None:
    world.hold(world.hosts[NAMES[0]])
    world.declare(replace(world.declared, hosts=NAMES[1:]))
    world.provision()
    _quietly(world)


def _with_a_leak(world: World) -> None:
    world.leak(0)
    _quietly(world)


TALES = [
    (_ignoring_hosts_that_are_away, _with_a_host_away),
    (_forgetting_who_sends_no_more, _with_a_host_that_leaves),
    (_forgetting_who_sends_no_more, _with_mail_on_hold_where_a_host_left),
    (_demoting_as_soon_as_the_successor_is_chosen, _quietly),
    (_trusting_the_primary_alone, _with_a_slow_secondary),
    (_forgetting_what_caches_hold, _quickly),
    (_forgetting_the_queues_of_others, _quietly),
    (_forgetting_our_own_queues, _quietly),
    (_forgetting_mail_on_hold, _with_mail_on_hold),
    (_forgetting_mail_that_was_on_hold, _with_mail_let_go_late),
    (_believing_any_clock, _with_a_clock_that_jumps),
    (_overlooking_who_signs_again, _with_a_host_set_back),
    (_revoking_what_leaked_at_once, _with_a_leak),
    (_disclosing_while_caches_have_it, _quickly),
]


@pytest.mark.parametrize(("naive", "tale"), TALES, ids=[naive.__name__.strip("_") for naive, _ in TALES])
def test_naive_rules_are_found_out(naive: Rules, tale: Callable[[World], None]) -> None:
    """What the machine checks can fail: it does, for rules that leave out any one of what ours wait for."""
    world = World(naive)
    world.start = frozenset({DOMAIN})

    with pytest.raises(AssertionError, match=r"^\S+ (signs|does not sign|is valid)|^[-0-9]+ \S+ mail signed by"):
        tale(world)


@pytest.mark.parametrize("tale", dict.fromkeys(tale for _, tale in TALES))
def test_the_same_tales_end_well_by_our_rules(tale: Callable[[World], None]) -> None:
    """What befalls naive rules does no harm to ours, and every rotation ends."""
    world = World()
    world.start = frozenset({DOMAIN})
    before = set(world.keys)

    tale(world)
    world.rest()

    assert {name for name, key in world.keys.items() if key.stage is not KeyStage.REMOVED}.isdisjoint(before)
