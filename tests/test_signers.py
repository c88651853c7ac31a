"""What a host signs with, judged by one look: known only if what its signers loaded is known."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sendwright.deploys.guard import SESSION
from sendwright.deploys.material import Material
from sendwright.deploys.opendkim import instance_paths, key_path, opendkim, unit
from sendwright.lines import HostSeen
from sendwright.observation import Observation, PathState, Stamp, Stray, UnitState
from sendwright.service import Release, Service
from sendwright.signers import host_seen, restarted_clocks, unprovisioned
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import Certificate, DkimKey, KeyStage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1 = "mx1.example.com"
HOST = Host.model_validate({"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]})
CONF, KEYS, SIGNERS = instance_paths(DkimAlgorithm.RSA)
WRITTEN, STARTED, NOTED, LATER = 100.0, 50.0, 200.0, 300.0


def _key(selector: str, stage: KeyStage = KeyStage.SIGNING, domain: str = "example.com") -> DkimKey:
    age = {"r1": 3, "r2": 2}.get(selector, 1)
    algorithm = DkimAlgorithm.ED25519 if selector.startswith("e") else DkimAlgorithm.RSA
    digest = selector.encode().hex().ljust(64, "0")
    return DkimKey(domain, selector, algorithm, "AAAA", digest, NOW - timedelta(age), stage, None, (MX1,))


R1, R2, E1 = _key("r1"), _key("r2"), _key("e1")
BEFORE = (R1, replace(R2, stage=KeyStage.PROVEN), E1)
AFTER = (R1, R2, E1)


def _services(keys: tuple[DkimKey, ...], algorithms: tuple[str, ...] = ("rsa", "ed25519")) -> tuple[Service, ...]:
    names = sorted({k.domain for k in keys})
    domains = [Domain.model_validate({"name": n, "dns": "main", "dkim": {"algorithms": algorithms}}) for n in names]
    certificate = Certificate(MX1, "self-signed", "", keys[0].sealed, NOW, NOW)
    return (opendkim(Stack(hosts=(HOST,), domains=tuple(domains)), HOST, Material(certificate, keys)),)


def _seen(services: tuple[Service, ...], **changes: object) -> Observation:
    """Return a look at a host that is as these services say."""
    (service,) = services
    kind = "regular file"
    files = {f.path: PathState(kind, f.owner, f.group, f.mode, WRITTEN, f.sha256) for f in service.files}
    up = UnitState("loaded", "active", "enabled", STARTED)
    found = Observation(
        *("debian 12", Release.BOOKWORM, True, True, NOW.timestamp(), 1),
        paths=files,
        units=dict.fromkeys(service.reload_units, up),
        stamps={"opendkim": Stamp(service.digest, NOTED)},
        lifetime=timedelta(days=7),
        managed=True,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def _texts(services: tuple[Service, ...]) -> dict[str, str]:
    return {f.path: f.content for s in services for f in s.files if isinstance(f.content, str)}


def _names(*keys: DkimKey) -> frozenset[str]:
    return frozenset(k.record_name for k in keys)


def _judge(observation: Observation, keys: tuple[DkimKey, ...] = AFTER) -> HostSeen:
    return host_seen(observation, _services(keys), keys)


def _older(tables: Mapping[str, str] | None = None) -> Observation:
    """Return a look at a host that still has the tables from before a switch; ``tables``: what was read of them."""
    before = _services(BEFORE)
    return _seen(before, tables=_texts(before) if tables is None else tables)


def test_signers_that_loaded_what_is_desired_sign_with_what_is_desired() -> None:
    """Rows of probes do not count: a key that does not sign yet is probed."""
    seen = _judge(_seen(_services(BEFORE)), BEFORE)

    assert seen.signs == _names(R1, E1)
    assert seen.holds == _names(*AFTER)
    assert (seen.oldest, seen.clock) == (None, NOW)


def test_signers_that_loaded_older_tables_sign_with_what_those_say() -> None:
    """Between a promotion and the converging of a host, the old key signs and the new one does not."""
    assert _judge(_older()).signs == _names(R1, E1)
    assert _judge(_seen(_services(AFTER))).signs == _names(R2, E1)


def test_tables_that_were_not_read_are_not_guessed() -> None:
    """They were too large: nobody knows what such a host signs with."""
    assert _judge(_older({})).signs is None


@pytest.mark.parametrize("path", [CONF, KEYS, SIGNERS])
def test_signers_that_run_with_older_files_than_those_on_disk_sign_with_nobody_knows_what(path: str) -> None:
    """The files changed after they were loaded: even if they are as they should be."""
    observation = _seen(_services(AFTER))
    changed = replace(observation.paths[path], changed=LATER)

    assert _judge(replace(observation, paths={**observation.paths, path: changed})).signs is None


def test_signers_that_came_up_since_have_loaded_what_lies_on_disk() -> None:
    """A run that died before it could note what they loaded leaves no stamp."""
    services = _services(AFTER)
    restarted = dict.fromkeys(services[0].reload_units, UnitState("loaded", "active", "enabled", LATER))

    assert _judge(_seen(services, stamps={})).signs is None
    assert _judge(_seen(services, stamps={}, units=restarted)).signs == _names(R2, E1)


def test_signers_that_are_down_count_by_what_lies_on_disk() -> None:
    """They sign nothing now, and that with what lies there as soon as they are back."""
    down = dict.fromkeys((unit(a) for a in DkimAlgorithm), UnitState("loaded", "failed", "enabled", STARTED))

    assert _judge(replace(_older(), units=down, stamps={})).signs == _names(R1, E1)


def test_a_host_without_tables_signs_nothing_unless_a_signer_runs() -> None:
    """One that runs has loaded tables that somebody removed."""
    bare = _seen(_services(AFTER), paths={}, units={}, stamps={})

    assert _judge(bare).signs == frozenset()
    assert _judge(bare).holds == frozenset()
    assert _judge(replace(bare, units=_seen(_services(AFTER)).units)).signs is None


def test_another_signer_that_runs_or_would_is_not_looked_into() -> None:
    """Debian's own, or that of an algorithm which is no longer declared."""
    services = _services((R2,), ("rsa",))
    observation, up = _seen(services), UnitState("loaded", "active", "enabled", STARTED)
    left = instance_paths(DkimAlgorithm.ED25519)[0]

    assert host_seen(observation, services, (R2,)).signs == _names(R2)
    for name in ("opendkim.service", unit(DkimAlgorithm.ED25519)):
        running = replace(observation, units={**observation.units, name: up})
        assert host_seen(running, services, (R2,)).signs is None
    lying = replace(observation, paths={**observation.paths, left: observation.paths[CONF]})
    assert host_seen(lying, services, (R2,)).signs is None


@pytest.mark.parametrize(
    ("path", "old", "new", "signs"),
    [
        (SIGNERS, "example.com r1.", "someone@example.com r2.", {R2, E1}),
        (SIGNERS, "example.com r1.", "example.com e1.", {E1}),
        (SIGNERS, "example.com r1._domainkey.example.com", "example.com no-proven-key", {E1}),
        (SIGNERS, "\nexample.com ", "\nexample.com\t", {R1, E1}),
        (SIGNERS, "example.com r1._domainkey.example.com", "example.com r1._domainkey.example.com:i@j", {R1, E1}),
        (KEYS, "r1._domainkey.example.com example.com:r1:", "r1._domainkey.example.com example.com:R2:", {R2, E1}),
        (KEYS, "r1._domainkey.example.com example.com:r1:", "r1._domainkey.example.com %:r1:", None),
        (KEYS, "example.com:r1:", "example.com:r1", None),
        (CONF, "rsa.signingtable", "other.signingtable", None),
        (CONF, "KeyTable ", "KEYTABLE\t", {R1, E1}),
        (CONF, "Mode ", "Include /etc/more.conf\nMode ", None),
        (CONF, "Syslog ", "# Domain example.com\nSyslog ", {R1, E1}),
    ],
)
def test_what_somebody_edited_is_judged_by_what_it_says(
    path: str, old: str, new: str, signs: set[DkimKey] | None
) -> None:
    """Tables and configuration as OpenDKIM reads them, and not by where they came from."""
    texts = _texts(_services(BEFORE))
    assert old in texts[path]
    observation = _older(texts | {path: texts[path].replace(old, new)})
    paths = {**observation.paths, path: replace(observation.paths[path], sha256="f" * 64)}
    expected = None if signs is None else _names(*signs)

    assert _judge(replace(observation, paths=paths), BEFORE).signs == expected


NET = _key("r9", domain="example.net")
ABSENT = {p: PathState("regular file", "root", "root", 0o644, WRITTEN) for p in instance_paths(DkimAlgorithm.ED25519)}


@pytest.mark.parametrize(
    ("before", "after", "algorithms", "names"),
    [
        ((R1, E1), (R1, R2, E1), ("rsa", "ed25519"), ()),
        ((R1, E1, NET), (R1, R2, E1), ("rsa", "ed25519"), ("example.net",)),
        ((R1, E1), (R1, E1, NET), ("rsa", "ed25519"), ()),
        ((R1, E1), (R1, E1), ("rsa",), ("example.com", MX1)),
    ],
)
def test_tables_that_would_leave_mail_unsigned_until_the_host_is_provisioned_are_found_out(
    before: tuple[DkimKey, ...], after: tuple[DkimKey, ...], algorithms: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Its Postfix still takes mail of a domain that left the inventory, and asks a signer that is not declared now."""
    was = _services(before)
    gone = ABSENT if "ed25519" not in algorithms else {}
    seen = _seen(was, tables=_texts(was), paths={**_seen(was).paths, **gone})

    assert unprovisioned(seen, _services(after, algorithms)) == names


def test_a_name_that_waits_for_its_keys_is_signed_by_as_many_signers_when_one_is_proven() -> None:
    """Its mail was not taken: the signer that its row leaves never signed it."""
    waiting = tuple(replace(k, stage=KeyStage.PROVEN, proven_on=()) for k in (R1, E1))
    was = _services(waiting)

    assert unprovisioned(_seen(was, tables=_texts(was)), _services((R1, waiting[1]))) == ()


def test_a_key_that_is_damaged_or_that_a_signer_may_not_read_is_not_held() -> None:
    """Its owner and mode count: OpenDKIM refuses what others can read."""
    observation, path = _seen(_services(AFTER)), key_path(R2)
    for changes in ({"sha256": "f" * 64}, {"mode": 0o644}, {"owner": "root"}, {"kind": "symbolic link"}):
        damaged = replace(observation.paths[path], **changes)
        assert _judge(replace(observation, paths={**observation.paths, path: damaged})).holds == _names(R1, E1)


def test_a_key_that_should_be_gone_is_held_until_it_is() -> None:
    """A revoked key's private part is a stray in a folder of ours."""
    revoked = replace(R1, stage=KeyStage.REVOKED)
    keys = (revoked, R2, E1)
    observation = _seen(_services(keys))

    assert _judge(observation, keys).holds == _names(R2, E1)
    assert _judge(replace(observation, entries=(Stray(key_path(R1)),)), keys).holds == _names(*AFTER)


def test_a_host_whose_postfix_says_nothing_keeps_mail_for_as_long_as_postfix_usually_does() -> None:
    """Five days, and five for the bounce."""
    assert _judge(_seen(_services(AFTER), lifetime=None)).lifetime == timedelta(days=10) + SESSION


def test_mail_of_a_session_that_began_before_a_switch_is_reckoned_with() -> None:
    """It is signed by the old key after every host was seen to sign with the new one."""
    seen = _judge(_seen(_services(AFTER), oldest=NOW))

    assert (seen.lifetime, seen.oldest) == (timedelta(days=7) + SESSION, NOW - SESSION)


def test_a_host_of_an_unknown_release_signs_with_nobody_knows_what() -> None:
    """Nothing was looked at, and no services are for it."""
    observation = Observation("ubuntu 24.04", None, True, True, NOW.timestamp(), 1)

    seen = host_seen(observation, (), AFTER)

    assert (seen.signs, seen.holds) == (None, frozenset())


def test_a_host_that_sends_for_no_domain_signs_with_nothing() -> None:
    """Its signers are down; one that runs all the same may sign with whatever it loaded."""
    certificate = Certificate(MX1, "self-signed", "", R1.sealed, NOW, NOW)
    locked = Domain.model_validate({"name": "example.com", "dns": "main", "sends": False})
    services = (opendkim(Stack(hosts=(HOST,), domains=(locked,)), HOST, Material(certificate, ())),)
    observation = _seen(services)
    up = {unit(DkimAlgorithm.RSA): UnitState("loaded", "active", "enabled", STARTED)}

    assert host_seen(observation, services, (R1,)).signs == frozenset()
    assert host_seen(replace(observation, units=up), services, (R1,)).signs is None


def test_a_host_that_signs_with_a_retiring_key_stops_its_clock() -> None:
    """Set back from a backup it does; once it is converged nobody could see that any more."""
    stack = Stack(hosts=(HOST,), domains=(Domain.model_validate({"name": "example.com", "dns": "main"}),))
    old = replace(R1, stage=KeyStage.RETIRING, last_signed=NOW, drained=NOW)
    seen = {signs: replace(_judge(_seen(_services(AFTER))), signs=signs) for signs in (None, _names(R1), _names(R2))}

    found = {signs: restarted_clocks(stack, (old, R2), {MX1: host}) for signs, host in seen.items()}

    stopped = replace(old, last_signed=None, drained=None)
    assert found == {None: (stopped, R2), _names(R1): (stopped, R2), _names(R2): (old, R2)}
    assert restarted_clocks(stack, (old, R2), {}) == (old, R2)


def test_a_host_that_left_the_domain_and_signs_with_its_retiring_key_stops_its_clock() -> None:
    """Nobody has provisioned it since."""
    locked = Domain.model_validate({"name": "example.com", "dns": "main", "sends": False})
    seen = {MX1: replace(_judge(_seen(_services(AFTER))), signs=_names(R1))}

    for proven_on, former in (((MX1,), ()), ((), (MX1,))):
        places = replace(R1, proven_on=proven_on, former=former)
        old = replace(places, stage=KeyStage.RETIRING, last_signed=NOW, drained=NOW)
        (found,) = restarted_clocks(Stack(hosts=(HOST,), domains=(locked,)), (old,), seen)
        assert (found.last_signed, found.drained) == (None, None)
