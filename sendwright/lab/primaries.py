"""The primary name servers of a lab as an inventory names them, each with what may happen to it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sendwright.dns.providers.base import Provider, open_provider
from sendwright.errors import LabError
from sendwright.lab.knot import Knot
from sendwright.lab.lab import Lab
from sendwright.providers import Dns

_UNIT = "pdns@primary"
_API_PORT = 8081


@dataclass(frozen=True)
class Primary:
    """A server and the way it is spoken to.

    ``zone``: one that it keeps; ``entry``: its entry of ``dns``; ``secrets``: what the files hold that the entry names;
    ``start``, ``stop``: the server; ``signal``: its process; ``hold``, ``release``: its secondary.
    """

    zone: str
    entry: Mapping[str, Any]
    secrets: Mapping[str, str]
    start: Callable[[], None]
    stop: Callable[[], None]
    signal: Callable[[str], None]
    hold: Callable[[], None]
    release: Callable[[], None]

    def provider(self, folder: Path, secret: str | None = None, **tsig: str) -> Provider:
        """Return it as an inventory opens it that lies in this folder.

        Arguments: ``secret``: another one than the right one; ``tsig``: what else is different of its key.
        """
        for name, right in self.secrets.items():
            (folder / name).write_text(secret or right)
        entry = {**self.entry, "tsig": {**self.entry["tsig"], **tsig}} if tsig else self.entry
        config: Dns = TypeAdapter(Dns).validate_python(entry)
        return open_provider(config, folder)


def powerdns_by_api(lab: Lab, zone: str) -> Primary:
    """Return PowerDNS, spoken to by its HTTP API."""
    url = f"http://{lab.primary.address}:{_API_PORT}"
    entry = {"provider": "powerdns", "url": url, "key": {"file": "key"}, "margin": 0}
    return _powerdns(lab, zone, entry, {"key": lab.primary.key})


def powerdns_by_updates(lab: Lab, zone: str) -> Primary:
    """Return PowerDNS, spoken to by dynamic updates."""
    return _powerdns(lab, zone, _updates(lab, lab.primary.address), {"tsig": lab.tsig_secret})


def knot_by_updates(knot: Knot, zone: str) -> Primary:
    """Return Knot, spoken to by dynamic updates."""
    return Primary(
        zone,
        _updates(knot.lab, knot.address),
        {"tsig": knot.lab.tsig_secret},
        knot.run,
        knot.stop,
        knot.signal,
        knot.hold_secondary,
        knot.release_secondary,
    )


def _updates(lab: Lab, server: str) -> dict[str, object]:
    tsig = {"name": lab.tsig_name, "secret": {"file": "tsig"}, "algorithm": lab.tsig_algorithm}
    return {"provider": "rfc2136", "server": server, "tsig": tsig, "margin": 0}


def _powerdns(lab: Lab, zone: str, entry: Mapping[str, object], secrets: Mapping[str, str]) -> Primary:
    def run(*command: str) -> None:
        lab.world.run(["systemctl", *command, _UNIT])

    def start() -> None:
        run("start")
        deadline = time.monotonic() + 20
        while not lab.primary.answers():
            if time.monotonic() > deadline:
                raise LabError("the primary name server does not come up again within 20 s.")
            time.sleep(0.05)

    return Primary(
        zone,
        entry,
        secrets,
        start,
        partial(run, "stop"),
        lambda name: run("kill", f"--signal={name}"),
        lab.hold_secondary,
        lab.release_secondary,
    )
