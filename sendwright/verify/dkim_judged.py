"""One selector's record judged: whether verifiers make one key of it, and a good one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendwright.verify.finding import Finding, Subject
from sendwright.verify.records.dkim_record import BadRecord, KeyRecord, looks_like_key, parse
from sendwright.verify.rules.dkim import HASH, SERVICE, SIZE, STRINGS, SYNTAX, TESTING, TYPE
from sendwright.verify.wording import listed, shown

# RFC 8301, 3.2: verifiers take none below, and need not know any above.
_LEAST, _GOOD, _MOST = 1024, 2048, 4096
# Verifiers whose library keeps the exponent in 31 bits (Go's, among others) refuse a larger one.
_LARGEST_EXPONENT = 2**31 - 1
_TYPES = ("rsa", "ed25519")
_SHORT = 120
_AGAIN = "Publish the record again, exactly as the signer's tool printed it: v=DKIM1; k=rsa; p=…"


@dataclass(frozen=True)
class Judged:
    """A record name, what was found of it, and the key in it if there is one that can be read."""

    name: str
    findings: tuple[Finding, ...]
    record: KeyRecord | None


def judge(subject: Subject, name: str, texts: Sequence[str], strings: Sequence[Sequence[int]] = ()) -> Judged:
    """Judge the TXT records at one name (``strings``: the lengths of those that each came in)."""
    keys = [text for text in texts if looks_like_key(text)]
    if len(keys) > 1:
        seen = f"{len(keys)} key records: {listed(keys, 3)}"
        advice = "Leave one: what verifiers make of several is undefined, and some take whichever comes first."
        return Judged(name, (STRINGS.failed(subject, seen, advice, name),), None)
    text = keys[0] if keys else min(texts)
    try:
        record = parse(text)
    except BadRecord as error:
        return Judged(name, (_unreadable(subject, name, text, error),), None)
    joined = _joined(subject, name, texts, strings[texts.index(text)] if strings else ())
    findings = (_syntax(subject, name, text, record), joined, *(() if record.revoked else _key(subject, name, record)))
    return Judged(name, findings, record)


def only_ed25519(subject: Subject, records: Sequence[KeyRecord]) -> Iterator[Finding]:
    """Yield a warning if the keys of a domain, revoked ones left out, are such as many receivers cannot verify with."""
    if records and all(record.type == "ed25519" for record in records):
        seen = "Only Ed25519 keys were found, and large receivers verify RSA alone"
        yield TYPE.warned(subject, seen, "Sign with an RSA key of 2,048 bits as well (RFC 8463, 3).")


def _unreadable(subject: Subject, name: str, text: str, error: BadRecord) -> Finding:
    if _reads(text.replace('"', "").replace("\\", "")):
        advice = "Publish it without the quotes and backslashes: they belong to zone files, not into the record."
        return STRINGS.failed(subject, f"Quotes or backslashes are part of it: {shown(text, _SHORT)}", advice, name)
    seen = f"{error.why} ({error.section}): {shown(text, _SHORT)}"
    return SYNTAX.failed(subject, seen, _AGAIN, name)


def _reads(text: str) -> bool:
    try:
        parse(text)
    except BadRecord:
        return False
    return True


def _syntax(subject: Subject, name: str, text: str, record: KeyRecord) -> Finding:
    if record.oddities:
        seen = f"{'; '.join(record.oddities)}: {shown(text, _SHORT)}"
        return SYNTAX.warned(subject, seen, f"Strict verifiers refuse it. {_AGAIN}", name)
    return SYNTAX.passed(subject, shown(text, 80), name)


def _joined(subject: Subject, name: str, texts: Sequence[str], strings: Sequence[int]) -> Finding:
    if len(texts) > 1:
        seen = f"{len(texts) - 1} other TXT records stand beside the key"
        advice = "Remove them: some verifiers take the first that comes, whatever it is, and signatures fail at random."
        return STRINGS.warned(subject, seen, advice, name)
    return STRINGS.passed(subject, f"One record of {len(strings) or 1} strings", name)


def _key(subject: Subject, name: str, record: KeyRecord) -> Iterator[Finding]:
    yield _type(subject, name, record)
    if record.bits is not None:
        yield _size(subject, name, record.type, record.bits)
    yield _testing(subject, name, record)
    if record.hashes is None or "sha256" in record.hashes:
        yield HASH.passed(subject, "Any hash" if record.hashes is None else f"h={':'.join(record.hashes)}", name)
    else:
        seen = f"h={shown(':'.join(record.hashes))} leaves SHA-256 out"
        yield HASH.failed(subject, seen, "Publish h=sha256, or no h= at all: no receiver takes SHA-1 any more.", name)
    if {"*", "email"} & {*record.services}:
        yield SERVICE.passed(subject, "Mail may be signed with it", name)
    else:
        seen = f"s={shown(':'.join(record.services))} admits no mail"
        yield SERVICE.failed(subject, seen, "Publish s=email, or no s= at all.", name)


def _type(subject: Subject, name: str, record: KeyRecord) -> Finding:
    if record.type not in _TYPES:
        seen = f"k={shown(record.type, 60)} is no type that verifiers know"
        if record.type.lower() in _TYPES:
            advice = f"Write k={record.type.lower()}: values are compared by their case (RFC 6376, 3.2)."
            return TYPE.warned(subject, seen, advice, name)
        return TYPE.failed(subject, seen, "Publish an RSA key (k=rsa) of 2,048 bits.", name)
    if record.exponent is not None and record.exponent > _LARGEST_EXPONENT:
        seen = f"The exponent of the key has {record.exponent.bit_length()} bits"
        return TYPE.warned(subject, seen, "Make a new key with the usual exponent of 65537.", name)
    return TYPE.passed(subject, f"k={record.type}", name)


def _size(subject: Subject, name: str, kind: str, bits: int) -> Finding:
    seen = f"{bits:,} bits"
    if kind != "rsa" or _GOOD <= bits <= _MOST:
        return SIZE.passed(subject, seen, name)
    if bits < _LEAST:
        advice = "Sign with a new RSA key of 2,048 bits: receivers count what this one signs as unsigned."
        return SIZE.failed(subject, seen, advice, name)
    if bits < _GOOD:
        return SIZE.warned(subject, seen, "Make a new RSA key of 2,048 bits, and let the old one rest.", name)
    return SIZE.warned(subject, seen, "Make one of 2,048 to 4,096 bits: not every verifier takes longer ones.", name)


def _testing(subject: Subject, name: str, record: KeyRecord) -> Finding:
    if "y" in record.flags:
        return TESTING.warned(subject, f"t={shown(':'.join(record.flags))}", "Publish the record without t=y.", name)
    return TESTING.passed(subject, f"t={shown(':'.join(record.flags))}" if record.flags else "Not a test", name)
