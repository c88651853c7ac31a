"""The certificates of a run: a host that goes over to a certificate from a file, while senders know its old key."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sendwright import certs
from sendwright.connections import Fleet
from sendwright.inventory import Inventory
from sendwright.report.progress import Progress
from sendwright.stack import Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim
from sendwright.tls_stage import TlsStage

MX1 = "mx1.example.com"
NOW = datetime.now(UTC).replace(microsecond=0)
CLAIM = Claim("example.com", f"_25._tcp.{MX1}", "TLSA", f"3 1 1 {'a' * 64}", NOW, "main", left=NOW, withdrawn=True)


@dataclass
class Zones:
    """``gone``: what is neither in DNS nor in caches any more."""

    gone: frozenset[Claim] = frozenset()


@dataclass
class Dns:
    """Zones that were looked at."""

    zones: Zones = field(default_factory=Zones)


@pytest.mark.parametrize(("gone", "mode"), [(frozenset[Claim](), "acme"), (frozenset({CLAIM}), "file")])
def test_a_key_from_a_file_is_installed_by_the_run_that_finds_the_old_one_forgotten(
    tmp_path: Path, gone: frozenset[Claim], mode: str
) -> None:
    """The ledger has its record until something is written, which comes later in the run."""
    host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]}
    file = {"mode": "file", "certificate": "chain.pem", "key": {"file": "key.pem"}}
    store = {"unencrypted": "I know that anybody who reads this folder can sign as us"}
    domains = [{"name": "example.com", "dns": None}]
    stack = Stack.model_validate({"hosts": [{**host, "tls": file}], "domains": domains, "key_store": store})
    declared = Inventory(stack=stack, folder=tmp_path, state_dir=tmp_path / "state")
    acme = Host.model_validate({**host, "tls": "acme"})
    (old, old_pem), (new, new_pem) = certs.issue(acme, NOW), certs.issue(acme, NOW)
    folder = StateFolder.of(declared)
    folder.save_certificate(replace(old, mode="acme"), old_pem)
    folder.claim([CLAIM])
    (tmp_path / "chain.pem").write_text(new.chain)
    (tmp_path / "key.pem").write_bytes(new_pem)
    (tmp_path / "key.pem").chmod(0o600)
    dns: Any = Dns(Zones(gone))

    TlsStage(declared, folder, Fleet(stack.hosts, tmp_path), dns, Progress(held=True)).renew_own([MX1], NOW)

    (found,) = folder.certificates()
    assert found.mode == mode
