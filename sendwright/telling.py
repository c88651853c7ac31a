"""What a run tells senders of TLS: the facts that records rest on, looked at once, and what servers tell by now."""

from datetime import datetime, timedelta

from sendwright import awaiting, tls_facts, tlsa_known
from sendwright.dns.authority import zones_of
from sendwright.dns.freshness import Target, Timing, fresh_at
from sendwright.dns.propagation import World
from sendwright.dns.records import provider_of
from sendwright.dns.tls_records import TTL, names
from sendwright.dns.transport import Ask
from sendwright.errors import DnsError
from sendwright.publishing import Zone, Zones
from sendwright.renewal import Known
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import State
from sendwright.tlsa import NO_TLS, TlsFacts, value


class Telling:
    """One run's view. ``facts``: as of the last look; ``untold``: sentences about keys that nobody is told of, and
    about policies that end.

    ``made``: the time of the plan; ``resolver``: the address of a validating one.
    """

    def __init__(self, stack: Stack, folder: StateFolder, made: datetime, ask: Ask, resolver: str) -> None:
        self.facts: TlsFacts = NO_TLS
        self.untold: tuple[str, ...] = ()
        self._stack = stack
        self._folder = folder
        self._made = made
        self._ask = ask
        self._resolver = resolver
        self._signed: frozenset[str] | None = None
        self._worlds: dict[str, World] = {}

    def look(self) -> TlsFacts:
        """Read what is remembered afresh; whether zones are signed is asked once."""
        if self._signed is None:
            asked = tls_facts.asked_zones(self._stack)
            self._signed = tls_facts.signed_zones(asked, self._ask, self._resolver)
        remembered = self._remembered()
        self.facts = tls_facts.facts(self._stack, remembered, self._signed, self._made)
        unsigned = tls_facts.unsigned(self._stack, remembered, self._signed)
        self.untold = (*unsigned, *tls_facts.ended(self.facts.policies, remembered.claims))
        return self.facts

    def known(self, host: str, zones: Zones) -> Known:
        """Return what every server that speaks for a host's zone tells of its keys; ``window`` is left out."""
        return self._known(host, zones, self._remembered())

    def _known(self, host: str, zones: Zones, remembered: State) -> Known:
        claims = [c for c in remembered.claims if c.type == "TLSA" and c.name in names(host)]
        found = _zone_of(host, zones)
        zone = found.name if found else self._strange(host)
        world = self._world(found, zones) if found else self._worlds.get(zone)
        if world is None:
            # Nobody can say what senders know.
            return Known(told=True, behind=f"the zone of {host} could not be looked at")
        expected = {c.name for c in claims if not c.withdrawn}
        seen = tlsa_known.look(world, zone, host)
        return tlsa_known.known(seen, self._keys(host, remembered), expected, ledger=bool(claims))

    def fresh_at(self, host: str, zones: Zones, now: datetime) -> datetime | None:
        """Return from when no cache holds TLSA records of a host without its next key, given that all serve it now.

        None while not every server serves it.
        """
        remembered, zone = self._remembered(), _zone_of(host, zones)
        coming = self._keys(host, remembered)[1:]
        world = self._world(zone, zones) if zone and coming else None
        if zone is None or world is None or not self._known(host, zones, remembered).served.issuperset(coming):
            return None
        wanted = [Target(zone.name, name, "TLSA", value(spki)) for name in names(host) for spki in coming]
        timings = awaiting.timings(zones, world, wanted).values()
        # The records before may have had the TTL that ours have: it is never less.
        longest = Timing(
            max((t.negative for t in timings), default=0),
            max((TTL, *(t.replaced for t in timings))),
            max((t.wildcard for t in timings), default=0),
        )
        return fresh_at(now, longest, timedelta(seconds=zone.provider.margin)) if timings else None

    def _remembered(self) -> State:
        folder = self._folder
        return State(certificates=folder.certificates(), next_keys=folder.next_keys(), claims=folder.claims())

    def _keys(self, host: str, remembered: State) -> tuple[str, ...]:
        return tls_facts.keys_told([self._stack.host(host)], remembered).get(host, ())

    def _strange(self, host: str) -> str:
        """Return the zone of a host that is not ours to write; nothing where it is, or where nobody says."""
        if provider_of(self._stack, host):
            return ""
        try:
            zone = zones_of([host], self._ask, self._resolver)[host]
            if zone not in self._worlds:
                self._worlds[zone] = World.around([zone], self._ask, self._resolver)
        except DnsError:
            return ""
        return zone

    def _world(self, zone: Zone, zones: Zones) -> World | None:
        if zone.name not in self._worlds:
            found = awaiting.world(zones, {zone.name}, self._ask, self._resolver)
            if zone.name not in found.servers:
                return None
            self._worlds[zone.name] = found
        return self._worlds[zone.name]


def _zone_of(name: str, zones: Zones) -> Zone | None:
    return next((zone for zone in zones.found.values() if name in zone.names), None)
