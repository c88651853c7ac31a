"""Stage 1: keys and certificates are in the state folder before anybody else sees them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright import planning
from sendwright.errors import PassphraseError, SecretError
from sendwright.issuing import declared_chain, generate, generate_missing, renew_certificate
from sendwright.stack import DkimAlgorithm, Domain, Host, KeyStore, Stack
from sendwright.state.folder import StateFolder

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1 = "mx1.example.com"


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
