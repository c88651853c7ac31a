"""Signing tables change under load: what hosts sign with changes, and no message notices."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, product

import pytest

from sendwright import dkim, engine, fleet, judges, planning
from sendwright.deploys.opendkim import unit
from sendwright.dkim import record_text
from sendwright.lab.clients import Clients
from sendwright.lab.netns import inside
from sendwright.received import as_sent
from sendwright.rehearse import World
from sendwright.service import Release, Sealed
from sendwright.stack import DkimAlgorithm
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage, State

pytestmark = pytest.mark.lab

DOMAIN = "example.com"
RELEASES = {"mx1.example.com": Release.BOOKWORM, "mx2.example.com": Release.TRIXIE}
# Messages that a mail program hands over before it connects again; one a host never does.
AT_ONCE = 4
PAUSE = 0.1
WANTED = {"rsa-sha256", "ed25519-sha256"}


@dataclass
class Load:
    """What was handed over, by subject: whether in a session that lasts; and what was said where that failed."""

    taken: dict[str, bool] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@contextmanager
def under_load(clients: Clients) -> Iterator[Load]:
    """Submit messages by every host all the time, in sessions of a few and in one that lasts; nothing tries again."""
    load, ended = Load(), threading.Event()

    def session(host: str, lasting: bool) -> None:
        with clients.logged_in(host, "alice") as client:
            for number in count():
                if ended.is_set() or (number == AT_ONCE and not lasting):
                    return
                mail = clients.written("alice")
                client.send_message(mail)
                load.taken[str(mail["Subject"])] = lasting
                time.sleep(PAUSE)

    def sessions(host: str, lasting: bool) -> None:
        while not ended.is_set():
            try:
                session(host, lasting)
            except OSError as error:  # whatever smtplib raises
                load.refused.append(f"{datetime.now(UTC):%T} {host}: {error}")

    threads = [threading.Thread(target=sessions, args=each) for each in product(RELEASES, (False, True))]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class Signers:
    """The signers of a world: brings them to what a state says, whatever its folder remembers."""

    world: World
    pems: Mapping[str, bytes]

    def follow(self, state: State) -> dict[str, tuple[str, ...]]:
        """Bring every host to a state; return what was done on each."""
        declared = self.world.declared
        folder = StateFolder.of(declared)

        def opened(sealed: Sealed) -> bytes:
            return self.pems.get(sealed.name) or folder.open(sealed)

        hosts = [(declared.stack.host(name), release) for name, release in RELEASES.items()]
        jobs = [engine.job(h, planning.services(declared.stack, h, release, state), opened) for h, release in hosts]
        with inside(self.world.lab.namespace):
            outcomes = fleet.converge_all(jobs, declared.folder, lambda *_: None)
        done = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, engine.Outcome)}
        assert done.keys() == RELEASES.keys(), outcomes
        return {name: outcome.changed for name, outcome in done.items()}


def came_up(clients: Clients) -> list[str]:
    """Return since when each signer of each host runs."""
    show = ["systemctl", "show", "--value", "--property=ActiveEnterTimestamp", *map(unit, DkimAlgorithm)]
    return [host.run(show).stdout for host in clients.lab.hosts]


def test_signing_tables_change_under_load_and_nothing_is_refused_or_unsigned(world: World, clients: Clients) -> None:
    """Each time by a reload; a session that lasts goes on with the keys of when it began, whose records stay."""
    now, before = datetime.now(UTC), StateFolder.of(world.declared).load()
    made = [dkim.generate(DOMAIN, a, now, {k.selector for k in before.keys}) for a in DkimAlgorithm]
    proven = [replace(k, stage=KeyStage.PROVEN, proven_on=tuple(RELEASES)) for k, _ in made]
    signing = [replace(k, stage=KeyStage.SIGNING) for k in proven]
    old, new = (replace(before, keys=(*before.keys, *more)) for more in (proven, signing))
    signers = Signers(world, {k.sealed.name: pem for k, pem in made})

    try:
        signers.follow(old)
        since = came_up(clients)
        with under_load(clients) as load:
            done = [signers.follow(state) for state in (new, old, new)]
    finally:
        signers.follow(before)
    for host in RELEASES:
        clients.settled(host)

    found = signatures(clients, load, new)
    unsigned = [s for s, by in found.items() if {f.algorithm for f in by if f.valid} != WANTED]
    by = Counter((load.taken[s], f.selector in {k.selector for k in signing}) for s in found for f in found[s])
    print(f"{len(load.taken)} handed over, {len(found)} arrived, {len(load.refused)} refused, {len(unsigned)} unsigned")
    assert load.refused == []
    assert found.keys() == load.taken.keys()
    assert unsigned == []
    assert all("opendkim: reload its daemons" in steps for each in done for steps in each.values())
    assert came_up(clients) == since
    assert all(by[lasting, is_new] for lasting, is_new in ((False, False), (False, True), (True, False)))
    assert not by[True, True]


def signatures(clients: Clients, load: Load, state: State) -> dict[str, tuple[judges.Signature, ...]]:
    """Return the signatures of what arrived, by subject, judged by the keys of a state: no DNS is asked."""
    records = {k.record_name: record_text(k).encode() for k in state.keys}
    mail = ((str(each.message["Subject"]), each.raw) for each in clients.lab.inbox.messages())
    return {s: judges.signatures(as_sent(raw), records.get) for s, raw in mail if s in load.taken}
