"""The command line's own promises."""

import subprocess
import sys


def _run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    """Showing the help must not pay for pyinfra, pydantic, cryptography, dnspython or cloudflare."""
    heavy = ("pyinfra", "pydantic", "cryptography", "dns", "cloudflare", "rich", "paramiko", "jinja2")
    script = f"""
import sys
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
    for verb in ("init", "plan", "provision", "rehearse", "lab", "users"):
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
