"""The benchmarks of large declarations, at sizes at which nothing is measured: they run, and count what they say."""

import pytest

from benchmarks import requests
from benchmarks.declared import PARENT, declared
from benchmarks.growth import growth
from benchmarks.large import DOMAINS, ROTATION, ZONE, measured
from benchmarks.measure import Counts, Sent, lines


@pytest.mark.parametrize("one_zone", [True, False])
def test_what_is_published_is_planned_no_more(one_zone: bool) -> None:
    """The declaration is one that can be published whole, beside others' records, and stands then."""
    with declared(3, one_zone=one_zone, foreign=4) as those:
        first = those.plan()
        those.publish()

        assert len(first) > 3 * 10
        assert those.plan() == ()
        assert sum(name.startswith("foreign-") for name, _ in those.held[PARENT]) == 4


@pytest.mark.parametrize("case", ZONE)
def test_a_zone_is_planned_for_wherever_it_is_kept(case: str) -> None:
    """In memory, in a file, and behind a name server."""
    assert measured(case, 3).keys() == {"plan", "MiB"}


@pytest.mark.parametrize("case", DOMAINS)
def test_domains_are_planned_for_published_and_planned_for_again(case: str) -> None:
    """In one zone, and in a zone each."""
    assert measured(case, 3).keys() == {"first plan", "MiB", "publish", "no-op"}


@pytest.mark.parametrize("case", ROTATION)
def test_keys_are_rotated_from_the_day_on_which_they_are_due_until_nothing_is_left_to_do(case: str) -> None:
    """Each part of it is measured by itself, and what it costs when nothing is due."""
    parts = {"make the keys alone", "new keys sign", "MiB", "only clocks run", "clocks of others", "revoke", "remove"}

    assert measured(case, 2).keys() == {*parts, "nothing due"}


def test_growth_is_that_of_each_case_by_itself() -> None:
    """The larger size of a case is set against the smaller one of the same, and memory is a note."""
    seconds = {("a", 1): 1.0, ("a", 10): 11.0, ("b", 1): 2.0, ("b", 10): 40.0}

    found = growth("demo", [("a", "A"), ("b", "B")], (1, 10), 2, lambda *at: {"plan": seconds[at], "MiB": at[1] / 2})

    assert [(s.name, s.median) for s in found.series][:2] == [("A,      1: plan", 1.0), ("A,     10: plan", 11.0)]
    assert found.notes == (
        "A: plan, ten times as many: 11.00 (aim: below 15; held)",
        "A: it takes 0 and 5 MiB at its peak",
        "B: plan, ten times as many: 20.00 (aim: below 15; NOT held)",
        "B: it takes 0 and 5 MiB at its peak",
    )


def test_no_request_is_sent_that_the_interfaces_do_not_ask_for() -> None:
    """Neither to a server that takes updates nor to Cloudflare, for one zone or for many."""
    rows = requests.measure(1, domains=3, foreign=5).rows

    assert len(rows) > 8
    assert [(row.what, row.sent) for row in rows] == [(row.what, row.least) for row in rows]


def test_requests_are_shown_with_the_least() -> None:
    """What was sent stands beside what cannot be avoided."""
    assert lines(Counts("demo", (Sent("look", 3, 2),))).splitlines() == [
        "demo",
        "           sent    least",
        "  look        3        2",
    ]
