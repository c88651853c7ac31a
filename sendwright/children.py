"""Commands that an inventory names: without a shell, and never without end."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


@contextlib.contextmanager
def running(
    command: Sequence[str], base: Path, environ: Mapping[str, str], stderr: int
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a command while the block runs; it does not outlive it. OSError when it cannot be started.

    Arguments: ``base``: the folder that it runs in; ``environ``: see ``secrets.inheritable``; ``stderr``: as
    ``subprocess.Popen`` takes it.
    """
    process = subprocess.Popen(
        command,
        cwd=base,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def output(process: "subprocess.Popen[bytes]", deadline: float) -> Iterator[bytes]:
    """Yield what a command prints until it closes its output; TimeoutError at ``deadline`` (monotonic seconds).

    Not until it ends: a child that it leaves behind must not hold us for ever.
    """
    assert process.stdout is not None  # noqa: S101 - asked for above
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return
            yield chunk
