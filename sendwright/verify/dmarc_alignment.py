"""Whether a declared domain's own mail can pass DMARC: an identifier that verifies and aligns (RFC 9989 section 4.4).

Our hosts take no other envelope sender and sign with no other domain than the one in From, so what verifies aligns,
relaxed or strict. What remains to be seen is that it verifies, by what DNS says now: one leg carries mail, and two
carry it past forwarders and past mistakes.
"""

from collections.abc import Iterator, Sequence

from sendwright.dns.spf_check import Result, check_mail
from sendwright.stack import Host
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.dkim_selectors import stories, tells
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look
from sendwright.verify.records.dmarc_record import PolicyRecord
from sendwright.verify.rules.dmarc import ALIGNMENT
from sendwright.verify.spf_lookup import through
from sendwright.verify.target import Target
from sendwright.verify.unheard import unheard

_MODES = {"r": "relaxed", "s": "strict"}


def alignment(target: Target, record: PolicyRecord, look: Look) -> Iterator[Finding]:
    """Yield whether SPF and DKIM of a declared domain's mail pass for the domain itself; nothing for any other."""
    declared = target.declared
    if declared is None or not declared.domain.sends:
        return
    keys = [key for key in stories(target) if key.stage is KeyStage.SIGNING]
    answers = look.dns.ask_all([(key.record_name, "TXT") for key in keys])
    if unread := [answer for answer in answers if not answer.known]:
        yield unheard(ALIGNMENT, target.subject, unread[0])
        return
    signed = [key for key, answer in zip(keys, answers, strict=True) if _verifies(key, answer)]
    outside = _outside_spf(target.domain, declared.stack.hosts_of(declared.domain), look)
    yield _judged(target, record, keys, signed, outside)


def _judged(
    target: Target, record: PolicyRecord, keys: Sequence[DkimKey], signed: Sequence[DkimKey], outside: Sequence[str]
) -> Finding:
    modes = f"DKIM {_MODES[record.adkim]}, SPF {_MODES[record.aspf]}"
    lacks = f"SPF does not pass for {', '.join(outside[:4])}" if outside else ""
    if signed and not outside:
        seen = f"d= and the envelope sender are {target.domain} itself, and both verify ({modes})"
        return ALIGNMENT.passed(target.subject, seen)
    advice = "Run `sendwright provision` on the inventory: it publishes the keys and the addresses."
    if signed:
        return ALIGNMENT.warned(target.subject, f"DKIM alone aligns: {lacks}", advice)
    unsigned = "no key that signs is in DNS" if keys else "no key signs yet"
    if not outside:
        seen = f"SPF alone aligns: {unsigned}. Mail that is forwarded fails"
        return ALIGNMENT.warned(target.subject, seen, advice)
    return ALIGNMENT.failed(target.subject, f"Neither SPF nor DKIM aligns: {unsigned}, and {lacks}", advice)


def _verifies(key: DkimKey, answer: Answer) -> bool:
    return any(tells(key, text) for text in answer.values)


def _outside_spf(domain: str, hosts: Sequence[Host], look: Look) -> list[str]:
    """The addresses that mail of a domain leaves from and that its SPF record does not pass."""
    lookup = through(look.dns)
    sender = f"postmaster@{domain}"
    sent = [(host, address) for host in hosts for address in host.addresses]
    return [str(a) for h, a in sent if check_mail(a, sender, h.name, lookup).result is not Result.PASS]
