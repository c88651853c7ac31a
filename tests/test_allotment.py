"""Which names go into which certificate."""

from hypothesis import given
from hypothesis import strategies as st

from sendwright.allotment import allot

OWN = "mx1.example.com"
LABELS = st.lists(st.integers(0, 60), unique=True, max_size=40)


def names(numbers: list[int]) -> tuple[str, ...]:
    """Return the names of a host and of the policies that it serves."""
    return (OWN, *(f"mta-sts.d{number}.example" for number in numbers))


@given(LABELS, LABELS, st.integers(2, 7))
def test_every_name_is_in_one_certificate_and_none_is_too_full(before: list[int], now: list[int], most: int) -> None:
    """Whatever there was before."""
    held = {number: set(chunk) for number, chunk in allot(names(before), {}, most).items()}

    found = allot(names(now), held, most)

    assert sorted(name for chunk in found.values() for name in chunk) == sorted(names(now))
    assert all(0 < len(chunk) <= most for chunk in found.values())
    assert OWN in found[0]


@given(LABELS, st.integers(2, 7), st.data())
def test_a_name_less_changes_one_certificate_only(before: list[int], most: int, data: st.DataObject) -> None:
    """The others hold what they held: nothing else is ordered anew."""
    held = {number: set(chunk) for number, chunk in allot(names(before), {}, most).items()}
    if not before:
        return
    gone = data.draw(st.sampled_from(before))

    found = allot(names([number for number in before if number != gone]), held, most)

    changed = [number for number in held if set(found.get(number, ())) != held[number]]
    assert len(changed) == 1


@given(LABELS, st.integers(61, 90), st.integers(2, 7))
def test_a_name_more_changes_one_certificate_only(before: list[int], new: int, most: int) -> None:
    """It goes to the first that has room."""
    held = {number: set(chunk) for number, chunk in allot(names(before), {}, most).items()}

    found = allot(names([*before, new]), held, most)

    assert len([number for number in found if set(found[number]) != held.get(number, set())]) == 1
