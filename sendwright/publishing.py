"""The zones of a stack: what each needs, and its publication; one that fails does not stop the others."""

from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sendwright import looking
from sendwright.dns.diff import diff
from sendwright.dns.edits import claims_of, edits, held_line, lefts_of, phrase, releases_of
from sendwright.dns.freshness import Target
from sendwright.dns.guards import refuse_many_deletions
from sendwright.dns.plan import Changes, Create, Delete, Write
from sendwright.dns.providers.base import Provider, open_provider
from sendwright.dns.rdata import canonical
from sendwright.dns.records import Record, desired
from sendwright.dns.retention import retention
from sendwright.errors import DnsError, ForeignRecord, NotDelegated, SendwrightError, WorldMoved
from sendwright.looking import Open, Sight
from sendwright.plan import Stage
from sendwright.pointing import awaits, tells_of_tls
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey
from sendwright.tlsa import NO_TLS, TlsFacts

_ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True)
class Zone:
    """A zone as it was read, and what follows from that."""

    sight: Sight
    changes: Changes

    @property
    def name(self) -> str:
        """The zone's name."""
        return self.sight.zone

    @property
    def provider(self) -> Provider:
        """Who keeps it."""
        return self.sight.provider

    @property
    def records(self) -> tuple[Record, ...]:
        """What it should hold."""
        return self.sight.records

    @property
    def names(self) -> frozenset[str]:
        """The names that it should hold something at."""
        return frozenset(r.name for r in self.records)

    @property
    def looked_at(self) -> frozenset[str]:
        """The names at which something is declared, or was written by us."""
        return self.names | {claim.name for claim in self.sight.claims}

    @property
    def settled(self) -> bool:
        """Whether it holds all that is declared: only then may anything be withdrawn.

        What tells of TLS is left out: it takes nobody's place but its own, which ``with_keys`` looks at.
        """
        return all(map(tells_of_tls, self.changes.at(Stage.EXPAND, Stage.HOSTS, Stage.SWITCH).writes))


@dataclass
class Zones:
    """The zones of a stack that could be looked at, and why the others could not (by zone or provider).

    ``forsaken``: sentences about zones that hold records of ours and nothing that is declared; ``untold``: about hosts
    of whose keys nobody is told.
    """

    found: dict[str, Zone] = field(default_factory=dict)
    errors: dict[str, SendwrightError] = field(default_factory=dict)
    forsaken: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    @classmethod
    def look(
        cls,
        stack: Stack,
        keys: Iterable[DkimKey],
        claims: Iterable[Claim],
        base: Path,
        opener: Open = open_provider,
        given_up: Collection[str] = (),
        *,
        now: datetime,
        allow_deletions: bool = False,
        names: Container[str] | None = None,
        tls: TlsFacts = NO_TLS,
    ) -> "Zones":
        """Look at every zone that holds a desired record.

        Arguments: ``opener`` opens a provider of ``stack.dns``; ``given_up``: what is in the ``errors`` of an earlier
        look: a provider among it is left alone; ``now``: what clocks of withdrawal are compared with;
        ``allow_deletions``: somebody agrees that very much is withdrawn; ``names``: where to look; None: everywhere;
        ``tls``: what is not in it is not declared, so it has to be known wherever TLSA and policies are looked at.
        """
        claims = tuple(claims)
        mine = tuple(claim for claim in claims if names is None or claim.name in names)
        records = (r for r in desired(stack, keys, tls) if names is None or r.name in names)
        sights = looking.look(stack, records, mine, base, opener, given_up)
        zones = cls(errors=sights.errors, forsaken=tuple(sights.forsaken))
        zones._judge(stack, sights.found, claims, now, allow_deletions=allow_deletions)
        return zones

    def replanned(self, stack: Stack, keys: Iterable[DkimKey], claims: Iterable[Claim], now: datetime) -> "Zones":
        """Return the same look with what other stories of the keys ask for, at the names that were looked at."""
        claims = tuple(claims)
        lies_in = {name: zone.name for zone in self.found.values() for name in zone.looked_at}
        here: dict[str, list[Record]] = {}
        for record in desired(stack, keys):
            if record.name in lies_in:
                here.setdefault(lies_in[record.name], []).append(record)
        ledger = _by_zone(claim for claim in claims if claim.name in lies_in)
        sights = [
            replace(z.sight, records=tuple(here.get(name, ())), claims=tuple(ledger.get(name, ())))
            for name, z in self.found.items()
        ]
        zones = Zones(errors=self.errors, forsaken=self.forsaken)
        zones._judge(stack, sights, claims, now, allow_deletions=True)
        return zones

    def _judge(
        self, stack: Stack, sights: Iterable[Sight], claims: Iterable[Claim], now: datetime, *, allow_deletions: bool
    ) -> None:
        keep = retention(stack, claims)
        for sight in sights:
            changes = diff(sight.zone, sight.records, sight.served, sight.claims, now=now, retention=keep)
            self.found[sight.zone] = Zone(sight, changes)
            try:
                refuse_many_deletions(changes, sight.claims, allowed=allow_deletions)
                changes.raise_conflicts()
            except DnsError as error:
                self.errors[sight.zone] = error

    @property
    def notes(self) -> tuple[str, ...]:
        """What stays as it is although it is not as declared: somebody else's values, and what was left behind."""
        said = (f"zone {zone.name}: {sentence}" for zone in self.found.values() for sentence in zone.changes.notes)
        return (*self.forsaken, *self.untold, *said)

    @property
    def held(self) -> tuple[str, ...]:
        """What of ours is no longer declared and waits for its clock."""
        return tuple(f"zone {z.name}: {held_line(held)}" for z in self.found.values() for held in z.changes.held)

    @property
    def keys_held(self) -> tuple[str, ...]:
        """What of that tells senders of keys."""
        found = ((z.name, h) for z in self.found.values() for h in z.changes.held if h.claim.type == "TLSA")
        return tuple(f"zone {zone}: {held_line(held)}" for zone, held in found)

    @property
    def gone(self) -> frozenset[Claim]:
        """The claims on what neither stands nor is about to: they are struck when anything is published."""
        return frozenset(claim for zone in self.found.values() for claim in zone.changes.gone)

    def without_clocks(self) -> "Zones":
        """Return the same zones; no clock of withdrawal starts."""
        return self.withdrawing(lambda changes: replace(changes, leaving=()))

    @property
    def created(self) -> frozenset[str]:
        """The names at which a record that mail relies on is about to be created, because it is not there."""
        writes = (w for zone in self.found.values() for w in zone.changes.at(Stage.EXPAND).writes)
        return frozenset(w.name for w in writes if isinstance(w, Create))

    @property
    def returning(self) -> frozenset[str]:
        """The names that are about to get an address and have none at all: hosts that were away, or are new."""
        found = set()
        for zone in self.found.values():
            stand = {s.name for s in zone.sight.served if s.type in _ADDRESSES}
            new = {w.name for w in zone.changes.at(Stage.EXPAND).writes if w.type in _ADDRESSES}
            found |= new - stand
        return frozenset(found)

    def pending(self, done: Collection[Target], *stages: Stage) -> frozenset[Target]:
        """Return the values that were to be written in these stages and are not among ``done``."""
        found = ((z.name, w) for z in self.found.values() for w in z.changes.at(*stages).writes)
        return frozenset(Target(n, w.name, w.type, w.value) for n, w in found if not isinstance(w, Delete)) - {*done}

    def again(self, fresh: "Zones") -> "Zones":
        """Return a fresh look with the errors so far: what was given up stays given up, and for its first reason."""
        return replace(fresh, errors=fresh.errors | self.errors)

    def settled(self) -> "Zones":
        """Return the zones that hold all that is declared: nothing is withdrawn where its successor does not stand."""
        return replace(self, found={name: zone for name, zone in self.found.items() if zone.settled})

    def withdrawing(self, kept: Callable[[Changes], Changes]) -> "Zones":
        """Return the same zones with what a rule leaves of their changes."""
        return replace(self, found={n: replace(z, changes=kept(z.changes)) for n, z in self.found.items()})

    def with_addresses(self, hosts: Collection[str]) -> "Zones":
        """Return the same zones; no address of these hosts is withdrawn, declared or not."""

        def kept(changes: Changes) -> Changes:
            going = {w for w in changes.writes if isinstance(w, Delete) and w.type in _ADDRESSES}
            return replace(changes, writes=tuple(w for w in changes.writes if w not in going or w.name not in hosts))

        return self.withdrawing(kept)

    def lacking(self, why: Callable[[Write], str] = lambda _: "") -> tuple[str, ...]:
        """Say for each zone that was not given up what it lacks of what is declared, and what that waits for.

        Arguments: ``why``: what a write waits for besides, a phrase, or nothing.
        """
        return tuple(
            f"zone {zone.name}: {phrase(write)}: {why(write) or awaits(write)}"
            for zone in self.found.values()
            if zone.name not in self.errors
            for write in zone.changes.at(Stage.HOSTS, Stage.SWITCH).writes
        )

    def refuse_moved(self, planned: "Zones", new_names: Collection[str]) -> None:
        """Give up each zone whose changes are no longer those that were planned, but for records of new keys."""
        for name, zone in list(self.found.items()):
            before = {*_foreseen(planned.found[name].changes)} if name in planned.found else set()
            if {w for w in _foreseen(zone.changes) if w in before or w.name not in new_names} != before:
                self.errors[name] = WorldMoved(
                    name, "its records changed while the plan was being read; nothing was written.", "Run it again."
                )

    def refuse_unplanned(self, planned: "Zones", new_names: Collection[str], stage: Stage) -> None:
        """Give up each zone in which a later stage would write what was not in the plan that was approved."""
        for name, zone in self.found.items():
            approved = {_said(w) for w in planned.found[name].changes.writes} if name in planned.found else set()
            surprises = (w for w in _foreseen(zone.changes.at(stage)) if w.name not in new_names)
            if any(_said(w) not in approved for w in surprises):
                what = "its records changed since the plan was approved; what was not in the plan was not written."
                self.errors.setdefault(name, WorldMoved(name, what, "Run it again, and look at the new plan."))

    def publish(
        self, folder: StateFolder, stage: Stage, allowed: Callable[[Write], bool] = lambda _: True
    ) -> tuple[Target, ...]:
        """Apply the writes of a stage that are allowed by now, zone by zone; return the values that servers get.

        Claims are remembered before the first apply, so that a run that dies in between knows what is its own.
        """
        now = datetime.now(UTC)
        chosen = {
            zone.name: _allowed(zone.changes.at(stage), allowed) for zone in self.found.values() if self._open(zone)
        }
        claims = (c for name, changes in chosen.items() for c in claims_of(changes, now, self.found[name].sight.dns))
        entered = _by_zone(folder.claim(claims))
        ledger = _by_zone(folder.claims())
        done: list[Changes] = []
        try:
            for name, changes in chosen.items():
                try:
                    self._apply(folder, changes, now, entered.get(name, ()), releases_of(changes, ledger.get(name, ())))
                    done.append(changes)
                except DnsError as error:
                    self.errors[name] = error
        finally:
            folder.mark(claim for c in done for claim in lefts_of(c, ledger.get(c.zone, ()), now))
            folder.release(claim for c in done for claim in releases_of(c, ledger.get(c.zone, ())))
        writes = ((c.zone, w) for c in done for w in c.writes if not isinstance(w, Delete))
        return tuple(Target(zone, w.name, w.type, w.value) for zone, w in writes)

    def _open(self, zone: Zone) -> bool:
        # A zone is filled before it is delegated; and what is in the way of one record set is not in that of others.
        return isinstance(self.errors.get(zone.name), ForeignRecord | NotDelegated | None)

    @property
    def planned(self) -> tuple[Changes, ...]:
        """What would be written: nothing where a zone was given up."""
        return tuple(zone.changes for zone in self.found.values() if self._open(zone))

    def _apply(
        self, folder: StateFolder, changes: Changes, now: datetime, entered: Iterable[Claim], struck: Iterable[Claim]
    ) -> None:
        if not changes.writes:
            return
        sight = self.found[changes.zone].sight
        sent = edits(changes, sight.served)
        apply = folder.journal.begin(changes.zone, sight.dns, sent, now, entered=entered, struck=struck)
        with folder.journal.watching(apply):
            sight.provider.apply(changes.zone, sent)


def _foreseen(changes: Changes) -> Iterable[Write]:
    """Return the writes without those that only a certificate or a policy brings, which a run gets on its way."""
    return (w for w in changes.writes if isinstance(w, Delete) or not tells_of_tls(w))


def _said(write: Write) -> tuple[str, str, str, type[Write]]:
    """What a plan says of a write, whatever text was read: others may have changed how theirs is quoted."""
    text = canonical(write.type, write.seen) if isinstance(write, Delete) else write.value
    return write.name, write.type, text, type(write)


def _allowed(changes: Changes, allowed: Callable[[Write], bool]) -> Changes:
    return replace(changes, writes=tuple(w for w in changes.writes if allowed(w)))


def _by_zone(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        found.setdefault(claim.zone, []).append(claim)
    return found
