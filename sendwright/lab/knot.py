"""Knot as a second primary beside PowerDNS: its answers differ where the standards leave room.

It is in the image and does not run: who needs it starts it, at an address of its own, with zones of its own that the
root delegates to it. They are not signed, so that both kinds of zones are there.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from sendwright.errors import LabError
from sendwright.lab import world
from sendwright.lab.lab import Lab
from sendwright.lab.spec import KNOT, SECONDARY, RRset
from sendwright.lab.zones import NAME_SERVERS

_UNIT = "sendwright-knot"
_FOLDER = "/var/lib/knot"
_CONF = f"{_FOLDER}/knot.conf"
_SECOND = tuple(NAME_SERVERS)[1]
_RECORDS = f"""@ 60 SOA ns hostmaster 1 60 5 604800 2
@ 60 NS ns
ns 60 A {KNOT[0]}
"""


@dataclass(frozen=True)
class Knot:
    """A Knot in the world of a lab, and its zones.

    ``secretive`` are those that nobody may transfer; ``strays`` are those that nobody is led to.
    """

    lab: Lab
    zones: tuple[str, ...]
    secretive: tuple[str, ...]
    strays: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where it answers."""
        return KNOT[0]

    def run(self) -> None:
        """Start it and wait until it serves its zones; LabError with the end of its log if it does not."""
        rights = ["--uid=knot", "--property=AmbientCapabilities=CAP_NET_BIND_SERVICE"]
        command = ["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", *rights, "knotd", "-c", _CONF]
        self.lab.world.run(command)
        self._await(lambda: self._control("zone-status"), "Knot")

    def stop(self) -> None:
        """Stop it; its zones stay as they are."""
        self.lab.world.run(["systemctl", "stop", _UNIT])

    def signal(self, name: str) -> None:
        """Send it a signal, as in ``SIGSTOP``: a server that is stopped so takes connections and says nothing."""
        self.lab.world.run(["systemctl", "kill", f"--signal={name}", _UNIT])

    def hold_secondary(self) -> None:
        """Keep the secondary from learning of changes."""
        world.hold(self.lab.secondary, self.public)

    def release_secondary(self) -> None:
        """Let the secondary catch up."""
        self._fetch()

    @property
    def public(self) -> list[str]:
        """The zones that the secondary has a copy of."""
        return [zone for zone in self.zones if zone not in {*self.secretive, *self.strays}]

    def _fetch(self) -> None:
        for zone in self.public:
            self.lab.secondary.fetch_from(zone, self.address)
            self.lab.secondary.retrieve(zone)

    def _control(self, *command: str) -> bool:
        return self.lab.world.run(["knotc", "-c", _CONF, *command], check=False).returncode == 0

    def publish(self) -> None:
        """Have the root delegate the zones, and the secondary serve a copy of those that it may have."""
        led = [zone for zone in self.zones if zone not in self.strays]
        ours = [RRset(f"ns.{zone}", "A", 60, KNOT[:1]) for zone in led]
        for zone in led:
            servers = (f"ns.{zone}.", f"{_SECOND}.") if zone in self.public else (f"ns.{zone}.",)
            ours.append(RRset(zone, "NS", 60, servers))
        self.lab.primary.replace(".", ours)
        for zone in self.public:
            self.lab.secondary.create_secondary(zone, self.address, self.lab.tsig_name)
        self._fetch()
        self.lab.secondary.retrieve(".")
        for zone in self.public:
            self._await(partial(self.lab.secondary.records, zone), f"the secondary's copy of {zone}")
        self._await(lambda: set(ours) <= set(self.lab.secondary.records(".")), "the root's delegation")

    def _await(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            if time.monotonic() > deadline:
                log = self.lab.world.run(["journalctl", "-u", _UNIT, "-n", "20", "-o", "cat"], check=False).stdout
                raise LabError(f"{what} was not there within 20 s. Knot says:\n{log}")
            time.sleep(0.05)


def start(lab: Lab, zones: Collection[str], secretive: Collection[str] = (), strays: Collection[str] = ()) -> Knot:
    """Start Knot with empty zones that the lab's key may change, and publish them in the lab's world.

    Arguments: ``zones``: their names, one level below the root's; ``secretive``: further ones that nobody may transfer,
    so that there is no secondary either; ``strays``: further ones that are not published. Raises LabError.
    """
    knot = Knot(lab, (*zones, *secretive, *strays), tuple(secretive), tuple(strays))
    folder = lab.world.root / _FOLDER.lstrip("/")
    text = world.render(
        "knot.conf",
        folder=_FOLDER,
        address=knot.address,
        secondary=SECONDARY[0],
        key=lab.tsig_name,
        algorithm=lab.tsig_algorithm,
        secret=lab.tsig_secret,
        zones="\n".join(_stanza(name, public=name not in secretive) for name in knot.zones),
    )
    (folder / "knot.conf").write_text(text)
    for name in knot.zones:
        (folder / f"{name}.zone").write_text(_RECORDS + (f"@ 60 NS {_SECOND}.\n" if name in knot.public else ""))
    lab.world.run(["chown", "-R", "knot:", _FOLDER])
    lab.world.run(["ip", "address", "replace", f"{knot.address}/32", "dev", "eth0"])
    knot.run()
    knot.publish()
    return knot


def _stanza(name: str, *, public: bool) -> str:
    lines = [
        f"  - domain: {name}",
        f"    storage: {_FOLDER}",
        f"    file: {name}.zone",
        f"    acl: [{'update, transfer' if public else 'update'}]",
        *(["    notify: secondary"] if public else []),
    ]
    return "\n".join(lines)
