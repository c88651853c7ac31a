"""The text of an SPF record, parsed by the whole grammar of RFC 7208 (section 12). Pure.

Every fault of a record is reported at once. What is parsed keeps its exact text, so that a record can be changed in one
place and stay byte for byte in all others.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network

from sendwright.dns.spf_macros import Escape, Macro, MacroFault, MacroString, macro_string

VERSION = "v=spf1"
MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
# Section 4.6.4: the mechanisms that ask the DNS and count towards the limit of ten; the modifier redirect counts too.
QUERYING = frozenset({"include", "a", "mx", "ptr", "exists"})

_SECTIONS = {"all": "5.1", "include": "5.2", "a": "5.3", "mx": "5.4", "ptr": "5.5", "ip4": "5.6", "ip6": "5.6"}
_SECTIONS |= {"exists": "5.7", "redirect": "6.1", "exp": "6.2"}
_VERSION = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9._-]*)([:/].*)?", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?<!/)(?:/([0-9]+))?(?://([0-9]+))?\Z")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_QNUM = "(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_IP4 = re.compile(rf"{_QNUM}(?:\.{_QNUM}){{3}}")
_IP6 = re.compile(r"[0-9A-Fa-f:.]+")
# Digits before the first letter, lest a long label be tried at each of its letters.
_TOPLABEL = re.compile(r"[0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9]")
_SHOWN = 20


@dataclass(frozen=True)
class Directive:
    """A mechanism with its qualifier; ``domain`` None means the domain that is checked (RFC 7208 sections 4.6.1, 5)."""

    text: str
    qualifier: str
    mechanism: str
    domain: MacroString | None = None
    network: IPv4Network | IPv6Network | None = None
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True)
class Modifier:
    """A modifier, known or not (RFC 7208 section 6)."""

    text: str
    name: str
    value: MacroString


Term = Directive | Modifier


@dataclass(frozen=True)
class SpfRecord:
    """An SPF record: its text as written and its terms in order."""

    text: str
    terms: tuple[Term, ...]

    # Asked for again and again while a record is evaluated and counted.
    @cached_property
    def directives(self) -> tuple[Directive, ...]:
        """The mechanisms in the order in which they are tried."""
        return tuple(term for term in self.terms if isinstance(term, Directive))

    @property
    def all(self) -> Directive | None:
        """The first ``all``; what stands behind it is never reached (section 5.1)."""
        return next((d for d in self.directives if d.mechanism == "all"), None)

    @property
    def redirect(self) -> Modifier | None:
        """The redirect, unless there is an ``all``, which makes it void (section 6.1)."""
        return None if self.all else self._modifier("redirect")

    @property
    def exp(self) -> Modifier | None:
        """Where the explanation of a fail is (section 6.2)."""
        return self._modifier("exp")

    def _modifier(self, name: str) -> Modifier | None:
        return next((term for term in self.terms if isinstance(term, Modifier) and term.name == name), None)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one term, as a phrase, and the section of RFC 7208 that says so."""

    term: str
    what: str
    section: str

    def __str__(self) -> str:
        shown = self.term if len(self.term) <= 63 else self.term[:60] + "..."
        return f"{shown!a} {self.what} (RFC 7208 section {self.section})"


class SpfSyntaxError(ValueError):
    """Report every fault of a text that is no SPF record."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        super().__init__("not a valid SPF record: " + "; ".join(map(str, faults[:_SHOWN])) + more)
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.faults,))


def is_spf(octets: bytes) -> bool:
    """Whether a joined TXT value claims to be an SPF record: its version section (RFC 7208 section 4.5)."""
    return _VERSION.match(octets) is not None


# What a thousand domains include is one record.
@lru_cache(maxsize=256)
def parse(text: str | bytes) -> SpfRecord:
    """Parse the joined text of an SPF record; raises SpfSyntaxError with every fault of it."""
    # Every octet that is no US-ASCII is a fault, whatever it decodes to.
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    if not is_spf(text.encode("utf-8", "replace")):
        raise SpfSyntaxError([Fault(text.partition(" ")[0], f"is not the version {VERSION}", "4.5")])
    faults: list[Fault] = []
    terms: list[Term] = []
    for word in text[len(VERSION) :].split(" "):
        if word:
            try:
                terms.append(parse_term(word))
            except SpfSyntaxError as error:
                faults += error.faults
    faults += _repeated(terms)
    if faults:
        raise SpfSyntaxError(faults)
    return SpfRecord(text, tuple(terms))


@lru_cache(maxsize=4096)
def parse_term(text: str) -> Term:
    """Parse one directive or modifier; raises SpfSyntaxError with every fault of it (RFC 7208 section 4.6.1)."""
    if not text.isascii():
        raise SpfSyntaxError([Fault(text, "holds octets that are not US-ASCII", "3.1")])
    faults: list[Fault] = []
    if found := _MODIFIER.fullmatch(text):
        term: Term | None = _modifier(text, found[1].lower(), found[2], faults)
    elif found := _DIRECTIVE.fullmatch(text):
        term = _directive(text, found, faults)
    else:
        term = None
        faults.append(Fault(text, "is neither a mechanism nor a modifier", "4.6.1"))
    if term is None or faults:
        raise SpfSyntaxError(faults)
    return term


def _directive(text: str, found: re.Match[str], faults: list[Fault]) -> Directive | None:
    qualifier, mechanism, rest = found[1] or "+", found[2].lower(), found[3] or ""
    if mechanism in {"ip4", "ip6"}:
        return Directive(text, qualifier, mechanism, network=_network(text, mechanism, rest, faults))
    prefix4, prefix6 = 32, 128
    if mechanism in {"a", "mx"} and (cidr := _DUAL_CIDR.search(rest)):
        prefix4, prefix6 = _prefix(text, cidr[1], 32, faults), _prefix(text, cidr[2], 128, faults)
        rest = rest[: cidr.start()]
    section = _SECTIONS[mechanism] if mechanism in MECHANISMS else "4.6.1"
    domain = None
    if mechanism not in MECHANISMS:
        faults.append(Fault(text, "is an unknown mechanism", section))
    elif mechanism == "all" and rest:
        faults.append(Fault(text, "takes no argument", section))
    elif rest.startswith("/"):
        takes = "has no valid prefix length" if mechanism in {"a", "mx"} else "takes no prefix length"
        faults.append(Fault(text, takes, section))
    elif rest or mechanism in {"include", "exists"}:
        domain = _domain_spec(text, rest[1:], section, faults)
    return Directive(text, qualifier, mechanism, domain, None, prefix4, prefix6)


def _modifier(text: str, name: str, value: str, faults: list[Fault]) -> Modifier | None:
    if name in {"redirect", "exp"}:
        parsed = _domain_spec(text, value, _SECTIONS[name], faults)
    else:
        parsed = _macros(text, value, faults)
    return None if parsed is None else Modifier(text, name, parsed)


def _repeated(terms: Sequence[Term]) -> Iterator[Fault]:
    for name in ("redirect", "exp"):
        for term in [term for term in terms if isinstance(term, Modifier) and term.name == name][1:]:
            yield Fault(term.text, "may stand only once in a record", "6")


def _macros(text: str, value: str, faults: list[Fault]) -> MacroString | None:
    try:
        return macro_string(value)
    except MacroFault as error:
        faults += [Fault(text, what, "7.1") for what in error.faults]
        return None


def _domain_spec(text: str, value: str, section: str, faults: list[Fault]) -> MacroString | None:
    if not value:
        faults.append(Fault(text, "names no domain", section))
        return None
    parsed = _macros(text, value, faults)
    if parsed is None or isinstance(parsed.parts[-1], Macro | Escape):
        return parsed
    _, dot, label = value.removesuffix(".").rpartition(".")
    if not dot or not _TOPLABEL.fullmatch(label):
        what = "names a domain that ends neither in a dot and a top-level label nor in a macro"
        faults.append(Fault(text, what, "7.1"))
    return parsed


def _prefix(text: str, digits: str | None, longest: int, faults: list[Fault]) -> int:
    if digits is None:
        return longest
    if not _PREFIX.fullmatch(digits) or int(digits) > longest:
        faults.append(Fault(text, f"has a prefix length that is not one of 0 to {longest}", "5.6"))
        return longest
    return int(digits)


def _network(text: str, mechanism: str, rest: str, faults: list[Fault]) -> IPv4Network | IPv6Network | None:
    address, slash, digits = rest.removeprefix(":").partition("/")
    longest, pattern = (32, _IP4) if mechanism == "ip4" else (128, _IP6)
    prefix = _prefix(text, digits if slash else None, longest, faults)
    if rest.startswith(":") and pattern.fullmatch(address):
        with suppress(ValueError):
            # Bits behind the prefix are not compared (section 5), so they may be set.
            return (IPv4Network if mechanism == "ip4" else IPv6Network)((address, prefix), strict=False)
    faults.append(Fault(text, f"names no IPv{mechanism[-1]} address", "5.6"))
    return None
