"""The one option of the tests: whose hosts the checks in ``tests/live`` look at."""

from pathlib import Path

import pytest

LIVE = Path(__file__).parent / "live"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register ``--inventory``."""
    parser.addoption(
        "--inventory", type=Path, metavar="PATH", help="an inventory whose provisioned hosts tests/live looks at"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the live checks out where nobody names hosts for them: they would have nothing to look at."""
    return True if collection_path == LIVE and config.getoption("--inventory") is None else None
