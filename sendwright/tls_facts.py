"""What records of TLS rest on: keys of hosts, zones that are signed, policies that hosts serve.

Pure but for one question a zone. The ledger speaks first: what senders were told once is true until it is withdrawn.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import datetime

import dns.flags

from sendwright import sts, tlsa
from sendwright.dns.rdata import canonical
from sendwright.dns.retention import Clock, retention
from sendwright.dns.tls_records import host_of
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.looking import Sight
from sendwright.stack import Host, Stack
from sendwright.state.model import Claim, State
from sendwright.tlsa import TlsFacts

_ENDED = (
    "{domain}: its policy for mail (MTA-STS) ends at once, and senders that remember one in enforce hold it to that "
    "for as long as the policy said: if it was enforced, have its mode be none for that long first."
)


def facts(stack: Stack, state: State, signed: Container[str], now: datetime) -> TlsFacts:
    """Return the facts as of ``now``.

    Arguments: ``state``: its certificates, next keys and ledger; ``signed``: the declared domains in whose zones
    senders believe what they read (``signed_zones``).
    """
    told, keys = told_hosts(state.claims), keys_told(stack.hosts, state)
    secure = frozenset(name for name in keys if name in told or _zone(stack, stack.host(name)) in signed)
    return TlsFacts(keys, secure, _policies(stack, state.claims, now))


def keys_told(hosts: Iterable[Host], state: State) -> Mapping[str, tuple[str, ...]]:
    """Return the digests of the keys that each host has and will have, of those that senders are to be told of."""
    told = told_hosts(state.claims)
    return tlsa.keys_of([h for h in hosts if h.dane and (h.name in told or _as_declared(h, state))], state)


def told_hosts(claims: Iterable[Claim]) -> frozenset[str]:
    """Return the hosts of which senders may know keys by records of ours, those included that have been withdrawn."""
    return frozenset(host_of(claim.name) for claim in claims if claim.type == "TLSA")


def telling(sights: Collection[Sight]) -> frozenset[str]:
    """Return the names at which TLSA records of ours stand."""
    ours = {(c.name, c.value) for s in sights for c in s.claims if c.type == "TLSA" and not c.withdrawn}
    return frozenset(
        found.name
        for sight in sights
        for found in sight.served
        if found.type == "TLSA" and any((found.name, canonical("TLSA", text)) in ours for text in found.values)
    )


def asked_zones(stack: Stack) -> frozenset[str]:
    """Return the declared domains of which it matters whether their zones are signed: hosts lie in them."""
    return frozenset(zone for host in stack.hosts if host.dane and (zone := _zone(stack, host)))


def signed_zones(zones: Collection[str], ask: Ask, resolver: str) -> frozenset[str]:
    """Return those for which a validating resolver vouches (the AD bit, RFC 4035 section 3.2.3).

    It is asked about domains only, which are there: it must not learn that a host is not.
    """
    wanted = sorted(zones)
    answers = ask_all(ask, [Question(resolver, zone, "SOA", recurse=True) for zone in wanted])
    pairs = zip(wanted, answers, strict=True)
    return frozenset(z for z, answer in pairs if not isinstance(answer, NoAnswer) and answer.flags & dns.flags.AD)


def unsigned(stack: Stack, state: State, signed: Container[str]) -> tuple[str, ...]:
    """Return a sentence for each host whose key nobody is told of, or believes, because its zone is not signed."""
    return tuple(_unsigned(stack, state, signed))


def _unsigned(stack: Stack, state: State, signed: Container[str]) -> Iterator[str]:
    told = told_hosts(state.claims)
    for host in stack.hosts:
        zone = _zone(stack, host)
        if not host.dane or zone in signed:
            continue
        why = f"no validating resolver vouches for {zone}: sign it with DNSSEC, or set dane to () for the host"
        if host.name in told:
            yield f"{host.name}: senders no longer believe its TLSA records, which stay: {why}."
        else:
            yield f"{host.name}: no TLSA records are written (DANE): {why}."


def ended(policies: Container[str], claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return a sentence for each domain whose policy ends although senders may hold it to one (RFC 8461 section 8.3).

    Arguments: ``policies``: the domains that have one.
    """
    told = (c.name.removeprefix("_mta-sts.") for c in claims if c.type == "TXT" and c.name.startswith("_mta-sts."))
    return tuple(_ENDED.format(domain=domain) for domain in sorted({*told}) if domain not in policies)


def _zone(stack: Stack, host: Host) -> str:
    domain = stack.covering(host.name)
    return domain.name if domain else ""


def _as_declared(host: Host, state: State) -> bool:
    # The self-signed one that a host in acme mode begins with has its key, and nobody has to rely on it yet.
    certificate = state.certificate_of(host.name)
    return certificate is not None and certificate.mode == host.tls.mode


def _policies(stack: Stack, claims: Collection[Claim], now: datetime) -> Mapping[str, str]:
    clock = Clock(now, retention(stack, ()))
    # What caches have forgotten is struck as soon as anything is written.
    exchanges = sts.exchanges(c for c in claims if not (c.left and clock.forgotten(c)))
    texts = ((d.name, sts.policy(stack, d, exchanges.get(d.name, ()))) for d in stack.domains)
    return {name: sts.policy_id(text) for name, text in texts if text}
