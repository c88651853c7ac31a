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
import threading
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

# 16 MiB and about 50 ms a guess: as much as OpenSSL's own limit lets its tools read back.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
# Of a salt, and of an initialization vector.
_OCTETS = 16

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


class Derivation:
    """What scrypt makes of one passphrase, each salt's key once: it takes long by design, and folders hold thousands.

    Threads may share it. Nothing of it shows in a repr.
    """

    def __init__(self, passphrase: str) -> None:
        self.passphrase = passphrase.encode()
        self._keys: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def key(self, salt: bytes) -> bytes:
        """Return the key of AES-256 for a salt."""
        with self._lock:
            if salt not in self._keys:
                self._keys[salt] = Scrypt(salt, 32, _COST, _BLOCK, _PARALLEL).derive(self.passphrase)
            return self._keys[salt]


def plain_form(pem: bytes, password: bytes | None = None, *, known: bool = False) -> bytes:
    """Return a private key as hosts get it: unencrypted PKCS#8 PEM, the same bytes for the same key each time.

    ``known``: its digest is compared with what is remembered, so an RSA key's numbers need not be checked again, which
    takes as long as scrypt. Raises ValueError when it cannot be read.
    """
    try:
        key = serialization.load_pem_private_key(pem, password, unsafe_skip_rsa_key_validation=known)
    except (TypeError, ValueError, UnsupportedAlgorithm):
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


def new_salt() -> bytes:
    """Return a salt for a folder that has none yet."""
    return secrets.token_bytes(_OCTETS)


def salt_of(content: bytes) -> bytes | None:
    """Return the salt of what ``seal`` made; None for any other form."""
    found = _parts(content)
    return found.salt if found else None


def seal(pem: bytes, derivation: Derivation, salt: bytes) -> bytes:
    """Encrypt a private key's PEM.

    Files of one folder share its passphrase, so they may share the ``salt`` too: who guesses needs a single file to
    try a guess on. Each file has an initialization vector of its own.
    """
    start = secrets.token_bytes(_OCTETS)
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(derivation.key(salt)), modes.CBC(start)).encryptor()
    encrypted = cipher.update(pad.update(_body(pem)) + pad.finalize()) + cipher.finalize()
    return _armoured(b"ENCRYPTED PRIVATE KEY", _der(0x30, _algorithm(salt, start) + _der(0x04, encrypted)))


def unseal(content: bytes, derivation: Derivation | None) -> bytes:
    """Return the plain form of what ``seal`` made, or of an unencrypted key; raises Damaged or WrongPassphrase.

    Whoever calls compares it with the digest that is remembered.
    """
    if not _whole(content):
        raise Damaged
    try:
        if derivation and (parts := _parts(content)):
            return plain_form(_decrypted(parts, derivation), known=True)
        return plain_form(content, derivation.passphrase if derivation else None, known=True)
    except ValueError:
        raise (WrongPassphrase if is_sealed(content) else Damaged) from None


@dataclass(frozen=True)
class _Parts:
    salt: bytes
    start: bytes
    encrypted: bytes


def _parts(content: bytes) -> _Parts | None:
    """Take apart what ``seal`` made; None for what it did not."""
    if not is_sealed(content) or not _whole(content):
        return None
    der = _body(content)
    # All lengths are the same each time but those of the key: the last part, and the whole.
    shape = _algorithm(bytes(_OCTETS), bytes(_OCTETS))
    at = der.find(_PBES2) - shape.index(_PBES2)
    head, rest = der[max(at, 0) : at + len(shape)], der[at + len(shape) :]
    first, last = shape.index(bytes(_OCTETS)), len(shape) - _OCTETS
    parts = _Parts(head[first : first + _OCTETS], head[last:], _octets(rest))
    rebuilt = _der(0x30, _algorithm(parts.salt, parts.start) + _der(0x04, parts.encrypted))
    return parts if rebuilt == der else None


def _octets(der: bytes) -> bytes:
    """Return the content of a DER value, whatever its kind."""
    extra = der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0
    return der[2 + extra :]


def _decrypted(parts: _Parts, derivation: Derivation) -> bytes:
    """Return the PEM that was sealed; ValueError where the passphrase is another one."""
    cipher = Cipher(algorithms.AES(derivation.key(parts.salt)), modes.CBC(parts.start)).decryptor()
    unpad = padding.PKCS7(128).unpadder()
    der = unpad.update(cipher.update(parts.encrypted) + cipher.finalize()) + unpad.finalize()
    return _armoured(b"PRIVATE KEY", der)


def _algorithm(salt: bytes, start: bytes) -> bytes:
    numbers = b"".join(_der(0x02, n.to_bytes(n.bit_length() // 8 + 1)) for n in (_COST, _BLOCK, _PARALLEL))
    derivation = _der(0x30, _SCRYPT + _der(0x30, _der(0x04, salt) + numbers))
    encryption = _der(0x30, _AES256_CBC + _der(0x04, start))
    return _der(0x30, _PBES2 + _der(0x30, derivation + encryption))


def _body(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def _armoured(label: bytes, der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN " + label + b"-----", *lines, b"-----END " + label + b"-----", b""])


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
