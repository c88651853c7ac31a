"""Connections to several hosts at once: each with its own fate, so that one that fails does not stop the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sendwright.errors import HostError, LoginRefused, SecretError, SendwrightError, StateError
from sendwright.observation import Observation
from sendwright.observe import Desired, observe
from sendwright.secrets import resolve
from sendwright.ssh import Connection, connect
from sendwright.stack import Host

T = TypeVar("T")
_AT_ONCE = 16


class Fleet:
    """The hosts of a run: connected when first needed; a host that failed once is left alone from then on.

    ``errors`` maps a host's name to why it was given up.
    """

    def __init__(self, hosts: Iterable[Host], base: Path, *, trust_new_hosts: bool = False) -> None:
        self.hosts = {host.name: host for host in hosts}
        self.errors: dict[str, HostError] = {}
        self._base = base
        self.trust_new_hosts = trust_new_hosts
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections.values():
            connection.close()

    @property
    def well(self) -> tuple[str, ...]:
        """The names of the hosts that have not failed."""
        return tuple(name for name in self.hosts if name not in self.errors)

    @property
    def commands(self) -> dict[str, int]:
        """How many remote commands each host was sent."""
        return {name: connection.commands for name, connection in self._connections.items()}

    def give_up(self, name: str, error: SendwrightError) -> None:
        """Leave a host alone from now on; the first reason counts."""
        own = (
            error if isinstance(error, HostError) else HostError(name, error.what.removeprefix(f"{name}: "), error.hint)
        )
        self.errors.setdefault(name, own)

    @contextmanager
    def fate_of(self, name: str) -> Iterator[None]:
        """Give a host up when something of its own fails inside; a StateError, which is everybody's, is raised."""
        try:
            yield
        except StateError:
            raise
        except SendwrightError as error:
            self.give_up(name, error)

    def each(self, names: Iterable[str], do: Callable[[Connection], T]) -> dict[str, T]:
        """Do something on several hosts at once and return what came of it, by name; failures go to ``errors``."""
        wanted = [name for name in names if name not in self.errors]
        found: dict[str, T] = {}
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            running = {name: pool.submit(self._do, name, do) for name in wanted}
            for name, future in running.items():
                with self.fate_of(name):
                    found[name] = future.result()
        return found

    def observe(self, desired: Mapping[str, Desired], *, queues: bool = False) -> dict[str, Observation]:
        """Look at hosts, one remote command each.

        Arguments: ``desired`` maps a host's name to what each release would get; ``queues``: see `observe.script`.
        """
        return self.each(desired, lambda to: observe(to, desired[to.host.name], queues=queues))

    def observing(self, desired: Mapping[str, Desired], *, queues: bool = False) -> "Future[dict[str, Observation]]":
        """Begin to `observe` and return at once: hosts take their time to answer, and there is more to do."""
        pool = ThreadPoolExecutor(max_workers=1)
        future = pool.submit(self.observe, desired, queues=queues)
        pool.shutdown(wait=False)
        return future

    def _do(self, name: str, do: Callable[[Connection], T]) -> T:
        return do(self._connection(name))

    def _connection(self, name: str) -> Connection:
        if name not in self._connections:
            try:
                self._connections[name] = connect(
                    self.hosts[name], self._base, secret=resolve, accept_unknown=self.trust_new_hosts
                )
            except SecretError as error:
                raise LoginRefused(name, error.what, error.hint) from None
        return self._connections[name]
