"""The command line's own promises."""

import subprocess
import sys
from pathlib import Path


def _run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    """Showing the help must not pay for pyinfra, pydantic, cryptography, dnspython or cloudflare."""
    heavy = ("pyinfra", "pydantic", "cryptography", "dns", "cloudflare", "rich", "paramiko", "jinja2")
    script = f"""
import sys
from pathlib import Path
from sendwright.cli import _run
_run(["--help"])
loaded = [name for name in {heavy} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""

    done = _run("-c", script)

    assert done.returncode == 0, done.stderr


def test_help_names_every_verb() -> None:
    """A newcomer finds all verbs in the first screen."""
    done = _run("-m", "sendwright", "--help")

    assert done.returncode == 0
    for verb in ("init", "plan", "provision", "rehearse", "lab", "dns", "users"):
        assert f"\n  {verb} " in done.stdout


def test_an_unknown_verb_is_bad_usage() -> None:
    """Bad usage exits with 2 and says what is wrong on standard error."""
    done = _run("-m", "sendwright", "frobnicate")

    assert done.returncode == 2
    assert "frobnicate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_inventory_is_one_sentence_and_exit_2() -> None:
    """A path that does not exist is bad input: nothing was tried, no traceback."""
    done = _run("-m", "sendwright", "plan", "/nonexistent/inventory")

    assert done.returncode == 2
    assert "/nonexistent/inventory" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_again_and_again_stops_with_one_sentence(tmp_path: Path) -> None:
    """An impatient person sees the sentence and no traceback, however often the key is pressed meanwhile."""
    inventory = tmp_path / "inventory.py"
    inventory.write_text("import atexit, os, signal\natexit.register(os.kill, os.getpid(), signal.SIGINT)\n")
    with inventory.open("a") as file:
        file.write("try:\n    os.kill(os.getpid(), signal.SIGINT)\nfinally:\n    os.kill(os.getpid(), signal.SIGINT)\n")

    done = _run("-m", "sendwright", "users", "list", str(tmp_path))

    assert done.stderr.strip() == "Stopped. What was applied stays; running again finishes it."
    assert done.returncode == 1


def test_ctrl_c_at_a_verb_that_only_looks_says_that_nothing_was_changed(tmp_path: Path) -> None:
    """Where nothing is applied, nothing stays, and nothing is to be finished."""
    (tmp_path / "inventory.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")

    for verb in ("verify", "plan"):
        done = _run("-m", "sendwright", verb, str(tmp_path))

        assert done.stderr.strip() == "Stopped. Nothing was changed."
        assert done.returncode == 1


def test_ctrl_c_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """A program that a shell started in the background does not hear its terminal's keys."""
    (tmp_path / "inventory.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsenders = 7\n")
    script = 'trap "" INT; exec "$0" -m sendwright users list "$1"'

    done = subprocess.run(
        ["sh", "-c", script, sys.executable, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2, done.stderr
