"""Waiting for what daemons of a lab do in their own time."""

import time
from collections.abc import Callable
from typing import TypeVar

from sendwright.errors import LabError

#: How long to wait for what takes a second at rest. Only who waits in vain waits so long: the machine may be busy.
SECONDS = 60.0
_NUDGE = 5.0
_Found = TypeVar("_Found")


def until(
    look: Callable[[], _Found | None],
    failure: Callable[[], LabError],
    *,
    timeout: float = SECONDS,
    nudge: Callable[[], object] = lambda: None,
) -> _Found:
    """Look until something true is there, and return it; after ``timeout`` seconds raise the failure.

    ``nudge`` is called every few seconds of waiting, to hurry along what would happen by itself much later.
    """
    start = time.monotonic()
    nudged = start
    while not (found := look()):
        now = time.monotonic()
        if now - start > timeout:
            raise failure()
        if now - nudged > _NUDGE:
            nudge()
            nudged = time.monotonic()
        time.sleep(0.05)
    return found
