"""Zones of ours and of others, the servers that serve them, and an inventory whose certificates come by ACME."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message

from sendwright import inventory
from sendwright.acme.proof import Challenge
from sendwright.dns.transport import NoAnswer, Question
from sendwright.inventory import Inventory
from sendwright.publication import Internet
from sendwright.stack import Stack
from tests.server53 import Server53
from tests.verify.nameservers import Nameservers

COM, ORG, THEIRS = "example.com", "example.org", "theirs.net"
MX1, MX2 = "mx1.example.com", "mx2.example.com"
RESOLVER, TOP = "127.0.0.1", "192.0.2.53"
NS1, NS2 = "192.0.2.1", "192.0.2.2"
ACME = {"mode": "acme"}


def stack(tls: Mapping[str, Any] = ACME, **shared: Any) -> Stack:
    """Return two hosts that take the mail of two domains of ours and of one whose zone somebody else keeps."""
    tsig = {"name": "k", "secret": {"env": "UNSET"}}
    server = {"provider": "rfc2136", "server": "192.0.2.1", "tsig": tsig, "margin": 0}
    hosts = [(name, {"egress": [{"public": f"203.0.113.{n}"}], "tls": tls}) for n, name in enumerate((MX1, MX2), 10)]
    domains = {COM: {"dns": "main", "hosts": [MX1, MX2]}, ORG: {"dns": "main", "hosts": [MX1]}}
    data: dict[str, Any] = {"dns": {"main": server}, "domains": domains, **shared}
    return inventory.parse(hosts, data, "a test")


def declared(folder: Path, found: Stack | None = None) -> Inventory:
    """Return an inventory in a folder."""
    return Inventory(found or stack(), folder, folder / "state")


def challenge(name: str, which: str = "first", kind: str = "dns-01") -> Challenge:
    """Return what an authority asks for."""
    return Challenge(name, kind, which, f"{which}.thumbprint")


@dataclass
class Nets:
    """A world of name servers: each zone has two, who serve what ``server`` holds, or what somebody else wrote.

    ``others``: the text of further zones; ``held``: addresses that have only what was there when they were held back;
    ``silent``: those that say nothing; ``asked``: every question.
    """

    server: Server53 = field(default_factory=Server53)
    others: dict[str, str] = field(default_factory=dict)
    silent: dict[str, NoAnswer] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    held: dict[str, Mapping[str, str]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)

    @property
    def internet(self) -> Internet:
        """Everybody else's view of it."""
        return Internet(self, lambda: RESOLVER)

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer as the server would."""
        self.asked.append(question)
        zones = self._zones()
        above: dict[str, str] = {}
        for zone in zones:
            top = zone.rpartition(".")[2]
            start = f"{top}. IN SOA a.{top}. h.{top}. 1 1 1 1 1\n{top}. IN NS a.{top}.\na.{top}. IN A {TOP}\n"
            above[top] = above.get(top, start) + (_servers(zone) if zone.count(".") == 1 else "")
        starts = {top: "".join(line + "\n" for line in text.splitlines()[:3]) for top, text in above.items()}
        here = {RESOLVER: {**zones, **starts}, TOP: above, NS1: zones, NS2: zones, **self.held}
        return Nameservers(here, self.silent)(question)

    def hold(self, address: str) -> None:
        """Keep a server as it is."""
        self.held[address] = self._zones()

    def recursed(self) -> set[str]:
        """Return the names that a resolver was asked about."""
        return {question.name for question in self.asked if question.recurse}

    def _zones(self) -> dict[str, str]:
        ours = {zone: self._text(zone) for zone in self.server.keeps}
        return ours | {zone: _start(zone) + text for zone, text in self.others.items()}

    def _text(self, zone: str) -> str:
        held = self.server.held.get(zone, {}).values()
        lines = (f"{r.name}. {r.ttl} IN {r.type} {value}\n" for r in held for value in r.values)
        return _start(zone) + self.lines.get(zone, "") + "".join(lines)


def _start(zone: str) -> str:
    return f"{zone}. IN SOA ns1.{zone}. h.{zone}. 1 3600 600 86400 300\n" + _servers(zone)


def _servers(zone: str) -> str:
    pairs = (("ns1", NS1), ("ns2", NS2))
    return "".join(f"{zone}. IN NS {ns}.{zone}.\n{ns}.{zone}. IN A {address}\n" for ns, address in pairs)
