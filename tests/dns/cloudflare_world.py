"""What the tests of Cloudflare share: a provider at a stand-in, and short words for records and edits."""

from typing import Any

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.cloudflare import LIMIT, CloudflareDns
from sendwright.dns.providers.cloudflare_api import Api
from sendwright.dns.providers.limiter import Allowance, Limiter
from sendwright.dns.rdata import canonical
from tests.dns.cloudflare_standin import TOKEN, StandIn

ZONE = "example.com"


def opened(standin: StandIn, token: str = TOKEN, limiter: Limiter | None = None, seconds: float = 5) -> CloudflareDns:
    """Return the provider that a token opens at a stand-in."""
    return CloudflareDns.by(Api(token, limiter or limiter_of(standin), standin.url, seconds), 900)


def limiter_of(standin: StandIn, patience: float = 600) -> Limiter:
    """Return a limiter by the stand-in's clock."""
    clock = standin.clock
    return Limiter("Cloudflare", Allowance(LIMIT), patience, clock, clock.sleep, lambda _: None)


def zone_id(standin: StandIn) -> str:
    """Return the id of its first zone."""
    return next(iter(standin.zones))


def held(standin: StandIn) -> dict[str, Any]:
    """Return what that zone holds."""
    return standin.records[zone_id(standin)]


def rrset(name: str, rdtype: str, *values: str, ttl: int = 300) -> RecordSet:
    """Return a record set."""
    return RecordSet(name, rdtype, ttl, values)


def new(name: str, rdtype: str, *values: str) -> Edit:
    """Return the edit that creates a record set."""
    return Edit(name, rdtype, None, rrset(name, rdtype, *values))


def many(count: int) -> list[Edit]:
    """Return so many such edits."""
    return [new(f"k{i:03}.{ZONE}", "TXT", f'"{i}"') for i in range(count)]


def as_is(records: tuple[RecordSet, ...]) -> dict[Key, tuple[int, set[str]]]:
    """Return record sets as they are compared."""
    return {r.key: (r.ttl, {canonical(r.type, text) for text in r.values}) for r in records}
