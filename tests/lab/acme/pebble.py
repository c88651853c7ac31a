"""Pebble as strict as it gets: it knows its customers, forgets nonces that it gave out, and blocks a name.

It looks at what ``pebble-challtestsrv`` shows, which answers for every name there is. Both are Debian's, and run in
the world of a lab, beside whatever else runs there.
"""

import contextlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509

from sendwright import certparts
from sendwright.acme.proof import Challenge
from sendwright.errors import LabError
from sendwright.lab import Lab
from sendwright.lab.machine import File, write
from sendwright.lab.waiting import until

# It is called by its address: no name resolves for threads at the controller's place.
_ADDRESS = "198.18.0.15"
BLOCKED = "blocked.example"
KID, HMAC = "customer-7", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
LIFE = timedelta(days=6)
_FOLDER = "/etc/sendwright-pebble"
_UNIT, _SHOWING = "sendwright-pebble", "sendwright-challtestsrv"
_SETTINGS = {
    "listenAddress": f"{_ADDRESS}:14000",
    "managementListenAddress": f"{_ADDRESS}:15000",
    "certificate": f"{_FOLDER}/server.pem",
    "privateKey": f"{_FOLDER}/server.pem",
    "httpPort": 5002,
    "tlsPort": 5001,
    "externalAccountBindingRequired": True,
    "externalAccountMACKeys": {KID: HMAC},
    "domainBlocklist": [BLOCKED],
    "certificateValidityPeriod": int(LIFE.total_seconds()),
}


@dataclass(frozen=True)
class Pebble:
    """The authority, and what it looks at. ``trust``: the file of the root that vouches for its server."""

    lab: Lab
    trust: Path

    @property
    def directory(self) -> str:
        """The URL of its directory."""
        return f"https://{_ADDRESS}:14000/dir"

    @contextmanager
    def prove(self, challenges: tuple[Challenge, ...]) -> Iterator[None]:
        """Show answers where it looks; plays ``proof.Prove``."""
        for challenge in challenges:
            if challenge.kind == "dns-01":
                self._show("set-txt", host=f"{challenge.record_name}.", value=challenge.record_text)
            else:
                self._show("add-http01", token=challenge.token, content=challenge.authorization)
        try:
            yield
        finally:
            for challenge in challenges:
                self._show("clear-txt", host=f"{challenge.record_name}.")
                self._show("del-http01", token=challenge.token)

    def root(self) -> str:
        """Return the root of what it issues, PEM; it draws another one each time it starts."""
        with self.lab.inside():
            return _get(f"https://{_ADDRESS}:15000/roots/0", self.trust).decode()

    def start(self) -> None:
        """Start it, without memory of anything, and return when it answers."""
        self._run(_UNIT, f"/usr/bin/pebble -strict -dnsserver 127.0.0.1:8053 -config {_FOLDER}/pebble.json")
        self._await(self.directory)

    def stop(self) -> None:
        """End it: it forgets everything."""
        self.lab.world.run(["systemctl", "stop", _UNIT])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it take connections and say nothing while the block runs."""
        self.lab.world.run(["systemctl", "kill", "--signal=STOP", _UNIT])
        try:
            yield
        finally:
            self.lab.world.run(["systemctl", "kill", "--signal=CONT", _UNIT])

    def _run(self, unit: str, command: str) -> None:
        settings = ("PEBBLE_WFE_NONCEREJECT=30", "PEBBLE_AUTHZREUSE=0", "PEBBLE_VA_NOSLEEP=1")
        environment = [f"--setenv={setting}" for setting in settings]
        self.lab.world.run(["systemd-run", "--quiet", "--collect", f"--unit={unit}", *environment, *command.split()])

    def _await(self, url: str) -> None:
        def answers() -> bool:
            with self.lab.inside(), contextlib.suppress(urllib.error.URLError):
                return bool(_get(url, self.trust))
            return False

        def failure() -> LabError:
            log = self.lab.world.run(["journalctl", "-u", _UNIT, "-u", _SHOWING, "-n", "20", "-o", "cat"]).stdout
            return LabError(f"nobody answers at {url}.", f"They say:\n{log}")

        until(answers, failure, timeout=30)

    def _show(self, what: str, **body: str) -> None:
        request = urllib.request.Request(f"http://{_ADDRESS}:8055/{what}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - in the lab
            assert answer.status == 200


def _get(url: str, trust: Path) -> bytes:
    context = ssl.create_default_context(cafile=trust)
    with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - in the lab
        body: bytes = answer.read()
        return body


def start(lab: Lab, folder: Path) -> Pebble:
    """Start both in a lab; the root of its server is written to the folder."""
    key = certparts.generate("ecdsa")
    subject = certparts.subject(_ADDRESS)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(_ADDRESS))])
    begun = certparts.builder(subject, subject, key.public_key(), datetime.now(UTC), LIFE)
    server = certparts.pem(certparts.sign(begun.add_extension(address, critical=False), key))
    settings = json.dumps({"pebble": _SETTINGS})
    files = {"server.pem": certparts.key_pem(key).decode() + server, "pebble.json": settings}
    write(lab.world.root, {f"{_FOLDER}/{name}": File(text, 0o600) for name, text in files.items()})
    lab.world.run(["ip", "address", "replace", f"{_ADDRESS}/32", "dev", "eth0"])
    pebble = Pebble(lab, folder / "pebble-root.pem")
    pebble.trust.write_text(server)
    web = f"-http01 {_ADDRESS}:5002 -https01 {_ADDRESS}:5003 -tlsalpn01 {_ADDRESS}:5001"
    command = f"/usr/bin/pebble-challtestsrv -defaultIPv4 {_ADDRESS} -defaultIPv6= -dns01 127.0.0.1:8053"
    pebble._run(_SHOWING, f"{command} -management {_ADDRESS}:8055 {web}")
    pebble.start()
    return pebble
