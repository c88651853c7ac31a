"""The function check_host of SPF: whether a client may send for a domain (RFC 7208 section 4). I/O is passed in."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from sendwright.dns.spf import QUERYING, Directive, SpfRecord, SpfSyntaxError, parse
from sendwright.dns.spf_lookup import Lookup, records_of, valid_name
from sendwright.dns.spf_macros import MacroFault, macro_string
from sendwright.dns.spf_session import NAMES, Address, Session, Stop, below, client


class Result(StrEnum):
    """What a check says (RFC 7208 section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_BY_QUALIFIER = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


@dataclass(frozen=True)
class Verdict:
    """The result of a check.

    ``term``: the directive that matched, as written, and ``domain`` whose record it stands in (another one after a
    redirect); ``explanation``: of a fail, if its domain gives one; ``lookups``: terms that asked the DNS over the whole
    evaluation, ``voids``: those of them whose answer was empty; ``why``: of an error.
    """

    result: Result
    domain: str
    term: str | None = None
    explanation: str | None = None
    lookups: int = 0
    voids: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Outcome:
    result: Result
    domain: str = ""
    directive: Directive | None = None
    record: SpfRecord | None = None


def check_mail(
    ip: str | Address,
    mail_from: str,
    helo: str,
    lookup: Lookup,
    *,
    receiver: str = "unknown",
    clock: Callable[[], float] = time.time,
) -> Verdict:
    """Check a mail's envelope sender; an empty one stands for the postmaster of the HELO name (section 2.4)."""
    sender = mail_from or f"postmaster@{helo}"
    return check_host(ip, sender.rpartition("@")[2], sender, helo, lookup, receiver=receiver, clock=clock)


def check_host(
    ip: str | Address,
    domain: str,
    sender: str,
    helo: str,
    lookup: Lookup,
    *,
    receiver: str = "unknown",
    clock: Callable[[], float] = time.time,
) -> Verdict:
    """Evaluate the SPF record of a domain for a client (RFC 7208 section 4). ValueError for an ``ip`` that is none.

    Arguments: ``sender``: the envelope sender or HELO identity; ``lookup``: see ``spf_lookup``; ``receiver``, a name,
    and ``clock``, seconds since 1970: what the macros r and t of an explanation stand for.
    """
    local, _, sender_domain = sender.rpartition("@")
    sender = f"{local or 'postmaster'}@{sender_domain or domain}"
    session = Session(client(ip), sender, helo, lookup, receiver, clock)
    explanation = None
    try:
        outcome = _check(session, domain)
        if outcome.result is Result.FAIL:
            explanation = _explanation(session, outcome)
    except Stop as stop:
        return Verdict(Result(stop.result), domain, None, None, session.lookups, session.voids, stop.why)
    term = outcome.directive.text if outcome.directive else None
    return Verdict(outcome.result, outcome.domain or domain, term, explanation, session.lookups, session.voids)


def _check(session: Session, domain: str, *, nested: bool = False) -> _Outcome:
    domain = domain.removesuffix(".")
    # Section 4.3: a domain that is malformed, or a single label, has no record.
    if not valid_name(domain) or "." not in domain:
        return _Outcome(Result.NONE)
    records = records_of((session.own if nested else session.ask)(domain, "TXT"))
    if not records:
        return _Outcome(Result.NONE)
    if len(records) > 1:
        raise Stop("permerror", f"{domain} has {len(records)} SPF records (RFC 7208 section 4.5)")
    try:
        record = parse(records[0])
    except SpfSyntaxError as error:
        raise Stop("permerror", f"{domain}: {error}") from error
    return _evaluated(session, record, domain)


def _evaluated(session: Session, record: SpfRecord, domain: str) -> _Outcome:
    """Try the directives from left to right, then the redirect (sections 4.6.2, 4.7, 6.1)."""
    for directive in record.directives:
        if directive.mechanism in QUERYING:
            session.count(directive.text)
        if _matches(session, directive, domain):
            return _Outcome(_BY_QUALIFIER[directive.qualifier], domain, directive, record)
    if record.redirect is None:
        return _Outcome(Result.NEUTRAL, domain, None, record)
    session.count(record.redirect.text)
    outcome = _check(session, session.target(record.redirect.value, domain), nested=True)
    if outcome.result is Result.NONE:
        raise Stop("permerror", f"{record.redirect.text} leads to no SPF record (RFC 7208 section 6.1)")
    return outcome


def _matches(session: Session, directive: Directive, domain: str) -> bool:
    if directive.network is not None:
        return session.ip in directive.network
    matches = _MECHANISMS.get(directive.mechanism)
    return matches is None or matches(session, directive, session.target(directive.domain, domain))


def _included(session: Session, directive: Directive, target: str) -> bool:
    """Section 5.2: only a pass matches, and a record that is not there is an error."""
    outcome = _check(session, target, nested=True)
    if outcome.result is Result.NONE:
        raise Stop("permerror", f"{directive.text} leads to no SPF record (RFC 7208 section 5.2)")
    return outcome.result is Result.PASS


def _addressed(session: Session, directive: Directive, target: str) -> bool:
    """Section 5.3: the addresses in the client's family."""
    return _within(session, directive, session.own(target, session.family).values)


def _exchanges(session: Session, directive: Directive, target: str) -> bool:
    """Section 5.4: without MX records there is no implicit one."""
    names = session.own(target, "MX").values
    if len(names) > NAMES:
        raise Stop("permerror", f"{target} has {len(names)} MX records, more than the {NAMES} of section 4.6.4")
    return any(_within(session, directive, session.ask(name, session.family).values) for name in names)


def _points(session: Session, _: Directive, target: str) -> bool:
    """Section 5.5: an error in the DNS is no match."""
    session.count_void(session.ip.reverse_pointer, session.pointers)
    return any(below(name, target) for name in session.validated)


def _exists(session: Session, _: Directive, target: str) -> bool:
    """Section 5.7: an A record, whatever the client's family."""
    return bool(session.own(target, "A").values)


_MECHANISMS: dict[str, Callable[[Session, Directive, str], bool]] = {
    "include": _included,
    "a": _addressed,
    "mx": _exchanges,
    "ptr": _points,
    "exists": _exists,
}


def _within(session: Session, directive: Directive, addresses: Iterable[str]) -> bool:
    prefix = directive.prefix4 if session.ip.version == 4 else directive.prefix6
    return any(session.ip in ip_network((address, prefix), strict=False) for address in addresses)


def _explanation(session: Session, outcome: _Outcome) -> str | None:
    """Return the explanation of a fail; whatever is wrong with it, there is none (section 6.2)."""
    exp = outcome.record.exp if outcome.record else None
    if exp is None:
        return None
    try:
        answer = session.ask(session.target(exp.value, outcome.domain), "TXT")
        if len(answer.values) != 1:
            return None
        return session.expanded(macro_string(answer.values[0], explain=True), outcome.domain) or None
    except (Stop, MacroFault):
        return None
