"""The answers to an authority's challenges on a host, by a real shell."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from sendwright.deploys import challenges


def _run(folder: Path, script: str, given: bytes) -> None:
    text = script.replace(challenges.FOLDER, str(folder))
    subprocess.run(["/bin/sh", "-c", text], input=given, check=True, capture_output=True)


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """Return where answers are looked for."""
    return tmp_path / ".well-known" / "acme-challenge"


def _put(folder: Path, *answers: tuple[str, str]) -> None:
    _run(folder, challenges.put_command(), challenges.put_input(answers))


def test_answers_are_files_that_the_web_server_may_read_and_go_again(tmp_path: Path, shown: Path) -> None:
    """Exactly the key authorization, whatever a token begins with; others' answers stay."""
    shown.mkdir(parents=True)
    (shown / "certbot-s").write_text("theirs")

    _put(tmp_path, ("-one_", "-one_.thumb"), ("two", "two.thumb"))
    there = {path.name: (path.read_text(), path.stat().st_mode & 0o777) for path in shown.iterdir()}
    _run(tmp_path, challenges.remove_command(), challenges.remove_input(["-one_", "two", "never-there"]))

    assert there == {"-one_": ("-one_.thumb", 0o644), "two": ("two.thumb", 0o644), "certbot-s": ("theirs", 0o644)}
    assert [path.name for path in shown.iterdir()] == ["certbot-s"]


def test_what_a_dead_run_left_goes_when_no_order_can_need_it_any_more(tmp_path: Path, shown: Path) -> None:
    """Orders live for a week."""
    shown.mkdir(parents=True)
    for name, days in (("old", 8), ("young", 6)):
        (shown / name).write_text("left")
        then = time.time() - days * 86400
        os.utime(shown / name, (then, then))

    _put(tmp_path, ("new", "new.thumb"))

    assert sorted(path.name for path in shown.iterdir()) == ["new", "young"]


def test_to_remove_what_was_never_there_is_no_failure(tmp_path: Path) -> None:
    """Not even the folder."""
    _run(tmp_path, challenges.remove_command(), challenges.remove_input(["one"]))


@pytest.mark.parametrize(
    ("token", "text"), [("a/b", "a.b"), ("", "a.b"), ("a", "a b"), ("a", "a.b\nc d"), (".", "a.b")]
)
def test_what_the_standard_does_not_allow_is_no_input(token: str, text: str) -> None:
    """A token becomes the name of a file, and a line is an answer."""
    with pytest.raises(ValueError, match="RFC 8555"):
        challenges.put_input([(token, text)])
