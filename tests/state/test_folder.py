"""The state folder: whole, private, readable, and healed after any crash."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendwright import certs, dkim, users
from sendwright.declared import EnvSecret
from sendwright.errors import PassphraseError, StateError
from sendwright.service import Sealed
from sendwright.stack import DkimAlgorithm, Egress, Host, KeyStore, Ssh
from sendwright.state import seal
from sendwright.state.asking import at_terminal
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim, DkimKey, KeyStage, State, User
from tests.state.killing import dies_at

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY, PEM = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW)
HOST = Host(
    name="mx1.example.com",
    ssh=Ssh(hostname="mx1.example.com"),
    egress=(Egress.model_validate({"public": "203.0.113.10"}),),
)
HOSTILE_STORY = (
    '{"domain": "example.com", "selector": "a$(b)", "algorithm": "rsa", "public": "AA==", "pem_sha256": '
    f'"{KEY.pem_sha256}", "created": "2026-11-21T12:00:00Z"}}'
)
CERTIFICATE, TLS_PEM = certs.issue(HOST, NOW)
AUTHORITY = certs.new_authority(NOW)
USER = User("app", users.hash_password("secret"), ("example.com",))
UNENCRYPTED = KeyStore.model_validate({"unencrypted": "I know that anybody who reads this folder can sign as us"})
PASSPHRASE = "correct horse"
SECRET = KeyStore(passphrase=EnvSecret(env="PASSPHRASE"))


def folder(path: Path, passphrase: str | None = PASSPHRASE) -> StateFolder:
    """Return a folder as a new run opens it."""
    return StateFolder(path / "state", SECRET, path, {} if passphrase is None else {"PASSPHRASE": passphrase})


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """A first run needs no preparation."""
    assert folder(tmp_path).load() == State()


def test_a_key_comes_back_byte_for_byte_and_rests_encrypted(tmp_path: Path) -> None:
    """What is installed on hosts is what was generated; what lies on disk is not."""
    folder(tmp_path).save_key(KEY, PEM)

    assert folder(tmp_path).open(KEY.sealed) == PEM
    at_rest = (tmp_path / "state/keys/example.com/e202611.pem").read_bytes()
    assert at_rest.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_a_run_that_changes_nothing_needs_no_passphrase(tmp_path: Path) -> None:
    """Loading and moving a key to its next stage open nothing."""
    folder(tmp_path).save_key(KEY, PEM)
    published = replace(KEY, stage=KeyStage.PUBLISHED)

    folder(tmp_path, None).save_key(published)

    assert folder(tmp_path, None).load().keys == (published,)


def test_a_missing_passphrase_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    """The sentence names the variable and the alternative, and nothing was written."""
    with pytest.raises(PassphraseError) as refused:
        folder(tmp_path, None).save_key(KEY, PEM)

    assert "PASSPHRASE is not set" in str(refused.value)
    assert "unencrypted" in str(refused.value)
    assert not (tmp_path / "state").exists()


def test_a_person_is_asked_where_the_variable_is_not_set(tmp_path: Path) -> None:
    """Twice for a store that is new, because a typing error would go unnoticed; once a run; never where it is set."""
    asked: list[bool] = []

    def ask(what: str, /, *, new: bool) -> str:
        assert str(tmp_path / "state") in what
        asked.append(new)
        return PASSPHRASE

    first = StateFolder(tmp_path / "state", SECRET, tmp_path, {}, ask)
    first.save_key(KEY, PEM)
    first.open(KEY.sealed)
    StateFolder(tmp_path / "state", SECRET, tmp_path, {}, ask).open(KEY.sealed)
    StateFolder(tmp_path / "state", SECRET, tmp_path, {"PASSPHRASE": PASSPHRASE}, ask).open(KEY.sealed)

    assert asked == [True, False]
    assert folder(tmp_path).open(KEY.sealed) == PEM


def test_nobody_is_asked_without_a_terminal() -> None:
    """As in cron and in CI: the missing variable is an error there."""
    assert at_terminal("Passphrase", new=True) is None


def test_a_wrong_passphrase_is_named_and_not_quoted(tmp_path: Path) -> None:
    """Neither the passphrase nor the key is in the error or in what it came from."""
    folder(tmp_path).save_key(KEY, PEM)

    with pytest.raises(PassphraseError) as refused:
        folder(tmp_path, "battery staple").open(KEY.sealed)

    assert "e202611.pem" in str(refused.value)
    assert "battery" not in repr(refused.value.__dict__) + str(refused.value)
    assert refused.value.__suppress_context__


def test_many_stories_are_written_at_once(tmp_path: Path) -> None:
    """All are there when it returns, and one that cannot be written is an error."""
    made = [dkim.generate(f"domain-{n}.example", DkimAlgorithm.ED25519, NOW) for n in range(50)]
    state = folder(tmp_path)
    for key, pem in made:
        state.save_key(key, pem)
    moved = {replace(key, stage=KeyStage.SIGNING) for key, _ in made}

    state.save_keys(moved)

    assert set(state.load().keys) == moved
    with pytest.raises(ValueError, match="DkimKey"):
        state.save_keys([*moved, replace(KEY, selector="a b")])


def test_a_second_passphrase_never_splits_the_folder(tmp_path: Path) -> None:
    """A mistyped passphrase is refused when the next key is saved, not when it is needed."""
    folder(tmp_path).save_key(KEY, PEM)
    second, pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW, {KEY.selector})

    with pytest.raises(PassphraseError):
        folder(tmp_path, "battery staple").save_key(second, pem)

    assert folder(tmp_path).load().keys == (KEY,)


def test_all_keys_of_a_folder_are_opened_by_one_derivation(tmp_path: Path) -> None:
    """Scrypt is slow on purpose: later runs seal with the salt that is there, each file with a start of its own."""
    for number in range(3):
        key, pem = dkim.generate(f"domain-{number}.example", DkimAlgorithm.ED25519, NOW)
        folder(tmp_path).save_key(key, pem)
    folder(tmp_path).save_certificate(CERTIFICATE, TLS_PEM)

    sealed = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.suffix in {".pem", ".key"}]
    salts = {seal.salt_of(content) for content in sealed if seal.is_sealed(content)}

    assert len(salts) == 1
    assert None not in salts


def test_a_key_that_is_sealed_twice_looks_different_each_time() -> None:
    """The shared salt does not tell which files hold the same key."""
    derivation, salt = seal.Derivation(PASSPHRASE), seal.new_salt()

    assert seal.seal(PEM, derivation, salt) != seal.seal(PEM, derivation, salt)


def test_others_open_what_we_seal_and_we_what_others_do(tmp_path: Path) -> None:
    """The form is PKCS#8 as RFC 5958 and RFC 7914 have it: a folder is never locked into this program."""
    ours = seal.seal(PEM, seal.Derivation(PASSPHRASE), seal.new_salt())
    private = serialization.load_pem_private_key(ours, PASSPHRASE.encode())
    theirs = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    )
    folder(tmp_path).save_key(KEY, PEM)
    (tmp_path / "state/keys/example.com/e202611.pem").write_bytes(theirs)

    assert folder(tmp_path).open(KEY.sealed) == PEM
    assert seal.salt_of(theirs) is None


def test_keys_rest_unencrypted_only_when_somebody_says_so(tmp_path: Path) -> None:
    """The declared sentence switches encryption off; keys that were sealed before stay readable."""
    folder(tmp_path).save_key(KEY, PEM)
    plain = StateFolder(tmp_path / "state", UNENCRYPTED, tmp_path, {})
    second, pem = dkim.generate("example.com", DkimAlgorithm.RSA, NOW)

    plain.save_key(second, pem)

    assert (tmp_path / "state/keys/example.com/r202611.pem").read_bytes() == pem
    assert plain.open(second.sealed) == folder(tmp_path).open(second.sealed) == pem
    assert folder(tmp_path).open(KEY.sealed) == PEM


def test_a_private_key_is_never_overwritten(tmp_path: Path) -> None:
    """A new key whose selector is taken is refused: the old one may be published."""
    folder(tmp_path).save_key(KEY, PEM)
    other, pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW)

    with pytest.raises(StateError, match="already"):
        folder(tmp_path).save_key(other, pem)

    assert folder(tmp_path).open(KEY.sealed) == PEM


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN", b"\xff\x00"])
def test_a_damaged_private_key_is_named(tmp_path: Path, damage: bytes) -> None:
    """Damage is told apart from a wrong passphrase."""
    folder(tmp_path).save_key(KEY, PEM)
    path = tmp_path / "state/keys/example.com/e202611.pem"
    path.write_bytes(path.read_bytes()[:80] + damage)

    with pytest.raises(StateError, match=r"e202611\.pem is damaged") as refused:
        folder(tmp_path).open(KEY.sealed)

    assert not isinstance(refused.value, PassphraseError)


def test_an_exchanged_private_key_is_never_installed(tmp_path: Path) -> None:
    """A key file that is whole but another one does not match its story."""
    folder(tmp_path).save_key(KEY, PEM)
    other, pem = dkim.generate("example.org", DkimAlgorithm.ED25519, NOW)
    folder(tmp_path).save_key(other, pem)
    keys = tmp_path / "state/keys"
    (keys / "example.com/e202611.pem").write_bytes((keys / "example.org/e202611.pem").read_bytes())

    with pytest.raises(StateError, match="not the key that the story"):
        folder(tmp_path).open(KEY.sealed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"domain": "example.com"}',
        HOSTILE_STORY,
    ],
)
def test_a_damaged_story_is_named(tmp_path: Path, text: str) -> None:
    """A folder that came through git is hostile until parsed: names in it have the same alphabet as in an inventory."""
    folder(tmp_path).save_key(KEY, PEM)
    (tmp_path / "state/keys/example.com/e202611.json").write_text(text)

    with pytest.raises(StateError, match=r"e202611\.json is damaged"):
        folder(tmp_path).load()


def test_a_story_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    """A story cannot speak for another domain's key."""
    folder(tmp_path).save_key(KEY, PEM)
    folder(tmp_path).save_key(replace(KEY, domain="example.org"), PEM)
    keys = tmp_path / "state/keys"
    (keys / "example.com/e202611.json").write_bytes((keys / "example.org/e202611.json").read_bytes())

    with pytest.raises(StateError, match=r"it tells of e202611 of example\.org"):
        folder(tmp_path).load()


def test_a_private_key_without_its_story_is_explained(tmp_path: Path) -> None:
    """It may be published, so it is neither used nor replaced in silence."""
    folder(tmp_path).save_key(KEY, PEM)
    (tmp_path / "state/keys/example.com/e202611.json").unlink()

    with pytest.raises(StateError, match="without its story"):
        folder(tmp_path).load()


@pytest.mark.parametrize("stage", KeyStage)
def test_a_lost_private_key_is_an_error_as_long_as_it_is_needed(tmp_path: Path, stage: KeyStage) -> None:
    """A story alone is a killed run's leftover before publication, fine after revocation, and a loss in between."""
    folder(tmp_path).save_key(replace(KEY, stage=stage), PEM)
    (tmp_path / "state/keys/example.com/e202611.pem").unlink()

    if stage is KeyStage.GENERATED:
        assert folder(tmp_path).load().keys == ()
    elif stage in {KeyStage.REVOKED, KeyStage.REMOVED}:
        assert [key.stage for key in folder(tmp_path).load().keys] == [stage]
    else:
        with pytest.raises(StateError, match="is lost"):
            folder(tmp_path).load()


def test_the_authority_comes_back(tmp_path: Path) -> None:
    """Its certificate needs no passphrase, its key does."""
    authority = certs.new_authority(NOW)

    folder(tmp_path).save_authority(authority)

    assert folder(tmp_path).authority() == authority
    assert folder(tmp_path, None).load().authority == authority.certificate
    assert folder(tmp_path, None).load().certificates == ()


def test_the_ledger_takes_the_later_date_and_forgets_what_is_released(tmp_path: Path) -> None:
    """What is written again is as new to caches as at first; it is no second entry, and its clock goes on."""
    one = Claim("example.com", "_dmarc.example.com", "TXT", '"v=DMARC1; p=none"', NOW, "main")
    two = Claim("example.com", "example.com", "MX", "10 mx1.example.com.", NOW, "main")
    state = folder(tmp_path)

    later = replace(one, since=NOW + timedelta(days=1))

    state.claim([replace(one, left=NOW), two])
    assert state.claim([later]) == ()
    assert state.load().claims == (replace(later, left=NOW), two)
    state.release([replace(two, since=NOW + timedelta(days=2))])

    assert state.load().claims == (replace(later, left=NOW),)


def test_a_clock_is_started_and_stopped_on_the_value_it_belongs_to(tmp_path: Path) -> None:
    """A term of an SPF record is another value than a record of the same text; what is not in the ledger stays out."""
    term = Claim("example.com", "example.com", "TXT", "x", NOW, "main", mechanism=True)
    record = replace(term, mechanism=False)
    state = folder(tmp_path)
    state.claim([term, record])

    state.mark([replace(term, left=NOW), replace(term, name="other.example.com", left=NOW)])
    assert set(state.load().claims) == {replace(term, left=NOW), record}
    state.mark([term])

    assert set(state.load().claims) == {term, record}


def test_what_could_not_be_read_back_is_never_written(tmp_path: Path) -> None:
    """Otherwise one bad value would shut the folder for every later run."""
    state = folder(tmp_path)
    state.claim([])
    assert not (tmp_path / "state").exists()

    with pytest.raises(ValueError, match="record data"):
        state.claim([Claim("example.com", "example.com", "TXT", "a\nb", NOW, "main")])

    assert folder(tmp_path).load() == State()


def test_the_second_run_is_told_who_is_in(tmp_path: Path) -> None:
    """Two runs on one machine do not collide, and the lock ends with its block."""
    with folder(tmp_path).lock(), pytest.raises(StateError, match=f"process {os.getpid()}"):
        folder(tmp_path).lock().__enter__()

    with folder(tmp_path).lock():
        pass


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """Otherwise every key would be made anew."""
    (tmp_path / "state").write_text("a file\n")

    with pytest.raises(StateError):
        folder(tmp_path).load()
    with pytest.raises(StateError):
        folder(tmp_path).save_users(())


@pytest.mark.parametrize("name", ["../outside.pem", "/etc/shadow", "keys/../../outside.pem", ""])
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, name: str) -> None:
    """A reference is a path below the folder."""
    with pytest.raises(StateError, match="does not lie"):
        folder(tmp_path).open(Sealed(name, "0" * 64))


def _everything(state: StateFolder) -> None:
    with state.lock():
        if not state.load().keys:
            state.save_key(KEY, PEM)
        state.save_certificate(CERTIFICATE, TLS_PEM)
        state.save_authority(AUTHORITY)
        state.save_users((USER,))
        state.claim([Claim("example.com", "example.com", "TXT", '"v=spf1 ~all"', NOW, "main")])


def test_no_file_can_be_read_by_others_whatever_the_umask(tmp_path: Path) -> None:
    """Modes are set at creation, so there is not even a moment."""
    before = os.umask(0)
    try:
        _everything(folder(tmp_path))
    finally:
        os.umask(before)

    found = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert len(found) > 10
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in found if path.stat().st_mode & 0o077} == {}


def test_no_private_text_is_in_any_readable_file(tmp_path: Path) -> None:
    """Stories are for git: they hold digests and public parts only."""
    _everything(folder(tmp_path))

    for path in (tmp_path / "state").rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert b"BEGIN PRIVATE KEY" not in text
            assert PASSPHRASE.encode() not in text


def test_a_run_that_is_killed_between_any_two_writes_is_healed_by_the_next(tmp_path: Path) -> None:
    """Whatever a kill leaves behind loads, and running again makes it whole."""
    step = 0
    while dies_at(partial(_everything, state := StateFolder(tmp_path / str(step), UNENCRYPTED, tmp_path, {})), step):
        assert state.load().keys in ((), (KEY,))

        _everything(state)

        assert state.load().keys == (KEY,)
        assert state.open(KEY.sealed) == PEM
        assert state.load().certificates == (CERTIFICATE,)
        assert state.authority() == AUTHORITY
        step += 1
    assert step > 20


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10)
_DOMAIN = st.builds(lambda a, b: f"{a}.x{b}", _WORD, _WORD)
_WHEN = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones
_KEYS = st.builds(
    DkimKey,
    domain=_DOMAIN,
    selector=_WORD,
    algorithm=st.sampled_from(DkimAlgorithm),
    public=st.just(KEY.public),
    pem_sha256=st.just(KEY.pem_sha256),
    created=_WHEN,
    stage=st.sampled_from(KeyStage),
    served_since=st.none() | _WHEN,
    proven_on=st.lists(_DOMAIN).map(tuple),
)
_CLAIMS = st.builds(
    Claim,
    zone=_DOMAIN,
    name=st.builds("_{}.{}".format, _WORD, _DOMAIN),
    type=st.sampled_from(["TXT", "MX", "A", "AAAA"]),
    value=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1),
    since=_WHEN,
    dns=st.just("main"),
)
_USERS = st.builds(
    User,
    login=_WORD,
    password_hash=st.just("$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaA"),
    send_as=st.lists(_DOMAIN, min_size=1).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)
@given(
    keys=st.lists(_KEYS, unique_by=lambda key: (key.domain, key.selector), max_size=4),
    claims=st.lists(_CLAIMS, unique_by=lambda c: (c.zone, c.name, c.type, c.value), max_size=4),
    people=st.lists(_USERS, unique_by=lambda user: user.login, max_size=4),
)
def test_whatever_is_saved_comes_back(keys: list[DkimKey], claims: list[Claim], people: list[User]) -> None:
    """Reading is the inverse of writing, and writing the same again changes no byte."""
    with TemporaryDirectory() as place:
        state = StateFolder(Path(place) / "state", UNENCRYPTED, Path(place), {})
        for _ in range(2):
            for key in keys:
                state.save_key(key, PEM)
            state.claim(claims)
            state.save_users(people)
            loaded = state.load()
            files = {p: p.read_bytes() for p in Path(place).rglob("*") if p.is_file()}

        assert sorted(loaded.keys, key=repr) == sorted(keys, key=repr)
        assert set(loaded.claims) == set(claims)
        assert set(loaded.users) == set(people)
        assert {p: p.read_bytes() for p in files} == files


def test_a_selector_that_is_used_again_has_one_key_and_its_past_is_kept(tmp_path: Path) -> None:
    """The story of the removed key stays for people; its private part, which nothing needs, goes."""
    kept = folder(tmp_path)
    place = dkim.Place("e1", "e1.example.com._domainkey.example.org")
    old, old_pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW, place=place)
    new, new_pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW + timedelta(days=90), place=place)
    gone = replace(old, stage=KeyStage.REMOVED, removed=NOW + timedelta(days=60))
    kept.save_key(old, old_pem)
    kept.save_key(gone)

    kept.save_key(new, new_pem)

    assert kept.load().keys == (new,)
    assert kept.open(new.sealed) == new_pem
    assert [path.name for path in kept.path.glob("past/example.com/*")] == [f"e1.{NOW:%Y%m%dT%H%M%SZ}.json"]
    assert kept.past() == (gone,)


def test_no_key_takes_the_place_of_one_that_is_not_removed(tmp_path: Path) -> None:
    """Its private part is never overwritten."""
    kept = folder(tmp_path)
    place = dkim.Place("e1", "e1.example.com._domainkey.example.org")
    old, old_pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW, place=place)
    new, new_pem = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW + timedelta(days=90), place=place)
    kept.save_key(replace(old, stage=KeyStage.REVOKED), old_pem)

    with pytest.raises(StateError, match="never overwritten"):
        kept.save_key(new, new_pem)
