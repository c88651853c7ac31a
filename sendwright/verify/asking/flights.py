"""Everything once: who asks for what somebody else is asking for already waits for that answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Done = Callable[[Key, Value], None]


class Flights(Generic[Key, Value]):
    """Remember what ``fetch`` gets for keys, and let any number of threads ask for them.

    ``fetch(keys, done)`` is called with different keys that nobody asked for before, and calls ``done`` with each and
    its value as soon as it is there.
    """

    def __init__(self, fetch: Callable[[Sequence[Key], Done[Key, Value]], None]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._known: dict[Key, Value] = {}
        # Of what is being fetched: when the call that fetches it has ended.
        self._flying: dict[Key, Future[None]] = {}

    def get(self, keys: Sequence[Key]) -> tuple[Value, ...]:
        """Return the values of keys in their order; what ``fetch`` raises is raised to everybody who waits for it."""
        known = self._known
        try:
            return tuple([known[key] for key in keys])
        except KeyError:
            mine, others = self._claim(keys)
        if mine:
            self._get(mine)
        for flight in others:
            flight.result()
        return tuple([known[key] for key in keys])

    def _claim(self, keys: Sequence[Key]) -> tuple[list[Key], set[Future[None]]]:
        mine: dict[Key, None] = {}
        others: set[Future[None]] = set()
        flight: Future[None] = Future()
        with self._lock:
            for key in keys:
                if key not in self._known and self._flying.setdefault(key, flight) is flight:
                    mine[key] = None
                elif key in self._flying:
                    others.add(self._flying[key])
        return list(mine), others

    def _get(self, keys: Sequence[Key]) -> None:
        flight = self._flying[keys[0]]
        try:
            self._fetch(keys, self._known.__setitem__)
        except BaseException as error:
            self._landed(keys)
            flight.set_exception(error)
            raise
        self._landed(keys)
        flight.set_result(None)

    def _landed(self, keys: Sequence[Key]) -> None:
        with self._lock:
            for key in keys:
                del self._flying[key]
