"""How often an API may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.providers.limiter import Allowance, Limiter, OutOfPatience, Policy

POLICY = Policy(3, 60.0)


def test_without_a_word_from_the_api_the_documented_quota_holds() -> None:
    """Counted from the first request on, until its window ends."""
    allowance = Allowance(POLICY)
    for second in range(3):
        assert allowance.wait(second) == 0
        allowance = allowance.spent(second)

    assert allowance.wait(3) == 57
    assert allowance.wait(60) == 0
    assert allowance.spent(60).wait(61) == 0


def test_what_is_left_is_what_the_api_says() -> None:
    """Others use the token too."""
    allowance = Allowance(POLICY).told({"ratelimit": '"default";r=1;t=30'}, 0)

    assert allowance.wait(0) == 0
    assert allowance.spent(0).wait(10) == 20


def test_of_several_windows_the_narrowest_counts() -> None:
    """And each opens again by its own policy."""
    said = {"ratelimit": '"burst";r=0;t=5, "day";r=9;t=900', "ratelimit-policy": '"burst";q=1;w=5, "day";q=9;w=900'}
    allowance = Allowance(POLICY).told(said, 0)

    assert allowance.wait(0) == 5
    assert allowance.spent(6).wait(6) == 5
    assert allowance.told({"ratelimit": '"day";r=0;t=900'}, 6).wait(6) == 900


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"ratelimit": '"default";r=0;t=45'}, 45),
        ({}, 60),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "-5"}, 60),
        ({"retry-after": "0"}, 1),
    ],
)
def test_a_refusal_closes_for_as_long_as_it_says(headers: dict[str, str], seconds: float) -> None:
    """For a whole window if it says nothing that we know."""
    assert Allowance(POLICY).refused(headers, 1000).wait(1000) == seconds


def test_refusals_in_a_row_wait_longer_each_time() -> None:
    """Whatever they say; an answer ends the row."""
    allowance, waits, now = Allowance(POLICY), [], 0.0
    for _ in range(8):
        allowance = allowance.refused({"retry-after": "0"}, now)
        waits.append(allowance.wait(now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 64]
    assert allowance.told({}, now).refused({"retry-after": "0"}, now).wait(now) == 1


def test_a_wait_is_reported_and_bounded() -> None:
    """Whoever looks on knows why nothing happens, and it ends."""
    said, slept = list[str](), list[float]()
    allowance = Allowance(POLICY, closed=100.0)
    limiter = Limiter("The API", allowance, 120, lambda: sum(slept), slept.append, said.append)

    assert limiter.turn() == 100
    assert said == ["The API takes no more requests for 100 s: waiting"]
    limiter.refused({"retry-after": "21"})
    with pytest.raises(OutOfPatience) as caught:
        limiter.turn(waited=100)
    assert caught.value.seconds == 21
    assert slept == [100]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_headers_may_say_anything(ratelimit: str, policy: str, after: str) -> None:
    """What is not understood changes nothing but the wait."""
    headers = {"ratelimit": ratelimit, "ratelimit-policy": policy, "retry-after": after}

    assert Allowance(POLICY).told(headers, 0).spent(0).refused(headers, 0).wait(0) >= 1
