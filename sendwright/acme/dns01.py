"""Proof by DNS: the answers to ``dns-01`` challenges (RFC 8555 section 8.4), written by the providers of the inventory.

They are in the ledger before they are written, like everything that is ours; in the journal they are not: what is gone
after a minute is nothing to undo, and would push out what is.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep

from sendwright.acme import records
from sendwright.acme.faults import Faults, refuse
from sendwright.acme.places import Keepers, Place, places
from sendwright.acme.proof import Challenge
from sendwright.dns import propagation
from sendwright.dns.authority import Server, discover_all
from sendwright.dns.freshness import Progress as Freshness
from sendwright.dns.freshness import Timing
from sendwright.dns.propagation import World
from sendwright.dns.providers.base import RecordSet, open_provider
from sendwright.errors import DnsError, NotAllowed, NotShown, SecretError, ServerUnreachable, WorldMoved
from sendwright.escape import plain
from sendwright.inventory import Inventory
from sendwright.looking import Open
from sendwright.publication import INTERNET, Internet
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim

PATIENCE = timedelta(minutes=5)
"""How long servers may take to serve a challenge, besides the margin of who keeps the zone."""

# Behind an anycast address are nodes that we do not see, and an authority asks from several places. It is only a part
# of the margin that mail waits for: a proof that fails costs another run, and no mail.
_SETTLING = timedelta(seconds=10)
# Others may write at the same names at the same time, another host of the same domain first of all.
_TRIES = 5

Change = Callable[[Sequence[RecordSet], Collection[Place]], None]


class DnsProof:
    """Shows the answers to ``dns-01`` challenges while an authority looks; plays ``proof.Prove``.

    It is entered when every address of every authoritative server has every answer. Raises NotShown, with nothing left
    behind, when one does not in time, when a zone cannot be written, or when it is not ours to write.

    Arguments: ``opener`` opens a provider of ``declared``; ``patience``: see ``PATIENCE``.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        progress: Progress,
        internet: Internet = INTERNET,
        opener: Open = open_provider,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._keepers = Keepers(declared.stack, declared.folder, opener)
        self._folder = folder
        self._progress = progress
        self._internet = internet
        self._patience = patience
        # Several certificates may be ordered at once: one changes the ledger at a time, and none takes the answers of
        # another for what a dead run left.
        self._lock = threading.Lock()
        self._shown: frozenset[Place] = frozenset()
        self._unknown: set[str] = set()

    @contextmanager
    def __call__(self, challenges: tuple[Challenge, ...]) -> Iterator[None]:
        """Show the answers to these challenges until the block ends."""
        proves = places(challenges, self._keepers, self._progress.note)
        world, wanted = self._world(proves), frozenset(proves)
        begun: dict[str, list[Place]] = {}
        with self._lock:
            self._shown |= wanted
        try:
            with self._progress.step("every name server has the answers to the authority's challenges"):
                for zone, here in _by_zone(wanted).items():
                    begun[zone] = here
                    with self._lock, _about(proves[place] for place in here):
                        self._show(zone, here)
                self._wait(world, proves)
            yield
        finally:
            with self._lock:
                self._shown -= wanted
                for zone, here in begun.items():
                    self._withdraw(zone, here)

    def clear(self) -> None:
        """Withdraw what a run that died has left, as the ledger has it; what cannot be stays there, and is said."""
        with self._lock:
            left = {_place(claim) for claim in self._folder.claims() if records.is_challenge(claim)} - self._shown
            for zone, here in _by_zone(left).items():
                if here[0].dns in self._keepers.stack.dns:
                    self._withdraw(zone, here)

    def _world(self, proves: Mapping[Place, str]) -> World:
        ask, resolver = self._internet.ask, self._internet.resolver()
        servers: dict[str, tuple[Server, ...]] = {}
        faults: Faults = {}
        for zone, found in discover_all(sorted({place.zone for place in proves}), ask, resolver).items():
            if isinstance(found, DnsError):
                faults |= {name: found for place, name in proves.items() if place.zone == zone}
            else:
                servers[zone] = found
        refuse(faults)
        return World(ask, resolver, servers)

    def _show(self, zone: str, here: Sequence[Place]) -> None:
        """Write answers into a zone, and take away what a run that died has left in it."""

        def change(served: Sequence[RecordSet], ours: Collection[Place]) -> None:
            there, now = records.standing(served), _now()
            new = [place for place in here if (place.name, place.value) not in there]
            self._folder.claim(Claim(zone, p.name, "TXT", p.value, now, p.dns) for p in new)
            dead = {*ours} - self._shown
            self._apply(here[0], served, here, dead)
            self._release(dead)

        self._changing(here, change)

    def _withdraw(self, zone: str, here: Sequence[Place]) -> None:
        """Take answers away that are ours; what cannot be is said, and stays in the ledger for the next run."""

        def change(served: Sequence[RecordSet], ours: Collection[Place]) -> None:
            going = {*ours} & {*here}
            self._apply(here[0], served, (), going)
            # A server that said nothing may yet do what it was asked: what is not there may still come.
            there = records.standing(served)
            self._release(p for p in going if zone not in self._unknown or (p.name, p.value) in there)

        try:
            self._changing(here, change)
        except (DnsError, SecretError) as error:
            left = f"answers to challenges in the zone {zone} are left there, and the next run withdraws them"
            self._progress.say(f"  {left}: {plain(error.what)}")

    def _changing(self, here: Sequence[Place], change: Change) -> None:
        """Look and change, again while somebody else writes at the same names."""
        zone, keeper = here[0].zone, self._keepers[here[0].dns]
        for left in reversed(range(_TRIES)):
            claims = (c for c in self._folder.claims() if c.zone == zone and records.is_challenge(c))
            ours = {_place(claim) for claim in claims}
            served = keeper.read(zone, sorted({(place.name, "TXT") for place in (*here, *ours)}))
            try:
                change(served, ours)
            except WorldMoved:
                if not left:
                    raise
            else:
                return

    def _apply(self, at: Place, served: Sequence[RecordSet], come: Iterable[Place], go: Iterable[Place]) -> None:
        edits = records.edits(served, _values(come), _values(go))
        if not edits:
            return
        try:
            self._keepers[at.dns].apply(at.zone, edits)
        except (WorldMoved, NotAllowed):
            raise
        except DnsError:
            self._unknown.add(at.zone)
            raise

    def _release(self, gone: Iterable[Place]) -> None:
        places = {*gone}
        self._folder.release(c for c in self._folder.claims() if records.is_challenge(c) and _place(c) in places)

    def _wait(self, world: World, proves: Mapping[Place, str]) -> None:
        margin = timedelta(seconds=max((self._keepers[place.dns].margin for place in proves), default=0))
        seen = propagation.wait(
            world,
            {place.target: Timing() for place in proves},
            min(margin, _SETTLING),
            _now() + self._patience + margin,
            clock=_now,
            sleep=sleep,
            report=self._tell,
        )
        names = {place.target: name for place, name in proves.items()}
        hint = "The authority might ask that server. Mend it, then run again: it goes on."
        late = (waiting for waiting in seen.waiting if waiting.behind)
        refuse({names[w.target]: ServerUnreachable(w.target.zone, f"{w}.", hint) for w in late})

    def _tell(self, seen: Freshness) -> None:
        if behind := [waiting for waiting in seen.waiting if waiting.behind]:
            self._progress.note(f"waiting: {behind[0]}")


@contextmanager
def _about(names: Iterable[str]) -> Iterator[None]:
    """Say whose answers are not there when a zone cannot be written."""
    try:
        yield
    except DnsError as error:
        raise NotShown(tuple(names), error) from error


def _place(claim: Claim) -> Place:
    return Place(claim.zone, claim.name, claim.value, claim.dns)


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


def _now() -> datetime:
    return datetime.now(UTC)
