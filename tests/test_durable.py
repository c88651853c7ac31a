"""The state folder outlives the machine: pushed before a new key is published, and whenever it has changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sendwright import durable, inventory
from sendwright.errors import StateError
from sendwright.inventory import Inventory
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder

HOSTS = 'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]\n'
# Each push leaves one more line; while there is a file `down` it fails as a busy remote does.
PUSH = """\
if [ -e down ]; then echo 'To https://me:hunter2@git.example/x'; printf 'ref\\033[2J rejected\\n' >&2; exit 3; fi
env >> environment; pwd >> pushes
"""
SHARED = """
dns = {{"main": {{"provider": "zonefile", "folder": "zones", "margin": 0}}}}
domains = {{"example.com": {{"dns": "main"}}}}
key_store = {{
    "unencrypted": "I know that anybody who reads this folder can sign as us",
    "push": {push!r},
}}
"""
ZONE = """\
example.com.     3600 IN SOA ns.example.com. me.example.com. 2026010100 3600 600 86400 300
example.com.     3600 IN NS  ns.example.com.
"""


@pytest.fixture
def declared(written: Callable[[str, str, str], Inventory]) -> Inventory:
    """Return an inventory whose state folder is pushed by a command."""
    return written(HOSTS, SHARED.format(push=["sh", "-c", PUSH]), ZONE)


def _pushes(declared: Inventory) -> list[str]:
    path = declared.folder / "pushes"
    return path.read_text().splitlines() if path.exists() else []


def _pushed_by(declared: Inventory, *command: str) -> Inventory:
    (declared.folder / "group_data" / "all.py").write_text(SHARED.format(push=list(command)))
    return inventory.load(declared.folder)


def test_the_command_runs_in_the_inventory_folder_without_our_secrets(
    declared: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it needs besides, as a token of its own, it finds in its environment."""
    monkeypatch.setenv("SENDWRIGHT_PASSPHRASE", "hunter2")
    monkeypatch.setenv("GIT_TOKEN", "theirs")

    with StateFolder.of(declared).lock():
        durable.push(declared, Progress())

    assert _pushes(declared) == [os.path.realpath(declared.folder)]
    given = (declared.folder / "environment").read_text()
    assert "hunter2" not in given
    assert "GIT_TOKEN=theirs" in given


def test_the_command_never_sees_the_passphrase_whatever_its_variable_is_called(
    written: Callable[[str, str, str], Inventory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it hands over is encrypted with that."""
    monkeypatch.setenv("MAIL_PASS", "hunter2")
    store = f'key_store = {{"passphrase": {{"env": "MAIL_PASS"}}, "push": {["sh", "-c", PUSH]!r}}}\n'
    declared = written(HOSTS, SHARED.format(push=[]).partition("key_store")[0] + store, ZONE)

    with StateFolder.of(declared).lock():
        durable.push(declared, Progress())

    assert "hunter2" not in (declared.folder / "environment").read_text()


def test_a_command_that_fails_is_told_with_what_it_said_and_nothing_that_moves_a_cursor(declared: Inventory) -> None:
    """A login in a URL is left out; the command itself is named by its program."""
    (declared.folder / "down").touch()

    with StateFolder.of(declared).lock(), pytest.raises(StateError) as caught:
        durable.push(declared, Progress())

    assert "the command sh of key_store.push failed with status 3" in caught.value.what
    assert "https://…@git.example/x" in caught.value.hint
    assert r"ref\x1b[2J rejected" in caught.value.hint
    assert "hunter2" not in str(caught.value)
    assert "No new key is published before it succeeds" in caught.value.hint


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-program",), "cannot be started: No such file or directory"),
        (("sleep", "60"), "did not end in 0.2 s"),
        (("sh", "-c", "exec >&-; sleep 60"), "did not end in 0.2 s"),
        (("sh", "-c", "yes | head -c 1000000; exit 1"), "failed with status 1"),
    ],
)
def test_a_command_that_cannot_be_run_or_does_not_end_is_given_up(
    command: tuple[str, ...], words: str, declared: Inventory
) -> None:
    """One sentence, and never more of its output than fits on a screen."""
    declared = _pushed_by(declared, *command)

    with StateFolder.of(declared).lock(), pytest.raises(StateError, match=words) as caught:
        durable.push(declared, Progress(), seconds=0.2 if "sleep" in str(command) else 30)

    assert len(caught.value.hint.splitlines()) <= 11


def test_what_changed_is_pushed_once_and_what_did_not_is_not(declared: Inventory) -> None:
    """A run that changed nothing makes no traffic, on a machine that never pushed either."""
    folder = StateFolder.of(declared)
    with folder.lock(), durable.pushed(declared, Progress()):
        pass
    assert _pushes(declared) == []

    with folder.lock(), durable.pushed(declared, Progress()):
        folder.save_users(())
    assert len(_pushes(declared)) == 1

    with folder.lock(), durable.pushed(declared, Progress()):
        pass
    assert len(_pushes(declared)) == 1


def test_what_could_not_be_pushed_is_pushed_by_the_next_run_whatever_that_does(declared: Inventory) -> None:
    """Nobody has to change something first."""
    folder, down = StateFolder.of(declared), declared.folder / "down"
    with folder.lock(), durable.pushed(declared, Progress()):
        folder.save_users(())
    with folder.lock():
        start = durable.Start.of(declared)
        (folder.path / "users.json").write_text("[]")
        down.touch()
        assert [type(error) for error in start.push_changes(Progress())] == [StateError]

    down.unlink()
    with folder.lock(), durable.pushed(declared, Progress()):
        pass

    assert len(_pushes(declared)) == 2


def test_without_a_command_nothing_is_run_and_nothing_is_remembered(declared: Inventory) -> None:
    """The folder is then made durable by whoever owns it."""
    path = declared.folder / "group_data" / "all.py"
    path.write_text(path.read_text().replace('"push"', '"passphrase": {"env": "NOT_SET"}, #'))
    declared = inventory.load(declared.folder)

    with StateFolder.of(declared).lock(), durable.pushed(declared, Progress()):
        durable.push(declared, Progress())
        StateFolder.of(declared).save_users(())

    assert not Path(declared.state_dir / ".pushed").exists()


def test_git_never_sees_what_was_pushed_last(declared: Inventory) -> None:
    """It would differ after each push, and be pushed, and differ."""
    with StateFolder.of(declared).lock():
        durable.push(declared, Progress())

    assert ".pushed" in (declared.state_dir / ".gitignore").read_text().splitlines()
    assert (declared.state_dir / ".pushed").exists()
