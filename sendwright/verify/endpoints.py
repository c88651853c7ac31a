"""What checks of servers share: which endpoints spoke, and how findings about some of them name them."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sendwright.verify.finding import Finding
from sendwright.verify.speaking.conversation import Conversation

K = TypeVar("K", bound=Hashable)
_SHOWN = 4


def spoken(talks: Sequence[Conversation]) -> tuple[Conversation, ...]:
    """Return the endpoints that want to talk: the others are told of by ``smtp.reachable`` and ``smtp.submission``."""
    return tuple(t for t in talks if t.silence is None and (t.greeting is None or t.greeting.code // 100 == 2))


def alike(talks: Sequence[Conversation], key: Callable[[Conversation], K]) -> Mapping[K, tuple[Conversation, ...]]:
    """Return endpoints by what they have in common, so that one thing is told once."""
    found: dict[K, tuple[Conversation, ...]] = {}
    for talk in talks:
        found[key(talk)] = (*found.get(key(talk), ()), talk)
    return found


def each(finding: Finding, some: Sequence[Conversation]) -> Iterator[Finding]:
    """Yield a finding for each endpoint that it is about: a baseline knows them apart, whoever else answers that day.

    Reports for people tell those once that say the same.
    """
    yield from (replace(finding, target=str(talk.endpoint)) for talk in some)


def places(talks: Sequence[Conversation]) -> str:
    """Return the first few endpoints in words."""
    shown = [str(talk.endpoint) for talk in talks[:_SHOWN]]
    more = f" and {len(talks) - _SHOWN} more" if len(talks) > _SHOWN else ""
    return ", ".join(shown) + more
