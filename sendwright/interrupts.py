"""Ctrl-C: the first one stops a run, and nothing interrupts what is then put in order."""

import signal
from types import FrameType


def hear_one() -> None:
    """Let the first Ctrl-C raise KeyboardInterrupt and the others do nothing; one that is ignored already stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
