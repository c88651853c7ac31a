"""Runs that are killed between any two of their writes."""

import os
import sys
from collections.abc import Callable
from typing import Any


def dies_at(change: Callable[[], None], step: int) -> bool:
    """Carry out a change in a process that ends, as by SIGKILL, before its n-th change to the file system."""
    child = os.fork()
    if child == 0:
        left = iter(range(step))

        def die(event: str, args: tuple[Any, ...]) -> None:
            changes = event in {"os.rename", "os.remove", "os.mkdir"} or (event == "open" and args[2] & os.O_CREAT)
            if changes and next(left, None) is None:
                os._exit(9)

        sys.addaudithook(die)
        try:
            change()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, 9}
    return status == 9
