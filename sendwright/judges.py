"""Judges from other hands: dkimpy and pyspf say what they think of a message, through live DNS."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Lookup = Callable[[str], bytes | None]

_TAG = re.compile(rb"(?:^|;)\s*([a-z]+)\s*=\s*([^;]*)")


@dataclass(frozen=True)
class Signature:
    """One DKIM-Signature of a message (RFC 6376 section 3.5) and whether it verifies."""

    domain: str
    selector: str
    algorithm: str
    valid: bool


@dataclass(frozen=True)
class Case:
    """A stored message with the envelope that it came in by."""

    message: bytes
    client: str
    helo: str
    mail_from: str


@dataclass(frozen=True)
class Verdict:
    """What the judges say: SPF's result (RFC 7208 section 2.6) and each signature."""

    spf: str
    signatures: tuple[Signature, ...]


def signatures(
    message: bytes, lookup: Lookup | None = None, only: tuple[str, str] | None = None
) -> tuple[Signature, ...]:
    """Verify every DKIM-Signature of a message with dkimpy.

    ``lookup`` answers the joined TXT value of a name, None for none; by default the system's resolver is asked.
    ``only``: leave out those that are not of this domain and selector.
    """
    import dkim

    def ask(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001 - dkimpy's signature
        return lookup(name.decode().rstrip(".")) if lookup else None

    try:
        verifier = dkim.DKIM(message)
    except dkim.DKIMException:
        return ()  # no message that anybody would take
    fields = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    found = []
    for index, field in enumerate(fields):
        tags = dict(_TAG.findall(field.replace(b"\r\n", b"").replace(b"\n", b"")))
        if only and (_tag(tags, b"d"), _tag(tags, b"s")) != only:
            continue
        try:
            judge = dkim.DKIM(message)
            valid = judge.verify(index, dnsfunc=ask) if lookup else judge.verify(index)
        except (dkim.DKIMException, ValueError, LookupError, TypeError, AssertionError):
            valid = False  # of records and fields that are broken dkimpy raises whatever its parsers do
        found.append(Signature(_tag(tags, b"d"), _tag(tags, b"s"), _tag(tags, b"a"), valid=bool(valid)))
    return tuple(found)


def _tag(tags: dict[bytes, bytes], name: bytes) -> str:
    return tags.get(name, b"").strip().decode("ascii", "replace")


def judge(case: Case) -> Verdict:
    """Judge a message by the system's resolver."""
    import spf

    result, _ = spf.check2(i=case.client, s=case.mail_from, h=case.helo)
    return Verdict(spf=str(result), signatures=signatures(case.message))
