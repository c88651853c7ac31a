"""Stage 1: keys and certificates are in the state folder before anybody else sees them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright import certs, issuing, planning, tlsa
from sendwright.errors import AuthorityError, PassphraseError, SecretError, StateError
from sendwright.issuing import Issued, declared_chain, generate, generate_missing, renew_certificate
from sendwright.stack import DkimAlgorithm, Domain, Host, KeyStore, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate
from tests.foreign import signed

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1, POLICY = "mx1.example.com", "mta-sts.example.com"
DIRECTORY = "https://acme.example/directory"


def _host(**more: object) -> Host:
    egress = [{"public": "203.0.113.10"}]
    return Host.model_validate({"name": MX1, "ssh": {"hostname": MX1}, "egress": egress, **more})


def _stack(*domains: str, host: Host | None = None) -> Stack:
    return Stack(hosts=(host or _host(),), domains=tuple(map(_domain, domains)))


def _domain(name: str) -> Domain:
    return Domain.model_validate({"name": name, "dns": "main"})


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Return an empty state folder that can be written."""
    return StateFolder(tmp_path / "state", KeyStore(), environ={"SENDWRIGHT_PASSPHRASE": "correct horse"})


def test_what_was_planned_is_what_is_generated(folder: StateFolder) -> None:
    """The selectors that a person approved are those that are made, and each private part can be opened."""
    stack = _stack("example.com", "example.org")
    planned = planning.planned(stack, folder.load(), NOW)

    generate_missing(stack, folder, NOW)

    keys = folder.load().keys
    assert {k.record_name for k in keys} == {k.record_name for k in planned.keys}
    assert all(b"PRIVATE KEY" in folder.open(k.sealed) for k in keys)


def test_a_second_time_generates_nothing(folder: StateFolder) -> None:
    """A killed run's keys are used: no domain ever gets a second key because of it."""
    stack = _stack("example.com")

    assert [generate_missing(stack, folder, NOW), generate_missing(stack, folder, NOW)] == [2, 0]


def test_many_keys_are_told_of_while_they_are_made(folder: StateFolder) -> None:
    """They take a minute or so: a person sees them coming, and each domain has one of its own."""
    domains = [_domain(f"domain-{n}.example") for n in range(250)]
    told: list[str] = []

    made = generate(folder, [(d, DkimAlgorithm.ED25519) for d in domains], NOW, told.append)

    assert told == ["100 of 250 DKIM keys are made", "200 of 250 DKIM keys are made"]
    assert [key.domain for key in made] == [d.name for d in domains]
    assert set(folder.load().keys) == set(made)


def test_a_selector_is_given_once_even_within_one_run(folder: StateFolder) -> None:
    """Those that the domain has or had are taken, and so are those of keys that are being made beside it."""
    domain = _domain("example.com")
    (first,) = generate(folder, [(domain, DkimAlgorithm.ED25519)], NOW)

    made = generate(folder, [(domain, DkimAlgorithm.ED25519)] * 3, NOW)

    assert [key.selector for key in (first, *made)] == ["e202611", "e202611b", "e202611c", "e202611d"]


def test_a_delegated_domain_gets_keys_at_its_slots_only(folder: StateFolder) -> None:
    """Whoever keeps its zone made three aliases: a fourth key would have no place."""
    dkim = {"delegate_to": "ours.example"}
    domain = Domain.model_validate({"name": "example.com", "dns": "main", "dkim": dkim})

    made = generate(folder, [(domain, DkimAlgorithm.RSA)] * 4, NOW)

    assert [key.txt_name for key in made] == [f"s{n}.example.com._domainkey.ours.example" for n in (1, 2, 3)]


def test_who_stops_a_run_keeps_what_was_made_and_waits_for_no_more(folder: StateFolder) -> None:
    """Ctrl-C leaves whole keys only; those that had not begun are the next run's."""
    wanted = [(_domain(f"domain-{n}.example"), DkimAlgorithm.ED25519) for n in range(2000)]

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(folder, wanted, NOW, stop)

    kept = folder.load().keys
    assert 100 <= len(kept) < len(wanted)
    assert all(folder.open(key.sealed) for key in kept)


def test_without_a_passphrase_nothing_is_left_behind(tmp_path: Path) -> None:
    """The error comes before the first key: no story without a private part."""
    folder = StateFolder(tmp_path / "state", KeyStore(), environ={})

    with pytest.raises(PassphraseError):
        generate_missing(_stack("example.com"), folder, NOW)

    assert folder.load().keys == ()


def test_a_renewed_certificate_keeps_its_key(folder: StateFolder, tmp_path: Path) -> None:
    """TLSA records of the key stay true (RFC 7671 section 5.1)."""
    renew_certificate(_host(), folder, tmp_path, NOW)
    before = folder.load().certificate_of(MX1)

    renew_certificate(_host(), folder, tmp_path, NOW + timedelta(days=300))

    after = folder.load().certificate_of(MX1)
    assert before is not None
    assert after is not None
    assert after.key == before.key
    assert after.not_after > before.not_after


def test_one_authority_signs_for_every_host_and_every_year(folder: StateFolder, tmp_path: Path) -> None:
    """People install it once: it is made with the first certificate and used again."""
    host = _host(tls={"mode": "internal-ca"})

    renew_certificate(host, folder, tmp_path, NOW)
    first = folder.load().authority
    renew_certificate(host, folder, tmp_path, NOW + timedelta(days=80))

    assert first is not None
    assert folder.load().authority == first


def test_only_hosts_in_file_mode_have_a_declared_chain(tmp_path: Path) -> None:
    """Others are never asked for a file; a file that is missing is said."""
    declared = _host(tls={"mode": "file", "certificate": "tls.pem", "key": {"file": "tls.key"}})

    assert declared_chain(_host(), tmp_path) is None
    with pytest.raises(SecretError, match=MX1):
        declared_chain(declared, tmp_path)


def _only(folder: StateFolder) -> Certificate:
    (found,) = folder.certificates()
    return found


def test_a_host_in_acme_mode_starts_with_a_self_signed_certificate(folder: StateFolder, tmp_path: Path) -> None:
    """It is none of the authority's, has the key that the authority's will have, and is not made twice."""
    host = _host(tls={"mode": "acme", "key": "rsa"})

    renew_certificate(host, folder, tmp_path, NOW)

    made = _only(folder)
    assert (made.mode, made.issuer) == ("self-signed", None)
    assert certs.kind_of(made.chain) == "rsa"
    assert certs.due(made, host, NOW) is None
    assert certs.due(made, host, NOW + timedelta(days=89)) is not None
    assert issuing.first(host, folder, NOW + timedelta(days=89)).key == made.key


@pytest.mark.parametrize("before", ["self-signed", "internal-ca", "file"])
@pytest.mark.parametrize("after", ["self-signed", "internal-ca", "acme"])
def test_a_key_is_kept_whatever_mode_a_host_changes_to(
    folder: StateFolder, tmp_path: Path, before: str, after: str
) -> None:
    """Senders may know it by TLSA (RFC 7671 section 5.1)."""
    pem = certs.new_key("ecdsa")
    (tmp_path / "tls.pem").write_text(signed(pem, [MX1], NOW))
    (tmp_path / "tls.key").write_bytes(pem)
    from_file = {"mode": "file", "certificate": "tls.pem", "key": {"file": "tls.key"}}
    renew_certificate(_host(tls=from_file if before == "file" else before, dane=[25]), folder, tmp_path, NOW)
    old = _only(folder)

    renew_certificate(_host(tls=after, dane=[25]), folder, tmp_path, NOW)

    assert _only(folder).key == old.key
    assert tlsa.spki_of_chain(_only(folder).chain) == tlsa.spki_of_chain(old.chain)


def test_a_key_that_others_have_is_not_kept_where_no_sender_knows_it(folder: StateFolder, tmp_path: Path) -> None:
    """Somebody else made it, for who knows what."""
    pem = certs.new_key("ecdsa")
    (tmp_path / "tls.pem").write_text(signed(pem, [MX1], NOW))
    (tmp_path / "tls.key").write_bytes(pem)
    from_file = {"mode": "file", "certificate": "tls.pem", "key": {"file": "tls.key"}}
    renew_certificate(_host(tls=from_file), folder, tmp_path, NOW)

    renew_certificate(_host(), folder, tmp_path, NOW)

    assert folder.open(_only(folder).key) != pem


def test_what_serves_well_stays_until_the_authority_has_issued(folder: StateFolder, tmp_path: Path) -> None:
    """A host that goes over to acme never shows less than it did, and a failing authority breaks nothing."""
    host = _host(tls="acme")
    renew_certificate(_host(tls="internal-ca"), folder, tmp_path, NOW)
    old = _only(folder)

    assert certs.due(old, host, NOW + timedelta(days=89)) is None
    assert certs.due(old, host, NOW + timedelta(days=91)) == "it ended on 2027-01-30"
    assert certs.due(old, _host(name="mx2.example.com", tls="acme"), NOW) is not None


def test_a_lost_story_costs_no_key(folder: StateFolder, tmp_path: Path) -> None:
    """The private key that lies there is used again."""
    renew_certificate(_host(), folder, tmp_path, NOW)
    old = _only(folder)
    (folder.path / "tls" / f"{MX1}.json").unlink()

    renew_certificate(_host(), folder, tmp_path, NOW)

    assert _only(folder).key == old.key


def test_a_next_key_is_made_once_and_of_the_kind_that_is_declared(folder: StateFolder) -> None:
    """It stays the same, run after run, until another kind is declared."""
    host, rsa = _host(tls="acme"), _host(tls={"mode": "acme", "key": "rsa"})
    issuing.first(host, folder, NOW)

    made = issuing.make_next(host, folder, NOW)

    assert issuing.make_next(host, folder, NOW + timedelta(days=1)) == made == folder.load().next_of(MX1)
    assert tlsa.spki_of_key(folder.open(made.key)) == made.spki
    other = issuing.make_next(rsa, folder, NOW)
    assert (made.kind, other.kind, folder.next_keys()) == ("ecdsa", "rsa", (other,))
    assert certs.kind_of(folder.open(other.key)) == "rsa"


def test_a_renewal_takes_the_authoritys_certificates_for_the_present_key(folder: StateFolder) -> None:
    """Several at once, and the next key waits on."""
    host = _host(tls="acme")
    first = issuing.first(host, folder, NOW)
    coming = issuing.make_next(host, folder, NOW)
    pem = folder.open(first.key)
    issued = [Issued(0, (MX1,), signed(pem, [MX1], NOW)), Issued(1, (POLICY,), signed(pem, [POLICY], NOW))]

    made = issuing.take(MX1, issued, folder, DIRECTORY)

    assert folder.certificates() == made
    assert [(c.number, c.mode, c.issuer, c.key) for c in made] == [
        (0, "acme", DIRECTORY, first.key),
        (1, "acme", DIRECTORY, first.key),
    ]
    assert folder.next_keys() == (coming,)
    assert certs.due(made[0], host, made[0].not_after) is None


def test_a_host_that_leaves_its_authority_has_one_certificate(folder: StateFolder, tmp_path: Path) -> None:
    """Further ones hold names of policies, which it serves no more; its key stays."""
    first = issuing.first(_host(tls="acme"), folder, NOW)
    pem = folder.open(first.key)
    issued = [Issued(0, (MX1,), signed(pem, [MX1], NOW)), Issued(1, (POLICY,), signed(pem, [POLICY], NOW))]
    issuing.take(MX1, issued, folder, DIRECTORY)

    renew_certificate(_host(), folder, tmp_path, NOW)

    assert (_only(folder).mode, _only(folder).key) == ("self-signed", first.key)


def test_a_promotion_changes_the_key_of_all_certificates_at_once(folder: StateFolder) -> None:
    """The next key is the present one, no key is next, and nothing of the old one is left."""
    host = _host(tls="acme")
    first = issuing.first(host, folder, NOW)
    issuing.take(MX1, [Issued(1, (POLICY,), signed(folder.open(first.key), [POLICY], NOW))], folder, DIRECTORY)
    coming = issuing.make_next(host, folder, NOW)

    (made,) = issuing.promote(MX1, [Issued(0, (MX1,), signed(folder.open(coming.key), [MX1], NOW))], folder, DIRECTORY)

    assert folder.certificates() == (made,)
    assert (made.key, folder.next_keys()) == (coming.key, ())
    with pytest.raises(StateError, match="is lost"):
        folder.open(first.key)


def test_what_is_not_as_ordered_is_not_taken(folder: StateFolder) -> None:
    """Whatever an authority or a host hands over, what the host has stays."""
    host = _host(tls="acme")
    first = issuing.first(host, folder, NOW)
    coming = issuing.make_next(host, folder, NOW)
    good = Issued(0, (MX1,), signed(folder.open(coming.key), [MX1], NOW))
    wrong = Issued(1, (POLICY,), signed(folder.open(first.key), [POLICY], NOW))

    with pytest.raises(AuthorityError, match=f"{MX1}: what came as its certificate is of another key"):
        issuing.promote(MX1, [good, wrong], folder, DIRECTORY)
    with pytest.raises(AuthorityError, match="another key"):
        issuing.take(MX1, [good], folder, DIRECTORY)

    assert folder.certificates() == (first,)
    assert folder.next_keys() == (coming,)


def test_without_a_key_nothing_is_taken(folder: StateFolder) -> None:
    """A folder that was emptied meanwhile is told of."""
    for take in (issuing.take, issuing.promote):
        with pytest.raises(StateError, match=r"not in|no key"):
            take(MX1, [], folder, DIRECTORY)
