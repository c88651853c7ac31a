"""Which zone of a token each name lies in: asked with as few requests as the API allows, and each question once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sendwright.dns.providers.cloudflare_api import TITLE, Api, RemoteZone
from sendwright.dns.rdata import plain_name
from sendwright.dns.zones import ancestry
from sendwright.errors import DnsError, NotAllowed
from sendwright.escape import plain

_NEEDED = (
    "Add it to the account, or give the token Zone.Zone:Read and Zone.DNS:Edit for it; see My Profile › API Tokens."
)


@dataclass
class Directory:
    """The zones that were found so far, by name, and the ends of names that were asked for.

    A failure is kept too: whoever asks again name by name is not answered otherwise, only later.
    """

    api: Api
    _ends: set[str] = field(default_factory=set)
    _zones: dict[str, list[RemoteZone]] = field(default_factory=dict)
    _failure: DnsError | None = None

    def locate(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone of each name; NotAllowed names the first that lies in none that the token sees."""
        wanted = tuple(names)
        self._look(wanted)
        found = {name: self._above(name) for name in wanted}
        for name, zone in found.items():
            if zone is None:
                raise NotAllowed(name, f"{TITLE} shows this token no zone that {name} lies in.", _NEEDED)
        return {name: zone for name, zone in found.items() if zone is not None}

    def zone(self, name: str) -> RemoteZone:
        """Return a zone by its name; NotAllowed if the token does not see it, DnsError if it is not one."""
        self._look([name])
        same = self._zones.get(name, [])
        # A zone may also wait in somebody else's account; the delegation leads to the active one.
        same = [zone for zone in same if zone.status == "active"] or same
        if not same:
            raise NotAllowed(name, f"{TITLE} shows this token no such zone.", _NEEDED)
        if len(same) > 1:
            what = f"{TITLE} shows this token {len(same)} zones of that name, none of them active."
            raise DnsError(name, what, "Give the token the zone of one account only.")
        return same[0]

    def _above(self, name: str) -> str | None:
        return next((zone for zone in ancestry(name) if zone in self._zones), None)

    def _look(self, names: Collection[str]) -> None:
        new = {_end(name) for name in names} - self._ends
        if not new:
            return
        if self._failure is not None:
            raise self._failure
        try:
            found = self._listed(new)
        except DnsError as error:
            self._failure = error
            raise
        for zone in found:
            # A list of all zones holds those of other ends too, which may have been asked for already.
            if _end(name := plain_name(zone.name)) in new:
                self._zones.setdefault(name, []).append(zone)
        self._ends |= new

    def _listed(self, ends: Collection[str]) -> Iterable[RemoteZone]:
        if len(ends) > 1:
            # All of them, unless that takes more requests than one for each end.
            zones = self.api.zones(min(ends), most_pages=1 + len(ends))
            if zones is not None:
                return zones
        return [zone for end in sorted(ends) for zone in self.api.zones(end, name=f"ends_with:{end}") or ()]


def status_note(zone: RemoteZone) -> str:
    """Return what to know about a zone that is not active; nothing about one that is."""
    if zone.status == "active":
        return ""
    servers = ", ".join(map(plain, zone.name_servers[:6])) or "those in its dashboard"
    return f" {TITLE} has the zone as “{plain(zone.status)}”: it is served once its registrar names {servers}."


def _end(name: str) -> str:
    """Return the last two labels of a name: every zone that it may lie in ends so, for none is a top-level domain."""
    return ".".join(name.split(".")[-2:])
