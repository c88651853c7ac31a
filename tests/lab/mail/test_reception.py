"""A sender receives bounces, reports and what its declared addresses get, and refuses everything else at RCPT."""

import smtplib
import uuid

import pytest

from sendwright.lab.clients import Clients
from sendwright.lab.spec import HOME
from sendwright.stack import DkimAlgorithm

pytestmark = pytest.mark.lab

STRANGER = f"stranger@controller.{HOME}"


def handed_in(clients: Clients, host: str, sender: str, recipient: str, *, author: str = STRANGER) -> str:
    """Hand a message to port 25 as a stranger's server does; return a mark that it holds."""
    mark = uuid.uuid4().hex
    text = f"From: {author}\r\nTo: <{recipient}>\r\nSubject: {mark}\r\nX-Mailer: Theirs/1.0\r\n\r\nHello.\r\n"
    with clients.connected(host, 25, helo=f"controller.{HOME}") as client:
        client.ehlo()
        assert client.mail(sender)[0] == 250
        assert client.rcpt(recipient)[0] == 250
        assert client.data(text)[0] == 250
    return mark


@pytest.mark.parametrize(
    ("recipient", "mailbox"),
    [
        ("postmaster@example.com", "example.com/postmaster"),
        ("PostMaster@Example.COM", "example.com/postmaster"),
        ("abuse@example.com", "example.com/abuse"),
        ("dmarc@example.com", "example.com/dmarc"),
        ("tls-reports@example.com", "example.com/tls-reports"),
        ("sales@example.com", "example.com/sales"),
        ("postmaster@{host}", "{host}/postmaster"),
        ("abuse@{host}", "{host}/abuse"),
        # RFC 5321 section 4.5.1: without a domain, too.
        ("Postmaster", "{host}/postmaster"),
    ],
)
def test_what_a_sender_must_receive_is_kept(clients: Clients, host: str, recipient: str, mailbox: str) -> None:
    """Postmaster, abuse, both kinds of reports (RFC 9989, RFC 8460) and aliases reach a Maildir as they came."""
    mark = handed_in(clients, host, STRANGER, recipient.format(host=host))

    kept = clients.kept(host, mailbox.format(host=host), mark)

    assert b"X-Mailer: Theirs/1.0" in kept
    assert f"controller.{HOME}".encode() in kept.partition(b"Subject:")[0]


@pytest.mark.parametrize("author", ["alice@example.com", "MAILER-DAEMON@{host}"])
def test_what_comes_from_outside_is_never_signed(clients: Clients, host: str, author: str) -> None:
    """A stranger who says that a domain of ours wrote something does not get its signature for it."""
    mark = handed_in(clients, host, STRANGER, "postmaster@example.com", author=author.format(host=host))

    assert b"DKIM-Signature" not in clients.kept(host, "example.com/postmaster", mark)


@pytest.mark.parametrize("domain", ["example.com", "{host}"])
def test_a_bounce_may_come_to_any_local_part(clients: Clients, host: str, domain: str) -> None:
    """Envelope senders are made up by applications, so their bounces are kept, whatever they are called."""
    domain = domain.format(host=host)
    mark = handed_in(clients, host, "", f"bounce+{uuid.uuid4().hex}@{domain}")

    assert b"Return-Path: <>" in clients.kept(host, f"{domain}/bounces", mark)


@pytest.mark.parametrize(
    "recipient",
    [
        "nobody@example.com",
        "alice@example.com",
        "root@{host}",
        "bounces@example.com",
        "sales+tag@example.com",
        "sales@{host}",
        "postmaster@sub.example.com",
        "opendkim@localhost",
        "postmaster@localhost",
    ],
)
def test_everybody_else_is_refused_before_the_message(clients: Clients, host: str, recipient: str) -> None:
    """What is taken and then bounced is backscatter: unknown recipients are told at RCPT, for good."""
    with clients.connected(host, 25) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        client.sendmail(STRANGER, [recipient.format(host=host)], "Subject: x\r\n\r\nx\r\n")

    assert {code for code, _ in refusal.value.recipients.values()} <= {550, 554}


def test_a_typing_error_at_a_domain_of_ours_is_told_to_its_author(clients: Clients, host: str) -> None:
    """Submission knows the same recipients: mail for nobody is refused, not swallowed as if it were a bounce."""
    with clients.logged_in(host, "alice") as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.send_message(clients.written("alice", "nobody@example.com"))


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [(STRANGER, "postmaster@example.org"), (STRANGER, "abuse@example.org"), ("", "made-up@example.org")],
)
def test_forwarded_mail_reaches_its_target(clients: Clients, sender: str, recipient: str) -> None:
    """example.org forwards what it receives, bounces too, without a signature of ours and with its trace."""
    mark = handed_in(clients, "mx1.example.com", sender, recipient)

    forwarded = clients.lab.inbox.wait_for(lambda each: mark.encode() in each.raw)

    assert (forwarded.sender, forwarded.recipient) == (sender, "forwarded@inbox.example")
    assert "DKIM-Signature" not in forwarded.message
    assert f"controller.{HOME}".encode() in forwarded.raw


def test_an_alias_that_names_no_target_is_kept_where_the_rest_is_forwarded(clients: Clients) -> None:
    """The alias says so: archive@example.org stays on the host."""
    mark = handed_in(clients, "mx1.example.com", STRANGER, "archive@example.org")

    assert clients.kept("mx1.example.com", "example.org/archive", mark)


def test_a_bounce_is_signed_by_the_domain_that_it_goes_to(clients: Clients, host: str) -> None:
    """What the inbox refuses comes back as a bounce with both signatures."""
    mail = clients.written("alice", "refused@inbox.example")
    with clients.logged_in(host, "alice") as client:
        client.send_message(mail)

    bounce = clients.kept(host, "example.com/bounces", str(mail["Subject"]))

    for algorithm in DkimAlgorithm:
        assert f"a={algorithm}-sha256; c=relaxed/relaxed; d=example.com".encode() in bounce


def test_a_bounce_that_leaves_passes_a_strict_receiver(clients: Clients) -> None:
    """bob's bounce is forwarded: the inbox finds both signatures of the domain above the host's name valid."""
    mail = clients.written("bob", "refused@inbox.example")
    with clients.logged_in("mx1.example.com", "bob") as client:
        client.send_message(mail)

    subject = str(mail["Subject"]).encode()
    bounce = clients.lab.inbox.wait_for(lambda each: each.sender == "" and subject in each.raw)

    found = " ".join(bounce.authentication_results)
    assert found.count("dkim=pass") == len(DkimAlgorithm)
    assert "dmarc=pass" in found
