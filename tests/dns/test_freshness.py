from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.freshness import Look, Target, Timing, fresh_at, step

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARGIN = timedelta(minutes=15)
ONE = Target("example.com", "r1._domainkey.example.com", "TXT", '"p=YQ=="')
TWO = Target("example.com", "r2._domainkey.example.com", "TXT", '"p=Yg=="')
TIMING = Timing(negative=300, replaced=60, wildcard=120)


def test_fresh_is_the_longest_that_anybody_may_remember_plus_the_margin() -> None:
    """Not the sum: each cache holds one thing."""
    assert fresh_at(NOW, TIMING, MARGIN) == NOW + timedelta(seconds=300) + MARGIN


def test_a_server_that_is_behind_is_waited_for_by_name() -> None:
    """And so is one that does not answer."""
    progress = step({}, [Look(ONE, ("ns2.example.com (192.0.2.2) does not answer",))], {ONE: TIMING}, MARGIN, NOW)

    assert not progress.served
    assert "ns2.example.com" in str(progress.waiting[0])


def test_what_is_served_waits_for_the_clock_only() -> None:
    """It says until when."""
    progress = step({}, [Look(ONE)], {ONE: TIMING}, MARGIN, NOW)

    assert progress.served
    assert not progress.done
    assert progress.since == {ONE: NOW}
    assert progress.waiting[0].until == fresh_at(NOW, TIMING, MARGIN)


def test_a_break_restarts_the_clock() -> None:
    """Served without a break, or resolvers may have learned in between that it is not there."""
    broken = step({ONE: NOW}, [Look(ONE, ("ns1 does not have it yet",))], {ONE: TIMING}, MARGIN, NOW + MARGIN)
    back = step(broken.since, [Look(ONE)], {ONE: TIMING}, MARGIN, NOW + 2 * MARGIN)

    assert broken.since == {}
    assert back.since == {ONE: NOW + 2 * MARGIN}


def test_the_clock_of_a_killed_run_goes_on() -> None:
    """``since`` comes back from the state folder."""
    later = fresh_at(NOW, TIMING, MARGIN)

    assert step({ONE: NOW}, [Look(ONE)], {ONE: TIMING}, MARGIN, later).done


def test_a_target_that_nobody_looked_at_is_not_served() -> None:
    """No news is no good news."""
    progress = step({}, [Look(ONE)], {ONE: Timing(), TWO: Timing()}, timedelta(), NOW)

    assert [w.target for w in progress.waiting] == [TWO]


@given(
    st.lists(st.tuples(st.integers(1, 600), st.booleans()), min_size=1, max_size=30),
    st.builds(Timing, *[st.integers(0, 1000)] * 3),
    st.integers(0, 1000).map(lambda s: timedelta(seconds=s)),
)
def test_nothing_is_fresh_that_was_not_served_for_long_enough(
    looks: list[tuple[int, bool]], timing: Timing, margin: timedelta
) -> None:
    """Whatever the servers do, done means: seen served at every look for all of the wait."""
    now, served_from = NOW, None
    since: dict[Target, datetime] = {}
    for seconds, served in looks:
        now += timedelta(seconds=seconds)
        progress = step(since, [Look(ONE, () if served else ("ns1",))], {ONE: timing}, margin, now)
        since = dict(progress.since)
        served_from = (served_from or now) if served else None

        assert progress.done == (served_from is not None and now >= fresh_at(served_from, timing, margin))


@given(st.builds(Timing, *[st.integers(0, 9)] * 3), st.builds(Timing, *[st.integers(0, 9)] * 3))
def test_joining_timings_never_shortens_a_wait(one: Timing, other: Timing) -> None:
    """What was seen before publishing and what is seen now are both waited out."""
    assert fresh_at(NOW, one | other, MARGIN) == max(fresh_at(NOW, one, MARGIN), fresh_at(NOW, other, MARGIN))
