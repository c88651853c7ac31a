"""What hosts have for TLS, in the state folder: the old or the new, whole, whenever a run is killed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright import certs, tlsa
from sendwright.declared import EnvSecret
from sendwright.errors import StateError
from sendwright.stack import Egress, Host, KeyStore, Ssh
from sendwright.state import layout
from sendwright.state.folder import StateFolder
from sendwright.state.model import Account, Certificate, NextKey, PendingOrder
from tests.state.killing import dies_at

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MX1 = "mx1.example.com"
PASSPHRASE = "correct horse"
DIRECTORY = "https://acme.example/directory"
UNENCRYPTED = KeyStore.model_validate({"unencrypted": "I know that anybody who reads this folder can sign as us"})
SECRET = KeyStore(passphrase=EnvSecret(env="PASSPHRASE"))


def host(name: str = MX1) -> Host:
    """Return a host."""
    egress = (Egress.model_validate({"public": "203.0.113.10"}),)
    return Host(name=name, ssh=Ssh(hostname=name), egress=egress)


def folder(path: Path, passphrase: str | None = PASSPHRASE) -> StateFolder:
    """Return a folder as a new run opens it."""
    return StateFolder(path / "state", SECRET, path, {} if passphrase is None else {"PASSPHRASE": passphrase})


FIRST, PEM = certs.issue(host(), NOW)
AGAIN, _ = certs.issue(host(), NOW + timedelta(days=300), existing_key=PEM)
FURTHER = replace(certs.issue(host(), NOW, existing_key=PEM)[0], number=1)
NEXT_PEM = certs.new_key("ecdsa")
NEXT = NextKey(MX1, layout.tls_key(MX1, NEXT_PEM), tlsa.spki_of_key(NEXT_PEM), NOW)
PROMOTED = replace(certs.issue(host(), NOW, existing_key=NEXT_PEM)[0], mode="acme", issuer=DIRECTORY)
ACCOUNT_PEM = certs.new_key("ecdsa")
ACCOUNT = Account(DIRECTORY, "https://acme.example/acct/1", layout.account_key(DIRECTORY, ACCOUNT_PEM))
ORDER = PendingOrder(MX1, 0, DIRECTORY, "https://acme.example/order/1?x=y", NEXT.key.sha256, (MX1, "mta-sts.a.example"))


def names(path: Path) -> set[str]:
    """Return what lies in the folder of certificates."""
    return {each.name for each in (path / "state/tls").iterdir()}


def test_a_certificate_comes_back_and_keeps_its_key_when_renewed(tmp_path: Path) -> None:
    """A renewal without a new key needs no passphrase, changes the key's file by no byte, and leaves no old chain."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    key = tmp_path / "state" / FIRST.key.name
    before = key.read_bytes()

    folder(tmp_path, None).save_certificate(AGAIN)
    folder(tmp_path, None).save_certificate(AGAIN, PEM)

    assert folder(tmp_path, None).certificates() == folder(tmp_path, None).load().certificates == (AGAIN,)
    assert folder(tmp_path).open(AGAIN.key) == PEM
    assert key.read_bytes() == before
    assert before.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert len(names(tmp_path)) == 3


def test_further_certificates_stand_beside_the_first(tmp_path: Path) -> None:
    """Each is renewed by itself, and the first is never forgotten."""
    state = folder(tmp_path)
    state.save_certificate(FIRST, PEM)
    state.save_certificate(FURTHER)
    state.save_certificate(AGAIN)

    assert state.load().certificates_of(MX1) == (AGAIN, FURTHER)
    assert state.load().certificate_of(MX1) == AGAIN
    state.forget_certificates(MX1, [0, 1, 7])
    assert state.certificates() == (AGAIN,)


def test_who_issued_it_and_how_is_remembered(tmp_path: Path) -> None:
    """Another authority in the inventory is a reason for another certificate."""
    folder(tmp_path).save_certificate(PROMOTED, NEXT_PEM)

    assert folder(tmp_path).certificates() == (PROMOTED,)


def test_what_becomes_known_of_the_next_key_is_remembered(tmp_path: Path) -> None:
    """That needs no passphrase, and the key stays."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    folder(tmp_path).save_next_key(NEXT, NEXT_PEM)
    fresh = replace(NEXT, fresh_at=NOW + timedelta(hours=1))

    folder(tmp_path, None).save_next_key(fresh)

    assert folder(tmp_path, None).next_keys() == folder(tmp_path, None).load().next_keys == (fresh,)
    assert folder(tmp_path).open(fresh.key) == NEXT_PEM
    folder(tmp_path, None).forget_next_key(MX1)
    assert folder(tmp_path).load().next_of(MX1) is None
    assert not (tmp_path / "state" / NEXT.key.name).exists()
    assert folder(tmp_path).certificates() == (FIRST,)


def test_a_next_key_can_be_there_before_any_certificate(tmp_path: Path) -> None:
    """The order in which they are made does not matter."""
    folder(tmp_path).save_next_key(NEXT, NEXT_PEM)
    assert folder(tmp_path).certificates() == ()

    folder(tmp_path).save_certificate(FIRST, PEM)

    assert folder(tmp_path).next_keys() == (NEXT,)


def test_a_certificate_of_the_next_key_makes_it_the_present_one(tmp_path: Path) -> None:
    """In one step, with no passphrase: the old key goes with all its certificates."""
    state = folder(tmp_path)
    state.save_certificate(FIRST, PEM)
    state.save_certificate(FURTHER)
    state.save_next_key(NEXT, NEXT_PEM)

    folder(tmp_path, None).save_certificates((PROMOTED, replace(PROMOTED, number=1)))

    assert state.certificates() == (PROMOTED, replace(PROMOTED, number=1))
    assert state.next_keys() == ()
    assert state.open(PROMOTED.key) == NEXT_PEM
    assert not (tmp_path / "state" / FIRST.key.name).exists()


@pytest.mark.parametrize("what", ["key", "chain"])
def test_what_is_lost_of_a_host_is_never_made_anew_in_silence(tmp_path: Path, what: str) -> None:
    """Senders may know the key by TLSA, and would refuse any other: a person has to look."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    lost = {"key": FIRST.key.name, "chain": f"tls/{layout.tls_chain(MX1, layout.sha256(FIRST.chain))}"}[what]
    (tmp_path / "state" / lost).unlink()

    with pytest.raises(StateError, match="is lost"):
        folder(tmp_path).load()


def test_a_next_key_that_is_lost_is_none(tmp_path: Path) -> None:
    """No host ever showed it: another one does as well."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    folder(tmp_path).save_next_key(NEXT, NEXT_PEM)
    (tmp_path / "state" / NEXT.key.name).unlink()

    assert folder(tmp_path).load().next_keys == ()
    assert folder(tmp_path).load().certificates == (FIRST,)
    folder(tmp_path).save_next_key(NEXT, NEXT_PEM)
    assert folder(tmp_path).next_keys() == (NEXT,)


def test_a_key_that_nothing_tells_of_is_found_again(tmp_path: Path) -> None:
    """A kill or somebody's git left it alone: senders may know it. Of several, a person has to say which."""
    assert folder(tmp_path, None).untold_key(MX1) is None
    folder(tmp_path).save_certificate(FIRST, PEM)
    assert folder(tmp_path, None).untold_key(MX1) is None
    (tmp_path / f"state/tls/{MX1}.json").unlink()

    assert folder(tmp_path).untold_key(MX1) == PEM
    folder(tmp_path).save_next_key(NEXT, NEXT_PEM)
    with pytest.raises(StateError, match="2 private keys of that host"):
        folder(tmp_path).untold_key(MX1)


@pytest.mark.parametrize("text", [FIRST.chain * 2, FIRST.chain + "smtpd_relay_restrictions = permit\n", "", "\xff"])
def test_a_chain_that_is_another_one_is_refused(tmp_path: Path, text: str) -> None:
    """It is copied to hosts as it is."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    (tmp_path / "state/tls" / layout.tls_chain(MX1, layout.sha256(FIRST.chain))).write_text(text)

    with pytest.raises(StateError, match=r"mx1\.example\.com\.[0-9a-f]{16}\.pem is damaged"):
        folder(tmp_path).load()


def test_a_story_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    """None can speak for another host."""
    folder(tmp_path).save_certificate(FIRST, PEM)
    (tmp_path / "state/tls/mx2.example.com.json").write_bytes((tmp_path / f"state/tls/{MX1}.json").read_bytes())

    with pytest.raises(StateError, match=r"mx2\.example\.com\.json is damaged: it tells of mx1"):
        folder(tmp_path).load()


def test_what_lies_of_other_hosts_stays(tmp_path: Path) -> None:
    """One host's name may begin another's."""
    longer, pem = certs.issue(host(f"{MX1}.example.com"), NOW)
    folder(tmp_path).save_certificate(longer, pem)
    folder(tmp_path).save_certificate(FIRST, PEM)
    folder(tmp_path).save_certificate(AGAIN)

    assert set(folder(tmp_path).certificates()) == {longer, AGAIN}
    assert folder(tmp_path).open(longer.key) == pem


def test_a_key_that_was_not_announced_is_not_saved(tmp_path: Path) -> None:
    """Whatever the caller got wrong, nothing is written."""
    state = folder(tmp_path)

    for wrong in (None, NEXT_PEM):
        with pytest.raises(StateError, match="not the one that was announced"):
            state.save_certificate(FIRST, wrong)
        with pytest.raises(StateError, match="not the one that was announced"):
            state.save_next_key(replace(NEXT, key=FIRST.key), wrong)
    with pytest.raises(ValueError, match="one key"):
        state.save_certificates((FIRST, PROMOTED), PEM)

    assert not (tmp_path / "state").exists()


def test_an_account_comes_back_and_its_key_rests_encrypted(tmp_path: Path) -> None:
    """Each authority has its own; another key for one takes the older one's place."""
    assert folder(tmp_path).account(DIRECTORY) is None
    folder(tmp_path).save_account(ACCOUNT, ACCOUNT_PEM)

    assert folder(tmp_path, None).account(DIRECTORY) == ACCOUNT
    assert folder(tmp_path).open(ACCOUNT.key) == ACCOUNT_PEM
    assert b"ENCRYPTED" in (tmp_path / "state" / ACCOUNT.key.name).read_bytes()
    assert folder(tmp_path).account("https://other.example/") is None
    other = replace(ACCOUNT, uri="https://acme.example/acct/2", key=layout.account_key(DIRECTORY, NEXT_PEM))
    folder(tmp_path).save_account(other, NEXT_PEM)
    assert folder(tmp_path).account(DIRECTORY) == other
    assert len([*(tmp_path / "state/accounts").iterdir()]) == 2
    with pytest.raises(StateError, match="announced"):
        folder(tmp_path).save_account(other, ACCOUNT_PEM)


def test_an_account_whose_key_is_lost_is_none(tmp_path: Path) -> None:
    """Another one does as well."""
    folder(tmp_path).save_account(ACCOUNT, ACCOUNT_PEM)
    (tmp_path / "state" / ACCOUNT.key.name).unlink()

    assert folder(tmp_path).account(DIRECTORY) is None


def test_a_mistyped_passphrase_does_not_split_a_folder_of_accounts(tmp_path: Path) -> None:
    """The account's key may be the only private one that is there."""
    folder(tmp_path).save_account(ACCOUNT, ACCOUNT_PEM)

    with pytest.raises(StateError, match="cannot be opened"):
        folder(tmp_path, "battery staple").save_certificate(FIRST, PEM)


def test_an_order_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    """Each certificate of a host has its own."""
    state = folder(tmp_path)
    other = replace(ORDER, number=1)
    state.save_order(ORDER)
    state.save_order(other)

    assert folder(tmp_path).order(MX1, 0) == ORDER
    state.forget_order(MX1, 0)
    assert [state.order(MX1, 0), state.order(MX1, 1)] == [None, other]
    state.forget_order(MX1, 0)


@pytest.mark.parametrize("url", ["", "javascript:1", "https://a\nb", "https://" + "a" * 5000, "https://ä.example/"])
def test_what_an_authority_calls_things_is_a_url_or_is_not_written(tmp_path: Path, url: str) -> None:
    """Otherwise one odd answer would shut the folder for every later run."""
    with pytest.raises(ValueError, match="URL"):
        folder(tmp_path).save_order(replace(ORDER, url=url))
    with pytest.raises(ValueError, match="URL"):
        folder(tmp_path).save_account(replace(ACCOUNT, uri=url), ACCOUNT_PEM)

    assert not (tmp_path / "state").exists()


def test_an_order_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    """None can speak for another certificate."""
    folder(tmp_path).save_order(ORDER)
    (tmp_path / f"state/orders/{MX1}.1.json").write_bytes((tmp_path / f"state/orders/{MX1}.0.json").read_bytes())

    with pytest.raises(StateError, match="is damaged"):
        folder(tmp_path).order(MX1, 1)


Seen = tuple[tuple[Certificate, ...], tuple[NextKey, ...]]
_MORE = (replace(AGAIN, mode="acme", issuer=DIRECTORY), replace(FURTHER, mode="acme", issuer=DIRECTORY))
#: What is done, and what there is before and after it.
CHANGES: dict[str, tuple[Callable[[StateFolder], None], Seen, Seen]] = {
    "first": (lambda s: s.save_certificate(FIRST, PEM), ((), ()), ((FIRST,), ())),
    "next": (lambda s: s.save_next_key(NEXT, NEXT_PEM), ((FIRST,), ()), ((FIRST,), (NEXT,))),
    "renewed": (lambda s: s.save_certificates(_MORE), ((FIRST,), (NEXT,)), (_MORE, (NEXT,))),
    "forgotten": (lambda s: s.forget_certificates(MX1, [1]), (_MORE, (NEXT,)), (_MORE[:1], (NEXT,))),
    "promoted": (lambda s: s.save_certificate(PROMOTED), (_MORE[:1], (NEXT,)), ((PROMOTED,), ())),
    "unwanted": (lambda s: s.forget_next_key(MX1), ((FIRST,), (NEXT,)), ((FIRST,), ())),
}


def prepared(path: Path, before: Seen) -> StateFolder:
    """Return a folder that holds that."""
    state = StateFolder(path / "state", UNENCRYPTED, path, {})
    certificates, coming = before
    if certificates:
        state.save_certificates(certificates, NEXT_PEM if certificates == (PROMOTED,) else PEM)
    for key in coming:
        state.save_next_key(key, NEXT_PEM)
    return state


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_that_is_killed_between_any_two_writes_leaves_the_old_or_the_new(tmp_path: Path, what: str) -> None:
    """Never none, and never a certificate of a key that is not there; the next run makes it whole."""
    change, before, after = CHANGES[what]
    step, seen = 0, set()
    while True:
        state = prepared(tmp_path / str(step), before)
        died = dies_at(lambda: change(state), step)  # noqa: B023 - it is called at once
        found = (state.certificates(), state.next_keys())
        seen.add(found)
        assert found in (before, after)
        assert all(state.open(key) for key in [*(c.key for c in found[0]), *(k.key for k in found[1])])

        if found == before:
            change(state)

        assert (state.certificates(), state.next_keys()) == after
        if not died:
            break
        step += 1
    assert step >= 2
    assert seen == {before, after}


def test_an_account_is_there_or_not_when_a_run_is_killed(tmp_path: Path) -> None:
    """An older one stays until the new one is whole."""
    other = replace(ACCOUNT, key=layout.account_key(DIRECTORY, NEXT_PEM))
    step, died = 0, True
    while died:
        state = StateFolder(tmp_path / str(step), UNENCRYPTED, tmp_path, {})
        state.save_account(ACCOUNT, ACCOUNT_PEM)
        died = dies_at(lambda: state.save_account(other, NEXT_PEM), step)  # noqa: B023 - it is called at once

        found = state.account(DIRECTORY)

        assert found in (ACCOUNT, other)
        assert state.open(found.key) in (ACCOUNT_PEM, NEXT_PEM)
        step += 1
    assert step > 3
