import socket

import pytest

from sendwright.verify.speaking.conversation import Silence
from sendwright.verify.target import Server as Target
from tests.verify.certificates import made
from tests.verify.servers import Server, context, refuses_strangers
from tests.verify.spoken import HERE, MX1, spoken
from tests.verify.worlds import host


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
