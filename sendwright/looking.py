"""Which zones records lie in and what stands there, as their providers say: each zone, and each domain, by itself."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sendwright.dns.diff import wanted
from sendwright.dns.providers.base import Provider, RecordSet
from sendwright.dns.records import Record, provider_of
from sendwright.errors import DnsError, SendwrightError, ServerUnreachable
from sendwright.providers import Dns
from sendwright.stack import Stack
from sendwright.state.model import Claim

T = TypeVar("T")
K = TypeVar("K")
Open = Callable[[Dns, Path], Provider]

_MOST_NAMES = 5


@dataclass(frozen=True)
class Sight:
    """A zone as it was read: who keeps it, what is declared in it, what we wrote there, and what stands."""

    dns: str
    provider: Provider
    zone: str
    records: tuple[Record, ...]
    claims: tuple[Claim, ...]
    served: tuple[RecordSet, ...]


@dataclass
class Sights:
    """All zones that could be read, why others could not (by zone, domain or provider), and what is left behind.

    ``forsaken``: sentences about zones that hold records of ours, nothing that is declared, and that cannot be read.
    """

    found: list[Sight] = field(default_factory=list)
    errors: dict[str, SendwrightError] = field(default_factory=dict)
    forsaken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    """One entry of ``dns``, opened: the zone of each declared name, and of what we wrote there before."""

    provider: Provider
    where: Mapping[str, str]
    left: tuple[str, ...]


def look(
    stack: Stack,
    records: Iterable[Record],
    claims: Iterable[Claim],
    base: Path,
    opener: Open,
    given_up: Collection[str] = (),
) -> Sights:
    """Read every zone that holds a declared record, or one that we wrote by a provider that is still declared.

    Arguments: ``opener`` opens a provider of ``stack.dns``; ``given_up``: errors of an earlier look: a provider among
    them is left alone.
    """
    sights = Sights()
    declared = _grouped(records, lambda r: provider_of(stack, r.name))
    ledger = _grouped(claims, lambda c: c.zone)
    entries = _opened(stack, declared, ledger, base, opener, given_up, sights)
    live = {zone for entry in entries.values() for zone in entry.where.values()}
    for dns, entry in entries.items():
        here: dict[str, list[Record]] = defaultdict(list)
        for record in declared.get(dns, ()):
            here[entry.where.get(record.name, "")].append(record)
        for zone in sorted({*entry.where.values(), *_kept(entry, live, ledger, sights)}):
            mine, ours = tuple(here.get(zone, ())), tuple(ledger.get(zone, ()))
            try:
                served = entry.provider.read(zone, {*wanted(zone, mine, ours), (zone, "NS")})
                sights.found.append(Sight(dns, entry.provider, zone, mine, ours, served))
            except DnsError as error:
                sights.errors[zone] = error
    return sights


def _opened(
    stack: Stack,
    declared: Mapping[str | None, Sequence[Record]],
    ledger: Mapping[str, Sequence[Claim]],
    base: Path,
    opener: Open,
    given_up: Collection[str],
    sights: Sights,
) -> dict[str, _Entry]:
    written = _grouped(ledger, lambda zone: ledger[zone][-1].dns)
    entries = {}
    for name, config in stack.dns.items():
        mine, left = declared.get(name, ()), tuple(written.get(name, ()))
        if not (mine or left) or f"dns › {name}" in given_up:
            continue
        try:
            provider = opener(config, base)
            entries[name] = _Entry(provider, _where(provider, stack, {r.name for r in mine}, sights), left)
        except SendwrightError as error:
            sights.errors[f"dns › {name}"] = error
    for dns, zones in written.items():
        if dns not in stack.dns:
            why = f"the inventory has no provider {dns} any more"
            sights.forsaken += [_forsaken(zone, why, ledger[zone]) for zone in zones]
    return entries


def _where(provider: Provider, stack: Stack, names: Collection[str], sights: Sights) -> Mapping[str, str]:
    """Return the zone of each name; where the provider keeps only some, each domain has its own fate."""
    try:
        return provider.zones(sorted(names)) if names else {}
    except ServerUnreachable:
        raise  # domain by domain it would be as silent, each time until the patience ends
    except DnsError:
        where: dict[str, str] = {}
        for domain, below in sorted(_grouped(sorted(names), lambda n: _domain(stack, n)).items()):
            try:
                where.update(provider.zones(below))
            except DnsError as error:
                sights.errors.setdefault(domain, error)
        return where


def _domain(stack: Stack, name: str) -> str:
    domain = stack.covering(name)
    return domain.name if domain else name


def _kept(entry: _Entry, live: Collection[str], ledger: Mapping[str, Sequence[Claim]], sights: Sights) -> list[str]:
    """Return the zones in which nothing is declared any more, but where we wrote, and that the provider still keeps."""
    left = [zone for zone in entry.left if zone not in live]
    if not left:
        return []
    with suppress(DnsError):
        return [zone for zone, where in entry.provider.zones(left).items() if zone == where]
    found = []
    for zone in left:
        try:
            found += [zone] if entry.provider.zones([zone])[zone] == zone else []
        except ServerUnreachable as error:
            sights.errors[zone] = error
        except DnsError as error:
            sights.forsaken.append(_forsaken(zone, error.what.removeprefix(f"zone {zone}: ").rstrip("."), ledger[zone]))
    return found


def _forsaken(zone: str, why: str, claims: Iterable[Claim]) -> str:
    names = sorted({f"{c.type} {c.name}" for c in claims})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (
        f"zone {zone}: nothing in it is declared any more, and {why}: what sendwright wrote there stays: "
        f"{', '.join(names[:_MOST_NAMES])}{more}. Remove it by hand."
    )


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return dict(found)
