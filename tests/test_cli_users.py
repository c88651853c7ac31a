"""``sendwright users``: a password is shown once, and only its hash is kept."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sendwright import users
from sendwright.cli import main
from sendwright.state.model import User

INVENTORY = """
senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]
"""
# No passphrase anywhere: credentials need none, however the private keys rest.
SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "UNSET"}}}}
domains = {"example.com": {"dns": "main"}}
key_store = {"passphrase": {"env": "SENDWRIGHT_TEST_NEVER_SET"}}
"""
# What a shell, a template, a passwd-file or a terminal would make something of.
HOSTILE = (
    "$(reboot)",
    "{{7*7}}",
    "{%x%}",
    "a b",
    "a\nb",
    "a:b",
    "`id`",
    "a;b",
    "a|b",
    "a\x1b[2J",
    "a'",
    "-a",
    "App",
    "",
)


@pytest.fixture
def folder(inventory_folder: Callable[[str, str], Path]) -> Path:
    """An inventory with an encrypted key store whose passphrase nobody knows."""
    return inventory_folder(INVENTORY, SHARED)


def run(folder: Path, verb: str, *argv: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run a users verb in a process of its own."""
    command = [sys.executable, "-m", "sendwright", "users", verb, str(folder), *argv]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def kept(folder: Path) -> list[dict[str, object]]:
    """Return what lies in the state folder."""
    found: list[dict[str, object]] = json.loads((folder / "state" / "users.json").read_text())
    return found


def test_a_password_is_shown_once_and_its_hash_alone_is_kept(folder: Path) -> None:
    """It stands alone on standard output, opens the hash, and lies in no file; the folder is its owner's."""
    done = run(folder, "add", "app", "--send-as", "example.com", "--send-as", "news@example.com")
    listed = run(folder, "list", "--format", "json")

    assert (done.returncode, listed.returncode) == (0, 0)
    password = done.stdout.decode().strip()
    (user,) = kept(folder)
    found = User("app", str(user["password_hash"]), ("example.com", "news@example.com"))
    assert users.matches(found, password)
    assert password.encode() not in b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert password.encode() not in done.stderr
    assert (folder / "state").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in (folder / "state").rglob("*") if p.is_file()} == {0o600}
    assert json.loads(listed.stdout)["users"] == [{"login": "app", "send_as": ["example.com", "news@example.com"]}]
    assert b"argon2" not in listed.stdout + listed.stderr


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-", "| true"])
def test_a_password_that_nobody_saw_is_no_credential(folder: Path, stdout: str) -> None:
    """It could never be learned again: the login is taken back, so that the next try is as the first."""
    script = f'{{ sleep 0.1; "$0" -m sendwright users add "$1" app --send-as example.com; echo $? >&2; }} {stdout}'

    done = subprocess.run(["sh", "-c", script, sys.executable, str(folder)], capture_output=True, check=False)

    assert b"nobody was added" in done.stderr
    assert done.stderr.strip().endswith(b"1")
    assert kept(folder) == []


def test_a_given_password_is_never_repeated(folder: Path) -> None:
    """It comes by standard input, so that it is in no process list; nothing prints it."""
    done = run(
        folder, "add", "app", "--send-as", "example.com", "--password-stdin", given=b"correct horse \xc3\xa9\r\n"
    )

    assert (done.returncode, done.stdout) == (0, b"")
    assert b"horse" not in done.stderr
    (user,) = kept(folder)
    assert users.matches(User("app", str(user["password_hash"]), ()), "correct horse é")


@pytest.mark.parametrize("given", [b"", b"  \n", b"\xff\xfe\n", b"x" * 5000])
def test_no_password_is_no_credential(given: bytes, folder: Path) -> None:
    """An empty line would let everybody in; what is no text was no password."""
    done = run(folder, "add", "app", "--send-as", "example.com", "--password-stdin", given=given)

    assert done.returncode == 2
    assert b"no password on standard input" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (folder / "state").exists()


def test_what_cannot_be_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad usage, one message, nothing that moves a cursor; and whoever was there stays as he was."""
    run(folder, "add", "app", "--send-as", "example.com")
    before = kept(folder)

    for login, send_as, words in (
        ("app", "example.com", "exists already"),
        ("other", "example.org", "lies in no declared domain"),
        ("other", "news@sub.example.com", "lies in no declared domain"),
        ("other", "$(reboot)", "nothing to send as"),
        *((text, "example.com", "is no login") for text in HOSTILE),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["users", "add", str(folder), "--send-as", send_as, "--", login])
        printed = capsys.readouterr()

        assert (ended.value.code, printed.out) == (2, "")
        assert words in printed.err
        assert printed.err.replace("\n", "").isprintable()
        assert kept(folder) == before


def test_who_is_removed_is_gone_and_who_was_not_there_is_named(folder: Path) -> None:
    """The message says who there is."""
    run(folder, "add", "app", "--send-as", "example.com")

    unknown = run(folder, "remove", "\x1b[2Japp")
    removed = run(folder, "remove", "app")

    assert unknown.returncode == 2
    assert "Did you mean app?" in unknown.stderr.decode()
    assert b"\x1b" not in unknown.stderr
    assert removed.returncode == 0
    assert kept(folder) == []


def test_two_at_once_lose_nothing(folder: Path) -> None:
    """Whoever comes second waits for nobody, and is told who is in."""
    command = [sys.executable, "-m", "sendwright", "users", "add", str(folder)]
    many = [
        subprocess.Popen([*command, f"app{n}", "--send-as", "example.com"], stdout=subprocess.PIPE, stderr=-1)
        for n in range(4)
    ]
    ended = [(process.communicate()[1], process.returncode) for process in many]

    assert {code for _, code in ended} <= {0, 1}
    assert all("is in use by" in text.decode() for text, code in ended if code)
    assert len(kept(folder)) == sum(code == 0 for _, code in ended)
