"""Looking at a host: the script under a real shell, and a parser that trusts nothing."""

import base64
import hashlib
import os
import platform
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.answer import BEGIN, END, parse
from sendwright.errors import HostError
from sendwright.hostdiff import diff, differing
from sendwright.observation import Observation
from sendwright.observe import script, units
from sendwright.service import Directory, File, Release, Sealed, Service, Socket, SystemUser, Unit

_ON_DEBIAN_AS_ROOT = os.geteuid() == 0 and platform.freedesktop_os_release().get("VERSION_ID") in ("12", "13")
needs_debian = pytest.mark.skipif(not _ON_DEBIAN_AS_ROOT, reason="the script looks only at Debian 12 or 13, as root")


def look(*services: Service) -> Observation:
    """Observe this machine for services that either release gets alike."""
    desired = dict.fromkeys(Release, services)
    done = subprocess.run(["/bin/sh"], input=script(desired).encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return parse("here", done.stdout, units(desired))


@needs_debian
def test_paths_are_seen_as_they_are(tmp_path: Path) -> None:
    """Type, owner, mode and digest of files, directories, symlinks; nothing for what is not there."""
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    names = ("file", "link", "pipe", "missing")
    service = Service(
        "s",
        files=tuple(File(str(tmp_path / n), "content\n", mode=0o640) for n in names),
        directories=(Directory(str(tmp_path), mode=0o700),),
    )

    seen = look(service).paths

    assert (seen[f"{tmp_path}/file"].sha256, seen[f"{tmp_path}/file"].mode) == (service.files[0].sha256, 0o640)
    assert seen[f"{tmp_path}/link"].kind == "symbolic link"
    assert seen[f"{tmp_path}/pipe"].sha256 is None
    assert seen[str(tmp_path)].is_directory
    assert f"{tmp_path}/missing" not in seen


@needs_debian
def test_only_public_files_that_differ_send_their_content(tmp_path: Path) -> None:
    """Equal files, private files and large files do not."""
    for name, content in (
        ("same", "a\n"),
        ("other", "b\n"),
        ("secret", "b\n"),
        ("sealed", "b\n"),
        ("large", "b" * 70000),
    ):
        (tmp_path / name).write_text(content)
    service = Service(
        "s",
        files=(
            File(f"{tmp_path}/same", "a\n"),
            File(f"{tmp_path}/other", "a\n"),
            File(f"{tmp_path}/secret", "a\n", secret=True),
            File(f"{tmp_path}/sealed", Sealed("keys/x", hashlib.sha256(b"a\n").hexdigest())),
            File(f"{tmp_path}/large", "a\n"),
        ),
    )

    seen = look(service).paths

    assert {path: state.content for path, state in seen.items() if state.content is not None} == {
        f"{tmp_path}/other": "b\n"
    }


@needs_debian
def test_hostile_file_names_come_through_whole(tmp_path: Path) -> None:
    """A newline, quotes, an escape sequence and bytes that are no text in names of stray files."""
    strange = [b"a\nb", b"'; rm -rf /", b"\x1b[31m", b"\xff\xfe", b"end"]
    for name in strange:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    service = Service("s", directories=(Directory(str(tmp_path), exclusive=True),))

    entries = look(service).entries

    assert sorted(os.fsencode(e.path.rpartition("/")[2]) for e in entries if "rm -rf" not in e.path) == sorted(
        n for n in strange if b"rm -rf" not in n
    )


@needs_debian
def test_an_observed_world_that_is_as_desired_differs_in_nothing(tmp_path: Path) -> None:
    """What the script reports of a finished service makes no change in the plan."""
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "file").chmod(0o644)
    tmp_path.chmod(0o755)
    service = Service(
        "s",
        packages=("coreutils",),
        users=(SystemUser("root", "/root"),),
        directories=(Directory(str(tmp_path), exclusive=True),),
        files=(File(f"{tmp_path}/file", "content\n"),),
        absent=(f"{tmp_path}/absent",),
    )

    observation = look(service)

    assert diff("here", (service,), observation) == ()
    assert differing((service,), observation) == ()


def test_a_shell_that_greets_is_tolerated_and_one_that_lies_is_not() -> None:
    """Text before the beginning is skipped; a cut-off or damaged answer is an error about the host."""
    system = base64.b64encode(b"ubuntu\00024.04\0000\0001700000000.5\0yes\0001048576\0").decode()
    whole = f"Welcome!\n{BEGIN}\nsystem {system}\n{END}\n".encode()

    observation = parse("h", whole, ())

    assert (observation.system, observation.release, observation.root) == ("ubuntu 24.04", None, True)
    assert observation.disk_free == 1024**3
    for damaged in (b"", whole[:-5], whole.replace(b"system ", b"system *"), whole.replace(b"system", b"stream")):
        with pytest.raises(HostError, match="not an observation"):
            parse("h", damaged, ())


@given(st.binary(max_size=300))
def test_no_answer_of_a_host_raises_anything_but_a_host_error(noise: bytes) -> None:
    """Arbitrary bytes between the marks."""
    with pytest.raises(HostError):
        parse("h", f"{BEGIN}\n".encode() + noise + f"\n{END}\n".encode(), ("a.service",))


_SECTIONS = (
    *("vfour", "vsix", "packages", "users", "groups", "stat", "hashes", "contents", "entries", "units", "tcp"),
    *("stamps", "digests", "mail", "queue", "managed", "held", "generation"),
)
_TEXTS = st.one_of(
    st.binary(max_size=80),
    st.text("0123456789abcdef:\t\n =/\0|-", max_size=120).map(str.encode),
    st.sampled_from([b"yes\n", b"no\n", b"0\n", b"", b"LoadState=loaded\nActiveState=active\n"]),
)


@given(st.fixed_dictionaries(dict.fromkeys(_SECTIONS, _TEXTS)))
def test_no_section_of_an_answer_raises_anything_but_a_host_error(sections: dict[str, bytes]) -> None:
    """Well-framed, hostile values."""
    sections["system"] = b"debian\00012\0000\0001700000000\0yes\0001\0"
    lines = [f"{name} {base64.b64encode(value).decode()}" for name, value in sections.items()]

    try:
        observation = parse("h", "\n".join([BEGIN, *lines, END, ""]).encode(), ("a.service",))
    except HostError:
        return

    service = Service("s", files=(File("/etc/x", "x"),), listens=(Socket(25),), units=(Unit("a.service"),))
    assert diff("h", (service,), observation)


def test_a_script_grows_with_files_and_not_with_commands() -> None:
    """Thousands of files add lines to lists, not processes: the commands are the same."""
    few = script({Release.BOOKWORM: (Service("s", files=(File("/etc/0", "x"),)),)})
    many = script({Release.BOOKWORM: (Service("s", files=tuple(File(f"/etc/{n}", "x") for n in range(3000))),)})

    commands = [[line for line in text.splitlines() if "/etc/" not in line] for text in (few, many)]

    assert commands[0] == commands[1]
