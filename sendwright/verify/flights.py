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
        self._flying: dict[Key, Future[Value]] = {}

    def get(self, keys: Sequence[Key]) -> tuple[Value, ...]:
        """Return the values of keys in their order; what ``fetch`` raises is raised to everybody who waits for it."""
        try:
            return tuple(self._known[key] for key in keys)
        except KeyError:
            pass
        mine, others = self._claim(keys)
        if mine:
            try:
                self._fetch(mine, self._landed)
            except BaseException as error:
                self._crashed(mine, error)
                raise
        got = {key: future.result() for key, future in others.items()}
        return tuple(got[key] if key in got else self._known[key] for key in keys)

    def _claim(self, keys: Sequence[Key]) -> tuple[list[Key], dict[Key, Future[Value]]]:
        mine: list[Key] = []
        others: dict[Key, Future[Value]] = {}
        with self._lock:
            for key in dict.fromkeys(keys):
                if key in self._flying:
                    others[key] = self._flying[key]
                elif key not in self._known:
                    self._flying[key] = Future()
                    mine.append(key)
        return mine, others

    def _landed(self, key: Key, value: Value) -> None:
        with self._lock:
            self._known[key] = value
            future = self._flying.pop(key)
        future.set_result(value)

    def _crashed(self, keys: Sequence[Key], error: BaseException) -> None:
        with self._lock:
            flying = [self._flying.pop(key) for key in keys if key in self._flying]
        for future in flying:
            future.set_exception(error)
