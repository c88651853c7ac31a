"""Many things at the same time, in threads that nobody waits for when a run is broken off."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def concurrently(
    work: Callable[[Item], Outcome], items: Sequence[Item], at_once: int
) -> Iterator[tuple[Item, Outcome]]:
    """Yield each item with what ``work`` returned for it, as it comes; what it raises is raised here.

    A caller that goes away (Ctrl-C, too) leaves at most ``at_once`` of them running: in daemon threads, because those
    of a pool would be waited for when the program ends, and a silent server holds one for many seconds.
    """
    todo: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Future[Outcome]]] = SimpleQueue()
    for item in items:
        todo.put(item)

    def worker() -> None:
        while True:
            try:
                item = todo.get_nowait()
            except Empty:
                return
            future: Future[Outcome] = Future()
            try:
                future.set_result(work(item))
            except BaseException as error:
                future.set_exception(error)
            done.put((item, future))

    for _ in range(min(at_once, len(items))):
        # Work that waits for nothing is done by the first of them before the others are there.
        if todo.empty():
            break
        Thread(target=worker, daemon=True).start()
    try:
        for _ in items:
            item, future = done.get()
            yield item, future.result()
    finally:
        with suppress(Empty):
            while True:
                todo.get_nowait()
