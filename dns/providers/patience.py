"""Calls that end in time, whatever the other side does: one that says an octet now and then is never silent."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class OutOfTime(TimeoutError):
    """Report that a call was given up."""


def within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """Return what a call returns or raise what it raises; OutOfTime after so many seconds in all.

    It is then left behind in its thread.
    """
    answers: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise OutOfTime(f"no answer in {seconds:g} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]
