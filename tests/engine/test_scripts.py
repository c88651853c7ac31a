"""The scripts that change a host, run by a real shell in a folder of the tests."""

import base64
import getpass
import grp
import os
import socket
import subprocess
from pathlib import Path

import pytest

from sendwright.deploys import scripts
from sendwright.needs import Load
from sendwright.service import Directory, File, Sealed, Service, Socket, Unit

USER = getpass.getuser()
GROUP = grp.getgrgid(os.getgid()).gr_name


def run(script: str, given: str = "", first: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script as pyinfra does; ``first``: a folder whose commands hide those of the system."""
    env = {**os.environ, "PATH": f"{first}:{os.environ['PATH']}" if first else os.environ["PATH"]}
    return subprocess.run(["/bin/sh", "-c", script], input=given, capture_output=True, text=True, check=False, env=env)


def install(directories: tuple[Directory, ...], files: tuple[File, ...]) -> subprocess.CompletedProcess[str]:
    """Install a tree."""
    bundle = scripts.bundle(directories, files, lambda _: b"private\n")
    both: list[File | Directory] = [*directories, *files]
    return run(scripts.install_tree(both), bundle)


def a_file(path: Path, content: str | Sealed = "new\n", mode: int = 0o640) -> File:
    """Return a file of the user of the tests."""
    return File(str(path), content, USER, GROUP, mode)


def test_a_tree_is_installed_with_its_modes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Directories, files in them, private content; no staging file remains."""
    folder = tmp_path / "folder"
    files = (a_file(folder / "a.conf"), a_file(folder / "key", Sealed("keys/key", "0" * 64), 0o600))

    done = install((Directory(str(folder), USER, GROUP, 0o750),), files)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(p.name for p in folder.iterdir()) == ["a.conf", "key"]
    assert ((folder / "key").read_text(), (folder / "key").stat().st_mode & 0o777) == ("private\n", 0o600)
    assert folder.stat().st_mode & 0o777 == 0o750


def test_many_files_take_one_command_but_for_the_rename(tmp_path: Path) -> None:
    """Two thousand keys are installed in seconds: what a command can do for all of them it does at once."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("touch", "chmod", "sync"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} >>{tmp_path}/log\nexec /usr/bin/{name} "$@"\n')
        (tools / name).chmod(0o755)
    folders = [Directory(str(tmp_path / f"folder {n}"), USER, GROUP, 0o750) for n in range(20)]
    files = [a_file(Path(folder.path) / "key.pem") for folder in folders]
    bundle = scripts.bundle(folders, files, lambda _: b"")

    done = run(scripts.install_tree([*folders, *files]), bundle, str(tools))

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "log").read_text().split() == ["chmod", "touch", "sync"]
    assert len([*tmp_path.glob("folder */key.pem")]) == 20


def test_a_new_directory_inherits_no_bits_from_the_one_above_it(tmp_path: Path) -> None:
    """/var/mail has the set-group-ID bit, and what is installed there would differ from what was declared."""
    tmp_path.chmod(0o2775)
    wanted = [Directory(str(tmp_path / str(mode)), USER, GROUP, mode) for mode in (0o700, 0o750, 0o755)]

    done = install(tuple(wanted), (a_file(tmp_path / str(0o700) / "file"),))

    assert (done.returncode, done.stderr) == (0, "")
    assert [Path(each.path).stat().st_mode & 0o7777 for each in wanted] == [each.mode for each in wanted]


def test_a_symlink_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """As with /etc/resolv.conf of systemd-resolved: what it pointed at stays as it was."""
    (tmp_path / "theirs").write_text("theirs\n")
    (tmp_path / "link").symlink_to("theirs")

    done = install((), (a_file(tmp_path / "link"),))

    assert done.returncode == 0
    assert not (tmp_path / "link").is_symlink()
    assert ((tmp_path / "link").read_text(), (tmp_path / "theirs").read_text()) == ("new\n", "theirs\n")


def test_a_cut_off_upload_changes_no_file(tmp_path: Path) -> None:
    """A connection that dies in the middle leaves the old file whole."""
    (tmp_path / "file").write_text("old\n")
    file = a_file(tmp_path / "file", "new\n" * 5000)
    bundle = scripts.bundle((), (file,), lambda _: b"")

    done = run(scripts.install_tree([file]), bundle[: len(bundle) // 8 * 4])

    assert done.returncode != 0
    assert (tmp_path / "file").read_text() == "old\n"


def test_an_upload_that_is_cut_off_between_two_files_changes_neither(tmp_path: Path) -> None:
    """A signing table without its key table would hold mail back; tar sees nothing wrong in a bundle that is short."""
    files = [a_file(tmp_path / name) for name in ("rsa.keytable", "rsa.signingtable")]
    for file in files:
        Path(file.path).write_text("old\n")
    member = base64.b64decode(scripts.bundle((), files[:1], lambda _: b""))[:1024]

    done = run(scripts.install_tree(files), base64.encodebytes(member).decode())

    assert (done.returncode, done.stderr) == (1, "the files came cut off\n")
    assert [Path(file.path).read_text() for file in files] == ["old\n", "old\n"]


def test_an_owner_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """tar would fall back to a number, and the file would be root's without a word."""
    done = install((), (File(str(tmp_path / "file"), "x", "nobody-such", GROUP),))

    assert "there is no user nobody-such" in done.stderr
    assert not (tmp_path / "file").exists()


def test_removal_takes_names_literally(tmp_path: Path) -> None:
    """A host's file names are anybody's: newlines, quotes and leading dashes."""
    names = ["a\nb", "'; touch pwned; '", "-rf", "$(id)"]
    for name in (*names, "stays"):
        (tmp_path / name).touch()

    done = run(scripts.remove(), scripts.paths_to_remove(f"{tmp_path}/{name}" for name in names))

    assert done.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["stays"]


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", None), ("0.0.0.0", "127.0.0.1"), ("::", None)],  # noqa: S104
)
def test_an_open_port_is_seen_at_once(address: str, wanted: str | None) -> None:
    """In the kernel's own table, without a tool."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"no {address} here")

    with listener:
        port = listener.getsockname()[1]
        done = run(scripts.wait_for_ports([Socket(port, wanted)]))

    assert (done.returncode, done.stderr) == (0, "")


def test_a_port_that_only_loopback_serves_is_not_open_to_all() -> None:
    """A mail server that somebody turned to loopback looks alive and receives nothing."""
    with socket.create_server(("127.0.0.1", 0)) as loopback:
        wanted = Socket(loopback.getsockname()[1])
        done = run(scripts.wait_for_ports([wanted]).replace("tries=75", "tries=2"))

    assert done.returncode == 1


def test_a_closed_port_is_named() -> None:
    """After the time is up, which the test cuts short."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    done = run(scripts.wait_for_ports([Socket(port, "127.0.0.1")]).replace("tries=75", "tries=2"))

    assert done.returncode == 1
    assert f"nothing listens on 127.0.0.1:{port}" in done.stderr


def test_every_script_is_one_that_the_shell_can_read() -> None:
    """A syntax check of those that would change the machine of the tests."""
    service = Service(
        "s", files=(File("/etc/systemd/system/s.service", ""),), units=(Unit("s.service"),), reload_units=("s.service",)
    )
    texts = (
        scripts.back_up(),
        scripts.mark_managed(),
        scripts.withdraw_stamps([service]),
        scripts.install_packages(["postfix"]),
        scripts.install_packages([]),
        scripts.take_configuration(service, Load.RELOAD),
        scripts.write_stamp(service),
        scripts.unit_command("start", "s.service"),
    )

    for text in texts:
        done = subprocess.run(["/bin/sh", "-n"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), text


def test_a_bundle_names_owners_and_never_numbers() -> None:
    """tar resolves names on the host; the same file has another number there."""
    raw = base64.b64decode(scripts.bundle((), (File("/etc/x", "x", "opendkim", "postfix"),), lambda _: b""))

    assert b"opendkim" in raw
    assert b"etc/.x.sendwright-new" in raw
