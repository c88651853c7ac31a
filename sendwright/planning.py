"""From what is wanted and what was seen to the one Plan over keys, DNS and hosts. Pure.

What judges DNS and certificates is imported where it is used: what hosts should run is needed before, to look at them.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sendwright import delegated, dkim, egress, hostdiff, lines, signing
from sendwright.deploys.material import Material
from sendwright.deploys.opendkim import key_path
from sendwright.deploys.sender import services as sender_services
from sendwright.observation import Observation
from sendwright.plan import Action, Change, Kind, Plan, Stage
from sendwright.service import Release, Sealed, Service
from sendwright.stack import DkimAlgorithm, Domain, Host, HostState, Stack
from sendwright.state.model import Certificate, DkimKey, KeyStage, State

if TYPE_CHECKING:
    from sendwright.dns.plan import Changes

_LATER = "(known after generation)"
_UNKNOWN = "0" * 64
_AWAITS_TLSA = (
    "{host}: the certificate in its file is not installed yet: it has another key than its TLSA records tell of, and "
    "these are withdrawn first. Run again when they are gone from caches, ten minutes after the last of them."
)


@dataclass(frozen=True)
class Seen:
    """The world as it was looked at: hosts that answered and are fit, what each zone needs, what a person must do.

    ``chains``: the certificate chains in declared files, by host; ``notes``: what stays in the zones, and why;
    ``working``: the hosts that an MX may point at; None: those that were seen; ``orders``: why certificates have to be
    ordered from an authority, by host.
    """

    hosts: Mapping[str, Observation]
    zones: "tuple[Changes, ...]" = ()
    needed: tuple[str, ...] = ()
    chains: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    working: Container[str] | None = None
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def missing_keys(stack: Stack, keys: Iterable[DkimKey]) -> tuple[tuple[Domain, DkimAlgorithm], ...]:
    """Return the keys that have to be generated: an algorithm that a domain declares and has no usable key for."""
    of = signing.by_domain(keys)
    # A key that retires does not sign again: its algorithm was switched off for a while.
    usable = ((d, k) for d in stack.domains for k in signing.installed(d, of[d.name]))
    have = {(d.name, k.algorithm) for d, k in usable if k.stage is not KeyStage.RETIRING}
    sending = (d for d in stack.domains if d.sends)
    return tuple((d, a) for d in sending for a in d.dkim.algorithms if (d.name, a) not in have)


def believed(
    keys: Iterable[DkimKey],
    hosts: Mapping[str, Observation],
    created: Container[str] = (),
    returning: Collection[str] = (),
) -> tuple[DkimKey, ...]:
    """Return the keys without the proofs that no longer hold: a reinstalled host proves itself anew.

    A host that does not have a key any more has to prove it again: the host or the domain was out of the inventory, and
    caches may hold records from then. A host that has it goes on signing: no other key is better. A living one without
    it may have mail in its queues that it signed, and is a former one. Arguments: ``created``: the names of records
    that are about to be created; since when such a key was served is worth nothing;
    ``returning``: hosts whose name has no address yet: whatever lies on them, SPF records without them are remembered.
    """
    return tuple(
        _believed(key, hosts, key.txt_name in created or key.record_name in created, returning) for key in keys
    )


def _believed(key: DkimKey, hosts: Mapping[str, Observation], created: bool, returning: Collection[str]) -> DkimKey:
    bare = {n for n, seen in hosts.items() if not seen.managed}
    lacking = {n for n, seen in hosts.items() if key_path(key) not in seen.paths} | bare | {*returning}
    kept = tuple(name for name in key.proven_on if name not in lacking)
    former = {*key.former, *key.proven_on}.difference(kept, bare)
    since = None if created else key.served_since
    return replace(key, proven_on=kept, former=tuple(sorted(former)), served_since=since)


def unproven(stack: Stack, host: Host, keys: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
    """Return the keys that lie on a host and have not been proven there."""
    of = signing.by_domain(keys)
    found = (k for d in stack.domains_of(host) for k in signing.installed(d, of[d.name]))
    return tuple(k for k in found if host.name not in k.proven_on and k.stage is not KeyStage.RETIRING)


def proven(keys: Iterable[DkimKey], proofs: Mapping[str, frozenset[str]], now: datetime) -> tuple[DkimKey, ...]:
    """Return the keys that change when probes have verified: ``proofs`` maps record names to the hosts of the proof.

    The first key of its kind signs as soon as it is proven somewhere, from ``now`` on; a later one stays proven until a
    rotation.
    """
    keys = tuple(keys)
    taken = {(k.domain, k.algorithm) for k in keys if k.stage is KeyStage.SIGNING}
    changed = []
    for key in keys:
        hosts = proofs.get(key.record_name, frozenset())
        if not hosts:
            continue
        after = replace(key, proven_on=tuple(sorted({*key.proven_on, *hosts})))
        if key.stage in lines.NEW and (key.domain, key.algorithm) in taken:
            after = replace(after, stage=KeyStage.PROVEN)
        elif key.stage in lines.NEW:
            after = lines.promoted(after, now)
            taken.add((key.domain, key.algorithm))
        changed.append(after)
    return tuple(changed)


def copied(
    stack: Stack, keys: Iterable[DkimKey], hosts: Container[str], seen: Iterable[Observation] = ()
) -> frozenset[str]:
    """Return the names of the records of keys that some host holds.

    Arguments: ``hosts``: those that are as they should be; ``seen``: looks at any others, with what lay there.
    """
    of = signing.by_domain(keys)
    served = (d for d in stack.domains if any(h.name in hosts for h in stack.hosts_of(d)))
    new = [k for found in of.values() for k in found if k.stage is KeyStage.GENERATED]
    return frozenset(k.txt_name for d in served for k in signing.installed(d, of[d.name])) | frozenset(
        k.txt_name for look in seen for k in new if _lies(k, look)
    )


def _lies(key: DkimKey, seen: Observation) -> bool:
    found = seen.paths.get(key_path(key))
    return found is not None and found.sha256 == key.pem_sha256


def published(keys: Iterable[DkimKey], names: Container[str]) -> tuple[DkimKey, ...]:
    """Return the keys that change when their records are there; ``names``: of the records that are."""
    new = (k for k in keys if k.stage is KeyStage.GENERATED and k.txt_name in names)
    return tuple(replace(key, stage=KeyStage.PUBLISHED) for key in new)


def gone(keys: Iterable[DkimKey], standing: Container[str], now: datetime) -> tuple[DkimKey, ...]:
    """Return the removed keys whose records went just now, with their selectors resting from ``now`` on.

    Arguments: ``standing``: names at which a record of ours stood until then.
    """
    went = (k for k in keys if k.stage is KeyStage.REMOVED and k.txt_name in standing)
    return tuple(replace(key, removed=now) for key in went)


def services(stack: Stack, host: Host, release: Release, state: State) -> tuple[Service, ...]:
    """Return what a host should run, given what is remembered; a certificate that does not exist yet has no content."""
    certificate = state.certificate_of(host.name) or _planned_certificate(host)
    return sender_services(stack, host, release, Material.of(host, certificate, state))


def desired(stack: Stack, host: Host, state: State) -> dict[Release, tuple[Service, ...]]:
    """Return what a host should run for each release that it may turn out to have."""
    return {release: services(stack, host, release, state) for release in Release}


def desired_on(stack: Stack, names: Iterable[str], state: State) -> dict[str, dict[Release, tuple[Service, ...]]]:
    """Return what each of the named hosts should run, for each release."""
    return {name: desired(stack, stack.host(name), state) for name in names}


def planned(stack: Stack, state: State, now: datetime) -> State:
    """Return the state as it will be once missing keys are generated: their content is known after generation.

    None is for which no selector is free.
    """
    keys = list(state.keys)
    of = signing.by_domain(keys)
    for domain, algorithm in missing_keys(stack, keys):
        if place := dkim.place(domain, algorithm, now, of[domain.name], state.standing):
            keys.append(DkimKey(domain.name, place.selector, algorithm, "", _UNKNOWN, now, target=place.target))
    return replace(state, keys=tuple(keys))


def _unplaced(stack: Stack, state: State) -> Iterator[str]:
    """Yield a sentence for each key that is still missing: its domain's fixed selectors are all in use."""
    of = signing.by_domain(state.keys)
    for domain, algorithm in missing_keys(stack, state.keys):
        found = delegated.slots(domain, algorithm, of[domain.name], state.standing)
        names, at = ", ".join(slot.selector for slot in found), delegated.free_at(found)
        until = f" until {at:%Y-%m-%d %H:%M} UTC" if at else ""
        yield f"{domain.name}: no {algorithm} key is made yet: each of {names} is in use{until}"


def certificates_due(hosts: Iterable[Host], state: State, chains: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Return why each of the hosts that needs a new certificate needs it; ``chains``: what lies in declared files.

    One from a file waits where senders may know the host by another key (``awaiting_tlsa``).
    """
    from sendwright import certs

    hosts = tuple(hosts)
    due = {h.name: certs.due(state.certificate_of(h.name), h, now, state.authority, chains.get(h.name)) for h in hosts}
    waiting = awaiting_tlsa(hosts, state, chains)
    return {name: why for name, why in due.items() if why and name not in waiting}


def awaiting_tlsa(hosts: Iterable[Host], state: State, chains: Mapping[str, str]) -> frozenset[str]:
    """Return the hosts whose declared files hold another key than senders may know them by (TLSA).

    Such a key was never told ahead, so the records have to be gone first, from caches too: until then the ledger has
    them.
    """
    from sendwright import tlsa
    from sendwright.dns.tls_records import host_of

    told = {host_of(claim.name) for claim in state.claims if claim.type == "TLSA"}

    def another(host: Host) -> bool:
        certificate, chain = state.certificate_of(host.name), chains.get(host.name)
        if host.tls.mode != "file" or certificate is None or chain is None:
            return False
        return tlsa.spki_of_chain(chain) != tlsa.spki_of_chain(certificate.chain)

    return frozenset(host.name for host in hosts if host.name in told and another(host))


def make(stack: Stack, state: State, seen: Seen, now: datetime) -> Plan:
    """Return the Plan: everything that would change, and what only a person can do.

    Arguments: ``state``: what is remembered, with believed proofs; ``now``: with a time zone. Keys and records are
    those of the whole stack; certificates, MX and changes of hosts are planned for hosts that were seen only.
    """
    from sendwright import pointing
    from sendwright.dns.edits import as_plan

    later = planned(stack, state, now)
    new = later.keys[len(state.keys) :]
    working = seen.hosts if seen.working is None else seen.working
    safe = copied(stack, later.keys, seen.hosts)
    changes = [
        *_keys(new),
        *_certificates(stack, state, seen, now),
        *_orders(stack, seen),
        *_next_keys(stack, state, seen),
        *(change for zone in seen.zones for change in as_plan(pointing.possible(stack, zone, working, safe))),
        *_records(stack, new, safe),
    ]
    for name, observation in sorted(seen.hosts.items()):
        changes += _host(stack, stack.host(name), observation, later)
    hosts = [h for h in stack.hosts if h.name in seen.hosts]
    files = (_AWAITS_TLSA.format(host=name) for name in sorted(awaiting_tlsa(hosts, state, seen.chains)))
    notes = (*seen.notes, *_unplaced(stack, later), *files)
    return Plan(tuple(sorted(changes, key=lambda c: c.stage)), seen.needed, notes)


def _keys(keys: Iterable[DkimKey]) -> list[Change]:
    return [
        Change(
            *(Stage.PERSIST, Kind.KEY, Action.CREATE, key.domain),
            f"generate a DKIM key: {key.algorithm}, selector {key.selector}",
            "no usable key of this kind",
        )
        for key in keys
    ]


def _certificates(stack: Stack, state: State, seen: Seen, now: datetime) -> list[Change]:
    hosts = [h for h in stack.hosts if h.name in seen.hosts]
    return [
        Change(
            *(Stage.PERSIST, Kind.CERTIFICATE, Action.UPDATE if state.certificate_of(name) else Action.CREATE, name),
            f"issue a TLS certificate ({stack.host(name).tls.mode})",
            why,
        )
        for name, why in certificates_due(hosts, state, seen.chains, now).items()
    ]


def _orders(stack: Stack, seen: Seen) -> Iterator[Change]:
    for name, reasons in sorted(seen.orders.items()):
        host = stack.host(name)
        for why in reasons:
            text = f"order a TLS certificate from {stack.acme.directory}, and install it"
            yield Change(Stage.SWITCH, Kind.CERTIFICATE, Action.UPDATE, host.name, text, why)


def lacks_next_key(host: Host, state: State) -> bool:
    """Return whether a host's next TLS key is to be made ahead: senders are told of it before it is used.

    One of another kind than the inventory says never would be.
    """
    from sendwright import certs

    coming = state.next_of(host.name)
    ours = bool(host.dane) and host.tls.mode != "file"
    return ours and (coming is None or coming.kind != certs.kind_wanted(host))


def _next_keys(stack: Stack, state: State, seen: Seen) -> Iterator[Change]:
    for name in sorted(seen.hosts):
        if lacks_next_key(stack.host(name), state):
            why = "TLSA: senders have to know a key before it is used"
            yield Change(Stage.PERSIST, Kind.KEY, Action.CREATE, name, "make its next TLS key ahead", why)


def _records(stack: Stack, keys: Iterable[DkimKey], safe: Container[str]) -> Iterator[Change]:
    from sendwright.dns.records import first_stage

    for key in keys:
        stage = first_stage(stack, key)
        if stage is Stage.EXPAND or key.txt_name in safe:
            summary = f"TXT {key.txt_name} {_LATER}"
            yield Change(stage, Kind.DNS, Action.CREATE, key.domain, summary, "DKIM: the key that signs")


def moves(stack: Stack, host: Host, observation: Observation, state: State) -> bool:
    """Return whether a host that sends already would send from another address once it is converged."""
    if observation.release is None or not any(host.name in key.proven_on for key in state.keys):
        return False
    return egress.moves(services(stack, host, observation.release, state), observation)


def _host(stack: Stack, host: Host, observation: Observation, state: State) -> list[Change]:
    if observation.release is None:
        return []
    changes = list(hostdiff.diff(host.name, services(stack, host, observation.release, state), observation))
    if moves(stack, host, observation, state):
        changes = [replace(change, stage=Stage.SWITCH) for change in changes]
        text = "wait until the SPF records with its new address are served and fresh"
        changes.append(Change(Stage.WAIT, Kind.WAIT, Action.RUN, host.name, text, "until then it sends from the old"))
    waiting = unproven(stack, host, state.keys)
    if waiting:
        names = sorted({k.domain for k in waiting})
        changes += [
            Change(Stage.WAIT, Kind.WAIT, Action.RUN, host.name, f"wait until served and fresh: {_few(names)}"),
            Change(
                *(Stage.WAIT, Kind.PROBE, Action.RUN, host.name),
                f"sign {len(waiting)} probes and verify them through live DNS",
                "only a proven key signs",
            ),
            Change(
                *(Stage.SWITCH, Kind.HOST, Action.UPDATE, host.name),
                f"{_switch(host)} for {_few(names)}",
                "its keys are proven by then",
            ),
        ]
    return changes


def _switch(host: Host) -> str:
    return "sign and take submission" if host.state is HostState.ACTIVE else "sign"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _planned_certificate(host: Host) -> Certificate:
    unknown = datetime.fromtimestamp(0, UTC)
    return Certificate(
        host.name, host.tls.mode, f"{_LATER}\n", Sealed(f"tls/{host.name}.key", _UNKNOWN), unknown, unknown
    )
