"""Probes: constant commands, data by standard input, answers judged before they are believed."""

import base64
import json
import runpy
import subprocess
from pathlib import Path

import pytest

from sendwright.deploys import probe
from sendwright.errors import HostError
from sendwright.stack import Host

HOST = Host.model_validate(
    {"name": "mx1.example.com", "ssh": {"hostname": "mx1.example.com"}, "egress": [{"public": "203.0.113.10"}]}
)


def test_a_command_is_the_same_for_every_host() -> None:
    """Nothing from outside can reach a shell: commands take no arguments at all."""
    for command in (probe.chroot_ad_command(), probe.send_probes_command()):
        assert command.startswith("exec /usr/bin/python3 -I -c '")
        assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize(
    "order",
    [
        {"recipient": "probe@mx1.example.com", "seconds": 1, "most": 1, "probes": {"token-12": "a@b\nBcc: x@y"}},
        {"recipient": "probe@mx1.example.com", "seconds": 1, "most": 1, "probes": {"to>ken-12": "a@b.example"}},
        {"recipient": "-t", "seconds": 1, "most": 1, "probes": {"token-12": "a@b.example"}},
    ],
)
def test_a_malformed_order_is_refused_before_anything_is_sent(order: dict[str, object]) -> None:
    """The program on the host does not believe its input either."""
    done = subprocess.run(
        ["sh", "-c", probe.send_probes_command()], input=json.dumps(order), capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "malformed" in done.stderr
    assert done.stdout == ""


def test_the_input_names_the_probe_mailbox_and_every_probe() -> None:
    """The mailbox follows from the host, not from the caller."""
    data = json.loads(probe.send_probes_input(HOST, {"token-12": "sendwright-probe+s1@example.com"}, 10, 90))

    assert data == {
        "recipient": "probe@mx1.example.com",
        "seconds": 10,
        "most": 90,
        "probes": {"token-12": "sendwright-probe+s1@example.com"},
    }


def test_a_delivered_probe_comes_back_byte_for_byte_and_a_missing_one_as_none() -> None:
    """A signature is about bytes: nothing may be rewritten on the way."""
    raw = b"From: a\r\n\r\n\xff\n"
    output = json.dumps({"token-12": base64.b64encode(raw).decode(), "token-34": None})

    assert probe.parse_probes(HOST, output, {"token-12": "", "token-34": ""}) == {"token-12": raw, "token-34": None}


def test_each_file_in_the_mailbox_is_read_once(tmp_path: Path) -> None:
    """Two thousand probes arrive one by one: what lies there already, others' mail too, is not read at every look."""
    collect = runpy.run_path(str(Path(probe.__file__).parents[1] / "templates/probe/send.py"))["collect"]
    (tmp_path / "strange").write_bytes(b"Message-ID: <token-12@elsewhere.example>\n\n")
    seen: set[str] = set()
    first = collect(tmp_path, {"token-12", "token-34"}, HOST.name, seen)
    (tmp_path / "strange").write_bytes(_delivered("token-34"))
    (tmp_path / "probe").write_bytes(_delivered("token-12"))

    second = collect(tmp_path, {"token-12", "token-34"}, HOST.name, seen)

    assert first == {}
    assert second == {"token-12": base64.b64encode(_delivered("token-12")).decode()}
    assert [path.name for path in tmp_path.iterdir()] == ["strange"]


def _delivered(token: str) -> bytes:
    return f"From: a@example.com\nMessage-ID: <{token}@{HOST.name}>\n\nMessage-ID: <token-99@{HOST.name}>\n".encode()


@pytest.mark.parametrize("output", ["", "[]", "{}", '{"token-12": "?"}', '{"answered": 1, "ad": true}', "Traceback"])
def test_an_answer_that_is_none_is_an_error_of_that_host(output: str) -> None:
    """Never a traceback, never a verdict."""
    with pytest.raises(HostError, match=r"mx1\.example\.com"):
        probe.parse_chroot_ad(HOST, output)
    with pytest.raises(HostError, match=r"mx1\.example\.com"):
        probe.parse_probes(HOST, output, {"token-12": ""})


@pytest.mark.parametrize("ad", [True, False])
def test_the_ad_bit_is_reported_as_seen(ad: bool) -> None:
    """An answer without the bit is an answer, and says that DANE is off."""
    answer = probe.parse_chroot_ad(HOST, json.dumps({"answered": True, "ad": ad}))

    assert answer == probe.ChrootAnswer(answered=True, ad=ad)
