"""Secrets by name: found, bounded, and in no message."""

import sys
import time
from pathlib import Path

import pytest

from sendwright.declared import CommandSecret, EnvSecret, FileSecret, SecretRef
from sendwright.errors import SecretError
from sendwright.secrets import resolve

PASSWORD = "hunter2-hunter2"


def python(program: str) -> CommandSecret:
    """Return a secret that a small program prints."""
    return CommandSecret(command=(sys.executable, "-c", program))


@pytest.mark.parametrize(("written", "value"), [("x", "x"), ("x\n", "x"), ("x\n\n", "x\n"), (" x ", " x ")])
def test_one_final_newline_is_not_part_of_a_secret(tmp_path: Path, written: str, value: str) -> None:
    """Editors and echo add one; anything else is the secret's own."""
    (tmp_path / "secret").write_text(written)

    assert resolve(FileSecret(file="secret"), tmp_path, "test") == value
    assert resolve(EnvSecret(env="S"), tmp_path, "test", {"S": written}) == value
    assert resolve(python(f"print({written!r}, end='')"), tmp_path, "test") == value


def test_commands_are_never_given_to_a_shell(tmp_path: Path) -> None:
    """An argument list stays one, whatever is in it."""
    ref = CommandSecret(command=("echo", "$(touch pwned)", ";", "touch pwned", "`id`"))

    assert resolve(ref, tmp_path, "test") == "$(touch pwned) ; touch pwned `id`"
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (EnvSecret(env="UNSET"), "UNSET is not set"),
        (EnvSecret(env="EMPTY"), "EMPTY holds nothing"),
        (FileSecret(file="absent"), "there is no file"),
        (FileSecret(file="."), "there is no file"),
        (FileSecret(file="empty"), "holds nothing"),
        (FileSecret(file="binary"), "no UTF-8 text"),
        (FileSecret(file="large"), "more than 65536 bytes"),
        (CommandSecret(command=("./absent",)), "cannot be started"),
        (python(f"print('{PASSWORD}'); raise SystemExit(3)"), "failed with status 3"),
        (python(f"raise SystemExit('{PASSWORD}')"), "failed with status 1"),
        (python("pass"), "holds nothing"),
        (python(f"import sys; sys.stdout.buffer.write(b'{PASSWORD}' + bytes([255]))"), "no UTF-8 text"),
        (python(f"while True: print('{PASSWORD}')"), "more than 65536 bytes"),
    ],
)
def test_a_secret_without_a_value_is_named_with_its_place_and_nothing_else(
    tmp_path: Path, ref: SecretRef, words: str
) -> None:
    """Neither a value nor anything that a command printed is in the error or in what it came from."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(PASSWORD.encode() + b"\xff")
    (tmp_path / "large").write_text(PASSWORD * 10000)

    with pytest.raises(SecretError, match=words) as refused:
        resolve(ref, tmp_path, "the TSIG key of main", {"EMPTY": ""})

    assert str(refused.value).startswith("the TSIG key of main: ")
    assert PASSWORD not in str(refused.value).replace(str(ref), "")
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",
        "import os, time\nif os.fork(): raise SystemExit\ntime.sleep(5)",
    ],
)
def test_a_command_that_hangs_is_given_up(tmp_path: Path, program: str) -> None:
    """Bounded even when it leaves a child behind that holds its output open."""
    before = time.monotonic()

    with pytest.raises(SecretError, match=r"no answer in 0\.5 s"):
        resolve(python(program), tmp_path, "test", seconds=0.5)

    assert time.monotonic() - before < 3
