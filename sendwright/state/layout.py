"""Where private keys and chains lie in the state folder. Their names are of their content, so none is overwritten."""

import hashlib

from sendwright.service import Sealed
from sendwright.state import seal

# Of a digest, in names of files: 64 bits are plenty to tell a few files of one host apart.
_TAG = 16


def tag(sha256: str) -> str:
    """Return what of a digest stands in the name of a file."""
    return sha256[:_TAG]


def sha256(text: str) -> str:
    """Return the hex digest by which a chain or a URL is known."""
    return hashlib.sha256(text.encode()).hexdigest()


def tls_key(host: str, pem: bytes) -> Sealed:
    """Return the reference to a host's private key, from its PEM as it is installed."""
    return tls_sealed(host, seal.digest(pem))


def tls_sealed(host: str, key_sha256: str) -> Sealed:
    """Return the reference to a host's private key, from the digest of its PEM."""
    return Sealed(f"tls/{host}.{tag(key_sha256)}.key", key_sha256)


def tls_chain(host: str, chain_sha256: str) -> str:
    """Return the name of the file of a chain, from its digest."""
    return f"{host}.{tag(chain_sha256)}.pem"


def account_key(directory: str, pem: bytes) -> Sealed:
    """Return the reference to the key of an account with an authority; ``directory``: the authority's URL."""
    return account_sealed(directory, seal.digest(pem))


def account_sealed(directory: str, key_sha256: str) -> Sealed:
    """Return the same from the digest of the key's PEM."""
    return Sealed(f"accounts/{tag(sha256(directory))}.{tag(key_sha256)}.key", key_sha256)
