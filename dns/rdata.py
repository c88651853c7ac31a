"""Record data as text: parsed by DNS rules before it is compared, so that case and quoting are no differences.

TXT data is one value here, however it is cut: the strings of at most 255 octets (RFC 1035 section 3.3.14) are made when
it goes out to a server, and joined when it comes in. All other text is master-file text with absolute names.
"""

import re
from functools import lru_cache

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
from dns.rdtypes.ANY.TXT import TXT

_STRING = 255
_PLAIN = re.compile(r'"([ !#-\[\]-~]*)"')
_WIDTH = 72
# RFC 1035 section 5.1: a backslash before what means something, and three digits for what is not printable.
_ESCAPES = {octet: f"\\{octet:03d}" for octet in (*range(0x20), *range(0x7F, 0x100))} | {
    ord(character): f"\\{character}" for character in '"\\'
}


def txt(value: str | bytes) -> str:
    """Return TXT data as the one quoted string that stands for it in records, claims and plans."""
    octets = value.encode() if isinstance(value, str) else value
    return f'"{octets.decode("latin-1").translate(_ESCAPES)}"'


@lru_cache(maxsize=65536)
def joined(text: str) -> bytes:
    """Return the joined octets of TXT data, however its text is quoted and split (RFC 7208 section 3.3)."""
    # Nearly all data is one plain string, and dnspython takes 1 ms to go through that of a key.
    if plain := _PLAIN.fullmatch(text):
        return plain[1].encode()
    tokens = dns.tokenizer.Tokenizer(_one_line(text)).get_remaining()
    return b"".join(_octets(token.unescape_to_bytes().value) for token in tokens)


def rdata(rdtype: str, text: str) -> dns.rdata.Rdata:
    """Return record data for the wire, exactly as the text has it; a single TXT string over 255 octets is split."""
    try:
        return dns.rdata.from_text(
            dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), _one_line(text), relativize=False
        )
    except dns.exception.SyntaxError:
        octets = joined(text)
        if rdtype != "TXT" or len(octets) <= _STRING:
            raise
        strings = [octets[i : i + _STRING] for i in range(0, len(octets), _STRING)]
        return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


@lru_cache(maxsize=65536)
def canonical(rdtype: str, text: str) -> str:
    """Return the one text of record data by which values are compared and claimed; ValueError if it is none."""
    try:
        if rdtype == "TXT":
            return txt(joined(text))
        parsed = rdata(rdtype, text)
        # RFC 4034 section 6.2: the canonical form has lower-case names, and only where a name is a name.
        wire = parsed.to_digestable(dns.name.root)
        return dns.rdata.from_wire(parsed.rdclass, parsed.rdtype, wire, 0, len(wire)).to_text()
    except dns.exception.DNSException as error:
        raise ValueError(f"not the data of a {rdtype} record: {text!r}") from error


def short(value: str) -> str:
    """Return a value as it fits into a line for people: printable, and cut in the middle if it is long."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in value[:_WIDTH] + value[_WIDTH:][-1:])
    return plain if len(value) <= _WIDTH else plain[: _WIDTH - 2] + "…" + plain[-1]


def plain_name(name: str) -> str:
    """Return a DNS name as this project writes it: lower case, without a final dot."""
    return name.rstrip(".").lower()


def _one_line(text: str) -> str:
    # dnspython reads to the end of the line; what comes after it would be written along, and compared by nobody.
    if "\n" in text:
        raise dns.exception.SyntaxError("more than one line")  # type: ignore[no-untyped-call]
    return text


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
