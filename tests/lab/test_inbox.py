"""The receiving server is as strict as a large receiver, and says what it found."""

import base64
import hashlib
import smtplib
import ssl
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dkim
import dns.query
import dns.tsigkeyring
import dns.update
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sendwright.lab import Lab, Received, netns
from sendwright.lab.clients import wait

pytestmark = pytest.mark.lab


def message(subject: str) -> bytes:
    """Write a plain message of example.com's."""
    fields = (
        f"From: a@example.com\r\nTo: b@inbox.example\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.com>\r\n"
    )
    return (fields + "Date: Sat, 01 Aug 2026 12:00:00 +0000\r\n\r\nHello.\r\n").encode()


def deliver(lab: Lab, raw: bytes, *, to: str = "b@inbox.example", helo: str = "mx1.example.com") -> None:
    """Deliver a message from the first host's own address, as its mail server would."""
    with (
        netns.inside(lab.host("mx1.example.com").namespace),
        smtplib.SMTP("198.18.0.25", 25, helo, timeout=60, source_address=("203.0.113.10", 0)) as client,
    ):
        client.starttls()
        client.sendmail("a@example.com", [to], raw)


def received(lab: Lab, subject: str) -> Received:
    """Wait for the message with this subject."""
    return lab.inbox.wait_for(lambda each: each.message["Subject"] == subject)


def publish(lab: Lab, selector: str, value: str) -> None:
    """Publish a DKIM key and wait until both name servers have it."""
    keys = dns.tsigkeyring.from_text({lab.tsig_name: (lab.tsig_algorithm, lab.tsig_secret)})
    update = dns.update.UpdateMessage("example.com", keyring=keys)
    strings = " ".join(f'"{value[start : start + 250]}"' for start in range(0, len(value), 250))
    update.replace(f"{selector}._domainkey", 60, "TXT", strings)
    with lab.inside():
        dns.query.tcp(update, lab.primary.address, timeout=5)
    name, deadline = f"{selector}._domainkey.example.com", time.monotonic() + 10
    while name not in {rrset.name for rrset in lab.secondary.records("example.com")} and time.monotonic() < deadline:
        time.sleep(0.1)


def test_mail_of_a_well_behaved_client_is_judged_in_all_three_ways(lab: Lab) -> None:
    """An unsigned message from the domain's own address passes SPF and DMARC, and has no DKIM signature."""
    subject = uuid.uuid4().hex

    deliver(lab, message(subject))
    results = " ".join(received(lab, subject).authentication_results)

    assert "spf=pass" in results
    assert "dkim=none" in results
    assert "dmarc=pass" in results


@pytest.fixture(scope="module")
def sign(lab: Lab) -> Callable[[bytes], bytes]:
    """Return what signs a message with a key of each kind, r1 and e1, that are published."""
    rsa_key, ed_key = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    rsa_public = rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed_public = ed_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    publish(lab, "r1", f"v=DKIM1; k=rsa; p={base64.b64encode(rsa_public).decode()}")
    publish(lab, "e1", f"v=DKIM1; k=ed25519; p={base64.b64encode(ed_public).decode()}")
    pem = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    seed = base64.b64encode(ed_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    def signed(raw: bytes) -> bytes:
        first: bytes = dkim.sign(raw, b"r1", b"example.com", pem)
        second: bytes = dkim.sign(raw, b"e1", b"example.com", seed, signature_algorithm=b"ed25519-sha256")
        return first + second + raw

    return signed


def test_both_kinds_of_signature_are_verified_and_reported(lab: Lab, sign: Callable[[bytes], bytes]) -> None:
    """A message with an RSA and an Ed25519 signature shows the result of each."""
    subject = uuid.uuid4().hex

    deliver(lab, sign(message(subject)))
    (results,) = [each for each in received(lab, subject).authentication_results if "dkim=" in each]

    assert results.count("dkim=pass") == 2
    assert "header.s=r1" in results
    assert "header.s=e1" in results


def test_messages_at_the_same_time_are_all_judged(lab: Lab, sign: Callable[[bytes], bytes]) -> None:
    """Senders do not take turns: the verifier outlives many messages at once, and each has its results."""
    subjects = {uuid.uuid4().hex for _ in range(240)}
    mails = [sign(message(subject)) for subject in subjects]
    verifier = ["systemctl", "show", "--property=MainPID", "opendkim.service"]
    before = lab.inbox.machine.run(verifier).stdout

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(partial(deliver, lab), mails))

    def judged() -> list[str]:
        ours = [each for each in lab.inbox.messages() if each.message["Subject"] in subjects]
        return [" ".join(each.authentication_results) for each in ours]

    wait(lambda: len(judged()) == len(subjects), "not every message arrives")
    assert {each.count("dkim=pass") for each in judged()} == {2}
    assert lab.inbox.machine.run(verifier).stdout == before


def test_a_forged_signature_is_reported_as_such(lab: Lab) -> None:
    """The inbox does not take signatures on trust."""
    subject = uuid.uuid4().hex
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    raw = message(subject)

    deliver(lab, dkim.sign(raw, b"none", b"example.com", pem) + raw)
    results = " ".join(received(lab, subject).authentication_results)

    assert "dkim=pass" not in results
    assert "dkim=" in results


def test_a_client_that_lies_about_its_name_is_refused(lab: Lab) -> None:
    """HELO must be a name that exists."""
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(lab, message("liar"), helo="no-such-host.example.com")


def test_the_daemons_of_the_inbox_stay_up(lab: Lab) -> None:
    """Each is where its unit expects it: one that counts as still starting is ended while mail comes in."""
    units = ["postfix@-.service", "opendkim.service", "opendmarc.service"]

    # Waits for units that are on their way.
    lab.inbox.machine.run(["systemctl", "is-system-running", "--wait"], check=False)
    seen = lab.inbox.machine.run(["systemctl", "is-active", *units], check=False).stdout

    assert seen.split() == ["active"] * 3


@pytest.mark.parametrize(("mailbox", "code"), [("refused", 550), ("deferred", 450)])
def test_two_mailboxes_refuse_so_that_bounces_and_delays_can_be_rehearsed(lab: Lab, mailbox: str, code: int) -> None:
    """refused@ is refused for good, deferred@ for now."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        deliver(lab, message("bounce"), to=f"{mailbox}@inbox.example")

    assert refusal.value.recipients[f"{mailbox}@inbox.example"][0] == code


def test_the_inbox_can_be_delivered_to_by_dane(lab: Lab) -> None:
    """The certificate that it shows is the one that its TLSA record names (RFC 7672)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with netns.inside(lab.namespace), smtplib.SMTP("198.18.0.25", 25, "controller.sendwright-lab.example") as client:
        client.starttls(context=context)
        shown = client.sock.getpeercert(binary_form=True)  # type: ignore[union-attr] # the socket is a TLS one now
    key = x509.load_der_x509_certificate(shown).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    (published,) = [each for each in lab.records("inbox.example") if each.type == "TLSA"]

    assert published.values == (f"3 1 1 {digest}",)
