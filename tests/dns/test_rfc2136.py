import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
import pytest

from sendwright.dns.providers.base import Edit, Provider, RecordSet, open_provider
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.transport import NoAnswer, Question
from sendwright.errors import DnsError, NotAllowed, SecretError, ServerUnreachable, WorldMoved
from sendwright.providers import Rfc2136

ZONE = "example.com"
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
KEY = dns.tsig.Key("updater", SECRET, "hmac-sha256")
EDIT = Edit(f"h.{ZONE}", "A", None, RecordSet(f"h.{ZONE}", "A", 60, ("203.0.113.1",)))

Reply = Callable[[dns.message.Message], bytes]


@contextlib.contextmanager
def _server(reply: Reply) -> Iterator[tuple[Provider, list[dns.message.Message]]]:
    """Serve on a port of the loopback interface; every update that comes is kept."""
    got: list[dns.message.Message] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, connection.makefile("rb") as stream:
                        wire = stream.read(int.from_bytes(stream.read(2), "big"))
                        got.append(dns.message.from_wire(wire, keyring={KEY.name: KEY}))
                        connection.sendall(reply(got[-1]))

        threading.Thread(target=serve, daemon=True).start()
        yield DynamicUpdate("127.0.0.1", listener.getsockname()[1], 0, KEY, _unasked), got
        listener.shutdown(socket.SHUT_RDWR)


def _unasked(_question: Question) -> dns.message.Message:
    raise NoAnswer("nobody is asked here")


def _framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire


def _answer(code: dns.rcode.Rcode, *, signed: bool = True) -> Reply:
    def reply(update: dns.message.Message) -> bytes:
        answer = dns.message.make_response(update)
        answer.set_rcode(code)
        if signed:
            return _framed(answer.to_wire())
        bare = dns.message.Message(update.id)
        bare.flags = dns.flags.QR | dns.opcode.to_flags(dns.opcode.UPDATE)
        bare.set_rcode(code)
        return _framed(bare.to_wire())

    return reply


@pytest.mark.parametrize("code", [dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.NXDOMAIN])
def test_a_failed_prerequisite_means_that_the_world_has_moved(code: dns.rcode.Rcode) -> None:
    """RFC 2136 section 3.2: the server then applied nothing."""
    with _server(_answer(code)) as (provider, _), pytest.raises(WorldMoved, match="nothing was applied"):
        provider.apply(ZONE, [EDIT])


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("code", [dns.rcode.REFUSED, dns.rcode.NOTAUTH])
def test_a_refused_key_is_one_sentence_whatever_the_server_answers(code: dns.rcode.Rcode, signed: bool) -> None:
    """Zone, server and key's name are in it, the secret never; PowerDNS does not even sign its refusal."""
    with _server(_answer(code, signed=signed)) as (provider, _), pytest.raises(NotAllowed) as caught:
        provider.apply(ZONE, [EDIT])

    assert all(word in str(caught.value) for word in (ZONE, "127.0.0.1", "TSIG key updater"))
    assert SECRET not in str(caught.value) + repr(provider)


def test_an_unsigned_success_is_not_believed() -> None:
    """Anybody on the way could have said so (RFC 8945 section 5.3)."""
    with _server(_answer(dns.rcode.NOERROR, signed=False)) as (provider, _), pytest.raises(DnsError, match="not sign"):
        provider.apply(ZONE, [EDIT])


@pytest.mark.parametrize(
    ("code", "said"),
    [(dns.rcode.SERVFAIL, "its own log"), (dns.rcode.NOTZONE, "not lie in the zone"), (dns.rcode.NOTIMP, "dynamic")],
)
def test_other_refusals_are_explained(code: dns.rcode.Rcode, said: str) -> None:
    """In words that a person can act on."""
    with _server(_answer(code)) as (provider, _), pytest.raises(DnsError, match=said):
        provider.apply(ZONE, [EDIT])


@pytest.mark.parametrize("rubbish", [b"", b"\x00\x0c", _framed(b"hello, world!!"), _framed(b"\xff" * 40)])
def test_an_answer_that_is_rubbish_says_that_the_outcome_is_unknown(rubbish: bytes) -> None:
    """The update was sent: it may or may not have been applied, and running again is safe."""
    with _server(lambda _: rubbish) as (provider, _), pytest.raises(DnsError, match="unknown"):
        provider.apply(ZONE, [EDIT])


def test_a_refused_connection_is_an_unreachable_server() -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(ServerUnreachable, match="takes no connection"):
        DynamicUpdate("127.0.0.1", port, 0, KEY, _unasked).apply(ZONE, [EDIT])
    with pytest.raises(ServerUnreachable, match="does not answer"):
        DynamicUpdate("127.0.0.1", port, 0, KEY, _unasked).read(ZONE, [("h.example.com", "A")])


def test_all_edits_of_a_zone_go_in_one_signed_update() -> None:
    """Atomic: RFC 2136 section 3.7."""
    edits = [EDIT, Edit(f"i.{ZONE}", "A", RecordSet(f"i.{ZONE}", "A", 60, ("203.0.113.2",)), None)]

    with _server(_answer(dns.rcode.NOERROR)) as (provider, got):
        provider.apply(ZONE, edits)

    assert len(got) == 1
    assert got[0].had_tsig


def test_an_update_of_over_64_kib_is_cut_into_as_few_as_needed() -> None:
    """That is the most that a message over TCP can hold (RFC 1035 section 4.2.2)."""
    text = '"' + "M" * 400 + '"'
    names = [f"k{i}.{ZONE}" for i in range(300)]

    with _server(_answer(dns.rcode.NOERROR)) as (provider, got):
        provider.apply(ZONE, [Edit(n, "TXT", None, RecordSet(n, "TXT", 60, (text,))) for n in names])

    assert len(got) == 3


def test_no_edits_are_no_update() -> None:
    """An unchanged zone is not touched."""
    with _server(_answer(dns.rcode.NOERROR)) as (provider, got):
        provider.apply(ZONE, [])

    assert got == []


@pytest.mark.parametrize("secret", ["not!base64", SECRET + "!", SECRET + "=", SECRET[:6] + " " + SECRET[6:], "clé="])
def test_a_secret_that_is_not_base64_is_refused_without_being_shown(tmp_path: Path, secret: str) -> None:
    """It is a secret even when it is wrong."""
    (tmp_path / "key").write_text(secret + "\n")
    tsig = {"name": "updater", "secret": {"file": "key"}}
    config = Rfc2136.model_validate({"provider": "rfc2136", "server": "192.0.2.1", "tsig": tsig})

    with pytest.raises(SecretError) as caught:
        open_provider(config, tmp_path)

    assert "not base64" in str(caught.value)
    assert secret not in str(caught.value)
