"""Nobody relays, nobody speaks as somebody else, and no password travels in the open."""

import smtplib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import pytest

from sendwright.lab.clients import Clients

pytestmark = pytest.mark.lab

HOSTS = ("mx1.example.com", "mx2.example.com")
PORTS = (25, 465, 587)
# From every sender to a foreign mailbox, by every form in which a recipient once meant "pass it on" (RFC 5321 appendix
# F.2 and what came before it). {host} and {address} are the host's own.
SENDERS = ("stranger@inbox.example", "alice@example.com", "postmaster@{host}", "")
RELAYED = (
    "victim@inbox.example",
    "victim@[198.18.0.25]",
    "victim%inbox.example@{host}",
    "victim%inbox.example@example.com",
    "victim%inbox.example@[{address}]",
    "inbox.example!victim@{host}",
    "inbox.example!victim",
    "@{host}:victim@inbox.example",
    "@{host},@example.com:victim@inbox.example",
    '"victim@inbox.example"@{host}',
    '"victim@inbox.example"',
    "victim@inbox.example@{host}",
    "victim%inbox.example",
)
INTERNAL = (
    "probe@{host}",
    "Probe@{host}",
    "probe@[{address}]",
    "{host}=probe@maildir.invalid",
    "{host}=probe@[{address}]",
    "example.com=bounces@maildir.invalid",
    "example.com=bounces@{host}",
    "root@localhost",
)
OTHERS = pytest.mark.parametrize(
    ("login", "field", "value"),
    [
        ("alice", "From", "Bob <bob@example.org>"),
        ("alice", "From", "alice@sub.example.com"),
        ("alice", "From", "root@mx1.example.com"),
        ("alice", "From", "ceo@inbox.example"),
        ("alice", "From", "alice@example.com, bob@example.org"),
        ("alice", "From", '"bob@example.org" <alice@example.com>'),
        ("alice", "From", "sendwright-probe+r202611@example.com"),
        ("alice", "Sender", "bob@example.org"),
        ("bob", "From", "carol@example.org"),
        ("bob", "From", "bob@example.com"),
        ("bob", "From", "bob+tag@example.org"),
        ("bob", "Sender", "carol@example.org"),
    ],
)


def spoken(client: smtplib.SMTP, sender: str, recipient: str) -> int:
    """Say MAIL and RCPT, take both back, and return the answer that decided."""
    code, _ = client.docmd(f"MAIL FROM:<{sender}>")
    if code == 250:
        code, _ = client.docmd(f"RCPT TO:<{recipient}>")
    client.rset()
    return code


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(("host", "family"), [("mx1.example.com", 4), ("mx1.example.com", 6), ("mx2.example.com", 4)])
@pytest.mark.parametrize("sender", SENDERS)
def test_nobody_relays_without_a_credential(clients: Clients, host: str, family: int, port: int, sender: str) -> None:
    """By no port, over neither IP, whoever they say they are, in no form of an address."""
    address = ("IPv6:" if family == 6 else "") + clients.lab.host(host).addresses[0 if family == 4 else 1]
    taken = []

    # Half of the forms by each connection: a server slows down whoever makes many mistakes.
    for forms in (RELAYED[::2], RELAYED[1::2]):
        with clients.connected(host, port, family=family) as client:
            client.ehlo()
            if port == 587:
                client.starttls(context=clients.context(host))
                client.ehlo()
            for form in forms:
                recipient = form.format(host=host, address=address)
                code = spoken(client, sender.format(host=host), recipient)
                taken += [(recipient, code)] if code < 500 else []

    assert taken == []


def refused(clients: Clients, host: str, port: int, login: str, envelope: str, mail: EmailMessage | bytes) -> int:
    """Submit a message to the inbox as a login; return the code of the refusal, 250 if there was none."""
    raw = mail if isinstance(mail, bytes) else mail.as_bytes()
    with clients.logged_in(host, login, port) as client:
        try:
            client.sendmail(envelope, ["somebody@inbox.example"], raw)
        except smtplib.SMTPRecipientsRefused as refusal:
            return next(iter(refusal.recipients.values()))[0]
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refusal:
            return refusal.smtp_code
    return 250


def arrived(clients: Clients, host: str, mail: EmailMessage) -> bool:
    """Tell whether a message reached the inbox, once the host has nothing more to send."""
    clients.settled(host)
    return any(each.message["Subject"] == mail["Subject"] for each in clients.lab.inbox.messages())


@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.parametrize(
    ("login", "envelope"),
    [
        ("alice", "bob@example.org"),
        ("alice", "alice@sub.example.com"),
        ("alice", "root@mx1.example.com"),
        ("alice", "somebody@inbox.example"),
        ("bob", "carol@example.org"),
        ("bob", "bob@example.com"),
        ("bob", "bob+tag@example.org"),
    ],
)
def test_a_login_owns_its_envelope_sender(clients: Clients, login: str, envelope: str, port: int) -> None:
    """Another's address in MAIL FROM is refused, however right the header is."""
    mail = clients.written(login)

    assert refused(clients, "mx1.example.com", port, login, envelope, mail) in {550, 553}
    assert not arrived(clients, "mx1.example.com", mail)


@pytest.mark.parametrize("port", [587, 465])
@OTHERS
def test_a_login_owns_the_names_that_readers_are_shown(
    clients: Clients, login: str, field: str, value: str, port: int
) -> None:
    """Another's address in From or Sender is refused, however right the envelope is."""
    mail = clients.written(login)
    del mail[field]
    mail[field] = value

    assert refused(clients, "mx1.example.com", port, login, clients.logins[login].address, mail) == 550
    assert not arrived(clients, "mx1.example.com", mail)


@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.parametrize("second", ["From: bob@example.org", "From: alice@example.com", "from : bob@example.org"])
def test_two_from_fields_are_refused(clients: Clients, second: str, port: int) -> None:
    """One reader would be shown the first, another the second: not even one's own name may be there twice."""
    mail = clients.written("alice")
    raw = second.encode() + b"\r\n" + mail.as_bytes()

    assert refused(clients, "mx1.example.com", port, "alice", "alice@example.com", raw) == 550
    assert not arrived(clients, "mx1.example.com", mail)


@pytest.mark.parametrize("address", ["anybody@example.com", "anybody@example.org"])
def test_a_login_with_two_domains_sends_as_both(clients: Clients, address: str) -> None:
    """carol may speak for either domain, in the envelope and in the header."""
    mail = clients.written("carol")
    mail.replace_header("From", address)

    assert refused(clients, "mx1.example.com", 587, "carol", address, mail) == 250
    assert arrived(clients, "mx1.example.com", mail)


def test_a_domain_is_sent_for_by_its_own_hosts_only(clients: Clients) -> None:
    """example.org is not declared for mx2: there nobody may speak for it, carol neither."""
    mail = clients.written("carol")
    mail.replace_header("From", "carol@example.org")

    assert refused(clients, "mx2.example.com", 587, "carol", "carol@example.org", mail) in {550, 553}
    assert refused(clients, "mx2.example.com", 587, "carol", "carol@example.com", mail) == 550
    assert not arrived(clients, "mx2.example.com", mail)


def test_nothing_is_taken_on_587_before_tls(clients: Clients, host: str) -> None:
    """Neither a password nor mail: AUTH is not offered, and refused to who tries (RFC 8314 section 3.3)."""
    with clients.connected(host, 587) as client:
        client.ehlo()
        offered = client.has_extn("auth")
        auth, _ = client.docmd("AUTH PLAIN AGFsaWNlAGNvcnJlY3Q=")
        sender, _ = client.docmd("MAIL FROM:<alice@example.com>")

    assert not offered
    assert auth >= 500
    assert sender == 530


@pytest.mark.parametrize("tls", [False, True])
def test_nobody_logs_in_on_25(clients: Clients, host: str, *, tls: bool) -> None:
    """Servers do not log in, and passwords are not guessed there: no AUTH, over TLS neither."""
    with clients.connected(host, 25) as client:
        if tls:
            client.starttls(context=clients.context(host))
        client.ehlo()
        offered = client.has_extn("auth")
        auth, _ = client.docmd("AUTH PLAIN AGFsaWNlAGNvcnJlY3Q=")

    assert not offered
    assert auth >= 500


def test_a_wrong_password_and_an_unknown_login_are_told_the_same(clients: Clients) -> None:
    """Who guesses does not learn which logins exist, on either host; each guess waits, so all are made at once."""

    def guess(host: str, login: str) -> tuple[int, bytes]:
        # Not from the controller's place: an address that guesses waits longer each time, with the right password too.
        with clients.connected(host, 465, place=clients.lab.inbox.machine.namespace) as client:
            client.ehlo()
            return client.docmd("AUTH", "PLAIN " + b64encode(f"\0{login}\0wrong".encode()).decode())

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(guess, [*HOSTS, *HOSTS], ["alice", "alice", "nobody", "nobody"]))

    assert answers[0][0] == 535
    assert len(set(answers)) == 1


@pytest.mark.parametrize("sender", ["stranger@inbox.example", ""])
def test_internal_names_are_not_reached_over_smtp(clients: Clients, host: str, sender: str) -> None:
    """The probe mailbox and the names behind Maildirs are this host's own, bounces are no way in."""
    address = clients.lab.host(host).addresses[0]
    with clients.connected(host, 25) as client:
        client.ehlo()
        codes = {form: spoken(client, sender, form.format(host=host, address=address)) for form in INTERNAL}

    assert {form: code for form, code in codes.items() if code < 500} == {}


def test_internal_names_are_not_reached_by_submission_either(clients: Clients, host: str) -> None:
    """A credential is for sending mail out."""
    address = clients.lab.host(host).addresses[0]
    with clients.logged_in(host, "alice") as client:
        codes = {
            form: spoken(client, "alice@example.com", form.format(host=host, address=address)) for form in INTERNAL
        }

    assert {form: code for form, code in codes.items() if code < 500} == {}
