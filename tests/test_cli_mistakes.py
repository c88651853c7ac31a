"""What a person gets for a mistake: all of them at once, what is allowed, an exit code, and never a traceback."""

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sendwright.lab import labs

Run = Callable[..., tuple[int, str, str]]

SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "127.0.0.1", "port": 1,
                "tsig": {"name": "sendwright", "secret": {"file": "tsig"}}}}
domains = {"example.com": {"dns": "main"}}
"""
HOST = '"egress": [{"public": "203.0.113.10"}], "ssh_hostname": "127.0.0.1", "ssh_port": 1'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inventory whose host and name server nobody is behind."""
    return write(tmp_path / "mail", f'senders = [("mx1.example.com", {{{HOST}}})]\n', SHARED)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that notices whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def mute(folder: Path) -> Iterator[int]:
    """A name server for the inventory that answers with what is no DNS message; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        (folder / "group_data" / "all.py").write_text(SHARED.replace('"port": 1', f'"port": {port}'))
        thread = threading.Thread(target=_babble, args=(server,), daemon=True)
        thread.start()
        yield port
        server.sendto(b"", ("127.0.0.1", port))
        thread.join(5)


def _babble(server: socket.socket) -> None:
    while True:
        data, client = server.recvfrom(4096)
        if not data:
            return
        server.sendto(b"?", client)


def write(folder: Path, hosts: str, shared: str) -> Path:
    """Write an inventory folder."""
    (folder / "group_data").mkdir(parents=True)
    (folder / "inventory.py").write_text(hosts)
    (folder / "group_data" / "all.py").write_text(shared)
    (folder / "tsig").write_text("c2VjcmV0\n")
    return folder


@pytest.mark.parametrize("verb", [["plan"], ["provision", "--yes"], ["rehearse"]])
def test_five_mistakes_are_told_at_once_and_nothing_is_tried(
    verb: list[str], run: Run, tmp_path: Path, listener: socket.socket
) -> None:
    """Each has its place and what is allowed; no state folder, no lab, no connection."""
    port = listener.getsockname()[1]
    host = f'"egress": [{{"public": "203.0.113.300"}}], "ssh_prot": 22, "ssh_hostname": "127.0.0.1", "ssh_port": {port}'
    shared = (
        f'dns = {{"main": {{"provider": "rfc2136", "server": "127.0.0.1", "port": {port},\n'
        '    "tsig": {"name": "k", "secret": {"file": "tsig"}}}}\n'
        'domains = {"example.com": {"dns": "man", "dmarc": {"policy": "rejct"}}, "example.org": {"dns": "man"}}\n'
        'smtp = {"queue_days": 9}\n'
    )
    folder = write(tmp_path / "mail", f'senders = [("mx1.example.com", {{{host}}})]\n', shared)

    code, out, err = run(*verb, folder)

    assert (code, out) == (2, "")
    assert "5 mistakes; nothing was tried" in err
    for place, allowed in (
        ("hosts › mx1.example.com › ssh_prot", "did you mean ssh_port?"),
        ("hosts › mx1.example.com › egress › 1 › public", "as in 203.0.113.10"),
        ("domains › example.com › dmarc › policy", "'none', 'quarantine' or 'reject'"),
        ("domains › example.org › dns", "did you mean main?"),
        ("smtp › queue_days", "1 to 5"),
    ):
        (line,) = (line for line in err.splitlines() if line.strip().startswith(f"{place}:"))
        assert allowed in line
    assert sorted(p.name for p in folder.iterdir()) == ["group_data", "inventory.py", "tsig"]
    assert not {"mail", f"rehearsal-{os.getpid()}"} & {lab.name for lab in labs()}
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("senders = [(", "inventory.py › line 1: not valid Python"),
        ("\n\nsenders = [nobody]", "inventory.py › line 3: NameError"),
        ("import sys; sys.exit('over')", "inventory.py › line 1: SystemExit: over"),
        ("x\0y", "inventory.py: not valid Python"),
        ("senders = []", "no host is declared"),
        ("senders = [('a\x1b[2Jb', {})]", "fully qualified"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "rehearse"])
def test_an_inventory_that_cannot_be_read_is_one_message(
    verb: str, text: str, words: str, run: Run, folder: Path
) -> None:
    """With the line, where there is one, and without anything that moves a terminal's cursor."""
    (folder / "inventory.py").write_text(text)

    code, out, err = run(verb, folder)

    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("error: ")
    assert err.replace("\n", "").isprintable()


def test_no_inventory_no_such_host_and_no_such_format_are_bad_usage(run: Run, folder: Path, tmp_path: Path) -> None:
    """Each is one message that says what there is, and nothing is tried."""
    (tmp_path / "empty").mkdir()

    for argv, words in (
        (["plan", tmp_path / "nowhere"], "sendwright init"),
        (["plan", tmp_path / "empty"], "sendwright init"),
        (["provision", folder, "--yes", "--limit", "mx2.example.com"], "Hosts: mx1.example.com."),
        (["provision", folder, "--yes", "--limit", "\x1b[2J\u202e"], "Hosts: mx1.example.com."),
        (["plan", folder, "--format", "xml"], "'text', 'json'"),
    ):
        code, out, err = run(*argv)

        assert (code, out) == (2, "")
        assert words in err
        assert err.replace("\n", "").isprintable()
    assert not (folder / "state").exists()


def test_every_host_and_zone_out_of_reach_is_named_in_a_sentence_of_its_own(run: Run, folder: Path, mute: int) -> None:
    """Plan shows what it knows, and fails with 1: it was tried."""
    code, out, err = run("plan", folder)

    assert code == 1
    assert "generate a DKIM key" in out
    assert "error: mx1.example.com: cannot connect to 127.0.0.1 port 1: connection refused.\n  Check ssh_host" in err
    assert f"the server 127.0.0.1 port {mute} does not answer" in err
    assert err.count("error: ") == 2


def test_a_new_inventory_plans_and_says_which_secret_has_no_value(run: Run, tmp_path: Path) -> None:
    """What init writes loads; its plan names the variable and how it is set, once."""
    folder = tmp_path / "new"
    names = ["--domain", "example.net", "--host", "mx1.example.net"]

    made = run("init", folder, *names, "--address", "198.51.100.7", "--address", "2001:db8::7")
    again = run("init", folder, *names, "--address", "198.51.100.7")
    command = [sys.executable, "-m", "sendwright", "plan", str(folder)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SENDWRIGHT_")}
    planned = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert made[0] == 0
    assert "rehearse" in made[2]
    assert '"2001:db8::7"' in (folder / "inventory.py").read_text()
    assert again[0] == 2
    assert "nothing is overwritten" in again[2]
    assert planned.returncode == 1
    assert planned.stderr.count("SENDWRIGHT_TSIG is not set") == 1
    assert "export SENDWRIGHT_TSIG=" in planned.stderr
    assert "Traceback" not in planned.stderr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("claims.json", '[{"zone": "example.com"}]'),
        ("claims.json", "\x00\x1b[2J"),
        ("users.json", '[{"login": "app", "password_hash": "$argon2id$v=19$m=65536,t=3$hunter2", "send_as": []}]'),
        ("keys/example.com/r1.json", "{}"),
        ("keys/example.com/r1.pem", "a key without its story"),
        ("tls/mx1.example.com.json", "[]"),
    ],
)
def test_a_damaged_state_folder_is_one_sentence_and_nothing_is_tried(
    file: str, content: str, run: Run, folder: Path
) -> None:
    """It names the file and where to restore it from, never what lies in it."""
    damaged = folder / "state" / file
    damaged.parent.mkdir(parents=True)
    damaged.write_text(content)

    for verb in (["plan", folder], ["provision", folder, "--yes"]):
        code, out, err = run(*verb)

        assert (code, out) == (1, "")
        assert err.count("error: ") == 1
        assert str(damaged) in err
        assert "git or a backup" in err
        assert "hunter2" not in err


@pytest.mark.parametrize("where", ["file", "/proc/nobody/may"])
def test_a_state_folder_that_cannot_be_used_is_one_sentence(where: str, run: Run, folder: Path) -> None:
    """A file in its place, which stays as it was, or a place where nobody may write."""
    (folder / "file").write_text("")
    (folder / "file").chmod(0o644)
    (folder / "group_data" / "all.py").write_text(f"{SHARED}\nstate_dir = {where!r}\n")

    for verb in (["provision", folder, "--yes"], ["users", "add", folder, "app", "--send-as", "example.com"]):
        code, out, err = run(*verb)

        assert (code, out) == (1, "")
        assert err.count("error: ") == 1
        assert where in err
        assert stat.filemode((folder / "file").stat().st_mode) == "-rw-r--r--"


def test_output_that_nobody_takes_is_no_traceback(folder: Path) -> None:
    """A full disk is a sentence; a reader that has seen enough is none at all."""
    command = [sys.executable, "-m", "sendwright", "users", "list", str(folder)]
    with Path("/dev/full").open("w") as full:
        no_room = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    reader, writer = os.pipe()
    os.close(reader)
    unread = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)

    assert no_room.returncode == 1
    assert no_room.stderr.startswith("error: No space left on device.")
    assert "Traceback" not in no_room.stderr
    assert (unread.returncode, unread.stderr) == (1, "")


def test_a_rehearsal_s_own_root_never_reaches_hosts_outside_of_a_lab(run: Run, folder: Path) -> None:
    """They would trust a root that is not the Internet's: the inventory is refused."""
    overlay = 'rehearsal = {"root_hints": ". 3600 IN NS a.root.", "trust_anchor": ". IN DS 1 13 2 00"}\n'
    (folder / "group_data" / "all.py").write_text(SHARED + overlay)

    code, _, err = run("provision", folder, "--yes")

    assert code == 2
    assert "rehearsal: is for hosts of a lab only" in err


@pytest.mark.usefixtures("mute")
def test_a_secret_s_command_does_not_see_the_passphrase(folder: Path) -> None:
    """Programs that look up one secret are not handed the others."""
    command = '{"command": ["sh", "-c", "env > seen; echo c2VjcmV0"]}'
    shared = folder / "group_data" / "all.py"
    shared.write_text(shared.read_text().replace('{"file": "tsig"}', command))
    environment = os.environ | {"SENDWRIGHT_PASSPHRASE": "hunter2-phrase", "SENDWRIGHT_TSIG": "x", "MINE": "stays"}

    subprocess.run(
        [sys.executable, "-m", "sendwright", "plan", str(folder)], check=False, env=environment, capture_output=True
    )

    seen = (folder / "seen").read_text()
    assert "MINE=stays" in seen
    assert "SENDWRIGHT" not in seen
    assert "hunter2" not in seen
