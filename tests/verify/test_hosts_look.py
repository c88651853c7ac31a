"""What a host answers about its inside is hostile until parsed; the programs that ask it are constants and bounded."""

import base64
import json
import runpy
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.deploys import probe
from sendwright.deploys.probe import ChrootAnswer, Sample, Signed, Smtp
from sendwright.errors import HostError
from sendwright.ssh import Result
from sendwright.stack import Host
from sendwright.verify.inside.look import Inside, Listener, Room, Waiting, look_inside, parse, script
from tests.verify.host_world import MX1, stack

HOST = stack().host(MX1)
PROGRAM = Path(probe.__file__).parents[1] / "templates/probe/sign.py"
OFFERED = {"name": MX1, "before": ["auth"], "inside": None, "certificate": "QQ=="}
SECTIONS = {
    "processes": "root                             master\nsendwright-guard                 python3\nroot     a b\n",
    "listeners": (
        'udp UNCONN 0      0      127.0.0.1:53  0.0.0.0:* users:(("unbound",pid=4104,fd=3)) \n'
        'tcp LISTEN 0      100         [::]:25     [::]:* users:(("master",pid=6110,fd=14),("smtpd",pid=1,fd=6))\n'
        "tcp LISTEN 0      128    [fe80::1]%eth0:22     *:* \n"
        'tcp LISTEN 0      128    *:80     *:* users:(("nginx",pid=1,fd=6))\n'
    ),
    "sockets": "/var/spool/postfix/opendkim/rsa.sock\n",
    "settings": "mynetworks = 127.0.0.0/8 [::1]/128\nsmtp_bind_address6 =\n",
    "relays": "smtp/inet/smtpd_relay_restrictions = reject_unauth_destination\n",
    "queue": "deferred 12 1795330417\nhold 1 1795330000\n",
    "corrupt": "0\n",
    "readable": "/etc/postfix/x\n",
    "room": "     41284928  31000000  2621440 2500000\n",
    "chroot": '{"answered": true, "ad": false}\n',
    "smtpcf": f"a warning\n{json.dumps(OFFERED)}\n",
}


def answer(**changes: str | None) -> bytes:
    """Return what the script prints, with sections changed or left out."""
    lines = ["a banner", "sendwright inside 1"]
    for name, text in {**SECTIONS, **changes}.items():
        if text is not None:
            lines.append(f"{name} {base64.b64encode(text.encode()).decode()}")
    return "\n".join([*lines, "end", ""]).encode()


def read(**changes: str | None) -> Inside:
    """Return what is read of such an answer."""
    return parse(HOST, answer(**changes), [25])


def test_an_answer_is_read_whole() -> None:
    """Every part, as the tools print it."""
    found = read()

    assert found.processes == {("root", "master"): 1, ("sendwright-guard", "python3"): 1, ("root", "a b"): 1}
    assert found.listeners == {
        Listener("udp", ip_address("127.0.0.1"), 53, frozenset({"unbound"})),
        Listener("tcp", ip_address("::"), 25, frozenset({"master", "smtpd"})),
        Listener("tcp", ip_address("fe80::1"), 22, frozenset()),
        Listener("tcp", ip_address("::"), 80, frozenset({"nginx"})),
    }
    assert found.sockets == {"/var/spool/postfix/opendkim/rsa.sock"}
    assert found.settings == {"mynetworks": "127.0.0.0/8 [::1]/128", "smtp_bind_address6": ""}
    assert found.relays == {"smtp/inet": "reject_unauth_destination"}
    assert found.queue == {"deferred": Waiting(12, 1795330417.0), "hold": Waiting(1, 1795330000.0)}
    assert (found.corrupt, found.readable) == (0, ("/etc/postfix/x",))
    assert found.room == Room(41284928 * 1024, 31000000 * 1024, 2621440, 2500000)
    assert found.chroot == ChrootAnswer(answered=True, ad=False)
    assert found.smtp == {25: Smtp(MX1, frozenset({"auth"}), None, b"A")}


def test_what_could_not_be_looked_at_is_none_and_no_guess() -> None:
    """A queue that nobody can read, no queue directory, no python, a port that refuses."""
    found = read(queue="deferred 1 5\nunreadable\n", room="", chroot="", smtpcf="ConnectionRefusedError: refused\n")

    assert (found.queue, found.room, found.chroot) == (None, None, None)
    assert found.smtp == {25: "ConnectionRefusedError: refused"}
    assert read(room="1 1 - -\n").room == Room(1024, 1024, 0, 0)


def test_a_reply_that_ends_the_look_at_a_port_is_told_as_the_server_gave_it() -> None:
    """Without the words of the program that asked."""
    found = read(smtpcf="smtplib.SMTPResponseException: (454, b'4.3.0 Try again later')\n")

    assert found.smtp == {25: "454 4.3.0 Try again later"}


@pytest.mark.parametrize(
    "changes",
    [
        {"queue": None},
        {"queue": "deferred many 5\n"},
        {"queue": "deferred 1\n"},
        {"corrupt": "-1\n"},
        {"room": "1 2 3\n"},
        {"listeners": "tcp LISTEN 0 0 nowhere 0.0.0.0:*\n"},
        {"listeners": "tcp LISTEN 0 0 300.0.0.1:25 0.0.0.0:*\n"},
        {"listeners": "tcp LISTEN 0 0 127.0.0.1:25 0.0.0.0:*\n" * 10_001},
        {"relays": "smtp/inet/mynetworks = 0.0.0.0/0\n"},
    ],
)
def test_an_answer_out_of_form_is_an_error_about_the_host(changes: dict[str, str | None]) -> None:
    """Never a guess."""
    with pytest.raises(HostError, match="it answered something else"):
        read(**changes)


def test_an_answer_that_was_cut_off_or_is_none_is_an_error_about_the_host() -> None:
    """A login that prints text, a connection that broke."""
    for output in (b"", b"hello\n", answer().replace(b"\nend", b""), answer().replace(b"inside 1", b"inside 2")):
        with pytest.raises(HostError):
            parse(HOST, output, [25])


@settings(max_examples=60)
@given(st.sampled_from(sorted(SECTIONS)), st.one_of(st.text(), st.binary().map(lambda b: b.decode("latin-1"))))
def test_whatever_a_host_answers_is_read_or_refused(section: str, text: str) -> None:
    """No other exception, in whatever part."""
    try:
        found = read(**{section: text})
    except HostError:
        return
    assert isinstance(found, Inside)


@given(st.binary())
def test_any_octets_are_read_or_refused(output: bytes) -> None:
    """Before, between and after the sections."""
    with pytest.raises(HostError):
        parse(HOST, output, [25])


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_whatever_signers_are_said_to_answer_is_read_or_refused(data: object) -> None:
    """Each answer is a verdict and a few signatures, or it is none."""
    for output in (json.dumps(data), json.dumps({"rsa": data}), json.dumps({"rsa": {"a@b": data}})):
        try:
            found = probe.parse_signed(HOST, output, ["rsa"])
        except HostError:
            continue
        assert all(isinstance(a, Signed) and len(a.signatures) <= 4 for a in found["rsa"].values())


def test_the_script_is_one_that_a_shell_takes_and_ends() -> None:
    """With every port asked; and what a shell here answers can be read, whatever this machine has."""
    text = script(HOST, [25, 587, 465])

    assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0
    assert text.count("203.0.113.10 ") == 3

    @dataclass
    class Here:
        host: Host

        def run(self, script: str, stdin: bytes = b"", timeout: float = 30.0) -> Result:
            done = subprocess.run(["sh", "-c", script], input=stdin, capture_output=True, check=False, timeout=timeout)
            return Result(done.stdout, done.stderr, done.returncode)

    assert look_inside(Here(HOST), []).processes


def test_a_message_as_it_would_have_left_ends_its_lines_as_mail_does() -> None:
    """Whatever a signer's folds look like; nothing else gets between."""
    sample = Sample((("Subject", "x"),), "Hello\r\n")

    assert sample.signed("a@b", "v=1;\n\tb=x\r\n y") == (
        b"DKIM-Signature: v=1;\r\n\tb=x\r\n y\r\nFrom: a@b\r\nSubject: x\r\n\r\nHello\r\n"
    )


Speak = Callable[[socket.socket], None]


@pytest.fixture
def milter(tmp_path: Path) -> Iterator[Callable[[Speak], str]]:
    """Start what plays a milter for one session, and say where it listens."""
    opened: list[socket.socket] = []

    def start(speak: Speak) -> str:
        path = tmp_path / "m.sock"
        server = socket.socket(socket.AF_UNIX)
        opened.append(server)
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            session, _ = server.accept()
            with session:
                speak(session)

        threading.Thread(target=serve, daemon=True).start()
        return str(path)

    yield start
    for server in opened:
        server.close()


def packet(command: bytes, data: bytes = b"") -> bytes:
    """Return a message of the milter protocol."""
    return struct.pack(">I", len(data) + 1) + command + data


def speaking(steps: int, verdict: bytes, heard: list[bytes]) -> Speak:
    """Return a milter that wants some steps left out, and ends each message with a signature and a verdict."""

    def speak(session: socket.socket) -> None:
        stream = session.makefile("rb")
        while size := stream.read(4):
            command = stream.read(struct.unpack(">I", size)[0])
            heard.append(command)
            kind = command[:1]
            if kind == b"O":
                session.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, steps)))
            elif kind == b"E":
                added = b"DKIM-Signature\0v=1; d=x\0"
                session.sendall(packet(b"p") + packet(b"i", b"\0\0\0\1" + added) + packet(b"h", b"X\0y\0"))
                session.sendall(packet(verdict))
            elif kind not in {b"D", b"A"} and not (steps & 0x80 and kind == b"L"):
                session.sendall(packet(b"c"))

    return speak


def ask(path: str, *authors: str, seconds: float = 5.0) -> dict[str, Any]:
    """Ask by the program that runs on hosts."""
    program = runpy.run_path(str(PROGRAM))["ask"]
    return dict(program(path, list(authors), [["To", "c@d"]], "Hello\r\n", time.monotonic() + seconds))


def test_a_milter_is_spoken_to_as_postfix_does_and_a_session_holds_many_messages(
    milter: Callable[[Speak], str],
) -> None:
    """It is told that the mail originates here, for that decides whether it is signed; From comes first."""
    heard: list[bytes] = []

    found = ask(milter(speaking(0, b"a", heard)), "a@b", "e@f")

    assert found == {"a@b": ("a", ["v=1; d=x"]), "e@f": ("a", ["v=1; d=x"])}
    assert b"DC{daemon_name}\0ORIGINATING\0j\0localhost\0" in heard
    assert b"".join(h[:1] for h in heard if h[:1] != b"D") == b"OCH" + b"MRTLLNBE" * 2
    assert [h for h in heard if h[:1] == b"L"] == [b"LFrom\0a@b\0", b"LTo\0c@d\0", b"LFrom\0e@f\0", b"LTo\0c@d\0"]


def test_steps_that_a_milter_does_not_want_are_left_out(milter: Callable[[Speak], str]) -> None:
    """No HELO, no answer to fields: as OpenDKIM may ask for."""
    heard: list[bytes] = []

    found = ask(milter(speaking(0x2 | 0x80 | 0x200, b"t", heard)), "a@b")

    assert found["a@b"][0] == "t"
    assert not {h[:1] for h in heard} & {b"H", b"T"}


def _flood(session: socket.socket) -> None:
    session.recv(100)
    session.sendall(struct.pack(">I", 2**31) + b"O" * 1000)


def _stammer(session: socket.socket) -> None:
    session.recv(100)
    session.sendall(packet(b"O", b"\0"))


@pytest.mark.parametrize("speak", [_flood, _stammer, lambda session: session.close(), lambda session: session.recv(1)])
def test_what_is_no_milter_is_no_answer(milter: Callable[[Speak], str], speak: Speak) -> None:
    """It floods, stammers, or hangs up."""
    assert ask(milter(speak), "a@b") == {"a@b": ("", [])}


def test_a_milter_that_falls_silent_is_waited_for_no_longer_than_was_said(milter: Callable[[Speak], str]) -> None:
    """The whole run is bounded, not each step."""
    done = threading.Event()

    def speak(session: socket.socket) -> None:
        del session
        done.wait(20)

    assert ask(milter(speak), "a@b", seconds=0.2) == {"a@b": ("", [])}
    done.set()


def test_a_malformed_order_is_refused_before_anything_is_asked() -> None:
    """The program on the host does not believe its input either."""
    for sockets, authors in (({"rsa": "/etc/passwd"}, []), ({}, ["a@b\nBcc: c"])):
        order = {"sockets": sockets, "authors": authors, "fields": [], "body": "", "most": 1}
        done = subprocess.run(
            ["sh", "-c", probe.sign_command()], input=json.dumps(order), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "malformed" in done.stderr
