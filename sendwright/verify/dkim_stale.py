"""Keys of a declared domain that are still published, and that no story stands behind: each can be stolen."""

from collections.abc import Iterator

from sendwright.dns.rdata import plain_name
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.dkim_desired import is_live
from sendwright.verify.dkim_selectors import record_name, stories
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Answer, Look
from sendwright.verify.rules.dkim import STALE
from sendwright.verify.target import Target
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import counted, shown


def stale(target: Target, look: Look) -> Iterator[Finding]:
    """Yield every name of ours at which a key is published that no story stands behind; one pass if there is none."""
    if target.declared is None:
        return
    past = {name: key for key in stories(target) if key.stage is KeyStage.REMOVED for name in _names(key)}
    # The ledger holds thousands, and each domain goes through it.
    written = {plain_name(c.name) for c in target.declared.state.claims if c.type == "TXT" and target.domain in c.name}
    claimed = {name for name in written if _ours(name, target.domain)}
    standing = {name for key in stories(target) if key.stage is not KeyStage.REMOVED for name in _names(key)}
    names = sorted((past.keys() | claimed) - standing - {record_name("*", target.domain)})
    answers = look.dns.ask_all([(name, "TXT") for name in names])
    left = [(name, a) for name, a in zip(names, answers, strict=True) if any(map(is_live, a.values))]
    for name, answer in left:
        yield _left(target.subject, name, answer, past.get(name))
    if unread := [answer for answer in answers if not answer.known]:
        yield unheard(STALE, target.subject, unread[0])
    elif not left:
        seen = f"None at {counted(len(names), 'name')} of former keys" if names else "No key was ever withdrawn"
        yield STALE.passed(target.subject, seen)


def _left(subject: Subject, name: str, answer: Answer, key: DkimKey | None) -> Finding:
    seen = f"A key is published that {'was removed' if key else 'nothing in the state folder knows'}: "
    seen += shown(answer.values[0])
    advice = "Remove the record, or run `sendwright provision`, which withdraws what it wrote."
    if key and key.leaked:
        return STALE.failed(subject, f"It leaked. {seen}", advice, name)
    return STALE.warned(subject, seen, advice, name)


def _names(key: DkimKey) -> set[str]:
    return {plain_name(key.record_name), plain_name(key.txt_name)}


def _ours(name: str, domain: str) -> bool:
    """Whether a name of the ledger is a selector of a domain, in its zone or where its selectors are delegated to."""
    _, _, above = name.partition(".")
    return above == f"_domainkey.{domain}" or above.startswith(f"{domain}._domainkey.")
