"""Whether a domain's mail can be verified by the keys that it publishes (RFC 6376), its hosts left out."""

from collections.abc import Iterator, Sequence

from sendwright.state.model import KeyStage
from sendwright.verify import dkim_desired, dkim_stale
from sendwright.verify.dkim_judged import Judged, judge, only_ed25519
from sendwright.verify.dkim_selectors import Origin, Selector, Selectors, look_up, record_name, stories
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Look, Told
from sendwright.verify.rules.dkim import PRESENT, REVOKED
from sendwright.verify.sending import sends_nothing
from sendwright.verify.target import Target
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import counted, listed, shown

_PROVISION = "Run `sendwright provision` on the inventory: it publishes the keys that sign."
_SIGN = "Sign with an RSA key of 2,048 bits, and publish it at SELECTOR._domainkey."


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge a domain's key records: those of selectors that were named or are declared, else of well-known ones."""
    selectors = look_up(target, look)
    found = {s.name: _judged(target, s) for s in selectors.published}
    if sends_nothing(target, look):
        yield _silent(target.subject, [j for s, j in found.items() if _may_sign(j)])
    else:
        yield from _present(target, selectors)
        yield from _revoked(target, selectors, found)
        for judged in found.values():
            yield from judged.findings
        yield from only_ed25519(target.subject, [j.record for j in found.values() if j.record and not j.record.revoked])
    if len(selectors.unheard) < len(selectors.all):
        yield from dkim_desired.as_desired(target, look)
        yield from dkim_stale.stale(target, look)


def _judged(target: Target, selector: Selector) -> Judged:
    name = record_name(selector.name, target.domain)
    return judge(target.subject, name, selector.texts, selector.answer.strings)


def _may_sign(judged: Judged) -> bool:
    return judged.record is not None and not judged.record.revoked


def _silent(subject: Subject, live: Sequence[Judged]) -> Finding:
    if live:
        seen = f"The domain sends nothing, and a key verifies at {listed([j.name for j in live])}"
        return PRESENT.warned(subject, seen, "Revoke it (an empty p=): who has the private key can sign as the domain.")
    return PRESENT.passed(subject, "The domain sends nothing, and no key of it was found")


def _present(target: Target, selectors: Selectors) -> Iterator[Finding]:
    """Yield whether keys are there, once for the domain, and what keeps a selector that somebody named from being."""
    for selector in selectors.all:
        if selector.origin is Origin.NAMED:
            yield from _absent(target, selector)
    if selectors.published:
        names = listed([s.name for s in selectors.published])
        yield PRESENT.passed(target.subject, f"Published at the selector{'s' * (len(selectors.published) > 1)} {names}")
    elif selectors.guessed:
        yield _not_guessed(target, selectors)
    elif all(s.origin is Origin.DECLARED for s in selectors.all):
        yield _none_declared(target.subject, selectors)


def _absent(target: Target, selector: Selector) -> Iterator[Finding]:
    name = record_name(selector.name, target.domain)
    if not selector.answer.known:
        yield unheard(PRESENT, target.subject, selector.answer, name)
    elif selector.broken_alias:
        yield PRESENT.failed(target.subject, _leads_nowhere(selector), _mend_alias(selector), name)
    elif not selector.meant:
        seen = f"No key, but {shown(selector.texts[0], 80)}" if selector.texts else "No TXT record"
        advice = f"Publish the public key at {name}, or name the selector that signs: it is s= in each signature."
        yield PRESENT.failed(target.subject, seen, advice, name)


def _not_guessed(target: Target, selectors: Selectors) -> Finding:
    subject = target.subject
    broken = [s for s in selectors.all if s.broken_alias]
    if broken:
        return PRESENT.failed(subject, "; ".join(map(_leads_nowhere, broken[:3])), _mend_alias(broken[0]))
    bogus = [answer for answer in selectors.unheard if answer.told is Told.BOGUS]
    if unread := bogus or selectors.unheard:
        return unheard(PRESENT, subject, unread[0])
    if not selectors.below:
        seen = "Nothing exists below _domainkey: very likely there is no DKIM key at all (RFC 8020)"
        if target.declared:
            return PRESENT.failed(subject, seen, _PROVISION)
        # Some servers wrongly deny a name that only has others below it: nobody named a key that is missed.
        return PRESENT.warned(subject, seen, f"{_SIGN}{subject.name}. If it signs, name the selector with --selector.")
    why = f"None of {len(selectors.all)} well-known selectors has a key, and DNS does not list others"
    return PRESENT.unknown(subject, why, "It is written in each signature (s=): name it with --selector.")


def _none_declared(subject: Subject, selectors: Selectors) -> Finding:
    if unread := selectors.unheard:
        return unheard(PRESENT, subject, unread[0])
    seen = f"No key at any selector of the inventory: {listed([s.name for s in selectors.all])}"
    return PRESENT.failed(subject, seen, _PROVISION)


def _leads_nowhere(selector: Selector) -> str:
    return f"{selector.answer.name} is an alias of {selector.answer.aliases[-1]}, where no TXT record is"


def _mend_alias(selector: Selector) -> str:
    return f"Have the key published at {selector.answer.aliases[-1]}, or remove the alias."


def _revoked(target: Target, selectors: Selectors, found: dict[str, Judged]) -> Iterator[Finding]:
    """Yield which keys are revoked that should sign: those that were named, and all where no other is left."""
    rested = {key.selector for key in stories(target) if key.stage is KeyStage.REVOKED}
    gone = [s for s in selectors.published if (r := found[s.name].record) and r.revoked]
    alone = len(gone) == len(found)
    told = [s for s in gone if alone or (s.origin is not Origin.GUESSED and s.name not in rested)]
    for selector in told:
        name = record_name(selector.name, target.domain)
        status = REVOKED.failed if alone or selector.origin is Origin.DECLARED else REVOKED.warned
        left = "and no other key was found" if alone else "and it was named as one that signs"
        yield status(target.subject, f"The key is revoked (p= is empty), {left}", _revoked_advice(selector), name)
    if selectors.published and not told:
        yield REVOKED.passed(target.subject, f"{counted(len(found) - len(gone), 'selector')} not revoked")


def _revoked_advice(selector: Selector) -> str:
    if selector.origin is Origin.DECLARED:
        return _PROVISION
    return "Sign with a key that is not revoked, and name its selector with --selector."
