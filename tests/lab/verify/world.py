"""The world in which every check of ``verify`` fails somewhere and passes somewhere."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sendwright import dkim, inventory, issuing, planning
from sendwright.dns.rdata import txt
from sendwright.lab import HostSpec, Lab, LabSpec, RRset, ZoneSpec, installed
from sendwright.overlay import inventory_files
from sendwright.rehearse import World, world_in
from sendwright.service import Release
from sendwright.stack import DkimAlgorithm, Egress, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage, State
from tests.lab.verify import certificates, hostile, keys, records, servers, zones
from tests.lab.verify.blocklists import blocklists
from tests.lab.verify.cases import ASTRAY, DOMAINS, OURS, SERVERS
from tests.lab.verify.servers import Certificates

_ADDRESS = "203.0.113.50"
# What it does runs at the controller's place, where names resolve.
_VERIFY = """
import dataclasses, json, sys
from pathlib import Path
from sendwright.verify import verify
asked = json.load(sys.stdin)
asked["trust"] = Path(asked["trust"])
asked["inventory"] = asked.get("inventory") and Path(asked["inventory"])
report = verify(asked.pop("domains", ()), **asked)
print(json.dumps([dataclasses.asdict(finding) for finding in report.findings]))
"""


@dataclass(frozen=True)
class Broken:
    """The lab, the inventory that was provisioned in it, the one that was not, and what `verify` says of all."""

    lab: Lab
    ours: World
    astray: Path
    trust: Path

    def verify(self, **asked: Any) -> list[dict[str, Any]]:
        """Return the findings of one run of the library's door."""
        asked = {"trust": str(self.trust), "timeout": 3.0, **asked}
        command = self.lab.command([sys.executable, "-c", _VERIFY])
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def command(self, *argv: str) -> list[str]:
        """Return the command that verifies with the authority of this world trusted."""
        trusting = ["--trust", str(self.trust), "--timeout", "3"]
        return [sys.executable, "-m", "sendwright", "verify", *trusting, *argv]

    def sendwright(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run it at the controller's place."""
        return self.lab.run(self.command(*argv), check=False, timeout=120)

    @cached_property
    def anybody(self) -> list[dict[str, Any]]:
        """What is said of every domain of the cases, in one run."""
        named = {name for case in DOMAINS for name in (case.breaks, case.holds)}
        spoken = {name for case in SERVERS for name in (case.breaks, case.holds)}
        behind = {name.removeprefix("mx.").removeprefix("submit.") for name in spoken}
        return self.verify(domains=sorted(named | behind), selectors=[keys.SELECTOR])

    @cached_property
    def inventories(self) -> list[dict[str, Any]]:
        """What is said of both inventories."""
        return [*self.verify(inventory=str(self.ours.folder)), *self.verify(inventory=str(self.astray))]


@contextmanager
def build() -> Iterator[Broken]:
    """Build the world, and take it down at the end."""
    certs = Certificates(certificates.authority())
    stack = _stack()
    packages = (p for s in planning.services(stack, stack.hosts[0], Release.BOOKWORM, State()) for p in s.packages)
    host = HostSpec(f"mx.{OURS}", (_ADDRESS,), snapshot=installed.ensure(12, packages, print))
    contents = (
        *records.zones(certs),
        *blocklists(),
        ZoneSpec(OURS),
        ZoneSpec(ASTRAY, records.rrsets(ASTRAY, records.ASTRAY)),
    )
    lab = Lab.up(LabSpec(f"verify-{os.getpid()}", (host,), contents), print)
    try:
        servers.start(lab, certs)
        hostile.start(lab)
        zones.break_zones(lab)
        ours = world_in(lab, stack, "ours")
        done = ours.provision()
        assert done.returncode == 0, done.stdout + done.stderr
        trust = lab.state.folder / "authority.pem"
        trust.write_text(certs.authority.public)
        yield Broken(lab, ours, _astray(ours), trust)
    finally:
        lab.down()


def _stack() -> Stack:
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}
    domain = {"dns": "main", "dmarc": {"policy": "reject"}}
    data = {"dns": {"main": server}, "domains": {OURS: domain}}
    return inventory.parse([(f"mx.{OURS}", {"egress": [{"public": _ADDRESS}]})], data, "a test")


def _astray(ours: World) -> Path:
    """Write an inventory that nobody has provisioned: DNS and servers are not at all as it says."""
    stack = ours.declared.stack
    egress = (Egress.model_validate({"public": servers.ASTRAY}),)
    host = stack.hosts[0].model_copy(update={"name": f"mx.{ASTRAY}", "egress": egress})
    domain = stack.domains[0].model_copy(update={"name": ASTRAY})
    folder = ours.folder.parent / "astray"
    for relative, text in inventory_files(stack.model_copy(update={"hosts": (host,), "domains": (domain,)})).items():
        file = folder / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    declared = inventory.load(folder)
    state, now = StateFolder.of(declared), datetime.now(UTC)
    with state.lock():
        issuing.generate_missing(declared.stack, state, now)
        issuing.renew_certificate(declared.stack.hosts[0], state, folder, now)
        for key in state.load().keys:
            signing = replace(key, stage=KeyStage.SIGNING, served_since=now, proven_on=(host.name,), signing_since=now)
            state.save_key(signing)
        old, pem = dkim.generate(ASTRAY, DkimAlgorithm.RSA, now - timedelta(days=90))
        state.save_key(replace(old, stage=KeyStage.REMOVED, revoked=now, removed=now), pem)
    # Removed, says its story, and yet it is published.
    left = RRset(old.record_name, "TXT", 60, (txt(dkim.record_text(old)),))
    ours.lab.primary.replace(ASTRAY, [left])
    return folder
