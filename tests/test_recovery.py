"""A lost state folder, from what hosts hold and DNS serves: what becomes of each key, and what is left alone."""

import base64
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import certs, dkim, generation, inventory, recovery, tls_recovery
from sendwright.acme import directories
from sendwright.deploys import remains
from sendwright.deploys.remains import HeldKey, HeldTls, Remains
from sendwright.errors import HostError
from sendwright.generation import Generation, Standing, standing
from sendwright.lines import Held, Record
from sendwright.recovery import Found
from sendwright.stack import AcmeTls, CertificateFile, DkimAlgorithm, InternalCa
from sendwright.state.model import DkimKey, KeyStage, State

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COM, MX1, MX2 = "example.com", "mx1.example.com", "mx2.example.com"
STACK = inventory.parse(
    [(MX1, {"egress": [{"public": "203.0.113.10"}]}), (MX2, {"egress": [{"public": "203.0.113.11"}]})],
    {
        "dns": {"main": {"provider": "zonefile", "folder": "zones"}},
        "domains": {COM: {"dns": "main"}},
    },
    "a test",
)


def made(selector: str, days: int = 10) -> tuple[DkimKey, bytes]:
    """Make a key of that age."""
    key, pem = dkim.generate(COM, DkimAlgorithm.ED25519, NOW - timedelta(days), place=dkim.Place(selector))
    return key, pem


OLD, NEW = made("e202609", 60), made("e202611", 1)


def host(*held: tuple[DkimKey, bytes], signs: tuple[DkimKey, ...] = ()) -> Remains:
    """Return what a host holds, and what it signs with."""
    keys = tuple(HeldKey(k.domain, k.selector, k.created, pem) for k, pem in held)
    return Remains(keys, frozenset(key.record_name for key in signs))


def recovered(
    hosts: Mapping[str, Remains],
    held: Mapping[str, Held],
    behind: tuple[str, ...] = (),
    known: tuple[DkimKey, ...] = (),
) -> tuple[dict[str, DkimKey], tuple[str, ...]]:
    """Return the keys that come back, by selector, and the sentences about those that do not."""
    found = recovery.found(STACK, hosts, known, NOW)
    kept = {name: Record(each) for name, each in held.items()}
    served = {name: Record(each, behind) for name, each in held.items() if each is Held.KEY}
    keys, said = recovery.staged(found.keys, known, kept, served, NOW)
    return {each.key.selector: each.key for each in keys}, (*found.alone, *said)


def test_a_key_that_has_a_newer_one_in_the_folder_may_have_signed() -> None:
    """What comes back is not judged by itself alone: it would be revoked at once, with mail on its way."""
    key = OLD[0]
    signing = replace(NEW[0], stage=KeyStage.SIGNING)

    keys, said = recovered({MX1: host(OLD)}, {key.record_name: Held.KEY}, known=(signing,))

    assert (keys[key.selector].stage, said) == (KeyStage.RETIRING, ())


@pytest.mark.parametrize(
    ("signs_on", "held", "stage"),
    [
        ((MX1, MX2), Held.KEY, KeyStage.SIGNING),
        ((MX2,), Held.KEY, KeyStage.SIGNING),
        ((), Held.KEY, KeyStage.PUBLISHED),
        ((), Held.NOTHING, KeyStage.GENERATED),
        ((MX1, MX2), Held.NOTHING, KeyStage.GENERATED),
        ((MX1, MX2), Held.EMPTY, KeyStage.REVOKED),
    ],
)
def test_a_key_is_what_hosts_and_dns_show(signs_on: tuple[str, ...], held: Held, stage: KeyStage) -> None:
    """It is proven where it signs; what DNS does not serve is unproven, and what DNS revokes stays revoked."""
    key, _ = NEW
    hosts = {name: host(NEW, signs=(key,) if name in signs_on else ()) for name in (MX1, MX2)}

    keys, said = recovered(hosts, {key.record_name: held})

    assert said == ()
    assert keys[key.selector].stage is stage
    assert keys[key.selector].proven_on == (signs_on if stage is KeyStage.SIGNING else ())
    assert (keys[key.selector].public, keys[key.selector].pem_sha256) == (key.public, key.pem_sha256)
    assert keys[key.selector].created == key.created


def test_a_key_that_gave_way_to_the_signing_one_never_signs_again() -> None:
    """It would be taken for its successor otherwise; one that is newer is."""
    middle, newest = made("e202610", 30), made("e202612", 0)
    hosts = {name: host(OLD, middle, newest, signs=(middle[0],)) for name in (MX1, MX2)}

    keys, _ = recovered(hosts, {k.record_name: Held.KEY for k, _ in (OLD, middle, newest)})

    assert [keys[k.selector].stage for k, _ in (OLD, middle, newest)] == [
        KeyStage.RETIRING,
        KeyStage.SIGNING,
        KeyStage.PUBLISHED,
    ]
    assert keys[OLD[0].selector].last_signed is None


@pytest.mark.parametrize(("age", "signs"), [(60, False), (1, True), (1, False)])
def test_a_key_that_may_have_signed_is_never_taken_for_a_candidate_that_gave_way(age: int, signs: bool) -> None:
    """Keys that came to a host together, as when it was reinstalled, have one age; and tables may be lost too."""
    old = made("e202609", age)
    hosts = {MX1: host(old, NEW, signs=(NEW[0],) if signs else ())}

    keys, _ = recovered(hosts, {k.record_name: Held.KEY for k, _ in (old, NEW)})

    assert keys["e202609"].stage is KeyStage.RETIRING
    assert keys["e202611"].stage is (KeyStage.SIGNING if signs else KeyStage.PUBLISHED)


_OTHER = (NEW[0], made(NEW[0].selector)[1])
_BROKEN = (NEW[0], b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI\n-----END PRIVATE KEY-----\n")

# PKCS #8 of a kind of key (1.2.3.4.5) that nobody knows.
_UNKNOWN = b"-----BEGIN PRIVATE KEY-----\nMBMCAQAwBgYEKgMEBQQGBAQAAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("hosts", "held", "behind", "sentence"),
    [
        ({MX1: host(NEW), MX2: host(_OTHER)}, Held.KEY, (), f"differs between {MX1}, {MX2}"),
        ({MX1: host(_BROKEN)}, Held.KEY, (), f"on {MX1} is no private key that can be read"),
        ({MX1: host((NEW[0], _UNKNOWN))}, Held.KEY, (), f"on {MX1} is no private key that can be read"),
        ({MX1: host(NEW)}, Held.OTHER, (), "DNS holds another key there than the hosts"),
        ({MX1: host(NEW)}, None, (), "what DNS holds there is not known"),
        ({MX1: host(NEW)}, Held.KEY, ("ns2 does not have it yet",), "not every name server has it (ns2 does not"),
    ],
)
def test_what_is_in_doubt_is_told_and_left_alone(
    hosts: dict[str, Remains], held: Held | None, behind: tuple[str, ...], sentence: str
) -> None:
    """A sentence that names the key, and no part of any private key."""
    name = NEW[0].record_name

    keys, said = recovered(hosts, {name: held} if held else {}, behind)

    assert keys == {}
    assert len(said) == 1
    assert said[0].startswith(name)
    assert sentence in said[0]
    assert "MC4C" not in said[0]


def test_a_story_that_is_there_is_never_changed() -> None:
    """The same key is no news; another one is told."""
    same, _ = recovered({MX1: host(NEW)}, {NEW[0].record_name: Held.KEY}, known=(NEW[0],))
    other, said = recovered({MX1: host(_OTHER)}, {NEW[0].record_name: Held.KEY}, known=(NEW[0],))

    assert (same, other) == ({}, {})
    assert "is not the one in the state folder" in said[0]


def test_a_key_of_a_domain_that_nobody_declares_is_only_noted() -> None:
    """Nothing in the inventory needs it, so nothing waits for it."""
    stranger = replace(host(NEW).keys[0], domain="example.net")

    found = recovery.found(STACK, {MX1: Remains((stranger,))}, (), NOW)

    assert (found.keys, found.alone) == ((), ())
    assert "_domainkey.example.net lies on mx1.example.com" in found.notes[0]


def test_what_lies_on_a_host_that_does_not_send_for_a_domain_keeps_none_of_its_keys_from_coming_back() -> None:
    """It may have sent for it once, or mean it ill."""
    domain = STACK.domains[0].model_copy(update={"hosts": (MX1,)})
    stack = STACK.model_copy(update={"domains": (domain,)})

    found = recovery.found(stack, {MX1: host(NEW, signs=(NEW[0],)), MX2: host(_OTHER)}, (), NOW)

    assert [(each.key.record_name, each.key.public, each.signs_on) for each in found.keys] == [
        (NEW[0].record_name, NEW[0].public, (MX1,))
    ]
    assert found.alone == ()
    assert f"{NEW[0].record_name} lies on {MX2}:" in found.notes[0]


def test_what_else_was_lost_is_told_with_how_it_comes_back() -> None:
    """The ledger, logins, certificates, clocks."""
    keys = (Found(NEW[0], (), NEW[1]),)

    said = " ".join(recovery.lost(STACK, State(), keys, {MX1}))

    assert all(word in said for word in ("clocks", "sendwright dns adopt", "sendwright users add"))
    assert f"The certificate of {MX2} is not recovered" in said


def test_a_recovered_folder_is_followed_by_every_host_whatever_they_hold() -> None:
    """Those that were away too: it goes on from the highest of them."""
    first, second, third = (Generation(n, f"{n:032x}", NOW, "root@ci") for n in (1, 2, 3))
    other = Generation(2, "f" * 32, NOW, "eve@laptop")

    lineage = generation.joined(None, [None, second, third, other, first])

    assert lineage is not None
    assert lineage.now == third
    assert {standing(lineage, g) for g in (None, first, second, third, other)} == {Standing.FOLLOWS}
    assert generation.joined(lineage, [first, third]) == lineage
    assert generation.joined(None, [None]) is None


def test_what_a_host_prints_is_what_it_holds(tmp_path: Path) -> None:
    """The real command under a real shell: keys, what signs but for probes, and nothing that is no key of ours."""
    etc = tmp_path / "etc"
    (etc / "keys" / COM).mkdir(parents=True)
    path = etc / "keys" / COM / f"{NEW[0].selector}.pem"
    path.write_bytes(NEW[1])
    os.utime(path, (NEW[0].created.timestamp(),) * 2)
    (etc / "keys" / COM / "link.pem").symlink_to(path)
    (etc / "keys" / "stray.pem").write_text("nothing")
    rows = f"# a comment\nsendwright-probe+x@{COM} {OLD[0].record_name}\n{COM} {NEW[0].record_name}\n"
    (etc / "ed25519.signingtable").write_text(rows)
    used, other = (tmp_path / "tls" / (tag * 16) for tag in ("a", "b"))
    for folder in (used, other):
        folder.mkdir(parents=True)
        for name in ("key", "chain", "chain-12", "other"):
            (folder / f"{name}.pem").write_text(f"{name} in {folder.name}")
    (tmp_path / "main.cf").write_text(f"a = b\nsmtpd_tls_chain_files  = {used}/key.pem, {used}/chain.pem\n")
    script = remains.command().replace("/etc/opendkim", str(etc)).replace("/var/lib/sendwright", str(tmp_path))
    script = script.replace("/etc/sendwright/tls", str(tmp_path / "tls")).replace("/etc/postfix", str(tmp_path))

    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)

    assert done.stderr == b""
    chains = {0: f"chain in {used.name}", 12: f"chain-12 in {used.name}"}
    tls = HeldTls(chains, f"key in {used.name}".encode())
    assert remains.parse("h", done.stdout) == replace(host(NEW, signs=(NEW[0],)), tls=tls)


HELD, HELD_PEM = certs.issue(STACK.hosts[0], NOW - timedelta(10))
AGAIN, _ = certs.issue(STACK.hosts[0], NOW, existing_key=HELD_PEM)


def shows(chains: Mapping[int, str], pem: bytes = HELD_PEM) -> Mapping[str, Remains]:
    """Return what the first host holds."""
    return {MX1: Remains(tls=HeldTls(chains, pem)), MX2: Remains()}


def test_the_key_that_a_host_shows_comes_back_with_its_certificates() -> None:
    """Senders may know it by TLSA records: another one would stop their mail."""
    (found,), alone = tls_recovery.found(STACK, shows({0: HELD.chain, 1: AGAIN.chain}), ())

    assert alone == ()
    assert (found.host, found.pem) == (MX1, HELD_PEM)
    assert [(c.number, c.mode, c.chain, c.key) for c in found.certificates] == [
        (0, "self-signed", HELD.chain, HELD.key),
        (1, "self-signed", AGAIN.chain, HELD.key),
    ]


def test_a_certificate_that_another_signed_is_what_the_inventory_says() -> None:
    """By which authority, too; so nothing is ordered anew."""
    authority = certs.new_authority(NOW)
    internal = STACK.hosts[0].model_copy(update={"tls": InternalCa(mode="internal-ca")})
    issued, pem = certs.issue(internal, NOW, authority)
    by_acme = STACK.hosts[0].model_copy(update={"tls": AcmeTls(mode="acme")})

    for host, mode, issuer in ((internal, "internal-ca", None), (by_acme, "acme", directories.url(STACK.acme))):
        stack = STACK.model_copy(update={"hosts": (host,)})
        (found,), _ = tls_recovery.found(stack, shows({0: issued.chain}, pem), ())
        assert [(c.mode, c.issuer) for c in found.certificates] == [(mode, issuer)]


def test_what_the_folder_has_or_others_keep_in_a_file_is_left_as_it_is() -> None:
    """A host whose key is there needs none; a file is read again."""
    in_file = CertificateFile(mode="file", certificate="chain.pem", key={"file": "key.pem"})
    others = STACK.model_copy(update={"hosts": (STACK.hosts[0].model_copy(update={"tls": in_file}),)})

    assert tls_recovery.found(STACK, shows({0: HELD.chain}), (MX1,)) == ((), ())
    assert tls_recovery.found(others, shows({0: HELD.chain}), ()) == ((), ())


@pytest.mark.parametrize(
    ("chains", "pem"),
    [({}, HELD_PEM), ({1: HELD.chain}, HELD_PEM), ({0: "nothing"}, HELD_PEM), ({0: HELD.chain}, b"nothing"),
     ({0: certs.issue(STACK.hosts[0], NOW)[0].chain}, HELD_PEM)],
)  # fmt: skip
def test_what_does_not_belong_together_is_left_alone(chains: Mapping[int, str], pem: bytes) -> None:
    """A person has to look at that host."""
    found, (sentence,) = tls_recovery.found(STACK, shows(chains, pem), ())

    assert found == ()
    assert MX1 in sentence


def test_a_host_without_anything_prints_nothing() -> None:
    """A bare host is no trouble."""
    script = remains.command().replace("/etc/opendkim", "/nonexistent").replace("/var/lib/sendwright", "/nonexistent")

    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)

    assert remains.parse("h", done.stdout) == Remains()


_LINES = st.lists(
    st.one_of(
        st.text("abcdefkey ./@-0123456789=\n", max_size=60),
        st.sampled_from(["key ./../x.pem 1 AAAA", "key ./example.com/x.pem 1 A", "key ./a.b/-x-.pem 99999999999 AAAA"]),
        st.sampled_from(
            ["chain ./chain.pem AAAA", "chain ./chain-99999.pem AA==", "tls A", "tls AAAA", "chain ./x.pem AA=="]
        ),
        st.binary(max_size=40).map(lambda noise: f"table {base64.b64encode(noise).decode()}"),
        st.binary(max_size=40).map(lambda noise: f"generation {base64.b64encode(noise).decode()}"),
    ),
    max_size=6,
)


@given(_LINES)
def test_no_answer_raises_anything_but_a_host_error(lines: list[str]) -> None:
    """Well-framed, hostile lines."""
    answer = "\n".join(["sendwright remains 1", *lines, "end", ""])

    with suppress(HostError):
        remains.parse("h", answer.encode())
