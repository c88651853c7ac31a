"""dkimpy as a judge of messages."""

import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sendwright.judges import signatures

MESSAGE = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: hello\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def signed() -> tuple[bytes, dict[str, bytes]]:
    """A signed message and the records that it verifies with."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    field = dkim.sign(MESSAGE, b"r1", b"example.com", pem)
    return field + MESSAGE, {"r1._domainkey.example.com": b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)}


def test_a_good_signature_is_valid(signed: tuple[bytes, dict[str, bytes]]) -> None:
    """An untouched message verifies, and says by which key."""
    message, records = signed

    (found,) = signatures(message, records.get)

    assert (found.domain, found.selector, found.algorithm, found.valid) == ("example.com", "r1", "rsa-sha256", True)


def test_a_tampered_body_is_seen(signed: tuple[bytes, dict[str, bytes]]) -> None:
    """One changed letter breaks the signature."""
    message, records = signed

    (found,) = signatures(message.replace(b"Hello\r\n", b"Hullo\r\n"), records.get)

    assert not found.valid


def test_a_key_that_dns_does_not_have_is_not_valid(signed: tuple[bytes, dict[str, bytes]]) -> None:
    """Without a record there is no verdict but invalid."""
    message, _ = signed

    (found,) = signatures(message, lambda _name: None)

    assert not found.valid


def test_an_unsigned_message_has_no_signatures() -> None:
    """Nothing is found where nothing is."""
    assert signatures(MESSAGE, lambda _name: None) == ()


def test_what_is_broken_beyond_parsing_is_invalid_and_no_accident(signed: tuple[bytes, dict[str, bytes]]) -> None:
    """Records and messages are other people's: dkimpy raises whatever its parsers do."""
    message, records = signed
    (name,) = records

    for record in (b"v=DKIM1; p=abc", b"v=DKIM1; k=ed25519; p=QQ==", b"\xff", b"p=;p=;", b""):
        assert [s.valid for s in signatures(message, {name: record}.get)] == [False]
    assert [s.valid for s in signatures(b"DKIM-Signature: s=\xff; d=x; a=y; b=!\r\n" + MESSAGE, records.get)] == [False]
    assert signatures(b"no message\r\n" + message, records.get) == ()
