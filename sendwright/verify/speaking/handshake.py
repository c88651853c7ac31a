"""TLS as it is spoken to strange servers: everything is agreed to and looked at, and nothing is trusted for it."""

import os
from functools import lru_cache
from pathlib import Path

from OpenSSL import SSL, crypto

from sendwright.errors import UsageError
from sendwright.verify.speaking.conversation import EXPIRED, SELF_SIGNED, Handshake
from sendwright.verify.speaking.wire import Wire

# All that OpenSSL can do, strong first: what is weak about a server is seen only by those who would take it.
_EVERYTHING = b"DEFAULT:@SECLEVEL=0"
# OpenSSL's numbers (x509_vfy.h).
_NOT_YET, _ENDED = 9, 10
_REASONS = {
    2: "its issuer is not known",
    7: "a signature of the chain is wrong",
    18: SELF_SIGNED,
    19: "its authority is not trusted here",
    20: "its issuer is not known",
    21: "its issuer is not known",
    23: "it is revoked",
    24: "an issuer is no certificate authority",
    25: "the chain is longer than an issuer allows",
    26: "it is not meant for servers",
    47: "an issuer does not permit its name",
    79: "an issuer is no certificate authority",
}
_Seen = list[tuple[int, int]]


def context(trust: Path | None) -> SSL.Context:
    """Return how to speak TLS of any version; ``trust``: authorities in PEM instead of the system's.

    UsageError when that file holds none.
    """
    changed = trust.stat().st_mtime_ns if trust is not None and trust.is_file() else 0
    return _context(trust, changed, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


# Reading a hundred authorities takes longer than a handshake, and there may be a thousand servers.
@lru_cache(maxsize=4)
def _context(trust: Path | None, _changed: int, _file: str | None, _folder: str | None) -> SSL.Context:
    made = _any_version()
    if trust is None:
        made.set_default_verify_paths()
    else:
        try:
            made.load_verify_locations(os.fsencode(trust))
        except SSL.Error:
            raise UsageError(f"{trust}: no authorities in PEM can be read there.", "Name a readable file.") from None
    made.set_verify(SSL.VERIFY_PEER, _noted)
    return made


@lru_cache(maxsize=1)
def old_context() -> SSL.Context:
    """Return how to speak TLS 1.1 and 1.0 only."""
    made = _any_version()
    made.set_max_proto_version(SSL.TLS1_1_VERSION)
    # Servers of that age do not know RFC 5746.
    made.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    return made


def shake(wire: Wire, made: SSL.Context, name: str) -> Handshake:
    """Speak TLS on a wire and return what was seen; SSL.Error and `wire.Fallen` when it fails."""
    wrong: _Seen = []
    tls = wire.secure(made, name, wrong)
    chain = tls.get_peer_cert_chain() or []
    der = tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain)
    return Handshake(
        tls.get_protocol_version_name(), tls.get_cipher_name() or "", der, trusted=_judged(wrong) if der else ""
    )


def _any_version() -> SSL.Context:
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_cipher_list(_EVERYTHING)
    made.set_min_proto_version(SSL.TLS1_VERSION)
    return made


def _noted(tls: SSL.Connection, _certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
    if not good and error:
        tls.get_app_data().append((error, depth))
    return True


def _judged(wrong: _Seen) -> str:
    dates = {(_NOT_YET, 0), (_ENDED, 0)}
    worse = [found for found in wrong if found not in dates]
    if not worse:
        return EXPIRED if wrong else ""
    # Several numbers tell of one missing issuer: the first is the cause.
    error, _ = worse[0]
    if error in {_NOT_YET, _ENDED}:
        return "an issuer's certificate is not valid now"
    return _REASONS.get(error, f"OpenSSL does not accept it (error {error})")
