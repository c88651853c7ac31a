"""Private keys at rest: PKCS#8, encrypted with a key that scrypt derives from the passphrase (RFC 7914 section 7).

The encryption that ``cryptography`` offers for PKCS#8 derives with 2,048 rounds of PBKDF2, which a graphics card
guesses through at leisure; the folder is made to be kept in git, so that attack is the one to expect. ``cryptography``
and ``openssl pkey`` read this form.
"""

import base64
import binascii
import hashlib
import re
import secrets

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

# 16 MiB and about 50 ms a guess: as much as OpenSSL's own limit lets its tools read back.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES256_CBC = bytes.fromhex("060960864801650304012a")

_PEM = re.compile(
    rb"-----BEGIN (ENCRYPTED )?PRIVATE KEY-----\n(.*)-----END (ENCRYPTED )?PRIVATE KEY-----\n?", re.DOTALL
)


class Damaged(Exception):
    """Report bytes that are no private key, whatever the passphrase."""


class WrongPassphrase(Exception):
    """Report a key that this passphrase does not open."""


def plain_form(pem: bytes, password: bytes | None = None) -> bytes:
    """Return a private key as hosts get it: unencrypted PKCS#8 PEM, the same bytes for the same key each time.

    Raises ValueError when it cannot be read.
    """
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (TypeError, ValueError):
        # "from None": neither the key's bytes nor the passphrase may travel in an exception.
        raise ValueError("no private key that can be read") from None
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def digest(pem: bytes) -> str:
    """Return the hex SHA-256 by which a key's plain form is known."""
    return hashlib.sha256(pem).hexdigest()


def is_sealed(content: bytes) -> bool:
    """Tell whether a file's content needs the passphrase."""
    return content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def seal(pem: bytes, passphrase: str) -> bytes:
    """Encrypt a private key's PEM with a passphrase."""
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    salt, start = secrets.token_bytes(16), secrets.token_bytes(16)
    key = Scrypt(salt, 32, _COST, _BLOCK, _PARALLEL).derive(passphrase.encode())
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    encrypted = cipher.update(pad.update(der) + pad.finalize()) + cipher.finalize()
    numbers = b"".join(_der(0x02, n.to_bytes(n.bit_length() // 8 + 1)) for n in (_COST, _BLOCK, _PARALLEL))
    derivation = _der(0x30, _SCRYPT + _der(0x30, _der(0x04, salt) + numbers))
    encryption = _der(0x30, _AES256_CBC + _der(0x04, start))
    algorithm = _der(0x30, _PBES2 + _der(0x30, derivation + encryption))
    text = base64.b64encode(_der(0x30, algorithm + _der(0x04, encrypted)))
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, b"-----END ENCRYPTED PRIVATE KEY-----", b""])


def unseal(content: bytes, passphrase: str | None) -> bytes:
    """Return the plain form of what ``seal`` made, or of an unencrypted key; raises Damaged or WrongPassphrase."""
    if not _whole(content):
        raise Damaged
    try:
        return plain_form(content, passphrase.encode() if passphrase is not None else None)
    except ValueError:
        raise (WrongPassphrase if is_sealed(content) else Damaged) from None


def _whole(content: bytes) -> bool:
    """Tell whether this is PEM around one complete DER value; decryption cannot tell damage from a wrong guess."""
    found = _PEM.fullmatch(content)
    if not found or found[1] != found[3]:
        return False
    try:
        der = base64.b64decode(b"".join(found[2].split()), validate=True)
    except binascii.Error:
        return False
    if len(der) < 2 or der[0] != 0x30:
        return False
    extra = der[1] & 0x7F if der[1] & 0x80 else 0
    length = int.from_bytes(der[2 : 2 + extra]) if extra else der[1]
    return len(der) == 2 + extra + length


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content
