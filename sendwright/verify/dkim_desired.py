"""What the stories of a declared domain's keys say of DNS, beside what DNS says: a leftover is as wrong as a lack."""

from collections.abc import Iterator, Sequence

from sendwright.delegated import Alias, aliases
from sendwright.dkim import live_text
from sendwright.dns.rdata import plain_name
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.dkim_selectors import PROBE, record_name, stories, tells
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Answer, Dns, Look
from sendwright.verify.records.dkim_record import BadRecord, looks_like_key, parse
from sendwright.verify.rules.dkim import DESIRED
from sendwright.verify.target import Declared, Target
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import listed, shown

_PUBLISH = "Run `sendwright provision` on the inventory: it publishes what the stories say."
# What a key's story asks of DNS. A key that was only generated is not published yet.
_LIVE = frozenset({KeyStage.PUBLISHED, KeyStage.PROVEN, KeyStage.SIGNING, KeyStage.RETIRING})


def as_desired(target: Target, look: Look) -> Iterator[Finding]:
    """Yield what DNS holds otherwise than a declared domain's stories say; one pass if nothing."""
    if target.declared is None:
        return
    if not target.declared.domain.sends:
        yield _locked(target, look.dns)
        return
    keys = [key for key in stories(target) if key.stage in _LIVE or key.stage is KeyStage.REVOKED]
    answers = look.dns.ask_all([(key.record_name, "TXT") for key in keys])
    found = [f for key, answer in zip(keys, answers, strict=True) if (f := _told(target.subject, key, answer))]
    found += _aliased(target, target.declared, look.dns, {key.record_name for key in keys})
    yield from found
    if not found:
        said = listed([f"{key.selector} ({key.stage})" for key in keys]) if keys else "no key is to be published yet"
        yield DESIRED.passed(target.subject, f"As the stories say: {said}")


def _told(subject: Subject, key: DkimKey, answer: Answer) -> Finding | None:
    if not answer.known:
        return unheard(DESIRED, subject, answer, key.record_name)
    if key.target and plain_name(key.target) not in answer.aliases:
        return _astray(subject, key, Alias(key.record_name, key.target), answer)
    keys = [text for text in answer.values if looks_like_key(text)]
    return _revoked(subject, key, keys) if key.stage is KeyStage.REVOKED else _living(subject, key, keys)


def _living(subject: Subject, key: DkimKey, keys: Sequence[str]) -> Finding | None:
    name = key.record_name
    if not keys:
        return DESIRED.failed(subject, f"No key is published, and it is {key.stage}", _PUBLISH, name)
    if all(tells(key, text) for text in keys):
        return None
    if all(map(_is_revoked, keys)):
        return DESIRED.failed(subject, f"The record is revoked, and the key is {key.stage}", _PUBLISH, name)
    seen = f"Another key than that of the inventory, which is {key.stage}: {listed(keys, 2)}"
    advice = f"Find out who wrote it, and remove it. Then run `sendwright provision`: {shown(live_text(key), 80)}"
    return DESIRED.failed(subject, seen, advice, name)


def _revoked(subject: Subject, key: DkimKey, keys: Sequence[str]) -> Finding | None:
    name = key.record_name
    if any(map(is_live, keys)):
        if key.revoked is None and key.leaked is None:
            return DESIRED.warned(subject, "Its revocation is not published yet", "Run `sendwright rotate`.", name)
        return DESIRED.failed(subject, "The key is revoked, and its record still verifies", _PUBLISH, name)
    if not keys:
        return DESIRED.warned(subject, "The key is revoked, and no record says so", _PUBLISH, name)
    return None


def _aliased(target: Target, declared: Declared, dns: Dns, judged: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with the aliases of delegated selectors at which no key stands yet."""
    free = [a for a in aliases(declared.domain, stories(target)) if a.name not in judged]
    for alias, answer in zip(free, dns.ask_all([(a.name, "CNAME") for a in free]), strict=True):
        if not answer.known:
            yield unheard(DESIRED, target.subject, answer, alias.name)
        elif plain_name(alias.target) not in answer.values:
            seen = f"No alias of {alias.target}, where its next key will be"
            advice = f"Have the owner of the zone publish {alias.name}. CNAME {alias.target}."
            yield DESIRED.warned(target.subject, seen, advice, alias.name)


def _astray(subject: Subject, key: DkimKey, alias: Alias, answer: Answer) -> Finding:
    where = f"leads to {shown(answer.aliases[-1])}" if answer.aliases else "is no alias"
    advice = f"Have the owner of the zone publish {alias.name}. CNAME {alias.target}."
    if any(tells(key, text) for text in answer.values):
        seen = f"The key is there, but it {where}: the next key will be at {alias.target} alone"
        return DESIRED.warned(subject, seen, advice, alias.name)
    return DESIRED.failed(subject, f"It {where}, and its key is at {alias.target}", advice, alias.name)


def _locked(target: Target, dns: Dns) -> Finding:
    """What a domain that sends nothing says of every selector."""
    answer = dns.ask(record_name(PROBE, target.domain), "TXT")
    name = record_name("*", target.domain)
    if not answer.known:
        return unheard(DESIRED, target.subject, answer, name)
    if answer.values and all(map(_is_revoked, answer.values)):
        return DESIRED.passed(target.subject, "Every selector is revoked: the domain sends nothing", name)
    return DESIRED.failed(target.subject, "No record says that no selector has a key", _PUBLISH, name)


def is_live(text: str) -> bool:
    """Whether a TXT record is a key that verifies, not a revoked one."""
    try:
        return looks_like_key(text) and not parse(text).revoked
    except BadRecord:
        return False


def _is_revoked(text: str) -> bool:
    try:
        return looks_like_key(text) and parse(text).revoked
    except BadRecord:
        return False
