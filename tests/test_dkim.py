"""DKIM keys and the records that tell of them."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import dkim as judge
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from sendwright import dkim
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import KeyStage

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MESSAGE = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: test\r\n\r\nhello\r\n"
MADE = {algorithm: dkim.generate("example.com", algorithm, NOW) for algorithm in DkimAlgorithm}


@pytest.mark.parametrize("algorithm", DkimAlgorithm)
def test_the_record_is_that_of_the_private_key(algorithm: DkimAlgorithm) -> None:
    """What goes to DNS and what goes to hosts belong together (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
    key, pem = MADE[algorithm]
    private = serialization.load_pem_private_key(pem, None)

    tags = dict(tag.split("=", 1) for tag in dkim.record_text(key).split("; "))

    assert {name: value for name, value in tags.items() if name != "p"} == {
        "v": "DKIM1",
        "k": algorithm.value,
        "h": "sha256",
    }
    public = base64.b64decode(tags["p"], validate=True)
    if isinstance(private, rsa.RSAPrivateKey):
        assert private.key_size == 2048
        assert serialization.load_der_public_key(public) == private.public_key()
    else:
        assert isinstance(private, ed25519.Ed25519PrivateKey)
        assert public == private.public_key().public_bytes_raw()


def test_an_independent_verifier_accepts_what_an_rsa_key_signs() -> None:
    """dkimpy reads the record text and the PEM as others will."""
    key, pem = MADE[DkimAlgorithm.RSA]
    signature = judge.sign(MESSAGE, key.selector.encode(), key.domain.encode(), pem)

    def answer(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001 - the judge's protocol
        return dkim.record_text(key).encode() if name == f"{key.record_name}.".encode() else None

    assert judge.verify(signature + MESSAGE, dnsfunc=answer)
    assert not judge.verify(signature + MESSAGE.replace(b"hello", b"hallo"), dnsfunc=answer)


def test_an_independent_verifier_accepts_what_an_ed25519_key_signs() -> None:
    """dkimpy wants the bare seed to sign with, and reads the record as others will."""
    key, pem = MADE[DkimAlgorithm.ED25519]
    private = serialization.load_pem_private_key(pem, None)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    seed = base64.b64encode(private.private_bytes_raw())
    signature = judge.sign(
        MESSAGE, key.selector.encode(), key.domain.encode(), seed, signature_algorithm=b"ed25519-sha256"
    )

    def answer(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001 - the judge's protocol
        return dkim.record_text(key).encode() if name == f"{key.record_name}.".encode() else None

    assert judge.verify(signature + MESSAGE, dnsfunc=answer)


@pytest.mark.parametrize("algorithm", DkimAlgorithm)
def test_hosts_get_pkcs8_that_openssl_reads(algorithm: DkimAlgorithm) -> None:
    """OpenDKIM reads keys through OpenSSL's PEM functions; inline base64 and DER it does not take."""
    _, pem = MADE[algorithm]

    done = subprocess.run(["openssl", "pkey", "-noout", "-check"], input=pem, capture_output=True, check=False)

    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert done.returncode == 0


@pytest.mark.parametrize("stage", KeyStage)
def test_a_revoked_key_has_an_empty_p(stage: KeyStage) -> None:
    """Revocation is a statement in the record (RFC 6376 section 3.6.1); nothing else ever empties it."""
    key, _ = MADE[DkimAlgorithm.ED25519]

    text = dkim.record_text(replace(key, stage=stage))

    assert text.endswith("; p=") == (stage in {KeyStage.REVOKED, KeyStage.REMOVED})


def test_small_rsa_keys_are_not_made() -> None:
    """RFC 8301 section 3.2."""
    with pytest.raises(ValueError, match="2048"):
        dkim.generate("example.com", DkimAlgorithm.RSA, NOW, rsa_bits=1024)


@given(st.integers(0, 60), st.sampled_from(DkimAlgorithm))
def test_a_selector_is_never_used_twice(count: int, algorithm: DkimAlgorithm) -> None:
    """However many keys one month sees, each has a name of its own."""
    taken: list[str] = []
    for _ in range(count):
        taken.append(dkim.selector(algorithm, NOW, taken))

    assert len(set(taken)) == count
    assert taken[:3] == [f"{algorithm.value[0]}202611{suffix}" for suffix in ("", "b", "c")][:count]


def test_the_month_in_a_selector_is_utc() -> None:
    """Two controllers in different time zones name keys alike."""
    there = datetime(2026, 12, 1, 5, 0, tzinfo=timezone(timedelta(hours=9)))

    assert dkim.selector(DkimAlgorithm.RSA, there, ()) == "r202611"


def test_a_generated_key_shows_no_private_part() -> None:
    """The story is for logs and for git."""
    key, pem = MADE[DkimAlgorithm.RSA]

    assert pem.splitlines()[1].decode() not in repr(key)
