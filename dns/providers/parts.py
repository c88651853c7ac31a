"""Changes that do not fit into one request: each part whole, and an error says how far it came."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sendwright.errors import DnsError

Item = TypeVar("Item")


def apply_parts(parts: Iterable[Sequence[Item]], total: int, send: Callable[[Sequence[Item]], None]) -> None:
    """Send part after part, one item a record set; ``total`` is how many there are in all.

    Raises the DnsError of ``send``; if earlier parts were applied, its hint says how many record sets that were.
    """
    applied = 0
    for part in parts:
        try:
            send(part)
        except DnsError as error:
            if applied:
                error.hint += f" The first {applied} of {total} record sets were changed; running again is safe."
            raise
        applied += len(part)


def fewest(items: Sequence[Item], fits: Callable[[Sequence[Item]], bool], most: int) -> tuple[Sequence[Item], ...]:
    """Return items in order, in as few parts as possible.

    Arguments: ``fits``: whether a part may be sent as one; never so for more than ``most``, or for more than one that
    does not fit. It may raise if even one item does not.
    """
    parts: list[Sequence[Item]] = []
    start, guess = 0, most
    while start < len(items):
        rest = items[start : start + most]
        guess = _longest(rest, fits, min(guess, len(rest)))
        parts.append(rest[:guess])
        start += guess
    return tuple(parts)


def _longest(items: Sequence[Item], fits: Callable[[Sequence[Item]], bool], guess: int) -> int:
    """Return how many of the first items fit, one at least; parts are alike, so the search begins near the last."""
    low, high, step = 0, len(items) + 1, max(guess // 64, 1)
    while high - low > 1:
        if fits(items[:guess]):
            low, guess = guess, guess + step
        else:
            high, guess = guess, guess - step
        step *= 2
        if not low < guess < high:
            guess, step = (low + high) // 2, len(items)
    return max(low, 1)
