"""No private key, passphrase or hash gets anywhere but where it belongs: watched while a bare host is provisioned."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sendwright import credentials, inventory
from sendwright.rehearse import World, build_from, lab_spec
from sendwright.state.folder import StateFolder

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_machine")]

PHRASE = "hunter2-battery-staple-phrase"
PASSWORD = "correct-horse-battery-password"
HOST = "mx1.example.com"
HOSTS = """
senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}], "tls": {"mode": "internal-ca"}})]
"""
SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "TSIG"}}}}
domains = {"example.com": {"dns": "main"}}
"""
# What anybody on a host may read of what came or changed there meanwhile; packages keep their dates of change.
READABLE = """
find / -xdev -path /proc -prune -o -path /sys -prune -o -path '*/apt/*' -prune -o -path '/usr/*' -prune \\
    -o -type f -perm -o+r -cmin -15 -size -512k -print0 | xargs -0 cat
cat /var/log/* 2>/dev/null
journalctl --no-pager --output=export --all
"""


@dataclass
class Watch:
    """All command lines of the machine and of the hosts on it, and who holds the passphrase in its environment."""

    lines: set[bytes] = field(default_factory=set)
    holders: set[bytes] = field(default_factory=set)
    files: dict[Path, bytes] = field(default_factory=dict)
    sweeps: int = 0

    def run(self, stop: threading.Event, temporary: Path) -> None:
        """Look, some fifty times a second, until told to stop."""
        while not stop.wait(0.02):
            self.sweeps += 1
            for process in Path("/proc").glob("[0-9]*"):
                self._look(process)
            for path in temporary.rglob("*"):
                try:
                    self.files[path] = path.read_bytes()
                except OSError:
                    continue

    def _look(self, process: Path) -> None:
        try:
            line = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            return
        self.lines.add(line)
        if PHRASE.encode() in environment:
            self.holders.add(line)


@dataclass(frozen=True)
class Watched:
    """A world that was provisioned under watch, and all that was printed meanwhile, by what printed it."""

    world: World
    watch: Watch
    printed: dict[str, bytes]


def run(world: World, *argv: str, temporary: Path, phrase: str | None = PHRASE) -> "subprocess.CompletedProcess[bytes]":
    """Run the command line at the controller's place, with a passphrase in its environment or none."""
    environment = {k: v for k, v in os.environ.items() if k != "SENDWRIGHT_PASSPHRASE"} | {"TMPDIR": str(temporary)}
    environment |= {"SENDWRIGHT_PASSPHRASE": phrase} if phrase else {}
    command = world.lab.command([sys.executable, "-m", "sendwright", *argv])
    return subprocess.run(command, capture_output=True, check=False, timeout=240, env=environment)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A bare host, an encrypted key store, an authority of our own, and somebody who watches."""
    source, temporary = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("temporary")
    (source / "group_data").mkdir()
    (source / "inventory.py").write_text(HOSTS)
    (source / "group_data" / "all.py").write_text(SHARED)
    stack = inventory.load(source).stack
    world = build_from(lab_spec(f"secrecy-{os.getpid()}", stack, 12), stack, print)
    try:
        with (world.folder / "group_data" / "all.py").open("a") as shared:
            shared.write('key_store = {"passphrase": {"env": "SENDWRIGHT_PASSPHRASE"}}\n')
        credentials.add(world.folder, "app", ("example.com",), PASSWORD)
        yield _provisioned(world, temporary)
    finally:
        world.lab.down()


def _provisioned(world: World, temporary: Path) -> Watched:
    watch, stop, folder = Watch(), threading.Event(), str(world.folder)
    thread = threading.Thread(target=watch.run, args=(stop, temporary))
    thread.start()
    try:
        printed = {}
        for name, argv in (
            ("plan before", ["plan", folder]),
            ("plan before, json", ["plan", folder, "--format", "json"]),
            ("provision", ["provision", folder, "--yes"]),
        ):
            done = run(world, *argv, temporary=temporary)
            assert done.returncode == 0, done.stderr.decode()
            printed[name] = done.stdout + done.stderr
        credentials.add(world.folder, "second", ("example.com",), PASSWORD)
        _spoil(world)
        for form in ("text", "json"):
            done = run(world, "plan", folder, "--format", form, temporary=temporary)
            printed[f"plan of a spoilt host, {form}"] = done.stdout + done.stderr
        done = run(world, "provision", folder, "--yes", "--format", "json", temporary=temporary)
        assert json.loads(done.stdout)["outcome"] == "done", done.stderr.decode()
        printed["provision again"] = done.stdout + done.stderr
    finally:
        stop.set()
        thread.join()
    return Watched(world, watch, printed)


def _spoil(world: World) -> None:
    # Every private file differs, so that whatever shows differences would have something to show.
    spoil = "find /etc -xdev -type f ! -perm /o+r -newer /etc/hostname -exec sh -c 'echo spoilt >> \"$1\"' - {} \\;"
    world.lab.host(HOST).run(["sh", "-c", spoil])


def _secrets(world: World) -> dict[str, set[bytes]]:
    """Return what nobody may see, by name: of private keys every piece of 40 characters, at steps of eight."""
    folder = StateFolder(
        world.declared.state_dir,
        world.declared.stack.key_store,
        world.folder,
        environ={"SENDWRIGHT_PASSPHRASE": PHRASE},
    )
    state, authority = folder.load(), folder.authority()
    assert authority
    chain = state.certificates[0].chain
    private = {key.sealed.name: folder.open(key.sealed) for key in state.keys}
    private |= {"the host's TLS key": folder.open(state.certificates[0].key), "the authority": authority.key_pem}
    # A private key holds its public half, which everybody may see.
    public = b"".join(_body(pem.encode()) for pem in (chain, authority.certificate))
    public += b"".join(key.public.encode() for key in state.keys)
    found = {name: {p for p in _pieces(_body(pem)) if p not in public} for name, pem in private.items()}
    found |= {f"hash of {user.login}": {user.password_hash.encode()} for user in state.users}
    return found | {
        "the passphrase": {PHRASE.encode(), base64.b64encode(PHRASE.encode())},
        "a password": {PASSWORD.encode()},
        "the TSIG secret": {world.lab.tsig_secret.encode()},
    }


def _body(pem: bytes) -> bytes:
    return b"".join(line for line in pem.split(b"\n") if not line.startswith(b"-----"))


def _pieces(body: bytes) -> set[bytes]:
    return {body[at : at + 40] for at in range(0, len(body) - 39, 8)}


def seen(secrets: dict[str, set[bytes]], text: bytes) -> list[str]:
    """Return the names of the secrets that a text holds, also where it was broken into lines."""
    joined = re.sub(rb"(?:\\n|\s)+", b"", text)
    return [name for name, pieces in secrets.items() if any(p in text or p in joined for p in pieces)]


def test_a_leak_would_be_seen(watched: Watched) -> None:
    """The search itself works: each secret is found where it was put on purpose."""
    secrets = _secrets(watched.world)

    assert len(secrets) == 9
    assert all(secrets.values())
    for name, pieces in secrets.items():
        assert seen(secrets, b"x" + b"\n ".join(max(pieces).partition(b"/")) + b"y") == [name]
    assert watched.watch.sweeps > 100
    assert any(b"multiprocessing" in line for line in watched.watch.lines)
    assert any(b"postfix" in line for line in watched.watch.lines)


def test_nothing_that_is_printed_holds_a_secret(watched: Watched) -> None:
    """Plans, differences, progress and results, for people and for machines."""
    secrets = _secrets(watched.world)

    assert {name: found for name, text in watched.printed.items() if (found := seen(secrets, text))} == {}


def test_no_process_list_holds_a_secret(watched: Watched) -> None:
    """Neither on the controller nor on the host, at any moment of it."""
    assert seen(_secrets(watched.world), b"\n".join(watched.watch.lines)) == []


def test_no_child_inherits_the_passphrase(watched: Watched) -> None:
    """Only the command itself, and what the lab starts it through, ever held it."""
    strangers = [line for line in watched.watch.holders if str(watched.world.folder).encode() not in line]
    own = (b"mount\0--bind\0", b"")

    assert watched.watch.holders
    assert [line for line in strangers if not line.startswith(own[0]) and line != own[1]] == []


def test_temporary_files_hold_no_secret(watched: Watched) -> None:
    """Private files travel by pipes, never by disk; and nothing stays behind."""
    assert watched.watch.files
    assert seen(_secrets(watched.world), b"\n".join(watched.watch.files.values())) == []
    assert [path for path in watched.watch.files if path.exists()] == []


def test_nothing_on_the_host_that_others_may_read_holds_a_secret(watched: Watched) -> None:
    """World-readable files, all logs and the whole journal."""
    readable = watched.world.lab.host(HOST).run(["sh", "-c", READABLE], check=False).stdout.encode()

    assert b"smtpd_tls" in readable
    assert b"MESSAGE=" in readable
    assert seen(_secrets(watched.world), readable) == []


def test_the_state_folder_is_its_owner_s_and_its_keys_are_sealed(watched: Watched) -> None:
    """Every file 0600, every folder 0700; hashes in users.json, the rest of the secrets nowhere in the clear."""
    state = watched.world.declared.state_dir
    secrets = _secrets(watched.world)
    entries = [state, *state.rglob("*")]
    files = [path for path in entries if path.is_file()]

    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in entries if path.is_dir()} == {0o700}
    for path in files:
        hashes = {name for name in secrets if name.startswith("hash of ")} if path.name == "users.json" else set()
        assert set(seen(secrets, path.read_bytes())) == hashes


@pytest.mark.parametrize(
    ("phrase", "words"),
    [("not-the-phrase-hunter3", "cannot be opened with this passphrase"), (None, "SENDWRIGHT_PASSPHRASE is not set")],
)
def test_without_the_passphrase_nothing_is_published_or_changed(
    phrase: str | None, words: str, watched: Watched, tmp_path: Path
) -> None:
    """One sentence that does not quote it, exit 1, and every record stays as it is."""
    world, shared = watched.world, watched.world.folder / "group_data" / "all.py"
    before, declared = world.lab.records("example.com"), shared.read_text()
    shared.write_text(f'{declared}domains["news.example.com"] = {{"dns": "main"}}\n')
    try:
        done = run(world, "provision", str(world.folder), "--yes", temporary=tmp_path, phrase=phrase)
    finally:
        shared.write_text(declared)

    assert done.returncode == 1
    assert done.stderr.decode().count("error: ") == 1
    assert words in done.stderr.decode()
    assert b"hunter" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert world.lab.records("example.com") == before
