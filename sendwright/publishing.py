"""The zones of a stack: looked at, published, waited for; one that fails does not stop the others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sendwright.dns.edits import claims_of, edits, releases_of
from sendwright.dns.freshness import Target
from sendwright.dns.plan import Changes, Delete, diff, wanted
from sendwright.dns.providers.base import Provider, RecordSet, open_provider
from sendwright.dns.records import Record, desired, provider_of
from sendwright.errors import DnsError, SendwrightError
from sendwright.plan import Stage
from sendwright.stack import Rfc2136, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey

Open = Callable[[Rfc2136, Path], Provider]


@dataclass(frozen=True)
class Zone:
    """A zone as it was looked at: what it should hold, what its record sets are, and what follows from that."""

    provider: Provider
    records: tuple[Record, ...]
    served: tuple[RecordSet, ...]
    changes: Changes

    @property
    def name(self) -> str:
        """The zone's name."""
        return self.changes.zone

    def targets(self) -> frozenset[Target]:
        """Return what mail relies on before it may leave: every desired record of the first stage."""
        return frozenset(Target.of(self.name, r) for r in self.records if r.stage is Stage.EXPAND)


@dataclass
class Zones:
    """The zones of a stack that could be looked at, and why the others could not (by zone or provider)."""

    found: dict[str, Zone] = field(default_factory=dict)
    errors: dict[str, SendwrightError] = field(default_factory=dict)

    @classmethod
    def look(
        cls, stack: Stack, keys: Iterable[DkimKey], claims: Iterable[Claim], base: Path, opener: Open = open_provider
    ) -> "Zones":
        """Look at every zone that holds a desired record or one of ours."""
        zones, claims = cls(), tuple(claims)
        records = desired(stack, keys)
        for name, config in stack.dns.items():
            mine = [r for r in records if provider_of(stack, r.name) == name]
            if not mine:
                continue
            try:
                provider = opener(config, base)
                zones._look(provider, mine, claims)
            except SendwrightError as error:
                zones.errors[f"dns › {name}"] = error
        return zones

    def _look(self, provider: Provider, records: list[Record], claims: tuple[Claim, ...]) -> None:
        where = self._where(provider, records)
        for zone in sorted(set(where.values())):
            here = tuple(r for r in records if where.get(r.name) == zone)
            try:
                served = provider.read(zone, wanted(zone, here, claims))
                changes = _mindful(diff(zone, here, served, claims))
                self.found[zone] = Zone(provider, here, served, changes)
                changes.raise_conflicts()
            except DnsError as error:
                self.errors[zone] = error

    def _where(self, provider: Provider, records: list[Record]) -> Mapping[str, str]:
        names = sorted({r.name for r in records})
        try:
            return provider.zones(names)
        except DnsError:
            # One name that the server does not keep must not take the others with it.
            where: dict[str, str] = {}
            for name in names:
                try:
                    where.update(provider.zones([name]))
                except DnsError as error:
                    self.errors.setdefault(error.zone, error)
            return where

    def publish(self, folder: StateFolder, *stages: Stage, allowed: Callable[[Record | object], bool]) -> set[str]:
        """Apply the writes of some stages that are allowed, zone by zone; return the zones that were written to.

        Claims are remembered before each apply, so that a run that dies in between knows what is its own.
        """
        written = set()
        for zone in list(self.found.values()):
            chosen = zone.changes.at(*stages)
            chosen = replace(chosen, writes=tuple(w for w in chosen.writes if allowed(w)))
            folder.claim(claims_of(chosen, datetime.now(UTC)))
            if not chosen.writes:
                continue
            try:
                zone.provider.apply(zone.name, edits(chosen, zone.served))
            except DnsError as error:
                self.errors[zone.name] = error
                continue
            folder.release(releases_of(chosen, folder.load().claims))
            written.add(zone.name)
        return written

    def margin(self) -> timedelta:
        """The longest margin of the providers: what anycast may hide."""
        return timedelta(seconds=max((z.provider.margin for z in self.found.values()), default=0))


def _mindful(changes: Changes) -> Changes:
    """Leave SPF and DKIM of what is no longer declared: mail that is still queued somewhere relies on them."""
    kept = tuple(w for w in changes.writes if not (isinstance(w, Delete) and _mail_relies_on(w)))
    return replace(changes, writes=kept)


def _mail_relies_on(write: Delete) -> bool:
    return write.type == "TXT" and ("._domainkey." in write.name or write.seen.lower().startswith('"v=spf1'))
