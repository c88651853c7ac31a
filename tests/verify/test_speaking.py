import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from sendwright.errors import UsageError
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.conversation import EXPIRED, SELF_SIGNED, Conversation, Endpoint, Silence
from sendwright.verify.speaking import speak
from sendwright.verify.target import Server as Target
from tests.verify import misbehaving
from tests.verify.certificates import Made, made, root
from tests.verify.servers import Serve, Server, context, refuses_strangers, serving
from tests.verify.worlds import host

HERE = (ip_address("127.0.0.1"),)
MX1 = "mx1.example.com"
MX = Target(MX1, HERE, ("example.com",))
MISBEHAVING = (
    misbehaving.endless_banner,
    misbehaving.endless_line,
    misbehaving.drip,
    misbehaving.silent,
    misbehaving.no_smtp,
    misbehaving.gone,
    misbehaving.deaf,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    """An authority, and the file by which it is trusted."""
    made_here = root()
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    path.write_text(made_here.pem)
    return made_here, path


def spoken(
    ports: Mapping[int, Serve],
    target: Target = MX,
    trust: Path | None = None,
    timeout: float = 5.0,
    wanted: frozenset[str] = frozenset(CHECKS),
    helo: str = "verify.example.net",
) -> tuple[Conversation, ...]:
    """What a server says that runs for the time of the conversation."""
    with serving(ports) as connect:
        return speak(target, timeout=timeout, trust=trust, wanted=wanted, helo=helo, opened=connect)


def test_a_good_server_is_asked_everything_in_two_connections(authority: tuple[Made, Path]) -> None:
    """One to talk and one to offer old TLS; nothing but RCPT ever comes near a message."""
    ca, trust = authority
    server = Server(tls=context(made(MX1, issuer=ca)))

    (talk,) = spoken({25: server}, trust=trust)

    assert (talk.silence, talk.why, talk.tls_failure, talk.unasked) == (None, "", "", "")
    assert str(talk.greeting) == "220 mx1.example.com ESMTP"
    assert talk.named == MX1
    assert "STARTTLS" in talk.before
    assert dict(talk.inside) == {"PIPELINING": ""}
    assert talk.tls is not None
    assert (talk.tls.version, talk.tls.old, talk.tls.trusted, talk.tls.unasked) == ("TLSv1.3", "", "", "")
    assert len(talk.tls.chain) == 2
    assert {a: r.code for a, r in talk.recipients.items()} == {"postmaster@example.com": 250, "abuse@example.com": 250}
    assert {s: r.code for s, r in talk.relay.items()} == {"<>": 554, "<postmaster@example.com>": 554}
    assert server.connections == 2
    assert not [command for command in server.heard if command.upper().startswith(("DATA", "BDAT"))]


@pytest.mark.parametrize(
    ("days", "named", "why"),
    [((-100, -1), True, EXPIRED), ((1, 100), True, EXPIRED), ((-10, 80), False, SELF_SIGNED)],
    ids=["ended", "not yet", "self-signed"],
)
def test_a_chain_is_seen_whatever_is_wrong_with_it(
    authority: tuple[Made, Path], days: tuple[int, int], named: bool, why: str
) -> None:
    """Expired and untrusted certificates are shown too, each with its reason."""
    ca, trust = authority
    shown = made(MX1, issuer=ca if named else None, begins=timedelta(days[0]), ends=timedelta(days[1]))

    (talk,) = spoken({25: Server(tls=context(shown))}, trust=trust)

    assert talk.tls is not None
    assert talk.tls.trusted == why
    assert talk.tls.chain == shown.chain


def test_the_systems_authorities_can_be_named_as_openssl_has_them_named(
    authority: tuple[Made, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``SSL_CERT_FILE``: how containers and test benches bring their own."""
    ca, path = authority
    server = Server(tls=context(made(MX1, issuer=ca)))

    (before,) = spoken({25: server})
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    (after,) = spoken({25: server})

    assert before.tls is not None
    assert before.tls.trusted == "its authority is not trusted here"
    assert after.tls is not None
    assert after.tls.trusted == ""


def test_an_issuer_that_was_not_sent_is_missed(authority: tuple[Made, Path]) -> None:
    """Servers that forget the intermediate certificate are the most common mistake of all."""
    ca, trust = authority
    middle = made(issuer=ca, authority=True, common="a middle")
    whole = made(MX1, issuer=middle)

    (good,) = spoken({25: Server(tls=context(whole))}, trust=trust)
    (bad,) = spoken({25: Server(tls=context(Made(whole.certificate, whole.key)))}, trust=trust)

    assert good.tls is not None
    assert good.tls.trusted == ""
    assert bad.tls is not None
    assert bad.tls.trusted == "its issuer is not known"


def test_old_tls_is_found_beside_new() -> None:
    """A server that speaks both is asked for each; one that speaks nothing newer is seen as well."""
    shown = made(MX1)
    both = Server(tls=context(shown, least=SSL.TLS1_VERSION))
    older = Server(tls=context(shown, least=SSL.TLS1_VERSION, most=SSL.TLS1_VERSION))

    (talk,) = spoken({25: both})
    (ancient,) = spoken({25: older})

    assert talk.tls is not None
    assert (talk.tls.version, talk.tls.old) == ("TLSv1.3", "TLSv1.1")
    assert ancient.tls is not None
    assert (ancient.tls.version, ancient.tls.old) == ("TLSv1", "TLSv1")
    assert older.connections == 1


def test_submission_speaks_tls_first_on_465_and_later_on_587() -> None:
    """RFC 8314 section 3.3: keywords are seen inside TLS, and outside where there is an outside."""
    tls = context(made(MX1))
    implicit = Server(tls=tls, implicit=True, inside=("AUTH PLAIN",))
    explicit = Server(tls=tls, inside=("AUTH=LOGIN", "AUTH PLAIN"))

    first, second = spoken({465: implicit, 587: explicit}, Target(MX1, HERE, submits=(465, 587)))

    assert (dict(first.before), dict(first.inside)) == ({}, {"AUTH": "PLAIN"})
    assert second.inside["AUTH"] == "LOGIN PLAIN"
    assert first.tls is not None
    assert (first.tls.old, first.tls.unasked) == ("", "")


@pytest.mark.parametrize(
    ("starttls", "why"),
    [("220 Go ahead", "closed|wrong version|no TLS|packet"), ("454 4.7.0 not now", "STARTTLS was answered 454")],
)
def test_without_tls_a_server_is_still_asked_for_recipients(starttls: str, why: str) -> None:
    """STARTTLS that ends in garbage costs its connection; the next one goes without."""
    (talk,) = spoken({25: Server(starttls=starttls)})

    assert talk.tls is None
    assert any(part in talk.tls_failure for part in why.split("|"))
    assert talk.silence is None
    assert len(talk.recipients) == 2


def test_a_server_without_starttls_is_spoken_to_in_the_clear() -> None:
    """Nothing failed: TLS is not offered."""
    (talk,) = spoken({25: Server(before=("8BITMIME",))})

    assert (talk.tls, talk.tls_failure, talk.silence) == (None, "", None)
    assert len(talk.recipients) == 2


def test_an_open_relay_is_found_by_either_recipient() -> None:
    """A server that looks recipients' domains up, or one that knows no literals, is open all the same."""

    def unresolved(command: str) -> str:
        return "450 4.1.2 Domain not found" if "www.example.com" in command else "250 Ok"

    def literal(command: str) -> str:
        return "501 5.1.3 Bad address" if "[192.0.2.1]" in command else "250 Ok"

    def put_off(command: str) -> str:
        return "450 4.7.1 Greylisted" if "www.example.com" in command else literal(command)

    for says, code in ((unresolved, 250), (literal, 250), (put_off, 450), (refuses_strangers, 554)):
        (talk,) = spoken({25: Server(before=(), says=says)})
        assert {reply.code for reply in talk.relay.values()} == {code}


def test_a_refused_envelope_sender_leaves_recipients_unasked() -> None:
    """Whoever takes nothing from here has said nothing about postmaster."""

    def says(command: str) -> str:
        return "550 5.7.1 Client host blocked" if command.startswith("MAIL") else refuses_strangers(command)

    (talk,) = spoken({25: Server(before=(), says=says)})

    assert not talk.recipients
    assert "MAIL FROM:<> was answered 550" in talk.unasked
    assert {reply.code for reply in talk.relay.values()} == {550}


def test_many_domains_take_several_connections_and_few_in_all() -> None:
    """Fifty recipients a connection, ten connections; the rest is told to be unasked."""
    domains = tuple(f"d{n}.example" for n in range(300))
    server = Server(before=("PIPELINING",), says=lambda _: "250 Ok")

    (talk,) = spoken({25: server}, Target(MX1, HERE, domains))

    assert len(talk.recipients) == 500
    assert talk.unasked
    assert server.connections == 10


def test_only_what_is_wanted_is_asked_for() -> None:
    """A run that chose other checks leaves servers alone, or does not try to relay through them."""
    server = Server(tls=context(made(MX1)))

    assert spoken({25: server}, wanted=frozenset({"spf.lookups", "mx.alias"})) == ()
    assert server.connections == 0
    (talk,) = spoken({25: server}, wanted=frozenset({"smtp.banner"}))
    assert not talk.recipients
    assert not talk.relay
    assert server.connections == 1
    submitting = Target(MX1, HERE, ("example.com",), (587,))
    assert [t.endpoint.port for t in spoken({25: server}, submitting, wanted=frozenset({"mx.abuse"}))] == [25]


def test_a_draining_host_is_asked_on_the_ports_that_it_should_have_closed() -> None:
    """Nobody is sent there, and still it must not take anything."""
    draining = Target(MX1, HERE, host=host(MX1, "192.0.2.1", state="draining"))

    talks = spoken({25: Server(before=()), 587: Server(tls=context(made(MX1)))}, draining)

    assert [(t.endpoint.port, t.silence) for t in talks] == [(25, None), (587, None), (465, Silence.REFUSED)]


def test_a_machine_without_a_name_introduces_itself_by_its_address() -> None:
    """RFC 5321 section 4.1.4: an address literal is always true."""
    server = Server(before=())

    spoken({25: server}, helo="")

    assert server.heard[0] == "EHLO [127.0.0.1]"


def test_helo_serves_who_does_not_know_ehlo() -> None:
    """RFC 5321 section 3.2."""

    class Old(Server):
        def __call__(self, sock: socket.socket) -> None:
            sock.sendall(b"220 old.example.com\r\n")
            sock.recv(100)
            sock.sendall(b"502 5.5.2 What?\r\n")
            assert sock.recv(100).startswith(b"HELO")
            sock.sendall(b"250 old.example.com\r\n")
            sock.recv(100)

    (talk,) = spoken({25: Old()})

    assert (talk.silence, talk.named) == (None, "old.example.com")


@pytest.mark.parametrize("greeting", ["554 5.7.1 No SMTP service here", "421 Too busy", "521 No mail"])
def test_a_server_that_refuses_to_talk_has_answered(greeting: str) -> None:
    """It is no silence: what it says is judged."""
    (talk,) = spoken({25: Server(greeting=greeting)})

    assert talk.silence is None
    assert str(talk.greeting) == greeting
    assert not talk.recipients


def test_what_cannot_be_connected_to_is_silent_each_in_its_way() -> None:
    """A firewall, a missing route and a closed port are three things."""
    said = {
        Silence.FILTERED: TimeoutError(),
        Silence.REFUSED: ConnectionRefusedError(111, "Connection refused"),
        Silence.NO_ROUTE: OSError(101, "Network is unreachable"),
        Silence.BROKEN: ConnectionResetError(104, "Connection reset by peer"),
    }
    for silence, error in said.items():

        def fail(_endpoint: Endpoint, _timeout: float, error: OSError = error) -> socket.socket:
            raise error

        talks = speak(MX, timeout=1, trust=None, wanted=frozenset(CHECKS), helo="a.example", opened=fail)
        assert [(t.silence, bool(t.why)) for t in talks] == [(silence, True)]


def test_where_one_address_is_filtered_the_others_are_waited_for_in_a_hurry() -> None:
    """A network without port 25 must not cost minutes, and no server is given up for another address of it."""
    waited: list[float] = []

    def fail(_: Endpoint, timeout: float) -> socket.socket:
        waited.append(timeout)
        raise TimeoutError

    many = Target(MX1, tuple(ip_address(f"192.0.2.{n}") for n in range(1, 9)), ("example.com",), (587,))

    talks = speak(many, timeout=10, trust=None, wanted=frozenset(CHECKS), helo="a.example", opened=fail)

    assert {talk.silence for talk in talks} == {Silence.FILTERED}
    assert waited == [10, *[4] * 15]


def test_weak_keys_are_agreed_to_so_that_they_are_seen() -> None:
    """A client that refuses them would see that TLS fails, and not why."""
    weak = made(MX1, key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - it is what must be found

    (talk,) = spoken({25: Server(tls=context(weak))})

    assert talk.tls is not None
    assert talk.tls.chain == weak.chain


def test_a_server_of_a_thousand_addresses_is_asked_at_few() -> None:
    """The others are told to be unasked."""
    addresses = tuple(ip_address(0x7F000001 + n) for n in range(1000))

    talks = spoken({25: Server(before=())}, Target(MX1, addresses, ("example.com",)))

    assert len(talks) == 1000
    assert sum(t.silence is None for t in talks) == 16


def test_a_trust_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Before any server is spoken to."""
    with pytest.raises(UsageError):
        spoken({25: Server()}, trust=tmp_path / "none.pem")


@pytest.mark.parametrize("serve", MISBEHAVING)
def test_a_server_that_misbehaves_is_let_go_soon(serve: Serve) -> None:
    """Banners and lines without end, octets one at a time, silence, other protocols, and hanging up."""
    began = time.monotonic()

    (talk,) = spoken({25: serve}, timeout=0.3)

    assert talk.silence is Silence.BROKEN
    assert 0 < len(talk.why) < 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("serve", [misbehaving.tls_that_never_ends, misbehaving.flood_in_handshake])
def test_a_tls_peer_that_never_finishes_is_let_go_soon(serve: Serve) -> None:
    """Neither time nor memory is its to take."""
    began = time.monotonic()

    (talk,) = spoken({25: serve}, timeout=0.3, wanted=frozenset({"tls.offered"}))

    assert talk.tls is None
    assert talk.tls_failure
    assert time.monotonic() - began < 2


def test_421_may_come_at_any_time() -> None:
    """What was said before stays said."""
    replies = iter(["250 Ok", "250 Ok", "250 Ok", "421 4.3.2 Shutting down"])

    (talk,) = spoken({25: Server(before=(), says=lambda _: next(replies, "421 4.3.2 Shutting down"))})

    assert talk.silence is None
    assert list(talk.recipients) == ["postmaster@example.com"]
    assert talk.unasked


_PARTS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"250 mx\r\n", b"421 no\r\n", b"220-\r\n", b"\x16\x03\x03"]
    ),
)


@given(st.lists(_PARTS, max_size=8))
@settings(max_examples=30, deadline=None)
def test_whatever_a_server_sends_comes_to_an_end(parts: list[bytes]) -> None:
    """Any octets at any stage: a conversation comes of it, and nothing is raised."""

    def serve(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)
            sock.settimeout(0.01)
            with suppress(TimeoutError):
                sock.recv(4096)

    for port in (25, 465):
        target = MX if port == 25 else Target(MX1, HERE, submits=(465,))
        (talk,) = spoken({port: serve}, target, timeout=1)
        assert talk.endpoint.port == port
        assert talk.silence or talk.greeting or talk.tls_failure
