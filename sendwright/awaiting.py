"""What of the zones has to be served and fresh before mail may leave, and who serves it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sendwright import proving
from sendwright.dns import propagation
from sendwright.dns.authority import discover_all, zones_of
from sendwright.dns.freshness import Progress, Target, Timing
from sendwright.dns.plan import Delete
from sendwright.dns.propagation import World
from sendwright.dns.records import Record
from sendwright.dns.transport import Ask
from sendwright.errors import DnsError, ServerUnreachable
from sendwright.plan import Stage
from sendwright.publishing import Zones
from sendwright.state.model import Claim, DkimKey, KeyStage


def awaited(
    zones: Zones,
    keys: Collection[DkimKey],
    hosts: Collection[str],
    claims: Iterable[Claim],
    moving: Collection[str] = (),
) -> dict[Target, datetime | None]:
    """Return what has to be served and fresh before mail may leave with unproven keys, and since when it is.

    That is: their own records, whatever this run is about to write in their zones and at the names of their
    ``hosts``, and the SPF of domains that send already: it was widened for the new host, maybe by a run that died
    since, and the ledger knows when. ``moving``: the names that hosts speak for which are to send from another address:
    what is written there is waited for in the same way.
    """
    claims = tuple(claims)
    written = {(c.name, c.type, c.value): c.since for c in claims if not c.mechanism}
    terms = {c.name: c.since for c in sorted(claims, key=lambda c: c.since) if c.mechanism}
    own = {k.txt_name: k.served_since for k in keys}
    sending = {k.domain for k in keys if k.stage is KeyStage.SIGNING}
    found: dict[Target, datetime | None] = {}
    for zone in zones.found.values() if own or moving else ():
        if zone.name in zones.errors:
            continue
        soon = zone.changes.at(Stage.EXPAND, Stage.HOSTS).writes
        new = {(w.name, w.type, w.value) for w in soon if not isinstance(w, Delete)}
        there = {(r.name, r.type, r.value) for r in zone.changes.standing}
        concerned = not zone.names.isdisjoint(own)
        for record in zone.changes.expected:
            value = (record.name, record.type, record.value)
            if record.name in own and (value in new or value in there or value in written):
                found[Target.of(zone.name, record)] = own[record.name]
            elif value in new and (concerned or record.name in hosts or record.name in moving):
                found[Target.of(zone.name, record)] = None
            elif value in written and record.name in moving:
                found[Target.of(zone.name, record)] = written[value]
            elif _spf_of(record, terms) and (record.name in moving or (concerned and record.name in sending)):
                found[Target.of(zone.name, record)] = terms[record.name]
    return found


def aliases(keys: Iterable[DkimKey], ask: Ask, resolver: str) -> dict[Target, DkimKey]:
    """Return the aliases by which verifiers find delegated keys, each in the zone that it lies in.

    The zone is found by asking about the domain, which is there already: a resolver must not learn that a selector is
    not.
    """
    led = [key for key in keys if key.target]
    zone_of = zones_of((key.domain for key in led), ask, resolver) if led else {}
    return {target: key for key in led if (target := proving.alias(zone_of[key.domain], key))}


def _spf_of(record: Record, domains: Collection[str]) -> bool:
    return record.type == "TXT" and record.name in domains


def stands(zones: Zones, name: str, late: Collection[str]) -> bool:
    """Return whether what a host's name leads to is there for mail to rely on; ``late``: zones not yet fresh.

    A zone that could not be looked at is no reason for doubt: what stands there was not touched.
    """
    for zone in zones.found.values():
        if name in zone.names:
            new = any(w.name == name for w in zone.changes.at(Stage.EXPAND).writes)
            return not new or (zone.name not in late and zone.name not in zones.errors)
    return True


def may_move(zones: Zones, speaking: Mapping[str, Collection[str]], late: Collection[str]) -> frozenset[str]:
    """Return which hosts may send from their new address: every name that they speak for was published, and is fresh.

    Arguments: ``speaking``: those names by host; ``late``: names that are not fresh yet.
    """
    published = {n for zone in zones.found.values() if zone.name not in zones.errors for n in zone.names}
    return frozenset(host for host, names in speaking.items() if published.issuperset(names) and not {*late} & {*names})


def world(zones: Zones, names: Collection[str], ask: Ask, resolver: str) -> World:
    """Find out who serves each of these zones; one that nobody is known to serve is given up."""
    servers = {}
    for zone, found in discover_all(sorted(names), ask, resolver).items():
        if isinstance(found, DnsError):
            zones.errors.setdefault(zone, found)
        else:
            servers[zone] = found
    return World(ask, resolver, servers)


def timings(zones: Zones, around: World, targets: Iterable[Target]) -> dict[Target, Timing]:
    """Return what caches may hold of targets now; a zone none of whose servers answers is given up."""
    known, silent = propagation.all_timings(around, (t for t in targets if t.zone in around.servers))
    for zone, error in silent.items():
        zones.errors.setdefault(zone, error)
    return known


def not_served(zones: Zones, fresh: Progress) -> None:
    """Give up each zone that some server does not serve although there was time; it is named."""
    for waiting in fresh.waiting:
        if waiting.behind and not waiting.astray:
            zone = waiting.target.zone
            hint = "Mend that server, then run again: it goes on."
            zones.errors.setdefault(zone, ServerUnreachable(zone, f"{waiting}.", hint))


def led_astray(zones: Zones, fresh: Progress) -> None:
    """Say that an alias leads elsewhere than to the key: its owner has to mend that, and no time does."""
    for waiting in fresh.waiting:
        if waiting.astray:
            zone, wanted = waiting.target.zone, waiting.target.value
            hint = f"Have its owner publish {waiting.target.name}. CNAME {wanted} in its place."
            zones.errors.setdefault(zone, DnsError(zone, f"{waiting}.", hint))


def margin(zones: Zones) -> timedelta:
    """The longest margin of the providers: what anycast may hide."""
    return timedelta(seconds=max((z.provider.margin for z in zones.found.values()), default=0))
