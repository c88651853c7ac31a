"""Chains that come from elsewhere, whatever is in them, taken apart without a traceback. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sendwright import certparts, tlsa

# A hundred names and a few issuers take a tenth of it.
_MOST_CHARACTERS = 200_000
_MOST_CERTIFICATES = 10


@dataclass(frozen=True)
class Leaf:
    """What is to be known of a chain's first certificate; ``chain`` is the chain as PEM and nothing else."""

    chain: str
    spki: str
    kind: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime


class Unusable(Exception):
    """Report a chain that is not what was wanted; the text says why, as the rest of a sentence."""


def read(chain: str) -> Leaf:
    """Take a chain apart, leaf first; raises Unusable."""
    if len(chain) > _MOST_CHARACTERS:
        raise Unusable("is too long for a certificate chain")
    try:
        found = x509.load_pem_x509_certificates(chain.encode())
        if len(found) > _MOST_CERTIFICATES:
            raise Unusable(f"holds {len(found)} certificates")
        plain = "".join(map(certparts.pem, found))
        names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return Leaf(
            plain,
            tlsa.spki_of_chain(plain),
            kind(found[0].public_key()),
            frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName)),
            found[0].not_valid_before_utc,
            found[0].not_valid_after_utc,
        )
    except x509.ExtensionNotFound:
        raise Unusable("names nothing") from None
    except certparts.STRANGE:
        raise Unusable("is no certificate chain in PEM") from None


def wanted(chain: str, spki: str, names: Collection[str]) -> Leaf:
    """Take apart a chain that has to be of a key and to hold names (those and perhaps more); raises Unusable."""
    found = read(chain)
    if found.spki != spki:
        raise Unusable("is of another key")
    if missing := sorted(set(names) - found.names):
        raise Unusable(f"does not name {missing[0]}")
    if found.not_before >= found.not_after:
        raise Unusable("is valid at no time")
    return found


def kind(key: object) -> str:
    """Return what kind of public or private key one is: ``ecdsa``, ``rsa`` or ``other``."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "rsa"
    return "ecdsa" if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) else "other"
