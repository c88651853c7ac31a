"""Any provider of octoDNS: its class is asked for the zone as it stands, and given that zone back with our edits in it.

octoDNS deletes what it is not told of. So what it is told is everything that it just reported, with our record sets
changed; and unless the plan that it makes of that is exactly our edits, nothing is applied.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sendwright.dns.providers import foreign
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.octorecords import changed, key, read_back
from sendwright.dns.zones import InZone, NotHere, ancestry, not_kept
from sendwright.errors import DnsError, NotAllowed, ServerUnreachable, UsageError, WorldMoved
from sendwright.escape import plain
from sendwright.providers import OctoDns
from sendwright.secrets import resolve

Answer = TypeVar("Answer")

_AGAIN = "Plan again and look at what is new."
_NOTHING = "Nothing was applied, and running again is safe: check its settings and secrets under dns."
_PARTLY = "Some of it may have been done and some not. Running again is safe: what is there already is kept."
_SECONDS = 300.0


@dataclass(frozen=True)
class OctoProvider:
    """A class of octoDNS and what it is made with; ``seconds``: how long one call may take."""

    driver: str
    kind: Any
    settings: Mapping[str, Any] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    margin: int
    seconds: float = _SECONDS

    @classmethod
    def of(cls, config: OctoDns, base: Path) -> "OctoProvider":
        """Return the provider that the inventory describes.

        Raises UsageError if its class is not installed, SecretError if a secret has no value.
        """
        kind = _class(config.driver)
        secrets = {
            name: resolve(ref, base, f"{name} of {config.driver}") for name, ref in sorted(config.secrets.items())
        }
        return cls(config.driver, kind, dict(config.settings), secrets, config.margin)

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return f"octoDNS ({self.driver})"

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in (see ``Provider``): the longest that the provider keeps."""
        names = sorted(set(names))
        if not names:
            return {}
        listed = self._call(names[0], lambda: self._listed(self._open()))
        asked: dict[str, DnsError | None] = {}
        places = {name: self._place(name, listed, asked) for name in names}
        if lost := {name: place.why for name, place in places.items() if isinstance(place, NotHere)}:
            raise not_kept(lost, self.title)
        return {name: place.zone for name, place in places.items() if isinstance(place, InZone)}

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that exist (see ``Provider``)."""
        opened, found = self._call(zone, lambda: self._populated(zone))
        lacking = sorted({rdtype for _, rdtype in wanted} - set(opened.SUPPORTS))
        if lacking:
            what = f"{self.title} cannot keep records of type {', '.join(lacking)}."
            raise NotAllowed(zone, what, "Another provider of the inventory's dns has to serve it.")
        return read_back(zone, found.records, wanted)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply the edits (see ``Provider``). All or none is more than octoDNS promises: running again is safe."""
        if not edits:
            return
        opened, plan = self._call(zone, lambda: self._planned(zone, edits))
        mine = {(e.name, e.type) for e in edits}
        planned = {key(c.record) for c in plan.changes} if plan else set()
        if more := sorted(planned - mine):
            what = f"{self.title} would change other records too: {_listed(more)}; nothing was applied."
            raise WorldMoved(zone, what, "Somebody else may be changing the zone. " + _AGAIN)
        if fewer := sorted(mine - planned):
            what = f"{self.title} would not make these changes: {_listed(fewer)}; nothing was applied."
            raise DnsError(zone, what, "It may not take their TTL or form: see the documents of that provider.")
        asked = f"{self.title} was asked to change {len(mine)} record sets ({_listed(sorted(mine))})"
        if not self._call(zone, lambda: opened.apply(plan), f"{asked}, and", _PARTLY):
            raise DnsError(zone, f"{asked}, and changed none.", "Is apply_disabled among its settings?")

    def _open(self) -> Any:
        # A new one each time: many remember what they read.
        return self.kind("sendwright", **self.settings, **self.secrets)

    def _listed(self, opened: Any) -> frozenset[str] | None:
        if not hasattr(opened, "list_zones"):
            return None
        return frozenset(str(name).rstrip(".").lower() for name in opened.list_zones())

    def _place(self, name: str, listed: frozenset[str] | None, asked: dict[str, DnsError | None]) -> InZone | NotHere:
        above = [candidate for candidate in ancestry(name) if "." in candidate]
        if listed is not None:
            zone = next((candidate for candidate in above if candidate in listed), None)
            return InZone(zone) if zone else NotHere("it lists no zone that it lies in")
        for candidate in above:
            if candidate not in asked:
                asked[candidate] = self._lacks(candidate)
            if asked[candidate] is None:
                return InZone(candidate)
        # Of the uppermost it says most: whether the key is wrong, or there is no such zone.
        error = asked[above[-1]]
        return NotHere(error.what.rstrip(".") if error else "it has none")

    def _lacks(self, candidate: str) -> DnsError | None:
        """Ask for a zone, where a provider cannot list them: an error about it means that it has none of that name."""
        try:
            self._call(candidate, lambda: self._populated(candidate))
        except (ServerUnreachable, NotAllowed):
            raise
        except DnsError as error:
            return error
        return None

    def _populated(self, zone: str) -> tuple[Any, Any]:
        from octodns.zone import Zone

        opened, found = self._open(), Zone(f"{zone}.", [])
        # target: as it would be read before a change. Some show nothing then, because they write zones anew.
        exists = opened.populate(found, target=True, lenient=True)
        if not (exists or (exists is None and found.records)):
            what = f"{self.title} keeps no such zone, or does not show what it holds before it writes it."
            raise DnsError(zone, what, "Make the zone there first; a provider that writes whole zones is no good here.")
        return opened, found

    def _planned(self, zone: str, edits: Collection[Edit]) -> tuple[Any, Any]:
        opened, found = self._populated(zone)
        keys = {(e.name, e.type) for e in edits}
        have = {s.key: s for s in read_back(zone, found.records, keys)}
        for edit in edits:
            alias = edit.before is None and edit.type != "CNAME" and (edit.name, "CNAME") in have
            if alias or have.get((edit.name, edit.type)) != edit.before:
                what = f"somebody else changed {edit.type} {edit.name} since it was read; nothing was applied."
                raise WorldMoved(zone, what, _AGAIN)
        wanted = changed(found, edits)
        if not opened.SUPPORTS_ROOT_NS and wanted.root_ns:
            wanted.remove_record(wanted.root_ns)
        return opened, opened.plan(wanted)

    def _call(self, zone: str, call: Callable[[], Answer], what: str = "", hint: str = _NOTHING) -> Answer:
        return foreign.call(call, zone, what or self.title, hint, self.seconds, tuple(self.secrets.values()))


def _class(driver: str) -> Any:
    module, _, name = driver.rpartition(".")
    package = module.partition(".")[0]
    try:
        from octodns.provider.base import BaseProvider
    except ImportError:
        raise UsageError(
            f"dns names {driver}, and octoDNS is not installed.", "Install it: pip install 'sendwright[octodns]'"
        ) from None
    found = foreign.load(module, name)
    if found is None:
        raise UsageError(
            f"dns names {driver}, which is not installed, or has another name.",
            f"Install its package: pip install {plain(package.replace('_', '-'))}",
        )
    if not (isinstance(found, type) and issubclass(found, BaseProvider)):
        raise UsageError(f"dns names {driver}, which is no provider of octoDNS.", "Sources can be read only.")
    return found


def _listed(keys: Iterable[Key]) -> str:
    return plain(", ".join(f"{rdtype} {name}" for name, rdtype in keys))
