"""Proof by DNS: the answers to ``dns-01`` challenges (RFC 8555 section 8.4), written by the providers of the inventory.

They are in the ledger before they are written, like everything that is ours; in the journal they are not: what is gone
after a minute is nothing to undo, and would push out what is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep

from sendwright.acme.faults import Faults, refuse
from sendwright.acme.places import Keepers, Place, places
from sendwright.acme.proof import Challenge
from sendwright.acme.written import Written
from sendwright.dns import propagation
from sendwright.dns.authority import Server, discover_all
from sendwright.dns.freshness import Progress as Freshness
from sendwright.dns.freshness import Timing
from sendwright.dns.propagation import World
from sendwright.dns.providers.base import open_provider
from sendwright.errors import DnsError, ServerUnreachable
from sendwright.inventory import Inventory
from sendwright.looking import Open
from sendwright.publication import INTERNET, Internet
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder

PATIENCE = timedelta(minutes=5)
"""How long servers may take to serve a challenge, besides the margin of who keeps the zone."""

# Behind an anycast address are nodes that we do not see, and an authority asks from several places. It is only a part
# of the margin that mail waits for: a proof that fails costs another run, and no mail.
_SETTLING = timedelta(seconds=10)


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
        self._progress = progress
        self._internet = internet
        self._patience = patience
        self._written = Written(folder, self._keepers, progress.say)

    @contextmanager
    def __call__(self, challenges: tuple[Challenge, ...]) -> Iterator[None]:
        """Show the answers to these challenges until the block ends."""
        proves = places(challenges, self._keepers, self._progress.note)
        world = self._world(proves)
        try:
            with self._progress.step("every name server has the answers to the authority's challenges"):
                self._written.show(proves)
                self._wait(world, proves)
            yield
        finally:
            self._written.withdraw(proves.keys())

    def clear(self) -> None:
        """Withdraw what a run that died has left, as the ledger has it; what cannot be stays there, and is said."""
        self._written.clear()

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


def _now() -> datetime:
    return datetime.now(UTC)
