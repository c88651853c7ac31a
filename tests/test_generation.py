"""Which state folder hosts follow: who may write, who is refused, and in which words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.errors import HostError
from sendwright.generation import (
    Generation,
    Lineage,
    Standing,
    controller,
    following,
    held_by,
    parse,
    refusal,
    standing,
)

NOW = datetime(2026, 11, 22, 3, 30, 12, 345678, tzinfo=UTC)
MX1, MX2 = "mx1.example.com", "mx2.example.com"


def taken(times: int, nonce: str = "a", lineage: Lineage | None = None) -> Lineage:
    """Return a folder's lineage after so many runs that wrote."""
    for number in range(times):
        now = NOW + timedelta(days=lineage.now.number if lineage else 0)
        lineage = following(lineage, f"{nonce}{number:031x}", now, "root@ci")
    assert lineage is not None
    return lineage


def test_a_host_takes_a_folder_that_knows_what_it_holds() -> None:
    """It holds nothing, what the folder has taken last, or something from before: then it was away."""
    folder = taken(5)

    held = [None, *(taken(n).now for n in range(1, 6))]

    assert {standing(folder, each) for each in held} == {Standing.FOLLOWS}
    assert refusal(folder, {f"mx{n}.example.com": each for n, each in enumerate(held)}) is None


def test_two_hosts_without_anything_follow_a_folder_without_anything() -> None:
    """That is how it begins."""
    assert refusal(None, {MX1: None, MX2: None}) is None


def test_last_week_s_copy_is_told_which_is_newer_since_when_and_by_whom() -> None:
    """And to fetch the newer one, or what to do where that is lost."""
    error = refusal(taken(2), {MX1: taken(2).now, MX2: taken(5).now})

    assert error is not None
    assert error.what == (
        "mx2.example.com follows a newer state folder than this one: that is at generation 5, taken on "
        "2026-11-26 03:30 UTC by root@ci; this one is at generation 2, taken on 2026-11-23 03:30 UTC by root@ci. "
        "Nothing was changed."
    )
    assert error.hint == "Fetch the newer folder, then run again; where it is lost, `sendwright keys recover`."


def test_a_lost_folder_is_not_taken_for_a_new_one() -> None:
    """Hosts that follow one keep an empty one from making new keys."""
    error = refusal(None, {MX1: taken(3).now, MX2: taken(3).now})

    assert error is not None
    assert error.what.startswith("this state folder has never changed a host, but mx2.example.com (and 1 more) follows")
    assert "it was lost" in error.hint


@pytest.mark.parametrize(("earlier", "age"), [(timedelta(), "newer"), (timedelta(days=30), "older")])
def test_a_folder_of_somebody_else_is_told_by_its_date(earlier: timedelta, age: str) -> None:
    """The same numbers with other nonces: two copies of a folder went on by themselves."""
    common = taken(2)
    ours, theirs = taken(1, "b", common), following(common, "c" * 32, NOW + timedelta(days=20) - earlier, "eve@laptop")

    error = refusal(ours, {MX1: theirs.now}, begun=True)

    assert error is not None
    assert f"another state folder than this one, a{'n' if age == 'older' else ''} {age} one" in error.what
    assert "by eve@laptop" in error.what
    assert error.what.endswith("Nothing more is changed.")


def test_the_memory_of_a_folder_is_bounded() -> None:
    """A host that was away for more runs than that is refused: nobody can tell whose it is."""
    folder = taken(600)

    assert len(folder.marks) == 501
    assert standing(folder, taken(100).now) is Standing.FOLLOWS
    assert standing(folder, taken(99).now) is Standing.OTHER


_MARKS = st.integers(1, 10**12 - 1)
_TIMES = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001 - hypothesis adds the zone


@given(_MARKS, st.binary(min_size=16, max_size=16), _TIMES, st.text(max_size=150), st.text(max_size=150))
def test_what_is_written_is_read_back(number: int, nonce: bytes, when: datetime, user: str, machine: str) -> None:
    """Whatever users and machines are called."""
    generation = Generation(number, nonce.hex(), when.replace(microsecond=0), controller(user, machine))

    assert parse(generation.line) == generation
    assert held_by("h", generation.line.encode() + b"\n") == generation
    assert generation.by.isprintable()


@given(st.one_of(st.binary(max_size=200), st.text("0123456789abcdef -:TZ@\n", max_size=120).map(str.encode)))
def test_what_nobody_of_us_wrote_is_an_error_of_that_host(noise: bytes) -> None:
    """It names the file; only nothing at all is nothing."""
    if not noise:
        assert held_by("h", noise) is None
        return
    with pytest.raises(HostError, match="/var/lib/sendwright/generation is damaged"):
        held_by("h", noise)


@pytest.mark.parametrize("what", [" 7", "+7", "07", "7.0", "0", "1000000000000", "٧"])
def test_a_number_has_one_form(what: str) -> None:
    """A mark is compared as text on the host."""
    line = taken(1).now.line

    with pytest.raises(ValueError, match=r"."):
        parse(what + line[1:])
