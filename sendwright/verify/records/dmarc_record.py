"""DMARC policy records read as receivers read them (RFC 9989 sections 4.7 and 4.8). Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from sendwright.verify.records.report_uri import ReportUri, report_uris

_DMARC = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_MEANT = re.compile(r"""[\s"'\\]*v\s*=\s*["'\\]*dmarc""", re.IGNORECASE)
# Possessive: blanks fit two places, and to try each division of them would take for ever.
_TAG = re.compile(r"([A-Za-z]++)[ \t]*+=[ \t]*+([\x20-\x3a\x3c-\x7e]++)")
_REMOVED = ("pct", "rf", "ri")
_VALUES: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("p", "sp", "np"), re.compile("none|quarantine|reject", re.IGNORECASE)),
    **dict.fromkeys(("adkim", "aspf"), re.compile("[rs]", re.IGNORECASE)),
    "t": re.compile("[yn]", re.IGNORECASE),
    "psd": re.compile("[ynu]", re.IGNORECASE),
    # More than one, in any order: the grammar has d:s, and the text 0:d.
    "fo": re.compile("[01ds]([ \t]*:[ \t]*[01ds]){0,3}", re.IGNORECASE),
}
_GRAVE = frozenset({"p", "sp", "np"})


class Policy(IntEnum):
    """What receivers are asked to do with mail that fails, from the weakest to the strictest."""

    NONE = 0
    QUARANTINE = 1
    REJECT = 2

    def __str__(self) -> str:
        return self.name.lower()


class NoPolicy(ValueError):
    """Report a TXT record that receivers take for no policy record at all."""


@dataclass(frozen=True)
class PolicyRecord:
    """A policy record. ``p``, ``sp``, ``np``: None where absent or not valid.

    ``psd``: "u" where nothing is said; ``invalid``: tags with a value that their rule does not allow, each as it is
    written; ``faults``: what else the grammar forbids, in words; ``removed`` and ``unknown``: tags as they are written.
    """

    p: Policy | None = None
    sp: Policy | None = None
    np: Policy | None = None
    psd: str = "u"
    testing: bool = False
    adkim: str = "r"
    aspf: str = "r"
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    invalid: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def lapsed(self) -> bool:
        """Whether its policies cannot be read, so that receivers act as if they were none (section 4.10.1)."""
        return self.p is None or any(text.partition("=")[0].strip().lower() in _GRAVE for text in self.invalid)

    @property
    def void(self) -> bool:
        """Whether receivers apply nothing at all: no policy can be read, and nobody is to get reports."""
        return self.lapsed and not any(uri.valid for uri in self.rua)

    @property
    def for_domain(self) -> Policy:
        """What applies to the domain itself, tests not taken into account."""
        return Policy.NONE if self.lapsed or self.p is None else self.p

    @property
    def for_subdomains(self) -> Policy:
        """What applies to names below that exist."""
        return self.for_domain if self.lapsed or self.sp is None else self.sp

    @property
    def for_nonexistent(self) -> Policy:
        """What applies to names below that do not exist."""
        return self.for_subdomains if self.lapsed or self.np is None else self.np

    def applied(self, policy: Policy) -> Policy:
        """Return what receivers do of a policy: under test (t=y) the one below it."""
        return Policy(max(policy - 1, 0)) if self.testing else policy


def is_policy(text: str) -> bool:
    """Whether receivers take a TXT record for a policy record: the version comes first, as the grammar has it."""
    return _DMARC.match(text) is not None


def is_meant(text: str) -> bool:
    """Whether a TXT record that is no policy record was meant to be one: quotes, a blank first, or another case."""
    return not is_policy(text) and _MEANT.match(text) is not None


@lru_cache(maxsize=256)
def parse(text: str) -> PolicyRecord:
    """Read the joined text of one TXT record; NoPolicy if receivers ignore it whole."""
    if not is_policy(text):
        raise NoPolicy("it does not begin with v=DMARC1")
    tags, faults = _tags(text)
    invalid = tuple(
        f"{name}={value}" for name, value in tags.items() if name in _VALUES and not _VALUES[name].fullmatch(value)
    )
    good = {name: value.lower() for name, value in tags.items() if f"{name}={value}" not in invalid}
    return PolicyRecord(
        p=_policy(good.get("p")),
        sp=_policy(good.get("sp")),
        np=_policy(good.get("np")),
        psd=good.get("psd", "u"),
        testing=good.get("t") == "y",
        adkim=good.get("adkim", "r"),
        aspf=good.get("aspf", "r"),
        rua=report_uris(tags.get("rua", "")),
        ruf=report_uris(tags.get("ruf", "")),
        invalid=invalid,
        faults=faults,
        removed=tuple(f"{name}={tags[name]}" for name in _REMOVED if name in tags),
        unknown=tuple(f"{n}={v}" for n, v in tags.items() if n not in {*_VALUES, *_REMOVED, "v", "rua", "ruf"}),
    )


def _policy(value: str | None) -> Policy | None:
    return Policy[value.upper()] if value else None


def _tags(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The tags, names in lower case, the first of each; and what is wrong with the list."""
    tags: dict[str, str] = {}
    faults = list(_ends(text))
    for part in (part.strip(" \t") for part in text.rstrip(" \t").removesuffix(";").split(";")):
        read = _TAG.fullmatch(part)
        if read is None:
            faults.append(f"{part!r} is no tag" if part else "a semicolon is doubled")
        elif (name := read[1].lower()) in tags:
            faults.append(f"{name}= comes twice")
        else:
            tags[name] = read[2].strip(" ")
    if "p" in tags and list(tags).index("p") > 1:
        # RFC 7489 section 6.3 asked for it, and many receivers still go by that.
        faults.append("p= does not come right after v=, as older receivers want it")
    return tags, tuple(faults)


def _ends(text: str) -> Iterator[str]:
    if '"' in text or "\\" in text:
        yield "quotes or backslashes of a zone file were pasted into it"
