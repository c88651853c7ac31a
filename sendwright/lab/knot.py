"""Knot as a second primary beside PowerDNS: its answers differ where the standards leave room.

It is in the image and does not run: who needs it starts it, on a port of its own at the primary's address.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sendwright.errors import LabError
from sendwright.lab import world
from sendwright.lab.lab import Lab
from sendwright.lab.machine import Machine
from sendwright.lab.spec import PRIMARY

PORT = 5300
_UNIT = "sendwright-knot"
_FOLDER = "/var/lib/knot"
_CONF = f"{_FOLDER}/knot.conf"
_RECORDS = """@ 60 SOA ns1 hostmaster 1 60 5 604800 2
@ 60 NS ns1
ns1 60 A {address}
{more}
"""


@dataclass(frozen=True)
class Knot:
    """A Knot in the world of a lab."""

    machine: Machine

    @property
    def address(self) -> str:
        """Where it answers, on ``PORT``."""
        return PRIMARY[0]

    def run(self) -> None:
        """Start it and wait until it serves its zones; LabError with the end of its log if it does not."""
        command = ["systemd-run", "--quiet", f"--unit={_UNIT}", "--uid=knot", "knotd", "-c", _CONF]
        self.machine.run(command)
        deadline = time.monotonic() + 20
        while self.machine.run(["knotc", "-c", _CONF, "zone-status"], check=False).returncode:
            if time.monotonic() > deadline:
                log = self.machine.run(["journalctl", "-u", _UNIT, "-n", "20", "-o", "cat"], check=False).stdout
                raise LabError(f"Knot does not come up:\n{log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it; its zones stay as they are."""
        self.machine.run(["systemctl", "stop", _UNIT])


def start(lab: Lab, zones: Mapping[str, str], secretive: Collection[str] = ()) -> Knot:
    """Start Knot with signed zones that the lab's key may change.

    Arguments: ``zones``: names, each with records in master-file form besides its SOA and NS; ``secretive``: those of
    them that nobody may transfer. Raises LabError.
    """
    knot = Knot(lab.world)
    folder = lab.world.root / _FOLDER.lstrip("/")
    stanzas = [_stanza(name, transfers=name not in secretive) for name in zones]
    text = world.render(
        "knot.conf",
        folder=_FOLDER,
        address=knot.address,
        port=str(PORT),
        key=lab.tsig_name,
        algorithm=lab.tsig_algorithm,
        secret=lab.tsig_secret,
        zones="\n".join(stanzas),
    )
    (folder / "knot.conf").write_text(text)
    for name, more in zones.items():
        (folder / f"{name}.zone").write_text(_RECORDS.format(address=knot.address, more=more))
    lab.world.run(["chown", "-R", "knot:", _FOLDER])
    knot.run()
    return knot


def _stanza(name: str, *, transfers: bool) -> str:
    allowed = "update, transfer" if transfers else "update"
    lines = [
        f"  - domain: {name}",
        f"    storage: {_FOLDER}",
        f"    file: {name}.zone",
        f"    acl: [{allowed}]",
        "    dnssec-signing: on",
    ]
    return "\n".join(lines)
