"""Who may send as a domain (RFC 7208): its SPF record, what that leads to, and whether an inventory's hosts pass."""

import re
from collections.abc import Iterator

from sendwright.dns.spf import SpfRecord, SpfSyntaxError, parse
from sendwright.dns.spf_cost import cost
from sendwright.verify import spf_hosts, spf_reach
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.records import spf_record
from sendwright.verify.records.spf_tree import follow
from sendwright.verify.remedy import publish
from sendwright.verify.rules import spf as rules
from sendwright.verify.sending import nobody, sends_nothing
from sendwright.verify.spf_lookup import spf_records, through
from sendwright.verify.target import Target
from sendwright.verify.wording import counted, listed, shown

_LIKE = re.compile(r"\W{0,4}(?:v\s*=\s*)?\W{0,4}spf\s*\d", re.IGNORECASE)
_OLD = re.compile(r"spf2\.0/", re.IGNORECASE)


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge the SPF record of a domain."""
    answer, old = look.dns.ask_all([(target.domain, "TXT"), (target.domain, "SPF")])
    yield from _old_type(target, answer, old)
    records = spf_records(answer)
    if not records:
        yield _absent(target, answer)
        return
    yield rules.PRESENT.passed(target.subject, listed(records, 3))
    if len(records) > 1:
        yield _doubled(target, records)
        return
    yield rules.SINGLE.passed(target.subject, "One.")
    yield from _judged(target, look, answer, records[0])


def _judged(target: Target, look: Look, answer: Answer, text: str) -> Iterator[Finding]:
    lengths = dict(zip(answer.values, answer.strings, strict=False)).get(text, ())
    yield spf_record.strings(target.subject, text, lengths)
    yield spf_record.size(target.subject, answer)
    try:
        record = parse(text)
    except SpfSyntaxError as error:
        yield spf_record.faults(target.subject, text, error.faults)
        return
    yield from spf_record.syntax(target.subject, record)
    yield spf_record.pointers(target.subject, record)
    yield spf_record.after_all(target.subject, record)
    yield from _reach(target, look, answer, record)


def _reach(target: Target, look: Look, answer: Answer, record: SpfRecord) -> Iterator[Finding]:
    subject, lookup = target.subject, through(look.dns)
    tree = follow(target.domain, answer, record, look.dns)
    yield from spf_reach.includes(subject, tree)
    found = cost(target.domain, record, lookup)
    yield from spf_reach.lookups(subject, tree, found, look.dns)
    yield from spf_reach.voids(subject, tree, found, look.dns)
    if target.declared is not None and sends_nothing(target, look) and not nobody(record.text):
        seen = f"The inventory says that {target.domain} sends nothing, and its record is {shown(record.text)}"
        yield rules.ALL.failed(subject, seen, publish(target, "TXT", ""))
    else:
        yield from spf_reach.ends(subject, tree)
    yield from spf_reach.networks(subject, tree)
    if target.declared is not None:
        hosts = target.declared.stack.hosts_of(target.declared.domain)
        yield from spf_hosts.egress(target, record.text, hosts, lookup)
        yield from spf_hosts.helo(target, hosts, lookup)


def _old_type(target: Target, answer: Answer, old: Answer) -> Iterator[Finding]:
    if old.values:
        seen = f"{counted(len(old.values), 'record')} of type SPF: {listed(old.values, 3)}"
        yield rules.TYPE.warned(target.subject, seen, "Remove it: only TXT counts since 2014.")
    elif old.known:
        yield rules.TYPE.passed(target.subject, "None.")
    elif answer.known:
        yield rules.TYPE.unknown(target.subject, f"It cannot be asked for: {shown(old.why or old.told.value)}.")


def _absent(target: Target, answer: Answer) -> Finding:
    why = shown(answer.why or answer.told.value)
    if answer.told is Told.BOGUS:
        advice = "Mend DNSSEC of the zone: receivers that validate get no answer either."
        return rules.PRESENT.failed(target.subject, f"The answer is bogus: {why}.", advice)
    if not answer.known:
        return rules.PRESENT.unknown(
            target.subject, f"TXT of {target.domain} cannot be had: {why}.", "Ask again later."
        )
    if answer.told is Told.NO_NAME:
        seen = f"{target.domain} does not exist."
    else:
        near = [value for value in answer.values if _LIKE.match(value) and not _OLD.match(value)]
        seen = "No TXT value is one." + (f" Close to one, and read by nobody: {listed(near, 3)}" if near else "")
    otherwise = 'Publish TXT "v=spf1 ip4:ADDRESS ~all" with every address that sends, or "v=spf1 -all" if none does.'
    return rules.PRESENT.failed(target.subject, seen, publish(target, "TXT", otherwise))


def _doubled(target: Target, records: tuple[str, ...]) -> Finding:
    seen = f"{len(records)} records: {listed(records, 4)}"
    merged = _merged(records)
    advice = f"Merge them into one{f', as in {shown(merged, 500)}' if merged else ''}, and remove the others."
    return rules.SINGLE.failed(target.subject, seen, advice)


def _merged(records: tuple[str, ...]) -> str:
    """Return one record with the terms of all, and the mildest end; nothing if one of them cannot be parsed."""
    try:
        parsed = [parse(record) for record in records]
    except SpfSyntaxError:
        return ""
    if any(record.redirect for record in parsed):
        return ""
    own = dict.fromkeys(t.text for record in parsed for t in record.terms if t is not record.all)
    last = "~all" if any(record.all is None or record.all.qualifier != "-" for record in parsed) else "-all"
    return " ".join(["v=spf1", *own, last])
