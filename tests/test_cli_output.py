"""What goes where: one document on standard output, people's lines on standard error, colours on terminals only."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sendwright.report.colour import wanted
from sendwright.report.progress import Progress
from sendwright.scaffold import scaffold


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new inventory."""
    scaffold(tmp_path / "mail", "example.com", "mx1.example.com", ("203.0.113.10",))
    return tmp_path / "mail"


def _run(*argv: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sendwright", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)


def _on_a_terminal(*argv: object, environ: Mapping[str, str]) -> bytes:
    """Run the command line with a terminal for everything and return what was shown."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sendwright", *map(str, argv)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", **environ}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side of a terminal is closed
            pass
        process.wait(60)
    os.close(ours)
    return shown


def test_a_terminal_has_colours(folder: Path) -> None:
    """A person who looks at it gets what helps the eye."""
    assert b"\x1b[" in _on_a_terminal("users", "list", folder, environ={"NO_COLOR": ""})


@pytest.mark.parametrize("argv", [("users", "list"), ("users", "remove")])
def test_no_color_is_honoured_on_a_terminal(argv: tuple[str, ...], folder: Path) -> None:
    """NO_COLOR set to anything means none (no-color.org), in results and in errors."""
    more = ("nobody@example.com",) if "remove" in argv else ()

    shown = _on_a_terminal(*argv, folder, *more, environ={"NO_COLOR": "1"})

    assert shown
    assert b"\x1b[" not in shown


def test_an_empty_no_color_is_none() -> None:
    """The convention asks for a value that is not empty."""
    assert [wanted({}), wanted({"NO_COLOR": ""}), wanted({"NO_COLOR": "0"})] == [None, None, False]


def test_without_a_terminal_there_are_no_colours(folder: Path) -> None:
    """A file or a pipe gets plain text."""
    assert "\x1b" not in _run("users", "list", folder).stdout


@pytest.mark.parametrize("verb", ["plan", "provision"])
def test_an_error_is_a_document_where_json_was_asked_for(verb: str, folder: Path) -> None:
    """A program reads exactly one document whatever happens; people find the same on standard error."""
    (folder / "group_data" / "all.py").write_text("domains = {}\n")

    done = _run(verb, folder, "--format", "json")

    document = json.loads(done.stdout)
    assert done.returncode == 2
    assert (document["version"], document["kind"]) == (1, "error")
    assert document["errors"][0]["error"] == "InventoryError"
    assert "domains" in done.stderr


def test_an_error_leaves_standard_output_empty_for_people(folder: Path) -> None:
    """Results go there, and there is none."""
    (folder / "group_data" / "all.py").write_text("domains = {}\n")

    assert _run("plan", folder).stdout == ""


def test_init_without_a_terminal_asks_nothing(tmp_path: Path) -> None:
    """What is missing is bad usage, and no folder is made."""
    done = _run("init", tmp_path / "mail", "--domain", "example.com")

    assert done.returncode == 2
    assert "--host" in done.stderr
    assert not (tmp_path / "mail").exists()


def test_a_step_that_fails_is_never_said_to_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Its time would read as success."""
    progress = Progress(clock=lambda: 0.0)

    with pytest.raises(ValueError, match="broken"), progress.step("mx1 converges"):
        raise ValueError("broken")

    assert "mx1 converges:" not in capsys.readouterr().err


def test_a_step_that_went_on_past_a_failure_is_not_said_to_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    """One host of two failed: the others are served, and the line says that it is not all of them."""
    failures: list[str] = []
    progress = Progress(clock=lambda: 0.0)

    with progress.step("keys are made", lambda: bool(failures)):
        pass
    with progress.step("2 hosts converge", lambda: bool(failures)):
        failures.append("mx1")

    assert capsys.readouterr().err.splitlines() == [
        "keys are made: 0.0 s",
        "2 hosts converge: not everywhere, after 0.0 s",
    ]


def test_progress_that_is_held_back_is_shown_when_there_is_something_to_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And never if not: what cron runs daily is quiet, and a run that did something can be followed."""
    progress = Progress(clock=lambda: 0.0, held=True)

    with progress.step("looked at the hosts"):
        progress.note("mx1 converges")
    before = capsys.readouterr().err
    progress.release()
    progress.note("mx2 converges")

    assert before == ""
    assert capsys.readouterr().err == "  mx1 converges\nlooked at the hosts: 0.0 s\n  mx2 converges\n"
