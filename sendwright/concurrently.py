"""Many things at the same time, in threads that nobody waits for when a run is broken off."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

# What is done sooner takes no threads: starting them would take longer.
_SOON = 0.006


def concurrently(
    work: Callable[[Item], Outcome], items: Sequence[Item], at_once: int
) -> Iterator[tuple[Item, Outcome]]:
    """Yield each item with what ``work`` returned for it, as it comes; what it raises is raised here.

    The caller's thread does its share, and others join it unless all is done within a few milliseconds. A caller that
    goes away (Ctrl-C, too) leaves fewer than ``at_once`` of them running: in daemon threads, because those of a pool
    would be waited for when the program ends, and a silent server holds one for many seconds.
    """
    todo: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Future[Outcome]]] = SimpleQueue()
    for item in items:
        todo.put(item)
    ended = Event()

    def help_out() -> None:
        with suppress(Empty):
            while True:
                item = todo.get_nowait()
                done.put((item, _outcome(work, item)))

    def call_for_help() -> None:
        if not ended.wait(_SOON):
            for _ in range(min(at_once - 1, todo.qsize())):
                Thread(target=help_out, daemon=True).start()

    if at_once > 1 and len(items) > 1:
        Thread(target=call_for_help, daemon=True).start()
    left = len(items)
    try:
        while left:
            try:
                item, future = done.get_nowait()
            except Empty:
                try:
                    item = todo.get_nowait()
                except Empty:
                    item, future = done.get()
                else:
                    future = _outcome(work, item)
            left -= 1
            yield item, future.result()
    finally:
        ended.set()
        with suppress(Empty):
            while True:
                todo.get_nowait()


def _outcome(work: Callable[[Item], Outcome], item: Item) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    try:
        future.set_result(work(item))
    except BaseException as error:  # it belongs to whoever asked for the work
        future.set_exception(error)
    return future
