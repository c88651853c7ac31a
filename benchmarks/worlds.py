"""Small worlds for benchmarks: built for one, taken down at its end, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sendwright import inventory
from sendwright.rehearse import World, build_from, lab_spec
from sendwright.service import Release
from sendwright.stack import Stack

#: What the worlds' hosts run.
RELEASE = Release.BOOKWORM
_EXAMPLE = Path(__file__).parents[1] / "inventories/example"


@contextmanager
def world(stack: Stack, name: str) -> Iterator[World]:
    """Build a world of bare hosts that is down again at the end; LabError where a lab cannot run."""
    built = build_from(lab_spec(f"bench-{name}-{os.getpid()}", stack, int(RELEASE)), stack, _quiet)
    try:
        yield built
    finally:
        built.lab.down()


def example() -> Stack:
    """Return the stack of the example inventory: one host, one domain."""
    return inventory.load(_EXAMPLE).stack


def provisioned(built: World, *argv: str) -> None:
    """Provision a world; RuntimeError with what was said when that fails."""
    done = built.provision(*argv)
    if done.returncode:
        raise RuntimeError(f"provisioning failed:\n{done.stdout}{done.stderr}")


def _quiet(line: str) -> None:
    del line
