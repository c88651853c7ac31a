"""One world for all tests of ``verify``."""

from collections.abc import Iterator

import pytest

from tests.lab.verify.world import Broken, build


@pytest.fixture(scope="session")
def broken(lab_machine: None) -> Iterator[Broken]:  # noqa: ARG001 - requested for its verdict
    """Real servers, broken on purpose, and good ones."""
    with build() as world:
        yield world
