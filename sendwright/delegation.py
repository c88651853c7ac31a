"""Whether a zone is the one that the world sees: who the provider says serves it, and who the delegation says does."""

from collections.abc import Collection, Iterable

from sendwright.dns.authority import Server, discover_all
from sendwright.dns.rdata import plain_name
from sendwright.dns.transport import Ask
from sendwright.errors import DnsError, ServerUnreachable
from sendwright.looking import Sight


def warnings(sights: Iterable[Sight], ask: Ask, resolver: str) -> tuple[str, ...]:
    """Return a sentence for each zone whose records the world does not look up where they are kept.

    Nothing is refused: a zone is filled before it is delegated, and a hidden primary may name nobody.
    """
    sights = tuple(sights)
    public = discover_all((sight.zone for sight in sights), ask, resolver)
    found = (_warning(sight, public[sight.zone]) for sight in sights)
    return tuple(sentence for sentence in found if sentence)


def warning(zone: str, provider: str, kept: Collection[str], public: Collection[str]) -> str | None:
    """Return what is odd about a zone, or None. Pure.

    Arguments: ``provider``: its title; ``kept``: the names of the zone's servers as the provider has them; ``public``:
    those that the world is led to.
    """
    if not public:
        return (
            f"zone {zone}: nobody is known to serve it, so nobody sees what {provider} keeps: have the registrar "
            "delegate it."
        )
    if not kept or not {*kept}.isdisjoint(public):
        return None
    return (
        f"zone {zone}: the public delegation leads to {_list(public)}, but {provider} keeps it for {_list(kept)}: what "
        "is written there may not be what the world sees. Is it the right provider?"
    )


def _warning(sight: Sight, found: tuple[Server, ...] | DnsError) -> str | None:
    if isinstance(found, ServerUnreachable):
        return None  # said where it matters: nothing can be waited for without a resolver
    kept = {plain_name(v) for s in sight.served if s.key == (sight.zone, "NS") for v in s.values}
    public = set() if isinstance(found, DnsError) else {server.name for server in found}
    return warning(sight.zone, sight.provider.title, kept, public)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
