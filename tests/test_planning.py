"""From what is wanted and seen to one plan: what is in it, in which order, and what waits for a proof."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import certs, dkim, hostdiff, planning, signing
from sendwright.deploys.opendkim import key_path
from sendwright.dns.plan import Changes, Create
from sendwright.observation import Observation, PathState, Stamp, UnitState
from sendwright.plan import Kind, Plan, Stage
from sendwright.planning import Seen
from sendwright.service import Directory, File, Release, Running, Sealed, Service
from sendwright.stack import DkimAlgorithm, Domain, Host, KeyStore, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage, NextKey, State

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1, MX2 = "mx1.example.com", "mx2.example.com"
BARE = Observation("Debian 12", Release.BOOKWORM, root=True, systemd=True, clock=NOW.timestamp(), disk_free=1 << 34)


def _host(name: str, last: int, **more: object) -> Host:
    egress = [{"public": f"203.0.113.{last}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, **more})


def _domain(name: str, **more: object) -> Domain:
    return Domain.model_validate({"name": name, "dns": "main", **more})


STACK = Stack(hosts=(_host(MX1, 10),), domains=(_domain("example.com"),))
TWO = Stack(
    hosts=(_host(MX1, 10), _host(MX2, 11)), domains=(_domain("example.com"), _domain("example.org", hosts=[MX1]))
)


def _key(stage: KeyStage, proven_on: tuple[str, ...] = (), selector: str = "r202611", days: int = 0) -> DkimKey:
    created = NOW + timedelta(days)
    return DkimKey("example.com", selector, DkimAlgorithm.RSA, "AAAA", "1" * 64, created, stage, None, proven_on)


def _remembered(stack: Stack, *, proven: bool) -> State:
    """What the state folder holds after a run that generated everything, and maybe proved it."""
    keys = []
    for domain in stack.domains:
        for algorithm in domain.dkim.algorithms:
            key, _ = dkim.generate(domain.name, algorithm, NOW)
            if proven:
                on = tuple(h.name for h in stack.hosts_of(domain))
                key = replace(key, stage=KeyStage.SIGNING, proven_on=on)
            keys.append(key)
    certificates = tuple(certs.issue(host, NOW, None, None, Path())[0] for host in stack.hosts)
    return State(tuple(keys), certificates)


def _converged(services: tuple[Service, ...]) -> Observation:
    """Return what a host looks like on which all of these services are as they should be."""
    return replace(
        BARE,
        managed=True,
        packages={name: "1" for s in services for name in s.packages},
        users=frozenset(u.name for s in services for u in s.users),
        memberships=frozenset(
            [
                *((u.name, g) for s in services for u in s.users for g in u.groups),
                *(m for s in services for m in s.memberships),
            ]
        ),
        paths={d.path: _lies(d) for s in services for d in s.directories}
        | {f.path: _lies(f) for s in services for f in s.files},
        units={u.name: _stands(u.state) for s in services for u in s.units},
        listening=frozenset((IPv4Address(0), socket.port) for s in services for socket in s.listens),
        stamps={s.name: Stamp(s.digest, NOW.timestamp()) for s in services},
    )


def _lies(thing: Directory | File) -> PathState:
    kind, digest = ("regular file", thing.sha256) if isinstance(thing, File) else ("directory", None)
    return PathState(kind, thing.owner, thing.group, thing.mode, NOW.timestamp() - 1, digest)


def _stands(wanted: Running) -> UnitState:
    up = wanted is Running.UP
    enabled = "enabled" if up else "disabled"
    if wanted is Running.MASKED:
        return UnitState("masked", "inactive", "masked")
    return UnitState("loaded", "active" if up else "inactive", enabled)


def _plan(stack: Stack, state: State, hosts: Mapping[str, Observation], *zones: Changes) -> Plan:
    return planning.make(stack, state, Seen(hosts, zones), NOW)


def test_a_converged_world_has_an_empty_plan() -> None:
    """Keys proven, certificate valid, host and zone as they should be: no changes at all."""
    state = _remembered(STACK, proven=True)
    services = planning.services(STACK, STACK.host(MX1), Release.BOOKWORM, state)
    seen = _converged(services)

    assert hostdiff.diff(MX1, services, seen) == ()
    assert _plan(STACK, state, {MX1: seen}, Changes("example.com")) == Plan()


def test_a_bare_world_is_planned_in_the_order_in_which_it_is_carried_out() -> None:
    """Keys and certificates, DNS, hosts, waiting and probes, and only then what opens submission."""
    address = Create(MX1, "A", 3600, "203.0.113.10", "why", Stage.EXPAND)
    plan = _plan(STACK, State(), {MX1: BARE}, Changes("example.com", (address,)))

    stages = [change.stage for change in plan.changes]
    assert stages == sorted(stages)
    assert [stage for stage, _ in plan.stages()] == [
        Stage.PERSIST,
        Stage.EXPAND,
        Stage.HOSTS,
        Stage.WAIT,
        Stage.SWITCH,
    ]


def test_a_key_that_is_yet_to_be_generated_is_known_later_and_never_an_empty_one() -> None:
    """An empty ``p=`` means revoked (RFC 6376 section 3.6.1): not even a plan may show one for a new key."""
    plan = _plan(STACK, State(), {MX1: BARE})

    records = [c for c in plan.changes if c.kind is Kind.DNS]
    assert [c.summary for c in records] == [
        "TXT r202611._domainkey.example.com (known after generation)",
        "TXT e202611._domainkey.example.com (known after generation)",
    ]
    assert not any("p=" in text for c in plan.changes for text in (c.summary, c.diff) if "_domainkey" in text)


def test_a_new_key_is_published_when_a_host_holds_it_or_at_once_where_a_command_makes_it_durable() -> None:
    """Its record comes with the hosts; a domain none of whose hosts was seen gets no record of a key without a copy."""
    pushed = STACK.model_copy(update={"key_store": KeyStore(push=("git", "push"))})

    for stack, hosts, expected in (
        (STACK, {MX1: BARE}, {Stage.HOSTS}),
        (STACK, {}, set()),
        (pushed, {MX1: BARE}, {Stage.EXPAND}),
        (pushed, {}, {Stage.EXPAND}),
    ):
        plan = _plan(stack, State(), hosts)
        assert {c.stage for c in plan.changes if c.kind is Kind.DNS} == expected


def test_a_copy_is_what_a_host_as_declared_holds_or_what_was_seen_there_whole() -> None:
    """The key that lies on a host that failed since counts; another one under its name does not."""
    key = _key(KeyStage.GENERATED)
    whole = PathState("regular file", "opendkim", "opendkim", 0o600, 0.0, key.pem_sha256)
    other = replace(whole, sha256="2" * 64)

    def found(hosts: set[str], lying: PathState) -> bool:
        seen = replace(BARE, paths={key_path(key): lying})
        return key.txt_name in planning.copied(TWO, [key], hosts, [seen])

    assert found({MX2}, other)
    assert found(set(), whole)
    assert not found(set(), other)
    assert not found({"mx3.example.com"}, other)


def test_only_a_generated_key_whose_record_is_there_becomes_published() -> None:
    """Whoever waits for a host goes on waiting; no key goes back."""
    keys = [_key(KeyStage.GENERATED), _key(KeyStage.GENERATED, selector="r2"), _key(KeyStage.SIGNING, selector="r3")]

    changed = planning.published(keys, {keys[0].txt_name, keys[2].txt_name})

    assert changed == (replace(keys[0], stage=KeyStage.PUBLISHED),)


def test_a_host_that_sends_moves_to_a_new_address_only_when_receivers_know_it() -> None:
    """It is converged at the switch, after a wait for SPF; a host that has not proven anything sends nothing yet."""
    state, moved = _remembered(STACK, proven=True), STACK.model_copy(update={"hosts": (_host(MX1, 99),)})
    seen = _converged(planning.services(STACK, STACK.host(MX1), Release.BOOKWORM, state))
    main = next(
        f
        for s in planning.services(STACK, STACK.host(MX1), Release.BOOKWORM, state)
        for f in s.files
        if f.path == "/etc/postfix/main.cf"
    )
    seen = replace(seen, paths={**seen.paths, main.path: replace(seen.paths[main.path], content=str(main.content))})

    plan = _plan(moved, state, {MX1: seen})
    new = _plan(moved, replace(state, keys=tuple(replace(k, proven_on=()) for k in state.keys)), {MX1: seen})

    main_cf = [c for c in plan.changes if "main.cf" in c.summary]
    assert [c.stage for c in main_cf] == [Stage.SWITCH]
    assert [c.summary for c in plan.changes if c.stage is Stage.WAIT] == [
        "wait until the SPF records with its new address are served and fresh"
    ]
    assert [c.stage for c in new.changes if "main.cf" in c.summary] == [Stage.HOSTS]


def test_the_hosts_that_were_not_seen_are_left_alone() -> None:
    """``--limit``, or a host that does not answer: no certificate, no MX and no change is planned for it."""
    mx = tuple(Create("example.com", "MX", 3600, f"10 {name}.", "why", Stage.HOSTS) for name in (MX1, MX2))

    plan = _plan(TWO, State(), {MX1: BARE}, Changes("example.com", mx))

    assert {c.subject for c in plan.changes if c.kind in {Kind.HOST, Kind.CERTIFICATE, Kind.PROBE}} == {MX1}
    assert [c.summary for c in plan.changes if "MX" in c.summary] == [f"MX example.com 10 {MX1}."]


def test_keys_are_those_of_every_domain_whatever_the_hosts() -> None:
    """A key belongs to a domain, not to a host: what is generated does not depend on ``--limit``."""
    plan = _plan(TWO, State(), {MX2: BARE})

    assert sorted(c.subject for c in plan.changes if c.kind is Kind.KEY) == ["example.com"] * 2 + ["example.org"] * 2


def test_a_draining_host_proves_its_keys_and_takes_no_submission() -> None:
    """It signs what is left in its queue; the plan promises no more than that."""
    stack = Stack(hosts=(_host(MX1, 10, state="draining"),), domains=STACK.domains)

    plan = _plan(stack, State(), {MX1: BARE})

    assert [c.summary for c in plan.changes if c.stage is Stage.SWITCH] == ["sign for example.com"]


def test_a_reinstalled_host_proves_itself_anew_and_the_others_stay_proven() -> None:
    """Bare means that nothing is known of it any more: proofs of the machine before are worth nothing."""
    key = _key(KeyStage.SIGNING, (MX1, MX2))

    signs = replace(BARE, managed=True, paths={key_path(key): _lies(File(key_path(key), ""))})

    (believed,) = planning.believed([key], {MX1: BARE, MX2: signs})

    assert believed == replace(key, proven_on=(MX2,))
    assert planning.unproven(TWO, TWO.host(MX1), [believed]) == (believed,)
    assert planning.unproven(TWO, TWO.host(MX2), [believed]) == ()


def test_a_key_is_proven_again_where_it_does_not_lie_any_more() -> None:
    """A domain that returns to a host: caches may hold an SPF record without the host, or that there is no key.

    That the host signed with it is not forgotten: its queue may hold mail.
    """
    key = replace(_key(KeyStage.SIGNING, (MX1, MX2)), served_since=NOW)
    without = replace(BARE, managed=True)
    signs = replace(without, paths={key_path(key): _lies(File(key_path(key), ""))})

    (created,) = planning.believed([key], {MX1: without, MX2: signs}, {key.record_name})
    (there,) = planning.believed([key], {MX1: without, MX2: signs}, {"other._domainkey.example.com"})

    assert created == replace(key, proven_on=(MX2,), former=(MX1,), served_since=None)
    assert there == replace(key, proven_on=(MX2,), former=(MX1,))


def test_a_host_that_was_away_proves_itself_anew_even_with_everything_in_its_place() -> None:
    """It was drained, removed and withdrawn from SPF, and nobody touched it: others remember SPF without it."""
    key = _key(KeyStage.SIGNING, (MX1, MX2))
    seen = replace(BARE, managed=True, paths={key_path(key): _lies(File(key_path(key), ""))})

    (believed,) = planning.believed([key], {MX1: seen, MX2: seen}, returning={MX2})

    assert believed == replace(key, proven_on=(MX1,), former=(MX2,))


def test_the_first_key_signs_as_soon_as_it_is_proven() -> None:
    """Nothing signed before it, so there is nothing to switch from."""
    proofs = {"r202611._domainkey.example.com": frozenset({MX1})}
    (key,) = planning.proven([_key(KeyStage.PUBLISHED)], proofs, NOW)

    assert (key.stage, key.proven_on) == (KeyStage.SIGNING, (MX1,))


def test_a_key_is_due_from_when_it_began_to_sign_and_another_proof_changes_nothing_about_that() -> None:
    """The first proof starts the clock; a host that proves it later does not start it again."""
    name, later = "r202611._domainkey.example.com", NOW + timedelta(days=9)
    (first,) = planning.proven([_key(KeyStage.PUBLISHED)], {name: frozenset({MX1})}, NOW)
    (second,) = planning.proven([first], {name: frozenset({MX2})}, later)

    assert (first.signing_since, second.signing_since) == (NOW, NOW)
    assert second.proven_on == (MX1, MX2)


def test_a_later_key_stays_proven_while_its_predecessor_signs() -> None:
    """When to switch is a rotation's decision, not a probe's."""
    old, new = _key(KeyStage.SIGNING, (MX1,)), _key(KeyStage.PUBLISHED, selector="r202611b", days=1)

    (changed,) = planning.proven([old, new], {new.record_name: frozenset({MX1})}, NOW)

    assert changed == replace(new, stage=KeyStage.PROVEN, proven_on=(MX1,))


def test_two_new_keys_of_a_kind_never_both_begin_to_sign() -> None:
    """Proven by the same round of probes, one signs and the other stays proven."""
    one, two = _key(KeyStage.PUBLISHED), _key(KeyStage.PUBLISHED, selector="r202611b", days=1)

    changed = planning.proven([one, two], {k.record_name: frozenset({MX1}) for k in (one, two)}, NOW)

    assert sorted(k.stage for k in changed) == [KeyStage.PROVEN, KeyStage.SIGNING]


@given(
    st.lists(st.sampled_from(KeyStage), max_size=4),
    st.dictionaries(st.integers(0, 3), st.sets(st.sampled_from([MX1, MX2]), min_size=1)),
)
def test_a_proof_only_ever_adds_and_only_where_it_was_given(
    stages: list[KeyStage], proofs: dict[int, set[str]]
) -> None:
    """No probe takes a proof away or moves a key back, and a key without a proof does not change."""
    held = [_key(stage, selector=f"r{number}") for number, stage in enumerate(stages)]
    given_to = {held[n].record_name: frozenset(hosts) for n, hosts in proofs.items() if n < len(held)}

    changed = {k.record_name: k for k in planning.proven(held, given_to, NOW)}

    assert changed.keys() == given_to.keys()
    for before in held:
        after = changed.get(before.record_name, before)
        assert set(after.proven_on) == given_to.get(before.record_name, set())
        assert list(KeyStage).index(after.stage) >= list(KeyStage).index(before.stage)


@pytest.mark.parametrize("stage", [KeyStage.REVOKED, KeyStage.REMOVED])
def test_a_key_that_was_given_up_is_replaced(stage: KeyStage) -> None:
    """A domain without a usable key of a declared kind gets a new one, under a selector that was never used."""
    later = planning.planned(STACK, State((_key(stage),)), NOW)

    rsa = [k for k in later.keys if k.algorithm is DkimAlgorithm.RSA]
    assert [k.selector for k in rsa] == ["r202611", "r202611b"]


def test_a_key_stays_while_its_algorithm_is_switched_off_and_serves_when_it_is_on_again() -> None:
    """Switching Ed25519 off and on generates nothing and proves nothing anew."""
    state = _remembered(STACK, proven=True)
    off = Stack(hosts=STACK.hosts, domains=(_domain("example.com", dkim={"algorithms": ["rsa"]}),))

    for stack in (off, STACK):
        assert planning.missing_keys(stack, state.keys) == ()
        assert planning.unproven(stack, stack.host(MX1), state.keys) == ()
        assert all(signing.signs(stack.domains[0], host, state.keys) for host in stack.hosts)


def test_an_algorithm_that_is_switched_on_again_gets_a_new_key() -> None:
    """What retires never signs again: until it is gone the domain would have no key of that kind."""
    state = _remembered(STACK, proven=True)
    keys = [replace(k, stage=KeyStage.RETIRING) if k.algorithm is DkimAlgorithm.ED25519 else k for k in state.keys]

    assert planning.missing_keys(STACK, keys) == ((STACK.domains[0], DkimAlgorithm.ED25519),)


def test_a_certificate_is_planned_with_the_reason() -> None:
    """One that is about to end says so; one that is fine is not touched."""
    certificate, _ = certs.issue(STACK.host(MX1), NOW, None, None, Path())
    state = State(certificates=(certificate,))

    assert planning.certificates_due(STACK.hosts, state, {}, NOW) == {}
    assert planning.certificates_due(STACK.hosts, state, {}, certificate.not_after).keys() == {MX1}


def test_a_key_from_a_file_waits_until_no_sender_knows_the_host_by_another() -> None:
    """Senders that enforce DANE would defer all mail: TLSA records go first, and caches forget them (RFC 7671 8.1)."""
    acme = _host(MX1, 10, tls="acme")
    file = _host(MX1, 10, tls={"mode": "file", "certificate": "chain.pem", "key": {"file": "key.pem"}})
    old, pem = certs.issue(acme, NOW)
    chains = {MX1: certs.issue(acme, NOW)[0].chain}
    claim = Claim("example.com", f"_25._tcp.{MX1}", "TLSA", f"3 1 1 {'a' * 64}", NOW, "main")
    told = State(certificates=(replace(old, mode="acme"),), claims=(claim,))
    withdrawn = replace(told, claims=(replace(claim, left=NOW, withdrawn=True),))

    for state in (told, withdrawn):
        assert planning.certificates_due((file,), state, chains, NOW) == {}
        plan = planning.make(replace_hosts(file), state, Seen({MX1: BARE}, chains=chains), NOW)
        assert not [c for c in plan.changes if c.kind is Kind.CERTIFICATE]
        assert f"{MX1}: the certificate in its file is not installed yet" in " ".join(plan.notes)
    assert planning.certificates_due((file,), replace(told, claims=()), chains, NOW).keys() == {MX1}
    same = {MX1: certs.issue(acme, NOW, None, pem)[0].chain}
    assert planning.certificates_due((file,), told, same, NOW).keys() == {MX1}


def replace_hosts(*hosts: Host) -> Stack:
    """Return the stack with other hosts."""
    return STACK.model_copy(update={"hosts": hosts})


def test_what_only_a_person_can_do_is_handed_on() -> None:
    """It is part of the plan and no change, so a world that only lacks it is unchanged."""
    plan = planning.make(STACK, _remembered(STACK, proven=True), Seen({}, needed=("set a PTR",)), NOW)

    assert plan.empty
    assert plan.needed == ("set a PTR",)


def test_a_next_tls_key_is_made_ahead_where_senders_are_told_and_again_for_another_kind() -> None:
    """A key of a kind that the inventory does not say is never used: whoever waits for it would wait for ever."""
    dane, rsa = ({"mode": "acme"}, {"mode": "acme", "key": "rsa"})
    hosts = [_host(MX1, 10, tls=tls) for tls in (dane, rsa, "self-signed")]
    made = State(next_keys=(NextKey(MX1, Sealed("tls/x.key", "0" * 64), "1" * 64, NOW),))

    assert [planning.lacks_next_key(host, State()) for host in hosts] == [True, True, False]
    assert [planning.lacks_next_key(host, made) for host in hosts] == [False, True, False]
