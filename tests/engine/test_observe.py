"""Looking at a host: the script under a real shell, and a parser that trusts nothing."""

import base64
import gzip
import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.answer import BEGIN, END, TABLE_LIMIT, parse
from sendwright.errors import HostError
from sendwright.hostdiff import diff, differing
from sendwright.observation import Observation
from sendwright.observe import script, units
from sendwright.service import Directory, File, Release, Sealed, Service, Socket, SystemUser, Unit

_ON_DEBIAN_AS_ROOT = os.geteuid() == 0 and platform.freedesktop_os_release().get("VERSION_ID") in ("12", "13")
needs_debian = pytest.mark.skipif(not _ON_DEBIAN_AS_ROOT, reason="the script looks only at Debian 12 or 13, as root")


def look(*services: Service, tools: Path | None = None) -> Observation:
    """Observe this machine for services that either release gets alike; with queues if it is given Postfix's tools."""
    desired = dict.fromkeys(Release, services)
    text = script(desired, queues=tools is not None).replace("PATH=", f"PATH={tools}:", 1)
    done = subprocess.run(["/bin/sh"], input=text.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return parse("here", done.stdout, units(desired), queues=tools is not None)


def write_tools(folder: Path, **programs: str) -> Path:
    """Write shell programs and return their folder."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


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


_MAIL = r"""{"queue_name": "deferred", "queue_id": "4bRz", "arrival_time": 1795000000, "size": 1, "sender": "a@b"}
{"queue_name": "hold", "queue_id": "9AF", "arrival_time": 999999999, "size": 1, "sender": "\", \"arrival_time\": 1, "}
{"queue_name": "active", "queue_id": "A1", "arrival_time": 1795000001, "size": 1, "sender": ""}
"""


@needs_debian
def test_the_oldest_message_and_the_longest_life_of_one_are_asked_of_postfix(tmp_path: Path) -> None:
    """By number, not by text; what a sender wrote is no arrival; however long the queue, the answer is one line."""
    (tmp_path / "queue").write_text(_MAIL)
    tools = write_tools(tmp_path, postqueue=f"cat {tmp_path}/queue", postconf="echo 90m; echo 1w")

    seen = look(tools=tools)

    assert seen.oldest == datetime.fromtimestamp(999999999, UTC)
    assert seen.lifetime == timedelta(days=7, minutes=90)


@needs_debian
def test_an_empty_queue_has_no_oldest_message_and_a_host_without_postfix_says_nothing(tmp_path: Path) -> None:
    """And whoever does not ask is not told."""
    bare = look(tools=tmp_path)
    empty = look(tools=write_tools(tmp_path, postqueue="true", postconf="echo 5d; echo 0"))

    assert (bare.lifetime, bare.oldest) == (None, None)
    assert (empty.lifetime, empty.oldest) == (timedelta(days=5), None)
    assert look().lifetime is None


@needs_debian
@pytest.mark.parametrize("program", ["echo some words; cat queue", "cat queue; exit 1", "echo '{}'; cat queue"])
def test_a_queue_that_could_not_be_read_whole_is_an_error_of_the_host(tmp_path: Path, program: str) -> None:
    """An older message may lie in the part that nobody saw."""
    (tmp_path / "queue").write_text(_MAIL)
    tools = write_tools(tmp_path, postqueue=f"cd {tmp_path}; {program}", postconf="echo 5d; echo 5d")

    with pytest.raises(HostError, match="its mail queue could not be read"):
        look(tools=tools)


@needs_debian
def test_tables_that_differ_are_read_whole_but_for_rows_of_probes(tmp_path: Path) -> None:
    """However many domains they are for; those that are as they should be, and other files, are not."""
    rows = "".join(f"d{n}.example s1._domainkey.d{n}.example\n" for n in range(10000))
    probes = "".join(f"sendwright-probe+s1@d{n}.example s1._domainkey.d{n}.example\n" for n in range(10000))
    (tmp_path / "rsa.signingtable").write_text(f"# comment\n{probes}{rows}")
    (tmp_path / "rsa.keytable").write_text("same\n")
    (tmp_path / "other").write_text("other\n")
    (tmp_path / "ed25519.keytable").write_bytes(b"\n" * (TABLE_LIMIT + 1))
    wanted = {"rsa.signingtable": "x\n", "rsa.keytable": "same\n", "other": "x\n", "ed25519.keytable": "x\n"}
    service = Service("s", files=tuple(File(f"{tmp_path}/{name}", text) for name, text in wanted.items()))

    assert look(service, tools=tmp_path).tables == {f"{tmp_path}/rsa.signingtable": rows}


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


_QUEUES = ("lifetime", "oldest", "tables")


@given(st.fixed_dictionaries(dict.fromkeys((*_SECTIONS, *_QUEUES), _TEXTS)))
def test_no_section_of_an_answer_raises_anything_but_a_host_error(sections: dict[str, bytes]) -> None:
    """Well-framed, hostile values."""
    sections["system"] = b"debian\00012\0000\0001700000000\0yes\0001\0"
    lines = [f"{name} {base64.b64encode(value).decode()}" for name, value in sections.items()]

    try:
        observation = parse("h", "\n".join([BEGIN, *lines, END, ""]).encode(), ("a.service",), queues=True)
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


def _answer(**sections: bytes) -> bytes:
    """Return the answer of a host that is as good as empty, but for these sections."""
    empty = dict.fromkeys(_SECTIONS, b"") | {"queue": b"0\n", "managed": b"no\n", "held": b"no\n"}
    queues = {"lifetime": b"5d\n5d\n", "oldest": b"none\n", "tables": b""}
    system = {"system": b"debian\00012\0000\0001700000000\0no\0001\0"}
    lines = [f"{n} {base64.b64encode(v).decode()}" for n, v in (system | empty | queues | sections).items()]
    return "\n".join([BEGIN, *lines, END, ""]).encode()


@pytest.mark.parametrize(
    ("said", "days"),
    [("5\n5\n", 10), ("5d\n2w\n", 19), ("24h\n1440m\n", 2), ("86400s\n0\n", 1), ("0h\n0\n", 0), ("", None)],
)
def test_postfix_says_times_in_units_and_days_without(said: str, days: int | None) -> None:
    """Seconds, minutes, hours, days, weeks (postconf(5))."""
    expected = None if days is None else timedelta(days=days)

    assert parse("h", _answer(lifetime=said.encode()), (), queues=True).lifetime == expected


_PACKED = gzip.compress(b"a b\n")


@pytest.mark.parametrize(
    "sections",
    [
        *(
            {"lifetime": t.encode()}
            for t in (
                "5d\n",
                "5d\n5d\n5d\n",
                "-1d\n1d\n",
                "1y\n1d\n",
                "9" * 40 + "w\n1d\n",
                "9999999d\n1d\n",
                "$x\n1d\n",
            )
        ),
        *({"oldest": t.encode()} for t in ("", "1795000000", "-5\n", "1\n2\n", "999999999999\n", "٣\n")),
        *({"tables": b"/x\t" + base64.b64encode(p) + b"\n"} for p in (b"", b"no gzip", _PACKED[:-9], b"\0" * 20)),
    ],
)
def test_what_is_said_of_queues_and_tables_in_another_form_is_an_error(sections: dict[str, bytes]) -> None:
    """A guess here would let a record go that somebody still needs."""
    with pytest.raises(HostError):
        parse("h", _answer(**sections), (), queues=True)


def test_whoever_asks_for_queues_gets_an_answer_or_an_error() -> None:
    """A host that leaves them out is no host without mail."""
    with pytest.raises(HostError):
        parse("h", _answer().replace(b"oldest ", b"newest "), (), queues=True)


def test_a_table_that_unpacks_to_more_than_may_be_read_is_left_out() -> None:
    """A few kilobytes may become gigabytes."""
    packed = base64.b64encode(gzip.compress(b"\0" * (TABLE_LIMIT + 1)))

    assert parse("h", _answer(tables=b"/x\t" + packed + b"\n"), (), queues=True).tables == {}
