"""Changes that do not fit into one request."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.providers.parts import fewest


@given(st.lists(st.integers(1, 10), max_size=200), st.integers(10, 300))
def test_parts_are_as_few_as_can_be(sizes: list[int], most: int) -> None:
    """Each takes what the next one begins with only if it has no room for it; nothing is lost or turned around."""
    parts = fewest(sizes, lambda part: sum(part) <= most, most)

    assert [size for part in parts for size in part] == sizes
    assert all(0 < sum(part) <= most for part in parts)
    assert all(sum(part) + after[0] > most for part, after in pairwise(parts))


def test_finding_the_parts_takes_few_tries() -> None:
    """Each try builds a whole message."""
    tries = 0

    def fits(part: Sequence[int]) -> bool:
        nonlocal tries
        tries += 1
        return sum(part) <= 500

    parts = fewest([1, 2] * 5000, fits, 500)

    assert tries < 12 * len(parts)


def test_what_does_not_even_fit_alone_is_said_before_anything_is_sent() -> None:
    """An item that no part can hold refuses all of them."""

    def fits(part: Sequence[int]) -> bool:
        if len(part) == 1 and part[0] > 10:
            raise ValueError(part[0])
        return sum(part) <= 10

    with pytest.raises(ValueError, match="11"):
        fewest([1] * 30 + [11], fits, 10)
