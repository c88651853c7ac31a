"""Which zones records lie in and what stands there, as their providers say: each zone, and each domain, by itself."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
_PART = "it is a part of zone {zone} now"


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
    known = _answerable(stack, declared, entries, ledger)
    entries = _inherited(stack, entries, live, known, sights)
    twice = _refuse_twice(entries, sights)
    for dns, entry in entries.items():
        here: dict[str, list[Record]] = defaultdict(list)
        for record in declared.get(dns, ()):
            here[entry.where.get(record.name, "")].append(record)
        for zone in sorted({*entry.where.values(), *_kept(entry, live, known, sights)} - twice):
            mine, ours = tuple(here.get(zone, ())), tuple(known.get(zone, ()))
            try:
                served = entry.provider.read(zone, {*wanted(zone, mine, ours), (zone, "NS")})
                sights.found.append(Sight(dns, entry.provider, zone, mine, ours, served))
            except DnsError as error:
                sights.errors[zone] = error
    return sights


def _answerable(
    stack: Stack,
    declared: Mapping[str | None, Sequence[Record]],
    entries: Mapping[str, _Entry],
    ledger: Mapping[str, list[Claim]],
) -> Mapping[str, list[Claim]]:
    """Return the ledger without what is below a domain that could not be located: it is no less declared for that."""
    located = {name for entry in entries.values() for name in entry.where}
    lost = {_domain(stack, r.name) for records in declared.values() for r in records if r.name not in located}
    # What somebody else is to write from now on is nobody's to withdraw.
    lost |= {domain.name for domain in stack.domains if domain.dns is None}
    if not lost:
        return ledger
    return {zone: [c for c in claims if _domain(stack, c.name) not in lost] for zone, claims in ledger.items()}


def _refuse_twice(entries: Mapping[str, _Entry], sights: Sights) -> set[str]:
    """Give up each zone that several entries keep: each would take what the others publish for undeclared."""
    keepers = _grouped(
        ((dns, zone) for dns, e in entries.items() for zone in {*e.where.values()}), lambda pair: pair[1]
    )
    twice = {zone: sorted(dns for dns, _ in pairs) for zone, pairs in keepers.items() if len(pairs) > 1}
    for zone, names in twice.items():
        what = f"the domains in it name several entries of dns ({', '.join(names)}); nothing was changed there."
        sights.errors[zone] = DnsError(zone, what, "Name one entry for all domains that lie in that zone.")
    return {*twice}


def _opened(
    stack: Stack,
    declared: Mapping[str | None, Sequence[Record]],
    ledger: Mapping[str, Sequence[Claim]],
    base: Path,
    opener: Open,
    given_up: Collection[str],
    sights: Sights,
) -> dict[str, _Entry]:
    written = _written(ledger)
    entries = {}
    for name, config in stack.dns.items():
        mine, left = declared.get(name, ()), tuple(written.get(name, ()))
        if not (mine or left) or f"dns › {name}" in given_up:
            continue
        try:
            provider = opener(config, base)
            entries[name] = _Entry(provider, _where(provider, stack, {r.name for r in mine}, sights), left)
        except SendwrightError as error:
            below = _few(sorted({_domain(stack, r.name) for r in mine} | {*left}))
            error.hint = f"{error.hint} Nothing was looked at of {below} (dns › {name}).".strip()
            sights.errors[f"dns › {name}"] = error
    return entries


def _written(ledger: Mapping[str, Sequence[Claim]]) -> Mapping[str, Sequence[str]]:
    """Return the zones of the ledger by the entry of ``dns`` that was the last to write there."""
    return _grouped((z for z in ledger if ledger[z]), lambda zone: max(ledger[zone], key=lambda c: c.since).dns)


def _inherited(
    stack: Stack,
    entries: Mapping[str, _Entry],
    live: Collection[str],
    ledger: Mapping[str, Sequence[Claim]],
    sights: Sights,
) -> dict[str, _Entry]:
    """Return the entries with the zones of those that the inventory has no more, where one of them keeps such a zone.

    What an entry of ``dns`` is called may change, and a domain may move to another, before it is taken out.
    """
    heirs = {name: list(entry.left) for name, entry in entries.items()}
    for dns, zones in _written(ledger).items():
        for zone in zones if dns not in stack.dns else ():
            heir = next((n for n, e in entries.items() if zone not in live and _keeps(e.provider, zone)), None)
            if heir is not None:
                heirs[heir].append(zone)
            elif zone not in live:
                why = f"the inventory has no provider {dns} any more"
                sights.forsaken.append(_forsaken(zone, why, ledger[zone]))
    return {name: replace(entry, left=tuple(heirs[name])) for name, entry in entries.items()}


def _keeps(provider: Provider, zone: str) -> bool:
    try:
        return provider.zones([zone])[zone] == zone
    except DnsError:
        return False


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
    left = [zone for zone in entry.left if zone not in live and ledger[zone]]
    if not left:
        return []
    with suppress(DnsError):
        lies_in = entry.provider.zones(left)
        parts = ((zone, above) for zone, above in lies_in.items() if zone != above)
        sights.forsaken += [_forsaken(zone, _PART.format(zone=above), ledger[zone]) for zone, above in parts]
        return [zone for zone, above in lies_in.items() if zone == above]
    found = []
    for zone in left:
        try:
            if (above := entry.provider.zones([zone])[zone]) == zone:
                found.append(zone)
            else:
                sights.forsaken.append(_forsaken(zone, _PART.format(zone=above), ledger[zone]))
        except ServerUnreachable as error:
            sights.errors[zone] = error
        except DnsError as error:
            sights.forsaken.append(_forsaken(zone, error.what.removeprefix(f"zone {zone}: ").rstrip("."), ledger[zone]))
    return found


def _forsaken(zone: str, why: str, claims: Iterable[Claim]) -> str:
    names = sorted({f"{c.type} {c.name}" for c in claims})
    return (
        f"zone {zone}: nothing in it is declared any more, and {why}: what sendwright wrote there stays: "
        f"{_few(names)}. Remove it by hand."
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return dict(found)
