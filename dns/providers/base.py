"""What every DNS provider can do: say which zone a name lies in, read record sets, apply edits or refuse whole."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sendwright.providers import Cloudflare, Dns, OctoDns, PowerDns, Rfc2136, Zonefile

Key = tuple[str, str]
"""A record set's name (lower case, no final dot) and type."""


@dataclass(frozen=True)
class RecordSet:
    """A record set as a server has it: TTL in seconds; ``values`` are master-file texts exactly as they were read."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Its name and type."""
        return self.name, self.type


@dataclass(frozen=True)
class Edit:
    """What becomes of one record set: exactly ``before`` (None: there is none) turns into ``after`` (None: it goes)."""

    name: str
    type: str
    before: RecordSet | None
    after: RecordSet | None


class Provider(Protocol):
    """A place where records are kept. Every method may raise a DnsError that names the zone and the provider."""

    @property
    def title(self) -> str:
        """How a person would call it, as in ``the server 192.0.2.1``."""
        ...

    @property
    def margin(self) -> int:
        """Seconds added to every freshness wait."""
        ...

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in, without final dots."""
        ...

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that exist.

        Asked from the place of truth, without caches. A CNAME at a wanted name is returned as such, and what only a
        wildcard answers is absent: nothing stands at that name.
        """
        ...

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply all edits of a zone, or none.

        Raises WorldMoved, with nothing applied, if a record set is no longer as the edit's ``before`` has it.
        """
        ...


def open_provider(config: Dns, base: Path) -> Provider:
    """Return the provider that an entry of ``dns`` describes; ``base`` is where relative secret files start.

    Raises SecretError if its secret has no value.
    """
    match config:
        case Rfc2136():
            from sendwright.dns.providers.rfc2136 import DynamicUpdate

            return DynamicUpdate.of(config, base)
        case PowerDns():
            from sendwright.dns.providers.powerdns import PowerDnsServer

            return PowerDnsServer.of(config, base)
        case Cloudflare():
            from sendwright.dns.providers.cloudflare import CloudflareDns

            return CloudflareDns.of(config, base)
        case Zonefile():
            from sendwright.dns.providers.zonefile import MasterFiles

            return MasterFiles.of(config, base)
        case OctoDns():
            from sendwright.dns.providers.octodns import OctoProvider

            return OctoProvider.of(config, base)
