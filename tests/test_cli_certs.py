"""``sendwright certs`` as a person meets it: what it lists, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sendwright import certs, inventory
from sendwright.state.folder import StateFolder

Run = Callable[..., tuple[int, str, str]]
HOSTS = """
senders = [
    ("mx1.example.com", {"egress": [{"public": "203.0.113.1"}]}),
    ("mx2.example.com", {"egress": [{"public": "203.0.113.2"}], "tls": "acme"}),
]
"""
SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "127.0.0.1", "port": 1, "tsig": {"name": "k", "secret": {"env": "K"}}}}
domains = {"example.com": {"dns": "main"}}
ssh_hostname, ssh_port = "127.0.0.1", 1
key_store = {"unencrypted": "I know that anybody who reads this folder can sign as us"}
"""


@pytest.fixture
def folder(inventory_folder: Callable[[str, str], Path]) -> Path:
    """Two hosts with the certificates that they begin with."""
    path = inventory_folder(HOSTS, SHARED)
    declared = inventory.load(path)
    for host in declared.stack.hosts:
        certificate, pem = certs.issue(host, datetime.now(UTC))
        StateFolder.of(declared).save_certificate(replace(certificate, mode="self-signed"), pem)
    return path


def test_list_shows_each_certificate_and_what_waits_for_the_authority(folder: Path, run: Run) -> None:
    """It needs no network: nobody is behind any address of this inventory."""
    code, out, err = run("certs", "list", folder)

    assert (code, err) == (0, "")
    assert "mx2.example.com: its certificate is self-signed, and the inventory says acme" in out
    (row,) = (line for line in out.splitlines() if "mx1.example.com  " in line)
    assert row.split()[0] in {"364", "365"}
    assert row.endswith("smtp mx1.example.com")


def test_list_as_json_of_one_host(folder: Path, run: Run) -> None:
    """The digest is what a TLSA record of the host says."""
    code, out, _ = run("certs", "list", folder, "--limit", "mx2.example.com", "--format", "json")

    found = json.loads(out)
    (one,) = found["certificates"]
    assert (code, one["host"], one["condition"]) == (0, "mx2.example.com", "awaited")
    assert one["renew_from"] is None
    assert len(one["key"]["spki_sha256"]) == 64


@pytest.mark.parametrize("verb", ["list", "issue", "renew"])
def test_a_host_that_is_none_is_refused(verb: str, folder: Path, run: Run) -> None:
    """Nothing was tried; those that there are, are named."""
    code, out, err = run("certs", verb, folder, "--limit", "mx9.example.com")

    assert (code, out) == (2, "")
    assert "no such host" in err
    assert "mx1.example.com, mx2.example.com" in err


@pytest.mark.parametrize("verb", ["issue", "renew"])
def test_what_cannot_be_done_is_told_for_each_host_and_nothing_is_changed(verb: str, folder: Path, run: Run) -> None:
    """Nobody is behind the hosts' SSH ports: exit code 1, a sentence each, and the certificates stay."""
    before = sorted((path, path.read_bytes()) for path in (folder / "state" / "tls").iterdir())

    code, out, err = run("certs", verb, folder, "--format", "json")

    found = json.loads(out)
    assert (code, found["kind"], found["outcome"]) == (1, f"certs-{verb}", "failed")
    assert {e["error"] for e in found["errors"]} >= {"Unreachable"}
    assert [c["host"] for c in found["certificates"]] == ["mx1.example.com", "mx2.example.com"]
    assert "mx1.example.com" in err
    assert sorted((path, path.read_bytes()) for path in (folder / "state" / "tls").iterdir()) == before
