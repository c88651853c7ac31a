"""The zones of a stack: what each needs, and its publication; one that fails does not stop the others."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sendwright import looking
from sendwright.dns.diff import diff
from sendwright.dns.edits import claims_of, edits, held_line, lefts_of, line, releases_of
from sendwright.dns.freshness import Target
from sendwright.dns.plan import Changes, Create, Delete, Write
from sendwright.dns.providers.base import Provider, open_provider
from sendwright.dns.records import Record, desired
from sendwright.dns.retention import retention
from sendwright.errors import DnsError, ForeignRecord, SendwrightError, WorldMoved
from sendwright.looking import Open, Sight
from sendwright.plan import Stage
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey

_AWAITS = {
    Stage.HOSTS: "until a host that it points at takes mail",
    Stage.SWITCH: "until mail leaves signed from every host of the domain",
}


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
    def settled(self) -> bool:
        """Whether it holds all that is declared: only then may anything be withdrawn."""
        return not self.changes.at(Stage.EXPAND, Stage.HOSTS, Stage.SWITCH).writes


@dataclass
class Zones:
    """The zones of a stack that could be looked at, and why the others could not (by zone or provider).

    ``forsaken``: sentences about zones that hold records of ours and nothing that is declared.
    """

    found: dict[str, Zone] = field(default_factory=dict)
    errors: dict[str, SendwrightError] = field(default_factory=dict)
    forsaken: tuple[str, ...] = ()

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
    ) -> "Zones":
        """Look at every zone that holds a desired record.

        Arguments: ``opener`` opens a provider of ``stack.dns``; ``given_up``: what is in the ``errors`` of an earlier
        look: a provider among it is left alone; ``now``: what clocks of withdrawal are compared with.
        """
        claims = tuple(claims)
        keep = retention(stack, claims)
        sights = looking.look(stack, desired(stack, keys), claims, base, opener, given_up)
        zones = cls(errors=sights.errors, forsaken=tuple(sights.forsaken))
        for sight in sights.found:
            changes = diff(sight.zone, sight.records, sight.served, sight.claims, now=now, retention=keep)
            zones.found[sight.zone] = Zone(sight, changes)
            try:
                changes.raise_conflicts()
            except ForeignRecord as error:
                zones.errors[sight.zone] = error
        return zones

    @property
    def needed(self) -> tuple[str, ...]:
        """What a person should know, and what only a person can decide: what is not ours, and what of ours stays."""
        zones = self.found.values()
        said = ((z.name, (*z.changes.notes, *map(held_line, z.changes.held))) for z in zones)
        return (*self.forsaken, *(f"zone {name}: {sentence}" for name, found in said for sentence in found))

    @property
    def created(self) -> frozenset[str]:
        """The names at which a record that mail relies on is about to be created, because it is not there."""
        writes = (w for zone in self.found.values() for w in zone.changes.at(Stage.EXPAND).writes)
        return frozenset(w.name for w in writes if isinstance(w, Create))

    def again(self, fresh: "Zones") -> "Zones":
        """Return a fresh look with the errors so far: what was given up stays given up, and for its first reason."""
        return replace(fresh, errors=fresh.errors | self.errors)

    def settled(self) -> "Zones":
        """Return the zones that hold all that is declared: nothing is withdrawn where its successor does not stand."""
        return replace(self, found={name: zone for name, zone in self.found.items() if zone.settled})

    def lacking(self) -> tuple[str, ...]:
        """Say for each zone that was not given up what it lacks of what is declared, and what that waits for."""
        return tuple(
            f"zone {zone.name}: {line(write)}: {_AWAITS[write.stage]}"
            for zone in self.found.values()
            if zone.name not in self.errors
            for write in zone.changes.at(*_AWAITS).writes
        )

    def zone_of(self, stack: Stack) -> dict[str, str]:
        """Return the zone of each declared domain, as far as its zone could be looked at and written to."""
        zones = [zone for zone in self.found.values() if zone.name not in self.errors]
        return {d.name: zone.name for d in stack.domains for zone in zones if d.name in zone.names}

    def refuse_moved(self, planned: "Zones", new_names: Collection[str]) -> None:
        """Give up each zone whose changes are no longer those that were planned, but for records of new keys."""
        for name, zone in list(self.found.items()):
            before = planned.found[name].changes.writes if name in planned.found else ()
            now = tuple(w for w in zone.changes.writes if w in before or w.name not in new_names)
            if set(now) != set(before):
                self.errors[name] = WorldMoved(
                    name, "its records changed while the plan was being read; nothing was written.", "Run it again."
                )

    def publish(
        self, folder: StateFolder, stage: Stage, allowed: Callable[[Write], bool] = lambda _: True
    ) -> tuple[Target, ...]:
        """Apply the writes of a stage that are allowed by now, zone by zone; return the values that servers get.

        Claims are remembered before each apply, so that a run that dies in between knows what is its own.
        """
        written: list[Target] = []
        for zone in self.found.values():
            if not isinstance(self.errors.get(zone.name), ForeignRecord | None):
                continue
            chosen = zone.changes.at(stage)
            chosen = replace(chosen, writes=tuple(w for w in chosen.writes if allowed(w)))
            now, dns = datetime.now(UTC), zone.sight.dns
            entered = folder.claim(claims_of(chosen, now, dns))
            struck = releases_of(chosen, folder.load().claims)
            try:
                if chosen.writes:
                    sent = edits(chosen, zone.sight.served)
                    apply = folder.journal.begin(zone.name, dns, sent, now, entered=entered, struck=struck)
                    with folder.journal.watching(apply):
                        zone.provider.apply(zone.name, sent)
                folder.release(struck)
                folder.mark(lefts_of(chosen, folder.load().claims, now))
            except DnsError as error:
                self.errors[zone.name] = error
                continue
            written += [Target(zone.name, w.name, w.type, w.value) for w in chosen.writes if not isinstance(w, Delete)]
        return tuple(written)
