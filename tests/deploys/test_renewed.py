"""What a host says of its certificates is read as a stranger's words."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.deploys import renewed
from sendwright.deploys.base import TLS
from sendwright.deploys.renewal import STATE
from sendwright.errors import HostError

PATHS = [f"{TLS}/{'0123456789abcdef'}/{name}.pem" for name in ("chain", "chain-1", "chain-12")]


def answer(*lines: str) -> bytes:
    """Return what a host prints around those lines."""
    return "".join(f"{line}\n" for line in ("sendwright renewed 1", *lines, "end")).encode()


def encoded(text: str) -> str:
    """Return text as a host prints it."""
    return base64.b64encode(text.encode()).decode()


def test_chains_are_known_by_their_paths() -> None:
    """All of them, and nothing else."""
    lines = [f"chain {path} {encoded(f'CHAIN {path}')}" for path in PATHS]

    assert renewed.parse("mx1.example.com", answer(*lines)) == {path: f"CHAIN {path}" for path in PATHS}
    assert renewed.parse("mx1.example.com", answer()) == {}


def test_what_hinders_a_host_is_told_without_what_moves_a_cursor() -> None:
    """In its words, on one line."""
    memory = {"failures": 3, "since": "2026-11-01 10:00 UTC", "said": "certbot:\n\x1b[1mno such name", "again": 1.0}

    found = renewed.trouble("mx1.example.com", answer(f"memory {encoded(json.dumps(memory))}"))

    assert found == renewed.Trouble(3, "2026-11-01 10:00 UTC", "certbot: \\x1b[1mno such name")


@pytest.mark.parametrize("memory", [None, {"failures": 0, "since": "", "said": "", "again": 0}])
def test_a_host_whose_last_renewal_worked_has_no_trouble(memory: dict[str, object] | None) -> None:
    """Nor one that has never tried."""
    lines = [f"memory {encoded(json.dumps(memory))}"] if memory else []

    assert renewed.trouble("mx1.example.com", answer(*lines)) is None


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"end",
        b"\xff\xfe",
        b"Welcome!\n" + answer(),
        answer("chain /etc/shadow AAAA"),
        answer(f"chain {TLS}/../../shadow/chain.pem AAAA"),
        answer(f"chain {PATHS[0]} A"),
        answer(f"chain {PATHS[0]} {encoded('Ä')}"),
        answer("memory AAAA!"),
        answer(f"chain {PATHS[0]} AAAA").removesuffix(b"end\n"),
    ],
)
def test_any_other_answer_is_refused(output: bytes) -> None:
    """By a sentence that names the host."""
    with pytest.raises(HostError, match=r"mx1\.example\.com: which certificates it has could not be read"):
        renewed.parse("mx1.example.com", output)


@pytest.mark.parametrize("memory", ["[]", "{", "[" * 9999, '{"failures": "x", "since": "", "said": ""}', "null"])
def test_notes_that_nobody_wrote_are_refused(memory: str) -> None:
    """The same."""
    with pytest.raises(HostError):
        renewed.trouble("mx1.example.com", answer(f"memory {encoded(memory)}"))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(output: bytes) -> None:
    """Whatever comes."""
    for read in (renewed.parse, renewed.trouble):
        for whole in (output, answer(output.decode("latin-1")), answer(f"memory {base64.b64encode(output).decode()}")):
            try:
                read("mx1.example.com", whole)
            except HostError:
                continue


def test_the_command_prints_what_is_read(tmp_path: Path) -> None:
    """In a folder as a host has it; nothing but chains, and those of a sensible size."""
    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    (folder / "key.pem").write_text("KEY")
    (folder / "chain.pem").write_text("CHAIN")
    (folder / "chain-1.pem").write_text("CHAIN 1")
    (folder / "chain-2.pem").write_text("x" * 70000)
    memory = {"failures": 1, "since": "then", "said": "no", "again": 0}
    (tmp_path / "memory.json").write_text(json.dumps(memory))
    script = renewed.command().replace(TLS, str(tmp_path)).replace(STATE, str(tmp_path))

    output = subprocess.run([shutil.which("sh") or "sh", "-c", script], capture_output=True, check=True).stdout
    output = output.replace(str(tmp_path).encode(), TLS.encode())

    assert renewed.parse("mx1.example.com", output) == {PATHS[0]: "CHAIN", PATHS[1]: "CHAIN 1"}
    assert renewed.trouble("mx1.example.com", output) == renewed.Trouble(1, "then", "no")
    assert b"KEY" not in output
