"""The records of DKIM keys and nothing else of the zones: as providers hold them, and as every server serves them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sendwright import awaiting, proving
from sendwright.dkim import live_text, record_text
from sendwright.dns.freshness import Target, Waiting, fresh_at
from sendwright.dns.key_tags import same_key
from sendwright.dns.providers.base import open_provider
from sendwright.dns.rdata import canonical, txt
from sendwright.dns.slots import revokes, slot
from sendwright.dns.transport import once
from sendwright.errors import ForeignRecord
from sendwright.inventory import Inventory
from sendwright.lines import Held, Record
from sendwright.looking import Open
from sendwright.plan import Stage
from sendwright.publication import INTERNET, Internet
from sendwright.publishing import Zones
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage


class KeyRecords:
    """One look at the records of some keys, and their publication. ``zones``: those that they lie in, with errors."""

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        progress: Progress,
        *,
        opener: Open = open_provider,
        internet: Internet = INTERNET,
    ) -> None:
        self.zones = Zones()
        self._stack, self._base = declared.stack, declared.folder
        self._folder = folder
        self._progress = progress
        self._opener = opener
        self._names: frozenset[str] = frozenset()
        self._written = False
        self._internet = internet

    def look(self, keys: Iterable[DkimKey], names: Collection[str]) -> None:
        """Read what providers hold at ``names`` (of TXT records)."""
        claims = self._folder.claims()
        fresh = Zones.look(
            *(self._stack, keys, claims, self._base, self._opener, self.zones.errors),
            now=_now(),
            allow_deletions=True,
            names=frozenset(names),
        )
        # What was in the way of a key may not be in that of the one that took its place.
        lasting = {name: e for name, e in self.zones.errors.items() if not isinstance(e, ForeignRecord)}
        self.zones = replace(self.zones, errors=lasting).again(fresh)
        self._names, self._written = frozenset(names), False

    def held(self, keys: Iterable[DkimKey]) -> dict[str, Record]:
        """Return what providers hold for each key whose record was looked at, by record name."""
        zone_of, served = self._zone_of(), self._served()
        return {
            key.record_name: Record(_held(key, served.get(key.txt_name, ()))) for key in keys if key.txt_name in zone_of
        }

    def served(self, keys: Iterable[DkimKey]) -> tuple[dict[str, Record], tuple[DkimKey, ...]]:
        """Ask every authoritative server about keys; return what was seen by record name, and stories that changed.

        What changes is since when a record is served without a break. A zone that nobody is known to serve, or none of
        whose servers answers, is given up.
        """
        keys, zone_of = tuple(keys), self._zone_of()
        looked_for = {proving.target(zone_of[k.txt_name], k): k for k in keys if k.txt_name in zone_of}
        expected = self._expected()
        targets = {_served_as(target, expected): key for target, key in looked_for.items()}
        if not targets:
            return {}, ()
        # What caches may hold, and who serves a key, are told by the same answers.
        asked, resolver = once(self._internet.ask), self._internet.resolver()
        targets |= awaiting.aliases(targets.values(), asked, resolver)
        world = awaiting.world(self.zones, {target.zone for target in targets}, asked, resolver)
        known = awaiting.timings(self.zones, world, targets)
        since = {t: at for t, key in targets.items() if t in known and (at := key.served_since)}
        published = proving.Published(world, known, since, awaiting.margin(self.zones))
        seen = proving.until_fresh(published, self._progress.note, stay=False)
        places, waiting = proving.by_place(known), {found.target: found for found in seen.waiting}
        ways = ((key, proving.way(key, places)) for key in keys)
        found = {key.record_name: _record(key, way, published, seen.since, waiting) for key, way in ways if way}
        return found, proving.served(keys, published, seen)

    def publish(self, keys: Iterable[DkimKey], names: Collection[str]) -> frozenset[str]:
        """Make these names hold what the stories say, none of what a provider refuses; return those that now do."""
        if self._written:
            self.look(keys, self._names)  # what was read first is no longer what stands
        self.zones = self.zones.replanned(self._stack, keys, self._folder.claims(), _now())
        self._written = True
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.CONTRACT):
            self.zones.publish(self._folder, stage, lambda write: write.name in names)
        return frozenset(n for n, zone in self._zone_of().items() if n in names and self._took(zone, n))

    def _took(self, zone: str, name: str) -> bool:
        # What is in the way of one record set is not in that of others.
        changes = self.zones.found[zone].changes
        in_the_way = {conflict.name for conflict in changes.conflicts}
        # What is to go and stays for a while did not go. The value that another one took the place of is no matter.
        kept = {held.claim.name for held in changes.held} - {record.name for record in changes.expected}
        return isinstance(self.zones.errors.get(zone), ForeignRecord | None) and name not in in_the_way | kept

    def _expected(self) -> Mapping[tuple[str, str], str]:
        zones = self.zones.found.values()
        return {(z.name, r.name): r.value for z in zones for r in z.changes.expected if r.type == "TXT"}

    def _zone_of(self) -> Mapping[str, str]:
        return {name: zone.name for zone in self.zones.found.values() for name in zone.looked_at}

    def _served(self) -> Mapping[str, tuple[str, ...]]:
        sets = (s for zone in self.zones.found.values() for s in zone.sight.served if s.type in {"TXT", "CNAME"})
        return {found.name: tuple(canonical(found.type, value) for value in found.values) for found in sets}


def _served_as(target: Target, expected: Mapping[tuple[str, str], str]) -> Target:
    """Return what servers are to serve: of an imported key, what its owner wrote."""
    standing = expected.get((target.zone, target.name), "")
    return replace(target, value=standing) if same_key(standing, target.value) else target


def wanted(key: DkimKey) -> Held:
    """Return what a key's story asks its provider to hold."""
    return {KeyStage.REVOKED: Held.EMPTY, KeyStage.REMOVED: Held.NOTHING}.get(key.stage, Held.KEY)


def _held(key: DkimKey, values: tuple[str, ...]) -> Held:
    found = [value for value in values if slot(key.txt_name, "TXT", value) == "DKIM"]
    if not found:
        return Held.NOTHING
    if found == [txt(record_text(key))] and key.stage is not KeyStage.REMOVED:
        return wanted(key)
    if len(found) == 1 and revokes(key.txt_name, "TXT", found[0]):
        # A revoked key whose private part is to be published as well is not as its story says yet.
        return Held.KEY if key.disclosed and key.stage is KeyStage.REVOKED else Held.EMPTY
    return Held.KEY if len(found) == 1 and same_key(found[0], txt(live_text(key))) else Held.OTHER


def _record(
    key: DkimKey,
    way: Collection[Target],
    published: proving.Published,
    since: Mapping[Target, datetime],
    waiting: Mapping[Target, Waiting],
) -> Record:
    late = [waiting[target] for target in way if target in waiting]
    fresh = [fresh_at(since[target], published.known[target], published.margin) for target in way if target in since]
    return Record(
        wanted(key),
        tuple(f"{_aliased(found.target)}{what}" for found in late for what in found.behind),
        max(fresh) if len(fresh) == len(way) else None,
        astray=any(found.astray for found in late),
    )


def _aliased(target: Target) -> str:
    return f"{target.type} {target.name}: " if target.type == "CNAME" else ""


def _now() -> datetime:
    return datetime.now(UTC)
