"""Judge what a server agrees to in TLS: cipher suites, the key exchange, and what TLS 1.2 should have left behind.

Between servers weak TLS is still better than none (RFC 7435), so that much is a warning on port 25 which fails on
ports of submission: a mail program sends a password there, and has no reason to be content with less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendwright.verify.endpoints import alike, each
from sendwright.verify.finding import Finding
from sendwright.verify.remedy import on_host
from sendwright.verify.rules.tls import CIPHERS, KEY_EXCHANGE, LEGACY
from sendwright.verify.speaking.conversation import Conversation, Handshake, Parameters
from sendwright.verify.speaking.suites import Weakness, weakness
from sendwright.verify.target import Server
from sendwright.verify.wording import shown as cut

_BROKEN = frozenset({Weakness.NULL, Weakness.EXPORT, Weakness.DES})
_AGED = frozenset({Weakness.RC4})
_LEAST_GROUP = 2048
# Shorter primes were broken for everybody who cared to (Logjam), and no client of today accepts them.
_BROKEN_GROUP = 1024
_FORWARD = ("ECDHE-", "DHE-", "AECDH-", "ADH-")
_EXCLUDE = "Take them out: in Postfix, smtpd_tls_exclude_ciphers = eNULL, EXPORT, DES, RC4, MD5, 3DES, IDEA."
_IDENTIFY = "Take them out: in Postfix, smtpd_tls_mandatory_exclude_ciphers = aNULL."
_PRIME = "Use a longer prime: in Postfix 3.7 and newer, smtpd_tls_dh1024_param_file = auto; before, leave it empty."
_EPHEMERAL = "Prefer ECDHE: in Postfix, smtpd_tls_eecdh_grade = auto, and no ECDHE in smtpd_tls_exclude_ciphers."
_COMPRESSED = "Switch it off: in Postfix, tls_ssl_options = NO_COMPRESSION."
_RENEWED = "Update the server or its TLS library: every one since 2010 knows RFC 5746."


@dataclass(frozen=True)
class _Seen:
    """What some endpoints have in common."""

    tls: Handshake | None
    told: Parameters
    mail_programs: bool


def check(server: Server, awake: Sequence[Conversation]) -> Iterator[Finding]:
    """Judge what endpoints agreed to that were asked; what several have in common is judged once."""
    asked = [talk for talk in awake if _seen(talk) is not None]
    for seen, group in alike(asked, _seen).items():
        if seen is None:
            continue
        for check, known, judge in (
            (CIPHERS, seen.told.weak is not None, _ciphers),
            (KEY_EXCHANGE, _knows_exchange(seen), _key_exchange),
            (LEGACY, seen.told.compresses is not None or seen.told.refused, _legacy),
        ):
            if known:
                yield from each(judge(server, seen), group)
            elif seen.told.unasked:
                unknown = check.unknown(server.subject, cut(f"it could not be asked: {seen.told.unasked}"))
                yield from each(unknown, group)


def _seen(talk: Conversation) -> _Seen | None:
    told = talk.parameters
    # Who speaks no TLS at all refuses weak TLS as well: of that `tls.offered` has told.
    if told is None or (talk.tls is None and told.compresses is None):
        return None
    tls = Handshake(talk.tls.version, talk.tls.cipher, ()) if talk.tls is not None else None
    return _Seen(tls, told, talk.endpoint.port != 25)


def _ciphers(server: Server, seen: _Seen) -> Finding:
    weak = {weakness(suite): suite for suite in seen.told.weak or ()}
    if not weak:
        alone = (
            "weak suites are refused" if seen.mail_programs else "weak suites are refused (anonymous ones not asked)"
        )
        return CIPHERS.passed(server.subject, alone)
    words = ", ".join(f"TLS_{suite}: {kind}" for kind, suite in weak.items())
    bad = _BROKEN | (_AGED if seen.mail_programs else frozenset())
    judged = CIPHERS.failed if weak.keys() & bad else CIPHERS.warned
    advice = _IDENTIFY if weak.keys() == {Weakness.ANONYMOUS} else _EXCLUDE
    return judged(server.subject, f"accepted: {words}", on_host(server, advice))


def _key_exchange(server: Server, seen: _Seen) -> Finding:
    bits = seen.told.group or 0
    prime = f"a prime of {bits:,} bits" if bits else "no finite-field Diffie-Hellman"
    if bits and bits < _LEAST_GROUP:
        bad = seen.mail_programs or bits < _BROKEN_GROUP
        return (KEY_EXCHANGE.failed if bad else KEY_EXCHANGE.warned)(server.subject, prime, on_host(server, _PRIME))
    if not _forward(seen):
        chosen = f"{seen.tls.cipher}, " if seen.tls is not None else ""
        words = f"{chosen}of all that was offered, has no forward secrecy: RSA encrypts the key"
        return KEY_EXCHANGE.warned(server.subject, words, on_host(server, _EPHEMERAL))
    return KEY_EXCHANGE.passed(server.subject, f"forward secrecy, {prime}")


def _knows_exchange(seen: _Seen) -> bool:
    told = seen.told
    return told.group is not None and (seen.tls is not None or bool(told.group) or told.static is not None)


def _forward(seen: _Seen) -> bool:
    if seen.tls is None:
        return not seen.told.static
    return seen.tls.version == "TLSv1.3" or seen.tls.cipher.startswith(_FORWARD)


def _legacy(server: Server, seen: _Seen) -> Finding:
    told = seen.told
    if told.compresses is None:
        if seen.tls is not None and seen.tls.version == "TLSv1.3":
            words = "it refuses TLS 1.2, and TLS 1.3 has neither compression nor renegotiation"
            return LEGACY.passed(server.subject, words)
        return LEGACY.unknown(server.subject, "it refused every suite of TLS 1.2 that was offered")
    wrong = {
        "it compresses (DEFLATE)": (told.compresses, _COMPRESSED),
        "it does not announce secure renegotiation": (not told.renegotiates, _RENEWED),
    }
    found = {words: advice for words, (bad, advice) in wrong.items() if bad}
    if not found:
        return LEGACY.passed(server.subject, "no compression, secure renegotiation")
    judged = LEGACY.failed if seen.mail_programs else LEGACY.warned
    return judged(server.subject, "; ".join(found), on_host(server, " ".join(found.values())))
