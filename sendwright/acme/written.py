"""Answers in zones of ours: in the ledger before they are written, and until they were seen to be gone.

The ledger may hold all records of ten thousand domains, and takes seconds to read: it is read and written once for all
answers of an order, not once a zone.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sendwright.acme import records
from sendwright.acme.faults import Faults, refuse
from sendwright.acme.places import Keepers, Place
from sendwright.dns.providers.base import RecordSet
from sendwright.errors import DnsError, NotAllowed, NotShown, SecretError, ServerUnreachable, WorldMoved
from sendwright.escape import plain
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim

# Others may write at the same names at the same time, another host of the same domain first of all.
_TRIES = 5


class Written:
    """What of an inventory's answers stands, and who may take it away. ``say`` is told what cannot be.

    Several certificates may be ordered at once: one changes the ledger at a time, and none takes the answers of another
    for what a dead run left.
    """

    def __init__(self, folder: StateFolder, keepers: Keepers, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._keepers = keepers
        self._say = say
        self._lock = threading.Lock()
        self._shown: frozenset[Place] = frozenset()
        self._unknown: set[str] = set()

    def show(self, proves: Mapping[Place, str]) -> None:
        """Write answers, and take away what a run that died has left in the same zones.

        Arguments: ``proves``: which name each proves. Raises NotShown; then they are to be withdrawn all the same.
        """
        with self._lock:
            self._shown |= proves.keys()
            dead = self._ours() - self._shown
            zones = _by_zone(proves)
            served = self._read(zones, dead, proves)
            # What stands already is not ours by standing there.
            new = {p for p in proves if (p.name, p.value) not in records.standing(served[p.zone])}
            now = datetime.now(UTC)
            self._folder.claim(Claim(p.zone, p.name, "TXT", p.value, now, p.dns) for p in sorted(new))
            gone: set[Place] = set()
            try:
                for zone, here in zones.items():
                    going = {place for place in dead if place.zone == zone}
                    try:
                        self._change(here[0], served[zone], new & {*here}, going)
                    except DnsError as error:
                        raise NotShown([proves[place] for place in here], error) from error
                    gone |= going
            finally:
                self._release(gone)

    def withdraw(self, places: Collection[Place]) -> None:
        """Take answers away that are ours; what cannot be is said, and stays in the ledger for the next run."""
        with self._lock:
            self._shown -= {*places}
            ours = self._ours()
            self._take_away([place for place in places if place in ours])

    def clear(self) -> None:
        """Withdraw what a run that died has left."""
        with self._lock:
            self._take_away({p for p in self._ours() - self._shown if p.dns in self._keepers.stack.dns})

    def _take_away(self, places: Collection[Place]) -> None:
        self._keepers.silent.clear()
        gone: list[Place] = []
        try:
            for zone, here in _by_zone(places).items():
                try:
                    served = self._change(here[0], self._served(here), (), here)
                except (DnsError, SecretError) as error:
                    left = f"answers to challenges in the zone {zone} are left there, and the next run withdraws them"
                    self._say(f"  {left}: {plain(error.what)}")
                else:
                    # A server that said nothing may yet do what it was asked: what is not there may still come.
                    there = records.standing(served)
                    gone += [p for p in here if zone not in self._unknown or (p.name, p.value) in there]
        finally:
            self._release(gone)

    def _ours(self) -> frozenset[Place]:
        claims = self._folder.claims()
        return frozenset(Place(c.zone, c.name, c.value, c.dns) for c in claims if records.is_challenge(c))

    def _release(self, gone: Collection[Place]) -> None:
        # Whatever else is remembered of a claim: it is struck by its value.
        now = datetime.now(UTC)
        self._folder.release(Claim(p.zone, p.name, "TXT", p.value, now, p.dns) for p in gone)

    def _read(
        self, zones: Mapping[str, Sequence[Place]], dead: Collection[Place], proves: Mapping[Place, str]
    ) -> dict[str, Sequence[RecordSet]]:
        served: dict[str, Sequence[RecordSet]] = {}
        faults: Faults = {}
        for zone, here in zones.items():
            try:
                served[zone] = self._served([*here, *(place for place in dead if place.zone == zone)])
            except DnsError as error:
                faults |= {proves[place]: error for place in here}
        refuse(faults)
        return served

    def _served(self, here: Sequence[Place]) -> Sequence[RecordSet]:
        return self._keepers.read(here[0].dns, here[0].zone, (place.name for place in here))

    def _change(
        self, at: Place, served: Sequence[RecordSet], come: Collection[Place], go: Collection[Place]
    ) -> Sequence[RecordSet]:
        """Change a zone, and look again while somebody else writes at the same names; return what stood before."""
        for left in reversed(range(_TRIES)):
            edits = records.edits(served, _values(come), _values(go))
            try:
                if edits:
                    self._keepers[at.dns].apply(at.zone, edits)
                break
            except WorldMoved:
                if not left:
                    raise
                served = self._served([at, *come, *go])
            except NotAllowed:
                raise
            except DnsError as error:
                self._unknown.add(at.zone)
                if isinstance(error, ServerUnreachable):
                    self._keepers.silent[at.dns] = error
                raise
        return served


def _by_zone(found: Iterable[Place]) -> dict[str, list[Place]]:
    zones: dict[str, list[Place]] = {}
    for place in sorted(found):
        zones.setdefault(place.zone, []).append(place)
    return zones


def _values(found: Iterable[Place]) -> dict[str, set[str]]:
    values: dict[str, set[str]] = defaultdict(set)
    for place in found:
        values[place.name].add(place.value)
    return values
