"""Two entries of ``dns`` break while a third works: each is named, the third is served, and running again mends it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sendwright.lab import Lab, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary
from sendwright.lab.relay import ADDRESS, Manner, Relay, relay
from sendwright.rehearse import World

pytestmark = pytest.mark.lab

_PAGE = b"<html><body>Everything is fine.</body></html>"
_HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(_PAGE)


@dataclass(frozen=True)
class Fleet:
    """Three primaries, a relay before each of those that break, and the inventory of all."""

    write: Callable[..., World]
    folder: Path
    sound: Primary
    broken: tuple[Primary, ...]
    relays: tuple[Relay, ...]

    def declare(self, reports: str) -> World:
        """Declare where reports of all domains go: something to write in each zone."""
        rua = [f"mailto:{reports}@{self.sound.zone}"]
        return self.write(self.folder, *self.broken, self.sound, dmarc={"rua": rua})

    def behave(self, manner: Manner) -> None:
        """Set what the relays do."""
        for each in self.relays:
            each.manner = manner

    def dmarc(self, zone: str, lab: Lab) -> str:
        """Return the DMARC record of a zone of PowerDNS."""
        (found,) = (r for r in lab.records(zone) if r.name == f"_dmarc.{zone}" and r.type == "TXT")
        return found.values[0]


@pytest.fixture(scope="module")
def fleet(
    dns_lab: Lab, second: Knot, declare: Callable[..., World], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """All zones hold what is declared, and the relays hand everything on."""
    by_api = primaries.powerdns_by_api(dns_lab, "api.example")
    by_updates = primaries.knot_by_updates(second, "updates.example")
    url = urlsplit(by_api.entry["url"])
    with ExitStack() as stack:
        api, updates = (
            stack.enter_context(relay(dns_lab.namespace, server, rubbish))
            for server, rubbish in (
                ((str(url.hostname), url.port or 0), _HTML + _PAGE),
                ((second.address, 53), b"\xffThis is no DNS."),
            )
        )
        broken = (
            replace(by_api, entry={**by_api.entry, "url": f"http://{ADDRESS}:{api.port}"}),
            replace(by_updates, entry={**by_updates.entry, "server": ADDRESS, "port": updates.port}),
        )
        sound = primaries.powerdns_by_updates(dns_lab, "sound.example")
        found = Fleet(declare, tmp_path_factory.mktemp("fleet"), sound, broken, (api, updates))
        world = found.declare("first")
        done = world.sendwright("dns", "apply", str(world.folder), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield found


SAID = {
    Manner.SILENT: ("gives no answer", "does not answer"),
    Manner.RUBBISH: ("answered with something else than its documented JSON", "an answer that is no DNS message"),
    Manner.LOST: ("gives no answer", "took the update and gave no answer"),
    Manner.UNANSWERED: ("gives no answer", "took the update and gave no answer"),
}
OUTCOME = {
    Manner.SILENT: "Running again is safe.",
    Manner.RUBBISH: "Running again is safe.",
    Manner.LOST: "applied is unknown, whole or not at all; run again: what is there already is kept.",
    Manner.UNANSWERED: "applied is unknown, whole or not at all; run again: what is there already is kept.",
}


@pytest.mark.parametrize("manner", SAID)
def test_providers_that_break_are_named_and_the_others_are_served(fleet: Fleet, dns_lab: Lab, manner: Manner) -> None:
    """Exit code 1, each zone and provider with what was applied; once they are back, running again ends it."""
    world = fleet.declare(manner)
    verb = ("dns", "apply", str(world.folder), "--yes", "--no-wait")

    fleet.behave(manner)
    try:
        broken = world.sendwright(*verb)
    finally:
        fleet.behave(Manner.FAITHFUL)
    meanwhile = fleet.dmarc(fleet.sound.zone, dns_lab)
    again = world.sendwright(*verb)
    plan = world.sendwright("dns", "plan", str(world.folder), "--detailed-exitcode")

    assert broken.returncode == 1
    for primary, said in zip(fleet.broken, SAID[manner], strict=True):
        title = primary.provider(world.folder).title
        (line,) = (line for line in broken.stderr.splitlines() if f"zone {primary.zone}: {title} " in line)
        assert said in line
    assert broken.stderr.count(OUTCOME[manner]) == len(fleet.broken)
    assert f"zone {fleet.sound.zone}:" not in broken.stderr
    assert f"mailto:{manner}@" in meanwhile
    assert again.returncode == 0
    assert f"mailto:{manner}@" in fleet.dmarc(fleet.broken[0].zone, dns_lab)
    assert (plan.returncode, plan.stdout) == (0, "no changes\n")
