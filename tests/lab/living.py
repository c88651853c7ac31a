"""A provisioned world through which time can be made to pass: what is remembered grows older, and caches forget."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import dns.message
import dns.query

from sendwright import planning
from sendwright.lab import installed
from sendwright.lab.clients import Clients, wait
from sendwright.lab.spec import PRIMARY, SECONDARY
from sendwright.lab.traffic import Flow, Judged, Route, verdicts
from sendwright.rehearse import World
from sendwright.service import Release
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, State
from sendwright.submission import Credential

SERVER = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}


@dataclass(frozen=True)
class Living:
    """A provisioned world, and the logins of its mail programs."""

    world: World
    logins: Mapping[str, Credential]

    @property
    def folder(self) -> StateFolder:
        """What is remembered."""
        return StateFolder.of(self.world.declared)

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of its lab."""
        return tuple(zone.name for zone in self.world.lab.state.spec.zones)

    @property
    def clients(self) -> Clients:
        """Mail programs that trust the hosts that are provisioned by now."""
        chains = {c.host: c.chain for c in self.folder.load().certificates}
        return Clients(self.world.lab, chains, self.logins)

    def settle(self) -> None:
        """Wait until both name servers have the same of every zone, as if nobody remembered that they had not."""
        wait(self.caught_up, "the secondary does not have what the primary has")
        self.world.lab.forget()

    def caught_up(self) -> bool:
        """Whether both name servers have the same version of every zone."""
        with self.world.lab.inside():
            return all(serial(zone, PRIMARY[0]) == serial(zone, SECONDARY[0]) for zone in self.zones)

    def pass_time(self, span: timedelta, *, caches: bool = True) -> None:
        """Let time pass: clocks of the state folder ran that much longer, and caches forgot what they held."""
        folder = self.folder
        with folder.lock():
            state = folder.load()
            folder.mark(replace(c, since=c.since - span, left=c.left and c.left - span) for c in state.claims)
            for key in state.keys:
                folder.save_key(older(key, span))
            for coming in state.next_keys:
                ago = replace(
                    coming, created=coming.created - span, fresh_at=coming.fresh_at and coming.fresh_at - span
                )
                folder.save_next_key(ago, None)
        if caches:
            self.world.lab.forget()

    def at(self, name: str, kind: str) -> tuple[str, ...]:
        """Return what the primary holds at a name."""
        zone = next(z for z in self.zones if name == z or name.endswith(f".{z}"))
        found = self.world.lab.records(zone)
        return next((r.values for r in found if (r.name, r.type) == (name, kind)), ())

    def queue(self, host: str, login: str) -> str:
        """Submit a message that its receiver does not take yet; return its subject once it waits on the host."""
        mail = self.clients.written(login, "deferred@inbox.example")
        with self.clients.logged_in(host, login) as client:
            client.send_message(mail)
        wait(lambda: "450 4.2.1" in self.clients.queue(host), f"no message waits on {host}")
        return str(mail["Subject"])

    def delivered(self, host: str, subject: str) -> Judged:
        """Have a waiting message delivered now, and return how it was judged."""
        with self.world.lab.inbox.relenting():
            self.clients.flush()
            return verdicts(self.clients, Flow({subject: Route(host, "")}))[0]

    def passed(self, flow: Flow) -> list[Judged]:
        """Return how everything that flowed was judged: nothing was refused or lost, and all of it passed."""
        assert flow.refused == []
        found = verdicts(self.clients, flow)
        assert found
        assert [each for each in found if not good(each)] == []
        return found


def older(key: DkimKey, span: timedelta) -> DkimKey:
    """Return a key all of whose story happened that much earlier."""
    story = {f.name: getattr(key, f.name) for f in fields(key)}
    moved: dict[str, Any] = {name: at - span for name, at in story.items() if isinstance(at, datetime)}
    return replace(key, **moved)


def good(each: Judged) -> bool:
    """Whether a message passed SPF, DMARC and the verification of both signatures."""
    return (each.results.spf, each.results.dmarc) == ("pass", "pass") and (
        [result for _, result in each.results.dkim] == ["pass", "pass"]
    )


def serial(zone: str, server: str) -> int:
    """Return the version of a zone that a server has."""
    answer = dns.query.udp(dns.message.make_query(zone, "SOA"), server, timeout=5)
    return int(answer.answer[0][0].serial)


def snapshot(declared: Stack, release: int) -> str:
    """Return the key of the cached snapshot with the packages that hosts need."""
    of = {12: Release.BOOKWORM, 13: Release.TRIXIE}[release]
    found = (s for host in declared.hosts for s in planning.services(declared, host, of, State()))
    return installed.ensure(release, (package for service in found for package in service.packages), print)


def sending(address: str, **settings: str) -> Mapping[str, Any]:
    """Return what is declared of a host that sends from this address."""
    return {"egress": [{"public": address}], **settings}


def credentials_of(domains: Iterable[str]) -> dict[str, Credential]:
    """Return a login for each domain, that is called like it."""
    return {name: Credential(name, "correct-horse-battery-staple", f"a@{name}") for name in domains}
