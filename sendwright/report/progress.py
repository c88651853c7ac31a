"""Progress on standard error: a moving line on a terminal, plain lines without one."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from sendwright.escape import printable

Say = Callable[[str], None]


class Progress:
    """Tell a person what is going on, with the time each step took.

    ``clock`` answers monotonic seconds. Without a terminal every step is one plain line when it ends; ``held``: these
    lines are kept until they are released, and never shown if there is nothing to report on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, held: bool = False) -> None:
        self._clock = clock
        self._moving = sys.stderr is not None and sys.stderr.isatty() and not held
        self._held: list[str] | None = [] if held else None
        self._last = ""

    def release(self) -> None:
        """Show what was held back, and hold nothing back any more."""
        held, self._held = self._held or [], None
        for text in held:
            self.say(text)

    def say(self, text: str) -> None:
        """Print lines that were made for a terminal."""
        if self._held is not None:
            self._held.append(text)
            return
        self._erase()
        _put(f"{text}\n")

    def note(self, text: str) -> None:
        """Show what is being done right now: the moving line of a terminal, a plain line without one; never twice."""
        if text == self._last:
            return
        self._last = text
        if self._moving:
            self._erase()
            _put(f"  … {printable(text)}"[: _width()])
        else:
            self.say(f"  {printable(text)}")

    @contextmanager
    def step(self, text: str, failed: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Announce a step, and say when it is done how long it took; and, if it has ``failed`` then, that it did."""
        started = self._clock()
        if self._moving:
            self.note(text)
        try:
            yield
        except BaseException:
            self._erase()
            raise
        how = "not everywhere, after " if failed() else ""
        self.say(f"{text}: {how}{self._clock() - started:.1f} s")

    def _erase(self) -> None:
        if self._moving:
            # Not by click: it takes this for colour, and drops it where NO_COLOR is set.
            with suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


def _put(text: str) -> None:
    # Who cannot be told how far it is must not lose what comes of it.
    with suppress(OSError):
        click.echo(text, err=True, nl=False)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns - 1
