"""A private key that somebody else made: PEM in any of its usual forms, judged before anything is kept."""

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from sendwright.dkim import Private

# RFC 8301 section 3.2: signers use at least 2048 bits, and verifiers need not know more than 4096.
_LEAST_BITS, _MOST_BITS = 2048, 4096
_PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")


class Unusable(ValueError):
    """Report a file that holds no key to sign with: why, and what to do about it."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


class Encrypted(Exception):
    """Report a key that cannot be read without a passphrase."""


def private_key(content: bytes, passphrase: str | None = None) -> Private:
    """Return the DKIM key in a file: PKCS#1 or PKCS#8 in PEM, as openssl and opendkim-genkey write it.

    Raises Unusable for all else, and for a passphrase that does not open it; Encrypted when it needs one.
    """
    found = _PRIVATE.findall(content)
    if len(found) != 1:
        raise _not_one(content, len(found))
    if b"OPENSSH" in found[0]:
        raise Unusable("it holds a key in OpenSSH's own form", "Convert a copy: ssh-keygen -p -m PKCS8 -f COPY")
    try:
        key = serialization.load_pem_private_key(content, passphrase.encode() if passphrase is not None else None)
    except TypeError:
        raise Encrypted from None
    except (ValueError, UnsupportedAlgorithm):
        # "from None": neither the key's bytes nor the passphrase may travel in an exception.
        why = "its private key is damaged" if passphrase is None else "this passphrase does not open it"
        raise Unusable(why, "Take it from the server that signs with it.") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey")
        raise Unusable(f"it holds a key of another kind ({kind})", "DKIM signs with RSA or Ed25519 (RFC 8463).")
    if not _LEAST_BITS <= key.key_size <= _MOST_BITS:
        raise Unusable(
            f"it holds an RSA key of {key.key_size} bits, and not every receiver verifies with that",
            f"Have a new one made, of {_LEAST_BITS} to {_MOST_BITS} bits (RFC 8301 section 3.2).",
        )
    return key


def _not_one(content: bytes, count: int) -> Unusable:
    if count:
        return Unusable(f"it holds {count} private keys", "Leave the one that this selector is for.")
    if b"BEGIN PUBLIC KEY" in content or b"v=DKIM1" in content:
        return Unusable("it holds the public part of a key", "Name the private one: opendkim-genkey calls it .private.")
    return Unusable("it holds no private key in PEM", "Name the file that the server signs with.")
