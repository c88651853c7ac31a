"""What tests share: whose hosts the checks in ``tests/live`` look at, and inventories whose zone is a file."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from sendwright import inventory
from sendwright.cli import main
from sendwright.inventory import Inventory

LIVE = Path(__file__).parent / "live"

# How fast something is, is measured in benchmarks/: here a busy machine would fail what is right.
settings.register_profile("sendwright", deadline=None)
settings.load_profile("sendwright")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register ``--inventory``."""
    parser.addoption(
        "--inventory", type=Path, metavar="PATH", help="an inventory whose provisioned hosts tests/live looks at"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the live checks out where nobody names hosts for them: they would have nothing to look at."""
    return True if collection_path == LIVE and config.getoption("--inventory") is None else None


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line and return its exit code and what it printed."""

    def call(*argv: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in argv])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def inventory_folder(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return what writes an inventory (hosts, and what they share) and says where it is."""

    def write(hosts: str, shared: str) -> Path:
        (tmp_path / "group_data").mkdir()
        (tmp_path / "inventory.py").write_text(hosts)
        (tmp_path / "group_data" / "all.py").write_text(shared)
        return tmp_path

    return write


@pytest.fixture
def written(inventory_folder: Callable[[str, str], Path]) -> Callable[[str, str, str], Inventory]:
    """Return what writes an inventory (hosts, what they share, the zone example.com in ``zones``) and loads it."""

    def write(hosts: str, shared: str, zone: str) -> Inventory:
        folder = inventory_folder(hosts, shared)
        (folder / "zones").mkdir()
        (folder / "zones" / "example.com.zone").write_text(zone)
        return inventory.load(folder)

    return write


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collection: it stays until the end, and it is much."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
