"""What is remembered of records that are waited for, and which keys probes prove."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dkim as dkimpy
import pytest

from sendwright import dkim, proving
from sendwright.dns.freshness import Progress, Target, Timing
from sendwright.dns.propagation import World
from sendwright.dns.transport import query
from sendwright.probing import judged, proves
from sendwright.signing import probe_address
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1, MX2 = "mx1.example.com", "mx2.example.com"
OURS = "ours.example"


def _nothing(name: str) -> bytes | None:
    del name
    return None


def _key(selector: str, served_since: datetime | None = None) -> DkimKey:
    return DkimKey("example.com", selector, DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW, KeyStage.PUBLISHED, served_since)


def _aliased(served_since: datetime | None = None) -> DkimKey:
    return replace(_key("s1", served_since), target=f"s1.example.com._domainkey.{OURS}")


def _way(key: DkimKey) -> tuple[Target, ...]:
    alias = proving.alias("example.com", key)
    return (*([alias] if alias else []), proving.target(OURS if key.target else "example.com", key))


def _awaiting(*keys: DkimKey) -> proving.Published:
    known = {target: Timing() for key in keys for target in _way(key)}
    return proving.Published(World(query, "", {}), known, {}, timedelta())


def test_what_was_seen_served_is_remembered() -> None:
    """The clock of a new key begins when every server was first seen to have it."""
    key = _key("r1")
    fresh = Progress({proving.target("example.com", key): NOW}, ())

    assert proving.served([key], _awaiting(key), fresh) == (replace(key, served_since=NOW),)


def test_a_break_forgets() -> None:
    """A server that lost the record may have told resolvers so: the clock starts again."""
    key = _key("r1", NOW)

    assert proving.served([key], _awaiting(key), Progress({}, ())) == (replace(key, served_since=None),)


def test_the_clock_of_an_imported_key_is_that_of_its_owners_record() -> None:
    """It says the same in other words."""
    key = _key("r1")
    (ours,) = _awaiting(key).known
    theirs = replace(ours, value='"in other words"')
    published = replace(_awaiting(key), known={theirs: Timing()})

    assert proving.served([key], published, Progress({theirs: NOW}, ())) == (replace(key, served_since=NOW),)


def test_a_key_that_nobody_looked_at_keeps_its_clock() -> None:
    """A run that adds a domain says nothing about the keys that are in use already."""
    new, old = _key("r2"), _key("r1", NOW)

    assert proving.served([old, new], _awaiting(new), Progress({}, ())) == ()


def test_a_key_whose_zone_is_not_looked_at_keeps_its_clock() -> None:
    """Its zone could not be read: that is no sign that its servers lost anything."""
    assert proving.served([_key("r1", NOW)], _awaiting(), Progress({}, ())) == ()


def test_a_delegated_key_is_served_since_both_it_and_its_alias_are() -> None:
    """Verifiers need the whole way, and each part of it has a zone of its own."""
    key, later = _aliased(), NOW + timedelta(minutes=5)
    alias, record = _way(key)

    (both,) = proving.served([key], _awaiting(key), Progress({record: NOW, alias: later}, ()))

    assert (record.zone, record.name) == (OURS, key.txt_name)
    assert (alias.zone, alias.name, alias.value) == ("example.com", key.record_name, f"{key.txt_name}.")
    assert both.served_since == later


@pytest.mark.parametrize("part", [0, 1])
def test_a_break_of_either_part_forgets(part: int) -> None:
    """A key whose alias went is as invisible as one whose record went."""
    key = _aliased(NOW)

    (after,) = proving.served([key], _awaiting(key), Progress({_way(key)[part]: NOW}, ()))

    assert after.served_since is None


@pytest.mark.parametrize("part", [0, 1])
def test_a_key_is_found_only_by_all_that_leads_to_it(part: int) -> None:
    """What was not looked at is not taken to be served."""
    key = _aliased()

    assert proving.way(key, proving.by_place(_way(key))) == _way(key)
    assert proving.way(key, proving.by_place([_way(key)[part]])) == ()


def test_the_alias_of_a_revoked_key_is_not_waited_for() -> None:
    """Nobody has to find it any more; an owner that has left must not keep it from being revoked."""
    revoked = replace(_aliased(), stage=KeyStage.REVOKED)

    assert proving.alias("example.com", revoked) is None
    assert [target.name for target in proving.way(revoked, proving.by_place(_way(revoked)))] == [revoked.txt_name]


@pytest.fixture(scope="module")
def pairs() -> tuple[tuple[DkimKey, bytes], ...]:
    """Make an RSA and an Ed25519 key, with their private parts."""
    return tuple(dkim.generate("example.com", algorithm, NOW) for algorithm in DkimAlgorithm)


def _signed(key: DkimKey, pem: bytes) -> bytes:
    message = f"From: {probe_address(key)}\r\nSubject: probe\r\n\r\nprobe\r\n".encode()
    private = pem
    if key.algorithm is DkimAlgorithm.ED25519:
        # dkimpy wants the 32 bytes of the seed, which end the PKCS#8 structure (RFC 8410 section 7).
        der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
        private = base64.b64encode(der[-32:])
    algorithm = b"rsa-sha256" if key.algorithm is DkimAlgorithm.RSA else b"ed25519-sha256"
    signature: bytes = dkimpy.sign(
        message, key.selector.encode(), key.domain.encode(), private, signature_algorithm=algorithm
    )
    return signature + message


def test_a_signature_by_this_very_key_proves_it(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """What DNS publishes verifies what the host signed, for RSA and Ed25519."""
    dns = {key.record_name: dkim.record_text(key).encode() for key, _ in pairs}

    for key, pem in pairs:
        assert proves(_signed(key, pem), key, dns.get)


def test_another_key_s_signature_proves_nothing(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """A valid signature under another selector says nothing about this key."""
    (rsa, pem), (ed, _) = pairs
    dns = {key.record_name: dkim.record_text(key).encode() for key, _ in pairs}

    assert not proves(_signed(rsa, pem), ed, dns.get)


def test_a_key_that_dns_does_not_publish_is_not_proven(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """No record, somebody else's record, or no message at all: the key stays unproven."""
    (rsa, pem), _ = pairs
    other, _ = dkim.generate("example.com", DkimAlgorithm.RSA, NOW)
    foreign = {rsa.record_name: dkim.record_text(other).encode()}

    assert not proves(_signed(rsa, pem), rsa, _nothing)
    assert not proves(_signed(rsa, pem), rsa, foreign.get)
    assert not proves(None, rsa, {rsa.record_name: dkim.record_text(rsa).encode()}.get)


def test_one_key_that_fails_takes_nothing_from_the_others(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """The host that signed nothing with Ed25519 is named; what RSA proved there and what mx2 proved counts."""
    (rsa, rsa_pem), (ed, ed_pem) = pairs
    dns = {key.record_name: dkim.record_text(key).encode() for key, _ in pairs}
    wanted = {MX1: (rsa, ed), MX2: (rsa, ed)}
    half = {rsa.record_name: _signed(rsa, rsa_pem), ed.record_name: None}
    whole = half | {ed.record_name: _signed(ed, ed_pem)}

    proofs = judged(wanted, {MX1: half, MX2: whole}, dns.get)

    assert proofs.hosts == {rsa.record_name: frozenset({MX1, MX2}), ed.record_name: frozenset({MX2})}
    assert [error.host for error in proofs.errors] == [MX1]
    assert ed.record_name in str(proofs.errors[0])
    assert rsa.record_name not in str(proofs.errors[0])


def test_dns_is_asked_about_each_key_once_however_many_hosts_prove_it(
    pairs: tuple[tuple[DkimKey, bytes], ...],
) -> None:
    """Neither a second host nor the other signature that each probe carries costs a question."""
    dns = {key.record_name: dkim.record_text(key).encode() for key, _ in pairs}
    keys = tuple(key for key, _ in pairs)
    (rsa, pem), _ = pairs
    other = _signed(replace(rsa, selector="r1"), pem).partition(b"From: ")[0]
    both = {key.record_name: other + _signed(key, private) for key, private in pairs}
    asked: list[str] = []

    def lookup(name: str) -> bytes | None:
        asked.append(name)
        return dns.get(name)

    proofs = judged({MX1: keys, MX2: keys}, {MX1: both, MX2: both}, lookup)

    assert sorted(asked) == sorted(dns)
    assert proofs.hosts == dict.fromkeys(dns, frozenset({MX1, MX2}))


def test_a_probe_that_did_not_come_back_costs_no_question(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """There is nothing to verify with the answer."""
    asked: list[str] = []

    def lookup(name: str) -> bytes | None:
        asked.append(name)
        return None

    judged({MX1: tuple(key for key, _ in pairs)}, {MX1: {}}, lookup)

    assert asked == []


def test_many_unproven_keys_are_one_short_sentence(pairs: tuple[tuple[DkimKey, bytes], ...]) -> None:
    """Ten thousand domains with the same trouble do not print ten thousand names."""
    (rsa, _), _ = pairs
    many = tuple(replace(rsa, selector=f"r{number}") for number in range(10_000))

    (error,) = judged({MX1: many}, {MX1: {}}, _nothing).errors

    assert "and 9997 more" in str(error)
    assert len(str(error)) < 400
    assert error.host == MX1
