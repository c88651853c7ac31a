"""Which selectors of a domain are looked at, and what DNS says of each: nothing in DNS lists them (RFC 6376, 3.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sendwright.dkim import live_text, selector
from sendwright.dns.key_tags import same_key
from sendwright.dns.rdata import txt
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.records.dkim_record import is_of_other_kind, looks_like_key
from sendwright.verify.target import Target

KNOWN = (
    *(
        "default",
        "dkim",
        "mail",
        "email",
        "smtp",
        "mx",
        "mta",
        "key1",
        "key2",
        "key3",
        "s1",
        "s2",
        "s3",
        "s1024",
        "s2048",
    ),
    *("selector1", "selector2", "google", "20230601", "fm1", "fm2", "fm3", "protonmail", "protonmail2", "protonmail3"),
    *(
        "k1",
        "k2",
        "k3",
        "mandrill",
        "pm",
        "pic",
        "krs",
        "mg",
        "mailjet",
        "brevo1",
        "brevo2",
        "resend",
        "smtpapi",
        "sig1",
    ),
    *("zoho", "zmail", "titan1", "hostingermail1", "ctct1", "ctct2", "litesrv", "cm", "zendesk1", "zendesk2", "dkim1"),
    *("dkim2", "rsa", "ed25519", "e1"),
)
"""Those that providers and programs give their customers, to be tried where nobody named any."""

# No signer would call its key this: what is answered here is answered for every name.
PROBE = "sendwright-asks-for-a-wildcard"
# A key is due after ninety days, and rests for a month and more.
_MONTHS = 6


class Origin(StrEnum):
    """How a selector came to be looked at."""

    NAMED = "named"
    DECLARED = "declared"
    GUESSED = "guessed"


@dataclass(frozen=True)
class Selector:
    """A selector and the answer to the question for TXT at its name."""

    name: str
    origin: Origin
    answer: Answer

    @property
    def texts(self) -> tuple[str, ...]:
        """What was found there."""
        return self.answer.values if self.answer.told is Told.FOUND else ()

    @property
    def meant(self) -> bool:
        """Whether something there may be meant as a key, and not all of it for another purpose."""
        return not all(map(is_of_other_kind, self.texts))

    @property
    def broken_alias(self) -> bool:
        """Whether its name is an alias that leads to nothing."""
        return bool(self.answer.aliases) and self.answer.told in {Told.NO_DATA, Told.NO_NAME}


@dataclass(frozen=True)
class Selectors:
    """What was found. ``below``: whether anything can be below ``_domainkey`` (RFC 8020); ``wildcard``: its answer."""

    all: tuple[Selector, ...]
    below: bool = True
    wildcard: tuple[str, ...] = ()

    @property
    def guessed(self) -> bool:
        """Whether nobody named or declared any."""
        return all(s.origin is Origin.GUESSED for s in self.all)

    @property
    def published(self) -> tuple[Selector, ...]:
        """Those with a record. Where they were guessed, what a wildcard or another purpose put there does not count."""
        return tuple(s for s in self.all if s.meant and (s.origin is not Origin.GUESSED or self._is_key(s)))

    @property
    def unheard(self) -> tuple[Answer, ...]:
        """The answers that tell nothing."""
        return tuple(s.answer for s in self.all if not s.answer.known)

    def _is_key(self, selector: Selector) -> bool:
        return selector.texts != self.wildcard and any(map(looks_like_key, selector.texts))


def record_name(selector: str, domain: str) -> str:
    """Return the name that verifiers ask for (RFC 6376, 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def stories(target: Target) -> tuple[DkimKey, ...]:
    """Return every story of a declared domain's keys, those that ended too; none of any other."""
    return target.declared.keys if target.declared else ()


def look_up(target: Target, look: Look) -> Selectors:
    """Ask for the selectors that were named or are declared, else for those that others use; all at the same time."""
    if wanted := dict(_wanted(target)):
        return Selectors(_asked(target, look, wanted))
    names = (f"_domainkey.{target.domain}", record_name(PROBE, target.domain))
    guesses = (*KNOWN, *_ours(look.now))
    # In one go with what follows: each is asked once in a run.
    look.dns.ask_all([(name, "TXT") for name in (*names, *(record_name(s, target.domain) for s in guesses))])
    above, probe = (look.dns.ask(name, "TXT") for name in names)
    found = _asked(target, look, dict.fromkeys(guesses, Origin.GUESSED))
    return Selectors(found, above.told is not Told.NO_NAME, probe.values)


def tells(key: DkimKey, text: str) -> bool:
    """Whether a TXT record tells verifiers the public part of a key."""
    return same_key(txt(text.encode("latin-1")), txt(live_text(key)))


def _ours(now: datetime) -> Iterator[str]:
    """Those of keys that this project made in the last months."""
    for months in range(_MONTHS):
        year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
        yield selector(DkimAlgorithm.RSA, now.replace(year=year, month=month + 1, day=1), ())


def _asked(target: Target, look: Look, wanted: Mapping[str, Origin]) -> tuple[Selector, ...]:
    answers = look.dns.ask_all([(record_name(s, target.domain), "TXT") for s in wanted])
    return tuple(Selector(s, origin, a) for (s, origin), a in zip(wanted.items(), answers, strict=True))


def _wanted(target: Target) -> Iterator[tuple[str, Origin]]:
    for name in target.selectors:
        own, _, domain = name.lower().partition("._domainkey.")
        if domain in {"", target.domain}:
            yield own, Origin.NAMED
    for key in stories(target):
        if key.stage not in {KeyStage.GENERATED, KeyStage.REMOVED}:
            yield key.selector, Origin.DECLARED
