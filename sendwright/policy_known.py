"""Whether senders can know a domain's policy (RFC 8461): before they do, they hold a new MX to the one before.

A sender that has a policy in ``enforce`` does not deliver to an MX that it does not name. It looks for another one only
when the ``id`` in DNS is not the one that it knows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sendwright import awaiting, sts
from sendwright.dns import propagation
from sendwright.dns.freshness import Target, Timing, fresh_at
from sendwright.dns.plan import Delete
from sendwright.dns.propagation import World
from sendwright.dns.rdata import canonical, plain_name, txt
from sendwright.dns.slots import slot
from sendwright.dns.tls_records import record_name
from sendwright.plan import Stage
from sendwright.pointing import exchange
from sendwright.publishing import Zone, Zones
from sendwright.stack import MtaSts, Stack
from sendwright.state.model import Claim
from sendwright.tlsa import TlsFacts

_UNTOLD = "until senders are told of the policy (MTA-STS) that names it"
_BEHIND = "until every server tells of the policy (MTA-STS) that names it: {}"
_CACHED = "until no sender remembers an older policy (MTA-STS), at {:%Y-%m-%d %H:%M} UTC"


def moving(stack: Stack, zones: Zones, claims: Collection[Claim]) -> dict[str, Zone]:
    """Return the domains that are to get another MX, and whose senders may hold them to a policy: with their zones."""
    found = {
        write.name: zone
        for zone in zones.found.values()
        for write in zone.changes.at(Stage.HOSTS).writes
        if write.type == "MX" and not isinstance(write, Delete) and _declared(stack, write.name)
    }
    told = {name for name, _ in _told(found.values(), claims)}
    by_name: dict[str, list[Claim]] = {}
    for claim in claims:
        by_name.setdefault(claim.name, []).append(claim)
    mine = {name: (*by_name.get(name, ()), *by_name.get(record_name(name), ())) for name in found}
    return {name: zone for name, zone in found.items() if record_name(name) in told and _held(stack, name, mine[name])}


def targets(domains: Mapping[str, Zone], claims: Collection[Claim], tls: TlsFacts) -> dict[str, Target]:
    """Return the record that tells of the present policy of each domain, where it has been written."""
    written = _told(domains.values(), claims)
    wanted = {name: txt(sts.record_text(tls.policies[name])) for name in domains if name in tls.policies}
    return {
        name: Target(domains[name].name, record_name(name), "TXT", value)
        for name, value in wanted.items()
        if (record_name(name), value) in written
    }


def unheard(
    domains: Mapping[str, Zone],
    claims: Collection[Claim],
    tls: TlsFacts,
    zones: Zones,
    around: Callable[[Collection[str]], World],
    now: datetime,
) -> dict[str, str]:
    """Return what the new MX of each of these domains waits for, a phrase; those of which senders know are left out.

    Arguments: ``around``: finds out who serves zones; only these servers are asked, and a resolver about what is there.
    """
    written = targets(domains, claims, tls)
    world = around({target.zone for target in written.values()})
    looked_at = {name: target for name, target in written.items() if target.zone in world.servers}
    waiting = dict.fromkeys(domains.keys() - looked_at.keys(), _UNTOLD)
    behind = {look.target: look.behind for look in propagation.look(world, looked_at.values())}
    timings = awaiting.timings(zones, world, looked_at.values())
    since = {(c.name, c.value): c.since for c in claims if _tells(c)}
    for name, target in looked_at.items():
        margin = timedelta(seconds=domains[name].provider.margin)
        # Nobody knows how long what somebody else wrote has been there.
        fresh = fresh_at(since.get((target.name, target.value), now), timings.get(target, Timing()), margin)
        if behind[target]:
            waiting[name] = _BEHIND.format("; ".join(behind[target]))
        elif target not in timings or now < fresh:
            waiting[name] = _CACHED.format(fresh)
    return waiting


def strange(stack: Stack, looks: Iterable[Zones], claims: Collection[Claim]) -> frozenset[str]:
    """Return the domains that are to enforce a policy while senders find an MX that it does not name, or remember one.

    Arguments: ``looks``: at the zones, now and when the run began.
    """
    found, exchanges = set(), sts.exchanges(claims)
    for served in (s for zones in looks for zone in zones.found.values() for s in zone.sight.served):
        if served.type == "MX" and _enforces(stack, served.name):
            own = exchanges.get(served.name, ())
            named = (sts.policy(stack, stack.domain(served.name), own) or "").splitlines()
            if any(f"mx: {plain_name(exchange(value))}" not in named for value in served.values):
                found.add(served.name)
    return frozenset(found)


def _held(stack: Stack, name: str, mine: Collection[Claim]) -> bool:
    """Whether senders that are told of a policy may hold a domain to it: unless it is the declared, milder one.

    Of ours only the ``id`` is known, and that is the one of a policy for the MX that there are; what others wrote there
    is theirs. ``mine``: the claims on the MX of the domain, and on what tells of its policy.
    """
    wanted = _declared(stack, name)
    if wanted is None or wanted.mode == "enforce":
        return True
    milder = txt(sts.record_text(sts.policy_id(sts.text(wanted, sts.told_exchanges(name, mine)))))
    return any(_tells(c) and c.value != milder for c in mine)


def _enforces(stack: Stack, name: str) -> bool:
    wanted = _declared(stack, name)
    return wanted is not None and wanted.mode == "enforce"


def _declared(stack: Stack, name: str) -> MtaSts | None:
    domain = stack.covering(name)
    return sts.declared(stack, domain) if domain and domain.name == name else None


def _told(zones: Iterable[Zone], claims: Iterable[Claim]) -> set[tuple[str, str]]:
    """Return what stands, or may, that tells of policies, by name and value: ours, and what others wrote there."""
    stand = {(s.name, canonical("TXT", v)) for z in zones for s in z.sight.served if s.type == "TXT" for v in s.values}
    return {(c.name, c.value) for c in claims if _tells(c)} | {
        (name, value) for name, value in stand if slot(name, "TXT", value) == "MTA-STS"
    }


def _tells(claim: Claim) -> bool:
    return claim.type == "TXT" and not claim.mechanism and slot(claim.name, "TXT", claim.value) == "MTA-STS"
