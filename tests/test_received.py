"""What a receiver wrote about a message is read, and nothing else is believed."""

from sendwright.received import as_sent, case, results
from sendwright.stack import DkimAlgorithm

STORED = b"""Return-Path: <news@example.com>
Authentication-Results: mx.inbox.example; dmarc=pass (p=none dis=none) header.from=example.com
Authentication-Results: mx.inbox.example; spf=pass (mailfrom) smtp.mailfrom=example.com
Authentication-Results: mx.inbox.example;
\tdkim=pass (2048-bit key; unprotected) header.d=example.com header.a=rsa-sha256 header.s=r1;
\tdkim=fail (bad signature) header.d=example.com header.a=ed25519-sha256 header.s=e1
Received: from mx1.example.com (mx1.example.com [IPv6:2001:db8::10])
\tby mx.inbox.example (Postfix) with ESMTPS id 4X
Authentication-Results: evil.example; spf=fail; dmarc=fail
From: news@example.com

Hello
"""


def test_each_signature_has_a_result_of_its_own() -> None:
    """One good signature must not hide a bad one."""
    found = results(STORED, "mx.inbox.example")

    assert (found.spf, found.dmarc) == ("pass", "pass")
    assert found.dkim_of(DkimAlgorithm.RSA) == "pass"
    assert found.dkim_of(DkimAlgorithm.ED25519) == "fail"


def test_results_of_another_server_are_not_believed() -> None:
    """Only the named receiver's own fields count (RFC 8601 section 5)."""
    found = results(STORED, "other.example")

    assert (found.spf, found.dmarc, found.dkim) == (None, None, ())


def test_the_envelope_is_read_from_what_the_receiver_wrote() -> None:
    """Client address, HELO and envelope sender come from the topmost Received and Return-Path."""
    found = case(STORED)

    assert found is not None
    assert (found.client, found.helo, found.mail_from) == ("2001:db8::10", "mx1.example.com", "news@example.com")


def test_a_message_without_a_trace_has_no_envelope() -> None:
    """Nothing is made up for a message that no server has stored."""
    assert case(b"From: a@example.com\n\nHello\n") is None


def test_a_message_is_sent_again_without_what_the_receiver_added() -> None:
    """Its signatures and all below stay as they were handed over, with the line ends of the wire."""
    stored = b"Received: from mx1.example.com\nDKIM-Signature: v=1\n\tb=x\nFrom: a@example.com\n\nHello\n"

    assert as_sent(stored) == b"DKIM-Signature: v=1\r\n\tb=x\r\nFrom: a@example.com\r\n\r\nHello\r\n"
