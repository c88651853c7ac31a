"""``sendwright dns export``: what to paste, from the inventory and its state folder alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

INVENTORY = 'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]\n'
SHARED = """
dns = {"main": {"provider": "zonefile", "folder": "nowhere"}}
domains = {"example.com": {"dns": "main"}}
key_store = {"passphrase": {"env": "SENDWRIGHT_TEST_NEVER_SET"}}
"""


@pytest.fixture
def folder(inventory_folder: Callable[[str, str], Path]) -> Path:
    """Return an inventory whose zones and passphrase nobody has."""
    return inventory_folder(INVENTORY, SHARED)


def _run(*argv: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sendwright", "dns", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("text", "  v=spf1 ip4:203.0.113.10 ~all"),
        ("zone", 'example.com.\t3600\tIN\tTXT\t"v=spf1 ip4:203.0.113.10 ~all"'),
    ],
)
def test_each_form_is_printed_and_nothing_else(folder: Path, form: str, line: str) -> None:
    """No network, no passphrase, no zone: the declaration is enough, and the folder stays as it was."""
    done = _run("export", str(folder), "--format", form)

    assert done.returncode == 0, done.stderr
    assert any(found.endswith(line) for found in done.stdout.splitlines())
    assert not (folder / "state").exists()


def test_the_json_is_one_document(folder: Path) -> None:
    """With the version of its schema."""
    told = json.loads(_run("export", str(folder), "--format", "json").stdout)

    assert (told["version"], told["kind"]) == (1, "dns-export")
    assert [d["domain"] for d in told["domains"]] == ["example.com"]


def test_a_bad_inventory_exits_2_and_speaks_json_where_json_was_asked_for(folder: Path) -> None:
    """As every verb."""
    (folder / "inventory.py").write_text("senders = 7\n")

    done = _run("export", str(folder), "--format", "json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["kind"] == "error"


def test_the_help_of_the_group_imports_no_verb() -> None:
    """Help is for looking around: it must be quick."""
    script = """
import sys
from sendwright.cli import _run
_run(["dns", "--help"])
sys.exit(f"loaded: {[n for n in ('sendwright.cli.dns_export', 'dns', 'pydantic') if n in sys.modules]}" if
         {"sendwright.cli.dns_export", "dns", "pydantic"} & set(sys.modules) else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "\n  export " in done.stdout
