"""DKIM key records read as verifiers read them: a tag list, and the key in it (RFC 6376 section 3.6.1). Pure."""

import base64
import binascii
import re
from dataclasses import dataclass

from sendwright.verify.records.der import BadKey, rsa_public

# Section 3.2: printable ASCII without the semicolon; white space may be folded anywhere between.
# Possessive throughout: white space fits two places, and to try each division of it would take for ever.
_TAG = re.compile(r"[ \t\r\n]*+([A-Za-z][A-Za-z0-9_]*+)[ \t\r\n]*+=[ \t\r\n]*+([\x21-\x3a\x3c-\x7e \t\r\n]*+)")
_SPACE = " \t\r\n"
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")
_KEY = re.compile(r"(?:^|;)\s*(?:[vV]\s*=\s*DKIM1|p\s*=)", re.IGNORECASE)
_OTHER = re.compile(r"\s*v\s*=\s*(?!DKIM)[a-z]+\d", re.IGNORECASE)
_NOTES = re.compile(r"(?:[^=]|=[0-9A-Fa-f]{2})*")
_ED25519_INFO = bytes.fromhex("302a300506032b6570032100")
_ED25519_OCTETS = 32


class BadRecord(ValueError):
    """Report text that verifiers take for no key. ``why``: in words; ``section``: the rule that it breaks."""

    def __init__(self, why: str, section: str) -> None:
        super().__init__(f"{why} ({section})")
        self.why = why
        self.section = section


@dataclass(frozen=True)
class KeyRecord:
    """A key record that verifiers accept as such, though perhaps not for a given signature.

    ``type``: ``k=``; ``hashes``: ``h=``, None for any; ``services``: ``s=``; ``flags``: ``t=``; ``key``: the octets of
    ``p=``, none if it is revoked; ``bits``: the size of the key, None where its type is unknown or it is revoked;
    ``exponent``: of RSA; ``oddities``: what the grammar forbids and verifiers let pass, in words.
    """

    type: str
    key: bytes
    bits: int | None = None
    exponent: int | None = None
    hashes: tuple[str, ...] | None = None
    services: tuple[str, ...] = ("*",)
    flags: tuple[str, ...] = ()
    notes: str = ""
    oddities: tuple[str, ...] = ()

    @property
    def revoked(self) -> bool:
        """Whether the key was withdrawn by an empty ``p=``."""
        return not self.key


def parse(text: str) -> KeyRecord:
    """Read the joined text of one TXT record, each octet a character; BadRecord says why it is no key record.

    A key of a type that is not known, of whatever size, or for other hashes and services only, is a record all the
    same: its fields say so. Keys are RSA as SubjectPublicKeyInfo or as a bare RSAPublicKey, both of which are in use
    and verify (RFC 6376 erratum 3017), and Ed25519 as 32 octets (RFC 8463 section 4).
    """
    tags = _tags(text)
    if "v" in tags and next(iter(tags)) != "v":
        raise BadRecord("v= is there, but not as the first tag", "RFC 6376, 3.6.1")
    if (version := tags.get("v", "DKIM1")) != "DKIM1":
        raise BadRecord(f"v={version[:40]} is another version than DKIM1", "RFC 6376, 3.6.1")
    if "p" not in tags:
        raise BadRecord("it has no p= tag, which holds the key", "RFC 6376, 3.6.1")
    key = _octets(tags["p"])
    kind = tags.get("k", "rsa")
    bits, exponent = _measured(kind, key) if key else (None, None)
    return KeyRecord(
        type=kind,
        key=key,
        bits=bits,
        exponent=exponent,
        hashes=_listed(tags["h"]) if "h" in tags else None,
        services=_listed(tags.get("s", "*")),
        flags=_listed(tags.get("t", "")),
        notes=tags.get("n", ""),
        oddities=_oddities(text, tags),
    )


def looks_like_key(text: str) -> bool:
    """Whether a TXT record is meant as a key, however broken, and is not one of SPF or of a proof of ownership."""
    return bool(_KEY.search(text)) and not is_of_other_kind(text)


def is_of_other_kind(text: str) -> bool:
    """Whether a TXT record says by its version that it is something else, as ``v=spf1`` does."""
    return _OTHER.match(text) is not None


def _tags(text: str) -> dict[str, str]:
    parts = text.rstrip(_SPACE).removesuffix(";").split(";")
    found: dict[str, str] = {}
    for part in parts:
        read = _TAG.fullmatch(part)
        if read is None:
            raise BadRecord(_no_tag(part), "RFC 6376, 3.2")
        if read[1] in found:
            raise BadRecord(f"the tag {read[1][:40]}= comes twice", "RFC 6376, 3.2")
        found[read[1]] = read[2].rstrip(_SPACE)
    return found


def _no_tag(part: str) -> str:
    if not part.strip(_SPACE):
        return "it is empty, or has an empty tag between two semicolons"
    name, equals, value = part.partition("=")
    odd = next((c for c in value if not ("\x21" <= c <= "\x7e" or c in _SPACE)), "")
    if equals and odd:
        return f"the value of {name.strip(_SPACE)[:40]}= holds the octet {ord(odd)}, and may hold printable ASCII only"
    return f"{part.strip(_SPACE)[:60]!r} is no tag: a name, = and a value"


def _octets(text: str) -> bytes:
    squeezed = "".join(text.split())
    try:
        return base64.b64decode(squeezed, validate=True)
    except binascii.Error:
        raise BadRecord(f"p= is no base64: {_no_base64(squeezed)}", "RFC 6376, 3.6.1") from None


def _no_base64(text: str) -> str:
    if not _BASE64.fullmatch(text):
        return "it holds other characters"
    if "=" in text.rstrip("="):
        return "its padding is wrong: an equals sign stands within it"
    return "characters are missing from it, or too many stand at its end"


def _measured(kind: str, key: bytes) -> tuple[int | None, int | None]:
    """The size of a key, and its exponent if it has one."""
    if kind == "rsa":
        try:
            public = rsa_public(key)
        except BadKey as error:
            raise BadRecord(f"p= holds no RSA key: {error}", "RFC 6376, 3.6.1") from None
        return public.modulus.bit_length(), public.exponent
    if kind == "ed25519":
        if len(key) != _ED25519_OCTETS:
            wrapped = key.startswith(_ED25519_INFO)
            why = "SubjectPublicKeyInfo around it" if wrapped else f"{len(key)} octets"
            raise BadRecord(f"p= holds {why}, and an Ed25519 key is the 32 octets alone", "RFC 8463, 4")
        return 256, None
    return None, None


def _listed(value: str) -> tuple[str, ...]:
    return tuple(item for part in value.split(":") if (item := part.strip(_SPACE)))


def _oddities(text: str, tags: dict[str, str]) -> tuple[str, ...]:
    empty = tuple(f"{name}= is empty" for name in ("t", "k") if tags.get(name) == "")
    breaks = ("it holds line breaks",) if re.search(r"\n(?![ \t])|\r(?!\n)|(?<!\r)\n", text) else ()
    notes = () if _NOTES.fullmatch(tags.get("n", "")) else ("n= is no quoted-printable text",)
    return empty + breaks + notes
