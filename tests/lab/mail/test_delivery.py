"""Mail that was submitted arrives signed and accepted, and tells nothing about where its author sat."""

import sys
import uuid
from dataclasses import dataclass

import dns.resolver
import pytest

from sendwright import submission
from sendwright.judges import Case, Lookup, signatures
from sendwright.lab import netns
from sendwright.lab.clients import Clients
from sendwright.lab.spec import CONTROLLER, HOME
from sendwright.received import as_sent, case, results
from sendwright.stack import DkimAlgorithm

pytestmark = pytest.mark.lab

BOTH = {DkimAlgorithm.RSA: "pass", DkimAlgorithm.ED25519: "pass"}


@dataclass(frozen=True)
class Delivered:
    """A message that was submitted at a host, as the inbox stored it."""

    host: str
    sender: str
    raw: bytes


def signed(raw: bytes) -> dict[DkimAlgorithm, str | None]:
    """Return what the inbox said about the signature of each kind."""
    found = results(raw, "mx.inbox.example")
    return {algorithm: found.dkim_of(algorithm) for algorithm in DkimAlgorithm}


def handed_over(clients: Clients, place: str, helo: str, sender: str, raw: bytes) -> bytes:
    """Hand a message to the inbox from a namespace, once more, and return it as stored."""
    mark = uuid.uuid4().hex.encode()
    with netns.inside(place):
        submission.deliver("198.18.0.25", helo, sender, "somebody@inbox.example", b"X-Mark: " + mark + b"\r\n" + raw)
    return clients.lab.inbox.wait_for(lambda each: mark in each.raw).raw


@pytest.fixture(scope="module")
def lookup(clients: Clients) -> Lookup:
    """Look up TXT records by the lab's resolver."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [clients.lab.resolver]

    def ask(name: str) -> bytes | None:
        with clients.lab.inside():
            return b"".join(resolver.resolve(name, "TXT")[0].strings)

    return ask


@pytest.fixture(
    scope="module",
    params=[
        ("mx1.example.com", 587, "alice", 4),
        ("mx1.example.com", 465, "bob", 6),
        ("mx2.example.com", 587, "carol", 4),
        ("mx2.example.com", 465, "alice", 4),
    ],
    ids=lambda way: f"{way[2]} by {way[0]}:{way[1]}, v{way[3]}",
)
def delivered(request: pytest.FixtureRequest, clients: Clients) -> Delivered:
    """Submit a message by each port of each host, as a mail program that says more than it should."""
    host, port, login, family = request.param
    mail = clients.written(login)
    mail["User-Agent"] = "Telltale/1.0"
    mail["X-Mailer"] = "Telltale/1.0"
    mail["X-Originating-IP"] = "[192.168.7.7]"

    with clients.logged_in(host, login, port, family=family, helo="laptop.telltale.example") as client:
        client.send_message(mail)

    return Delivered(host, clients.logins[login].address, clients.arrival(mail).raw)


def test_a_strict_receiver_accepts_what_was_submitted(delivered: Delivered) -> None:
    """By both ports and both hosts: spf=pass, dkim=pass for each of the two signatures, dmarc=pass."""
    found = results(delivered.raw, "mx.inbox.example")

    assert (found.spf, found.dmarc) == ("pass", "pass")
    assert signed(delivered.raw) == BOTH


def test_judges_from_other_hands_agree(clients: Clients, delivered: Delivered, lookup: Lookup) -> None:
    """dkimpy verifies both signatures of the author's domain, pyspf passes the host's address."""
    domain = delivered.sender.partition("@")[2]
    came = case(delivered.raw)
    assert isinstance(came, Case)

    program = "import spf, sys; print(spf.check2(*sys.argv[1:])[0])"
    spf = clients.lab.run([sys.executable, "-c", program, came.client, came.mail_from, came.helo]).stdout.strip()
    valid = {(s.algorithm, s.domain) for s in signatures(delivered.raw, lookup) if s.valid}

    assert spf == "pass"
    assert valid == {("rsa-sha256", domain), ("ed25519-sha256", domain)}


def test_nothing_tells_where_the_author_sat(delivered: Delivered) -> None:
    """Neither address nor name nor program of the client is in what arrives; when it was submitted is."""
    for trace in (*CONTROLLER, HOME.partition(".")[0], "telltale", "192.168.7.7", "client.example"):
        assert trace.encode() not in delivered.raw.lower()
    assert f"Received: from {delivered.host} (submission)".encode() in delivered.raw


def test_a_tampered_body_fails_both_signatures(clients: Clients, delivered: Delivered, lookup: Lookup) -> None:
    """One line more, and no judge takes the message for the author's."""
    host = clients.lab.host(delivered.host)
    forged = as_sent(delivered.raw) + b"one more line\r\n"

    stored = handed_over(clients, host.namespace, host.name, delivered.sender, forged)

    assert set(signed(stored).values()) == {"fail"}
    assert not any(s.valid for s in signatures(stored, lookup))


def test_a_signature_passes_dmarc_where_spf_fails(clients: Clients, delivered: Delivered) -> None:
    """Forwarded by a stranger's server, a message is still its author's: DMARC passes by DKIM (RFC 9989)."""
    stored = handed_over(clients, clients.lab.namespace, f"controller.{HOME}", delivered.sender, as_sent(delivered.raw))

    found = results(stored, "mx.inbox.example")

    assert found.spf in {"fail", "softfail"}
    assert found.dmarc == "pass"
    assert signed(stored) == BOTH
