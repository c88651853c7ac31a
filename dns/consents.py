"""Who has to agree to take DMARC reports: receivers send none to a stranger that does not say so (RFC 9990).

TLS reports need no consent (RFC 8460).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dns.message
from dns.rdatatype import TXT

from sendwright.dns.answers import rcode
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.stack import Stack

_CONSENT = re.compile(rb"v\s*=\s*DMARC1\s*(;|$)")
_MOST = 5


@dataclass(frozen=True, order=True)
class Consent:
    """That the ``other`` domain takes reports about a ``domain``."""

    other: str
    domain: str

    @property
    def name(self) -> str:
        """Where the other side says so."""
        return f"{self.domain}._report._dmarc.{self.other}"

    @property
    def for_all(self) -> str:
        """Where it says so for whatever domain."""
        return f"*._report._dmarc.{self.other}"


def consents(stack: Stack) -> tuple[Consent, ...]:
    """Return every consent that the declared addresses for DMARC reports need, in order."""
    return tuple(sorted(set(_consents(stack))))


def strangers(stack: Stack) -> tuple[Consent, ...]:
    """Return the consents that are not ours to write: those of domains that are not declared."""
    return tuple(consent for consent in consents(stack) if stack.covering(consent.other) is None)


def missing(wanted: Iterable[Consent], ask: Ask, resolver: str) -> tuple[Consent, ...]:
    """Return the consents that a resolver does not find; one that it cannot look up is not known to be missing."""
    wanted = tuple(wanted)
    # A service that takes reports for anybody says so in one record, and a question about that is enough.
    general = _lacking(wanted, [consent.for_all for consent in wanted], ask, resolver)
    return _lacking(general, [consent.name for consent in general], ask, resolver)


def needed(found: Iterable[Consent]) -> tuple[str, ...]:
    """Return what only a person can do, a sentence for each domain whose consent is missing. Pure."""
    by_other: dict[str, list[Consent]] = defaultdict(list)
    for consent in sorted(found):
        by_other[consent.other].append(consent)
    return tuple(_sentence(other, ours) for other, ours in by_other.items())


def _consents(stack: Stack) -> Iterator[Consent]:
    for domain in stack.domains:
        for uri in (*domain.dmarc_rua, *domain.dmarc.ruf):
            other = uri.rpartition("@")[2]
            if not _same_organisation(stack, domain.name, other):
                yield Consent(other, domain.name)


def _same_organisation(stack: Stack, one: str, other: str) -> bool:
    """Whether the tree walk ends at the same name for both (RFC 9989 section 4.10), given our records.

    Who sends as a name below somebody's domain is taken to belong to them.
    """
    return one.endswith("." + other) or _highest(stack, one) == _highest(stack, other) is not None


def _highest(stack: Stack, name: str) -> str | None:
    """Return the declared domain nearest to the root that a name lies in."""
    found = None
    while (above := stack.covering(name)) is not None:
        found = above.name
        name = found.partition(".")[2]
    return found


def _lacking(wanted: tuple[Consent, ...], names: list[str], ask: Ask, resolver: str) -> tuple[Consent, ...]:
    answers = ask_all(ask, [Question(resolver, name, "TXT", recurse=True) for name in names])
    return tuple(consent for consent, answer in zip(wanted, answers, strict=True) if _is_missing(answer))


def _is_missing(answer: dns.message.Message | NoAnswer) -> bool:
    if isinstance(answer, NoAnswer) or rcode(answer) not in {"NOERROR", "NXDOMAIN"}:
        return False
    # Whatever name the answer is at: the record may be an alias of one for many.
    texts = (b"".join(rdata.strings) for rrset in answer.answer if rrset.rdtype == TXT for rdata in rrset)
    return not any(map(_CONSENT.match, texts))


def _sentence(other: str, ours: list[Consent]) -> str:
    records = "; ".join(f'{consent.name}. TXT "v=DMARC1"' for consent in ours[:_MOST])
    more = f"; and {len(ours) - _MOST} more of the kind, or one for all at {ours[0].for_all}" if ours[_MOST:] else ""
    return f"{other}: receivers send it DMARC reports only if its owner agrees: have them publish {records}{more}."
