"""The blocklists that are asked, as data, and how their answers are read (RFC 5782).

Few, and only such as receivers refuse mail by, whose terms let anybody ask a little through a resolver of their own:
Spamhaus, SpamCop, PSBL, SURBL and URIBL. Barracuda's answers registered resolvers only; lists that are paid for, those
that list whole networks for their neighbours, and dead ones (SORBS, NJABL) are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address

_LISTING = IPv4Network("127.0.0.0/8")
# Spamhaus says so; others have taken the same codes.
_REFUSALS = {
    "127.255.255.252": "the name of the list is misspelled",
    "127.255.255.254": "it does not answer public resolvers",
    "127.255.255.255": "too many questions came from this resolver",
}
_REFUSING = IPv4Network("127.255.255.0/24")
# No listings either: URIBL and SURBL refuse by the first, Spamhaus DBL by the second.
_BLOCKED = {"127.0.0.1", "127.0.1.255"}


@dataclass(frozen=True)
class Meaning:
    """What a code says; ``mild``: a policy or a suspicion, by which few refuse mail of a server that does send."""

    text: str
    mild: bool = False


@dataclass(frozen=True)
class Blocklist:
    """A list.

    ``families``: of addresses that it lists (4, 6), none for a list of domains; ``tests``: entries of which one at
    least is always listed, and ``clean``, which never is (RFC 5782, 5); ``codes``: by the answer's address; ``bits``:
    by the bits of its last octet; ``delisting``: where to ask.
    """

    zone: str
    title: str
    families: frozenset[int]
    tests: tuple[str, ...]
    clean: str
    delisting: str
    codes: Mapping[str, Meaning] = field(default_factory=dict)
    bits: Mapping[int, Meaning] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What the answers of a list say: ``listed`` for which reasons, or ``refused`` and why; neither: not listed."""

    listed: tuple[Meaning, ...] = ()
    refused: str = ""


def read(blocklist: Blocklist, values: Sequence[str]) -> Reading:
    """Return what the addresses of an answer say. Pure."""
    found = sorted({address for value in values if isinstance(address := ip_address(value), IPv4Address)})
    strange = [address for address in found if address not in _LISTING]
    if strange:
        return Reading(refused=f"it answers {strange[0]}, which is no code of a list: its domain may have been sold")
    for address in found:
        if address in _REFUSING:
            return Reading(refused=_REFUSALS.get(str(address), f"it answers {address}"))
        if str(address) in _BLOCKED:
            return Reading(refused=f"it answers {address}: it refuses this resolver or this question")
    return Reading(tuple(meaning for address in found for meaning in _meanings(blocklist, address)))


def _meanings(blocklist: Blocklist, address: IPv4Address) -> tuple[Meaning, ...]:
    if blocklist.bits:
        last = address.packed[3]
        return tuple(m for bit, m in blocklist.bits.items() if last & bit) or (Meaning(f"code {address}"),)
    return (blocklist.codes.get(str(address), Meaning(f"code {address}")),)


_ADDRESSES = ("2.0.0.127",)
_SPAMHAUS = "https://check.spamhaus.org/"
_POLICY = Meaning("PBL: a range that its provider says no mail server is in", mild=True)
_EXPLOITED = Meaning("XBL: a machine taken over by malware, or an open proxy")

LISTS: tuple[Blocklist, ...] = (
    Blocklist(
        "zen.spamhaus.org",
        "Spamhaus ZEN",
        frozenset({4, 6}),
        _ADDRESSES,
        "1.0.0.127",
        _SPAMHAUS,
        {
            "127.0.0.2": Meaning("SBL: a source of spam"),
            "127.0.0.3": Meaning("CSS: seen sending spam"),
            **dict.fromkeys((f"127.0.0.{n}" for n in range(4, 8)), _EXPLOITED),
            "127.0.0.9": Meaning("DROP: a hijacked network"),
            "127.0.0.10": _POLICY,
            "127.0.0.11": _POLICY,
            "127.0.0.30": Meaning("BCL: it controls a botnet"),
        },
    ),
    Blocklist(
        "bl.spamcop.net",
        "SpamCop",
        frozenset({4}),
        _ADDRESSES,
        "1.0.0.127",
        "https://www.spamcop.net/bl.shtml (it ends by itself a day after the last report)",
        {"127.0.0.2": Meaning("people reported spam from it")},
    ),
    Blocklist(
        "psbl.surriel.com",
        "PSBL",
        frozenset({4}),
        _ADDRESSES,
        "1.0.0.127",
        "https://psbl.org/remove",
        {"127.0.0.2": Meaning("it sent mail to a spam trap")},
    ),
    Blocklist(
        "dbl.spamhaus.org",
        "Spamhaus DBL",
        frozenset(),
        ("dbltest.com", "test"),
        "invalid",
        _SPAMHAUS,
        {
            "127.0.1.2": Meaning("a domain of bad reputation"),
            "127.0.1.4": Meaning("used for phishing"),
            "127.0.1.5": Meaning("used for malware"),
            "127.0.1.6": Meaning("it controls a botnet"),
            "127.0.1.102": Meaning("abused for spam: somebody may have broken in"),
            "127.0.1.103": Meaning("a redirector that is abused"),
            "127.0.1.104": Meaning("abused for phishing: somebody may have broken in"),
            "127.0.1.105": Meaning("abused for malware: somebody may have broken in"),
            "127.0.1.106": Meaning("abused to control a botnet: somebody may have broken in"),
        },
    ),
    Blocklist(
        "multi.surbl.org",
        "SURBL",
        frozenset(),
        ("test.surbl.org", "test"),
        "invalid",
        "https://surbl.org/",
        bits={
            8: Meaning("PH: phishing"),
            16: Meaning("MW: malware"),
            64: Meaning("ABUSE: named in spam"),
            128: Meaning("CR: a site that was broken into"),
        },
    ),
    Blocklist(
        "multi.uribl.com",
        "URIBL",
        frozenset(),
        ("test.uribl.com", "test"),
        "invalid",
        "https://admin.uribl.com/",
        bits={
            2: Meaning("black: belongs to spammers"),
            4: Meaning("grey: named in bulk mail", mild=True),
            8: Meaning("red: young and seen in mail", mild=True),
        },
    ),
)
