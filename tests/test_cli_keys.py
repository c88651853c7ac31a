"""``sendwright keys`` as a person meets it: what it makes, takes over and gives out, and what it refuses."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sendwright import dkim, inventory, keyring
from sendwright.cli import main
from sendwright.errors import UsageError
from sendwright.report.progress import Progress
from sendwright.stack import DkimAlgorithm
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage

HOSTS = 'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]\n'
SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "UNSET"}}}}
domains = {
    "example.com": {"dns": "main"},
    "example.org": {"dns": "main", "dkim": {"algorithms": ["rsa"]}},
    "parked.example": {"dns": "main", "sends": False},
}
key_store = {"passphrase": {"env": "SENDWRIGHT_TEST_PASSPHRASE"}}
"""
PASSPHRASE = "correct horse"
NAME = "mail2019._domainkey.example.com"
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def locked(passphrase: str) -> serialization.KeySerializationEncryption:
    """Return an encryption by a passphrase."""
    return serialization.BestAvailableEncryption(passphrase.encode())


FORMS = {
    "pkcs1, as opendkim-genkey writes it": RSA.private_bytes(PEM, PKCS1, PLAIN),
    "pkcs8, as openssl writes it": RSA.private_bytes(PEM, PKCS8, PLAIN),
    "with text before it": b"Bag Attributes\n  friendlyName: dkim\n" + RSA.private_bytes(PEM, PKCS8, PLAIN),
    "with the lines of another system": RSA.private_bytes(PEM, PKCS1, PLAIN).replace(b"\n", b"\r\n"),
    "encrypted as the store is": RSA.private_bytes(PEM, PKCS8, locked(PASSPHRASE)),
    "ed25519": ED25519.private_bytes(PEM, PKCS8, PLAIN),
}
_SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused below
_WHOLE = RSA.private_bytes(PEM, PKCS8, PLAIN)
REFUSED = {
    "cannot be used: its private key is damaged": _WHOLE[:300] + _WHOLE[364:],
    "its private key is damaged": _WHOLE.replace(_WHOLE[400:410], b"AAAAAAAAAA"),
    "it holds no private key in PEM": RSA.private_bytes(DER, PKCS8, PLAIN),
    "holds no private key": b"\x1b[2Jgarbage\x00",
    "nothing was imported": b"",
    "it holds the public part of a key": b'mail._domainkey IN TXT ( "v=DKIM1; h=sha256; k=rsa; " "p=AAAA" ) ; ---',
    "it holds 2 private keys": _WHOLE * 2,
    "it holds an RSA key of 1024 bits": _SHORT.private_bytes(PEM, PKCS8, PLAIN),
    "it holds a key of another kind (EC)": ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN),
    "it holds a key of another kind (X25519)": X25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN),
    "in OpenSSH's own form": RSA.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, PLAIN),
    "is encrypted, and not by the passphrase of the key store": RSA.private_bytes(PEM, PKCS8, locked("another")),
    "too large to be a key": _WHOLE + b"\n" * 70000,
}


@pytest.fixture
def folder(inventory_folder: Callable[[str, str], Path]) -> Path:
    """An inventory with an encrypted key store."""
    return inventory_folder(HOSTS, SHARED)


@pytest.fixture
def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DkimKey, ...]:
    """The keys of the inventory, one of each kind that it asks for."""
    monkeypatch.setenv("SENDWRIGHT_TEST_PASSPHRASE", PASSPHRASE)
    return keyring.generate(folder, (), Progress())


@dataclass(frozen=True)
class Ended:
    """What came of a call."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, verb: str, *argv: str, passphrase: str = PASSPHRASE) -> Ended:
    """Run a keys verb, where there is no terminal."""
    return sendwright("keys", verb, str(folder), *argv, passphrase=passphrase)


def sendwright(*argv: str, passphrase: str = PASSPHRASE) -> Ended:
    """Run the command line; nothing that it prints moves a cursor."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setenv("SENDWRIGHT_TEST_PASSPHRASE", passphrase)
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
    assert "\x1b" not in err.getvalue()
    return Ended(int(str(ended.value.code)), out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    """Return what lies in the state folder, but who holds its lock."""
    state = folder / "state"
    hidden = (".lock", ".gitignore")
    return {str(p.relative_to(state)): p.read_bytes() for p in state.rglob("*") if p.is_file() and p.name not in hidden}


def listed(folder: Path) -> list[dict[str, object]]:
    """Return what `keys list` says as JSON."""
    found: list[dict[str, object]] = json.loads(run(folder, "list", "--format", "json").stdout)["keys"]
    return found


def test_missing_keys_are_made_once_and_kept_encrypted(folder: Path) -> None:
    """Their names stand alone on standard output; what is there already is left as it is."""
    first = run(folder, "generate", "--domain", "Example.org.")
    second = run(folder, "generate")
    third = run(folder, "generate")

    assert [done.returncode for done in (first, second, third)] == [0, 0, 0]
    assert first.stdout.splitlines() == [str(k["name"]) for k in listed(folder) if k["domain"] == "example.org"]
    assert len(second.stdout.splitlines()) == 2
    assert (third.stdout, third.stderr) == ("", "no key is missing.\n")
    files = contents(folder)
    assert len(files) == 6
    assert all(b"ENCRYPTED" in content for name, content in files.items() if name.endswith(".pem"))


def test_the_list_says_what_becomes_of_each_key(folder: Path, made: tuple[DkimKey, ...]) -> None:
    """For people as a table, for programs as JSON; without a passphrase, a network, or a key of its own."""
    key = next(k for k in made if k.domain == "example.org")
    state = StateFolder.of(inventory.load(folder))
    since = datetime(2026, 9, 1, tzinfo=UTC)
    signing = replace(key, stage=KeyStage.SIGNING, signing_since=since, proven_on=("mx1.example.com",))
    state.save_key(signing)

    table = run(folder, "list", passphrase="")
    (row,) = [k for k in listed(folder) if k["domain"] == "example.org"]

    lines = table.stdout.splitlines()
    assert (table.returncode, table.stderr, len(lines)) == (0, "", 4)
    assert lines[0].split()[:4] == ["domain", "selector", "kind", "bits"]
    assert len({line.index(" rsa ") if " rsa " in line else line.index(" ed25519") for line in lines[1:]}) == 1
    assert lines[3].split() == [
        *("example.org", key.selector, "rsa", "2048", "signing", "2026-09-01", "2026-11-30", "mx1.example.com")
    ]
    assert row == {
        "domain": "example.org",
        "selector": key.selector,
        "name": key.record_name,
        "target": None,
        "algorithm": "rsa",
        "bits": 2048,
        "stage": "signing",
        "created": key.created.isoformat(),
        "signing_since": "2026-09-01T00:00:00+00:00",
        "due": "2026-11-30T00:00:00+00:00",
        "leaked": None,
        "proven_on": ["mx1.example.com"],
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_taken_over_in_any_usual_form(form: str, folder: Path) -> None:
    """It gets a story that begins now, and rests encrypted by our passphrase; a second time changes nothing."""
    file = folder / "mail2019.private"
    file.write_bytes(FORMS[form])

    first = run(folder, "import", "example.com", "mail2019", str(file))
    kept = contents(folder)
    second = run(folder, "import", "EXAMPLE.com.", "mail2019", str(file))

    assert (first.returncode, first.stdout) == (0, "")
    assert "`sendwright provision` proves it" in first.stderr
    assert (second.returncode, "is in the state folder already" in second.stderr) == (0, True)
    assert contents(folder) == kept
    (row,) = listed(folder)
    assert (row["name"], row["stage"]) == (NAME, "generated")
    assert b"ENCRYPTED" in kept["keys/example.com/mail2019.pem"]


def test_what_was_taken_over_is_the_very_key(folder: Path, tmp_path: Path) -> None:
    """Given out again it is the same, and its record is what the server had published."""
    (folder / "key").write_bytes(FORMS["pkcs1, as opendkim-genkey writes it"])
    run(folder, "import", "example.com", "mail2019", str(folder / "key"))
    out = tmp_path / "copy.pem"

    done = run(folder, "export", NAME, "--out", str(out))

    public = RSA.public_key().public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert done.returncode == 0
    assert serialization.load_pem_private_key(out.read_bytes(), None).private_numbers() == RSA.private_numbers()  # type: ignore[union-attr]
    assert out.stat().st_mode & 0o777 == 0o600
    name, ttl, _, _, *strings = done.stdout.split("\t", 4)[:4] + done.stdout.split("\t", 4)[4].split('" "')
    assert (name, ttl) == (f"{NAME}.", "3600")
    told = dkim.record_text(StateFolder.of(inventory.load(folder)).load().keys[0])
    assert "".join(s.strip('"\n') for s in strings) == told
    assert len(public) == 294
    assert "PRIVATE" not in done.stdout + done.stderr
    assert "whoever reads it can sign as example.com" in done.stderr


def test_nothing_is_ever_overwritten_by_an_export(folder: Path, made: tuple[DkimKey, ...], tmp_path: Path) -> None:
    """Neither a file nor what a link leads to; and no part of the key is left behind."""
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    before = set(tmp_path.iterdir())

    for out in (there, link):
        done = run(folder, "export", made[0].record_name, "--out", str(out))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{out} is there already, and is never overwritten; nothing was written." in done.stderr
    nowhere = run(folder, "export", made[0].record_name, "--out", str(tmp_path / "no" / "file"))

    assert (nowhere.returncode, "cannot be written: No such file" in nowhere.stderr) == (1, True)
    assert there.read_text() == "mine"
    assert set(tmp_path.iterdir()) - before <= {folder / "state"}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_key_to_sign_with_is_refused_in_a_sentence(words: str, folder: Path) -> None:
    """Bad input, and nothing is written: not even the state folder is made."""
    file = folder / "key"
    file.write_bytes(REFUSED[words])

    done = run(folder, "import", "example.com", "mail2019", str(file))

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "nothing was imported" in done.stderr
    assert not (folder / "state").exists()


@pytest.mark.parametrize(
    ("domain", "selector", "file", "words"),
    [
        ("example.net", "mail", "key", "example.net is no domain of the inventory"),
        ("no domain", "mail", "key", "no domain is no domain of the inventory"),
        ("parked.example", "mail", "key", "parked.example sends no mail"),
        ("example.com", "Mail_2019", "key", "Mail_2019 is no selector"),
        ("example.com", "../../x", "key", "../../x is no selector"),
        ("example.com", "mail", "nowhere", "there is no file"),
        ("example.com", "mail", ".", "cannot be read: Is a directory"),
        ("example.org", "mail", "ed25519", "example.org does not sign with ed25519"),
    ],
)
def test_what_the_inventory_does_not_ask_for_is_refused(
    domain: str, selector: str, file: str, words: str, folder: Path
) -> None:
    """Exit 2, and nothing is written."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    (folder / "ed25519").write_bytes(FORMS["ed25519"])

    done = run(folder, "import", domain, selector, str(folder / file))

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert not (folder / "state").exists()


def test_a_selector_is_never_given_to_another_key(folder: Path, made: tuple[DkimKey, ...]) -> None:
    """Nor is one that was revoked, with the same key even: caches and queues remember."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    key = next(k for k in made if k.domain == "example.org")
    before = contents(folder)

    taken = run(folder, "import", "example.org", key.selector, str(folder / "key"))
    unchanged = contents(folder) == before
    StateFolder.of(inventory.load(folder)).save_key(replace(key, stage=KeyStage.REMOVED))
    used = run(folder, "import", "example.org", key.selector, str(folder / "key"))

    assert (taken.returncode, used.returncode, unchanged) == (2, 2, True)
    assert f"example.org has another key under the selector {key.selector} already" in taken.stderr
    assert "was used, and is removed; nothing was imported" in used.stderr


@pytest.mark.parametrize(
    ("story", "words"),
    [({"leaked": datetime.now(UTC)}, "it leaked"), ({"disclosed": "AAAA"}, "its private part was published")],
)
def test_a_key_that_others_have_is_not_taken_over_under_another_selector(
    story: dict[str, object], words: str, folder: Path
) -> None:
    """Anybody could sign as the domain with it."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    assert run(folder, "import", "example.com", "mail2019", str(folder / "key")).returncode == 0
    store = StateFolder.of(inventory.load(folder))
    store.save_keys(replace(key, **story) for key in store.load().keys)  # type: ignore[arg-type]

    again = run(folder, "import", "example.org", "mail2020", str(folder / "key"))

    assert again.returncode == 2
    assert f"the key of mail2019._domainkey.example.com, and {words}; nothing was imported" in again.stderr
    assert len(store.load().keys) == 1


def test_a_key_whose_selector_another_one_has_by_now_is_not_taken_over_again(folder: Path) -> None:
    """Its story is history, and anybody has its private part all the same."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    assert run(folder, "import", "example.com", "mail2019", str(folder / "key")).returncode == 0
    store = StateFolder.of(inventory.load(folder))
    (old,) = store.load().keys
    story = store.path / "keys/example.com/mail2019.json"
    store.save_key(replace(old, stage=KeyStage.REMOVED, disclosed="AAAA"))
    past = store.path / "past/example.com/mail2019.20260101T000000Z.json"
    past.parent.mkdir(parents=True)
    story.rename(past)
    story.with_suffix(".pem").unlink()

    again = run(folder, "import", "example.org", "mail2020", str(folder / "key"))

    assert again.returncode == 2
    assert "its private part was published; nothing was imported" in again.stderr


def test_a_key_that_is_taken_over_beside_one_that_signs_is_its_successor(
    folder: Path, made: tuple[DkimKey, ...]
) -> None:
    """It does not sign before a rotation has it do so."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    key = next(k for k in made if k.domain == "example.org")
    StateFolder.of(inventory.load(folder)).save_key(replace(key, stage=KeyStage.SIGNING))

    done = run(folder, "import", "example.org", "next", str(folder / "key"))

    assert done.returncode == 0
    assert f"`sendwright rotate` has it succeed {key.selector}" in done.stderr


def test_a_person_is_asked_for_the_passphrase_of_a_file_only_when_ours_does_not_open_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they say opens the file; it is kept by our passphrase, and theirs is in no message."""
    monkeypatch.setenv("SENDWRIGHT_TEST_PASSPHRASE", PASSPHRASE)
    file = folder / "key"
    file.write_bytes(RSA.private_bytes(PEM, PKCS8, locked("theirs")))
    asked: list[str] = []

    def ask(answer: str) -> Callable[[str], str]:
        def answered(what: str) -> str:
            asked.append(what)
            return answer

        return answered

    with pytest.raises(UsageError, match="this passphrase does not open it") as caught:
        keyring.import_key(folder, "example.com", "mail2019", file, Progress(), ask("hunter2"))
    done = keyring.import_key(folder, "example.com", "mail2019", file, Progress(), ask("theirs"))
    file.write_bytes(FORMS["encrypted as the store is"])
    keyring.import_key(folder, "example.com", "mail2020", file, Progress(), ask("never"))

    assert "hunter2" not in str(caught.value)
    assert asked == [f"Passphrase of {file}"] * 2
    assert StateFolder.of(inventory.load(folder)).open(done.key.sealed)


def _swap(keys: Path, one: str, other: str) -> None:
    first, second = keys / f"{one}.pem", keys / f"{other}.pem"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def test_a_wrong_passphrase_is_said_by_every_verb_that_needs_one_and_changes_nothing(
    folder: Path, made: tuple[DkimKey, ...], tmp_path: Path
) -> None:
    """A second passphrase would split the folder; the one that was tried is in no message."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    StateFolder.of(inventory.load(folder)).save_key(replace(made[0], stage=KeyStage.REMOVED))
    before = contents(folder)

    for verb, *argv in (
        ("export", made[1].record_name, "--out", str(tmp_path / "out")),
        ("import", "example.com", "mail2019", str(folder / "key")),
        ("generate",),
    ):
        wrong = run(folder, verb, *argv, passphrase="hunter2")
        none = run(folder, verb, *argv, passphrase="")
        assert (wrong.returncode, wrong.stdout) == (1, ""), verb
        assert "cannot be opened with this passphrase. Name the one" in wrong.stderr.replace("\n ", "")
        assert "hunter2" not in wrong.stderr
        assert (none.returncode, "SENDWRIGHT_TEST_PASSPHRASE holds nothing" in none.stderr) == (1, True), none.stderr

    assert contents(folder) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("truncated", "is damaged: it holds no private key"),
        ("garbage", "is damaged: it holds no private key"),
        ("empty", "is damaged: it holds no private key"),
        ("swapped", "is damaged: it is not the key that the story beside it tells of"),
    ],
)
def test_a_damaged_private_part_is_named_and_never_given_out(
    damage: str, words: str, folder: Path, made: tuple[DkimKey, ...], tmp_path: Path
) -> None:
    """A half, something else, nothing, or the key of another selector."""
    key, other = (k for k in made if k.domain == "example.com")
    keys = folder / "state" / "keys" / "example.com"
    file = keys / f"{key.selector}.pem"
    whole = file.read_bytes()
    match damage:
        case "truncated":
            file.write_bytes(whole[: len(whole) // 2])
        case "garbage":
            file.write_bytes(b"\x1b[2J\x00")
        case "empty":
            file.write_bytes(b"")
        case _:
            _swap(keys, key.selector, other.selector)
    before = contents(folder)

    done = run(folder, "export", key.record_name, "--out", str(tmp_path / "out"))

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{file} {words}." in done.stderr
    assert "Restore it from git or a backup." in done.stderr
    assert contents(folder) == before
    assert not (tmp_path / "out").exists()


def _without_its_pem(keys: Path, key: DkimKey) -> None:
    (keys / f"{key.selector}.pem").unlink()


def _without_its_story(keys: Path, key: DkimKey) -> None:
    (keys / f"{key.selector}.json").unlink()


def _with_a_torn_story(keys: Path, key: DkimKey) -> None:
    story = keys / f"{key.selector}.json"
    story.write_text(story.read_text()[:100])


def _with_the_story_of_another(keys: Path, key: DkimKey) -> None:
    (keys / "other.json").write_text((keys / f"{key.selector}.json").read_text())


def _with_a_file_in_its_place(keys: Path, key: DkimKey) -> None:
    shutil.rmtree(keys.parent)
    keys.parent.write_text(key.selector)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without_its_pem, "is lost."),
        (_without_its_story, "is a private key without its story."),
        (_with_a_torn_story, "is damaged: "),
        (_with_the_story_of_another, "is damaged: it tells of "),
        (_with_a_file_in_its_place, "keys cannot be read: Not a directory."),
    ],
)
def test_a_folder_that_cannot_be_trusted_stops_every_verb(
    damage: Callable[[Path, DkimKey], None], words: str, folder: Path, made: tuple[DkimKey, ...], tmp_path: Path
) -> None:
    """A key that merely looks absent would be made anew: one sentence names the file, and nothing is changed."""
    (folder / "key").write_bytes(FORMS["pkcs8, as openssl writes it"])
    key = next(k for k in made if k.domain == "example.org")
    StateFolder.of(inventory.load(folder)).save_key(replace(key, stage=KeyStage.SIGNING))
    damage(folder / "state" / "keys" / "example.org", key)
    before = contents(folder)

    for verb in (
        ("keys", "list", str(folder)),
        ("keys", "generate", str(folder)),
        ("keys", "import", str(folder), "example.com", "mail2019", str(folder / "key")),
        ("keys", "export", str(folder), key.record_name, "--out", str(tmp_path / "out")),
        ("dns", "export", str(folder)),
        ("dns", "apply", str(folder), "--yes"),
    ):
        done = sendwright(*verb)
        assert done.returncode == 1, verb
        assert words in done.stderr, verb

    assert contents(folder) == before
    assert not (tmp_path / "out").exists()


def test_an_algorithm_of_a_story_is_that_of_its_key() -> None:
    """Both kinds are read back as what they are."""
    now = datetime.now(UTC)

    for private, algorithm, size in ((RSA, DkimAlgorithm.RSA, 2048), (ED25519, DkimAlgorithm.ED25519, 256)):
        key, _ = dkim.story("example.com", dkim.Place("mail2019"), private, now)
        assert (key.algorithm, dkim.bits(key)) == (algorithm, size)
    assert dkim.bits(replace(key, algorithm=DkimAlgorithm.RSA)) is None
