"""DKIM keys in DNS: a good one, and one broken in each way."""

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.lab.verify.servers import BAD, GOOD

SELECTOR = "s1"
HOST = 'IN TXT "v=spf1 a -all"'
"""Of a domain that sends."""


def of_good() -> Iterator[str]:
    """Yield the key of the good domain."""
    yield _key(GOOD, f"v=DKIM1; k=rsa; p={_rsa(2048)}")


def of_bad() -> Iterator[str]:
    """Yield the keys of domains whose keys are broken in one way each."""
    rsa_key, curve = _rsa(2048), _ed25519()
    texts = {
        "dkim-syntax": "v=DKIM1; k=rsa; p=!not*base64!",
        "dkim-type": f"v=DKIM1; k=ed25519; p={curve}",
        "dkim-short": f"v=DKIM1; k=rsa; p={_rsa(1024)}",
        "dkim-testing": f"v=DKIM1; k=rsa; t=y; p={rsa_key}",
        "dkim-hash": f"v=DKIM1; k=rsa; h=sha1; p={rsa_key}",
        "dkim-service": f"v=DKIM1; k=rsa; s=chat; p={rsa_key}",
        "dkim-revoked": "v=DKIM1; k=rsa; p=",
    }
    for name, text in texts.items():
        yield f"{name} {HOST}"
        yield _key(f"{name}.{BAD}", text)
    yield f"dkim-strings {HOST}"
    yield _key(f"dkim-strings.{BAD}", f"v=DKIM1; k=rsa; p={rsa_key}")
    yield _key(f"dkim-strings.{BAD}", f"v=DKIM1; k=rsa; p={_rsa(2048)}")


def _key(domain: str, text: str) -> str:
    strings = " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
    return f"{SELECTOR}._domainkey.{domain}. IN TXT {strings}"


def _rsa(bits: int) -> str:
    key = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _ed25519() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
