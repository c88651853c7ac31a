"""The live checks stay out of the way until somebody names hosts for them."""

import os
import subprocess
import sys
from pathlib import Path

from sendwright.verify.hosts import RULES

TESTS = Path(__file__).parent


def collect(*argv: str) -> "subprocess.CompletedProcess[str]":
    """Let pytest collect and run nothing, without the plugins that these checks do not need."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command += ["-p", "testinfra.plugin", *argv]
    return subprocess.run(command, cwd=TESTS.parent, env=alone, capture_output=True, text=True, check=False)


def test_without_an_inventory_they_are_not_collected() -> None:
    """A plain pytest neither runs nor skips them."""
    others = [f"--ignore={path}" for path in TESTS.iterdir() if path.name not in {"live", "conftest.py"}]

    done = collect("tests", *others)

    assert done.returncode == 5, done.stdout  # pytest's "no tests collected"
    assert "live" not in done.stdout


def test_asking_for_them_without_an_inventory_is_one_sentence() -> None:
    """Bad usage says what is missing, once."""
    done = collect("tests/live")

    assert done.returncode == 4
    assert done.stderr.count("--inventory PATH") == 1


def test_a_mistake_in_the_inventory_is_bad_usage() -> None:
    """As on the command line: nothing was tried, no traceback."""
    done = collect("tests/live", "--inventory", "/nonexistent")

    assert done.returncode == 4
    assert "there is no inventory at /nonexistent" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_each_check_carries_its_hosts_name() -> None:
    """So that one host can be chosen, and a report says whose check failed."""
    done = collect("tests/live", "--inventory", "inventories/two-hosts", "-k", "mx2.example.com")

    chosen = [line for line in done.stdout.splitlines() if "::" in line]
    assert done.returncode == 0
    assert len(chosen) == len(RULES)
    assert all("[mx2.example.com" in line for line in chosen)
