"""What receivers do with mail that only claims to be of a domain (RFC 9989): the record that applies, judged."""

from collections.abc import Iterator

from sendwright.verify.dmarc_alignment import alignment
from sendwright.verify.dmarc_reports import addresses, consent, reports
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Look, Told
from sendwright.verify.records.dmarc_record import Policy, PolicyRecord, is_meant, is_policy, parse
from sendwright.verify.remedy import publish_policy
from sendwright.verify.rules.dmarc import ORGANISATION, POLICY, PRESENT, REMOVED, SINGLE, SUBDOMAINS, SYNTAX, TESTING
from sendwright.verify.rules.dmarc import UNKNOWN as UNKNOWN_TAGS
from sendwright.verify.sending import sends_nothing
from sendwright.verify.target import Target
from sendwright.verify.tree_walk import Step, Walk, walk
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import listed, shown


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge the policy record that applies to a domain: its own, or that of the organisation it belongs to."""
    subject = target.subject
    found = walk(target.domain, look.dns)
    silent = sends_nothing(target, look)
    if stop := _unusable(subject, found.steps[0]):
        yield stop
        return
    step = found.applies
    if step is None or step.record is None:
        yield unheard(PRESENT, subject, found.unheard[0]) if found.unheard else _absent(target, look, silent=silent)
        return
    record, name = parse(step.record), f"_dmarc.{step.domain}"
    yield _present(subject, found, step)
    yield SINGLE.passed(subject, "One record", name)
    yield _syntax(subject, record, step.record, name)
    yield organisation(subject, found)
    if record.void:
        return
    exists = step.domain == target.domain or _exists(target.domain, look)
    yield policy(target, record, _applied(found, step, record, exists=exists), name, silent=silent)
    yield subdomains(subject, found, step)
    yield from _tags(subject, record, name)
    yield reports(subject, record, name, silent=silent)
    yield from addresses(subject, record, name, look.dns)
    yield from consent(subject, record, step.domain, look.dns)
    yield from alignment(target, record, look)


def _unusable(subject: Subject, own: Step) -> Finding | None:
    """What is wrong with the domain's own record before it can be read."""
    name = f"_dmarc.{own.domain}"
    if not own.answer.known:
        return unheard(PRESENT, subject, own.answer, name)
    if len(own.records) > 1:
        seen = f"{len(own.records)} records: {listed(own.records, 3)}"
        return SINGLE.failed(subject, seen, "Leave one: receivers discard all of them.", name)
    if not own.records and (meant := next(filter(is_meant, own.answer.values), None)):
        seen = f"No receiver takes it for a policy: {shown(meant)}"
        advice = "Let it begin with v=DMARC1; exactly, without quotes or a blank before it."
        return SYNTAX.failed(subject, seen, advice, name)
    return None


def _absent(target: Target, look: Look, *, silent: bool) -> Finding:
    subject, name = target.subject, f"_dmarc.{target.domain}"
    text = "v=DMARC1; p=reject" if silent else f"v=DMARC1; p=none; rua=mailto:dmarc@{subject.name}"
    then = "" if silent else ", read the reports, and go on to quarantine and reject"
    advice = publish_policy(target, name, f'Publish {name}. TXT "{text}"{then}.')
    # Asked already, for SPF.
    astray = any(map(is_policy, look.dns.ask(subject.name, "TXT").values))
    seen = "The record is at the domain itself, where nobody looks" if astray else "No record at the domain or above it"
    return PRESENT.failed(subject, seen, advice, name)


def _present(subject: Subject, found: Walk, step: Step) -> Finding:
    name = f"_dmarc.{step.domain}"
    seen = shown(step.record or "")
    if step.domain == found.domain:
        return PRESENT.passed(subject, seen, name)
    if step.domain == found.suffix:
        advice = f"Publish one at _dmarc.{found.organisation}."
        return PRESENT.warned(subject, f"Only that of the public suffix {step.domain}: {seen}", advice, name)
    return PRESENT.passed(subject, f"Inherited from {step.domain}: {seen}", name)


def _syntax(subject: Subject, record: PolicyRecord, text: str, name: str) -> Finding:
    if record.void:
        seen = f"It has no policy that can be read, and no address for reports: {shown(text)}"
        return SYNTAX.failed(subject, seen, "Write p=none, p=quarantine or p=reject after v=DMARC1;.", name)
    wrong = [*(f"{shown(tag, 60)} is not valid" for tag in record.invalid), *(shown(f, 80) for f in record.faults)]
    if record.lapsed and record.invalid:
        seen = f"{listed(wrong)}: receivers act as if the policy were none"
        return SYNTAX.failed(subject, seen, "Write none, quarantine or reject.", name)
    if any("twice" in fault for fault in record.faults):
        return SYNTAX.failed(subject, listed(wrong), "Leave one of them: which one counts is undefined.", name)
    if wrong:
        advice = "Correct it: what a receiver cannot read it ignores, and has its default instead."
        return SYNTAX.warned(subject, listed(wrong), advice, name)
    return SYNTAX.passed(subject, "Every tag can be read", name)


def organisation(subject: Subject, found: Walk) -> Finding:
    """Judge which domain the walk takes for the organisation's: alignment and inherited policies hang on it. Pure."""
    doubled = next((step for step in found.steps[1:] if len(step.records) > 1), None)
    if found.steps[0].psd == "y":
        seen = f"psd=y says that strangers register names below {found.domain}, each an organisation of its own"
        advice = "Remove psd=y: only registries set it. Mail of subdomains does not align with the domain."
        return ORGANISATION.warned(subject, seen, advice)
    if doubled:
        seen = f"{doubled.domain} has {len(doubled.records)} policy records, which are discarded"
        return ORGANISATION.warned(subject, seen, f"Leave one at _dmarc.{doubled.domain}.")
    if "." not in found.organisation and found.organisation != found.domain:
        seen = f"It is {found.organisation}, a whole top-level domain: everything in it aligns with everything else"
        return ORGANISATION.failed(subject, seen, f"Publish psd=n in the record at _dmarc.{found.domain}.")
    if found.unheard:
        return unheard(ORGANISATION, subject, found.unheard[0])
    return ORGANISATION.passed(subject, f"{found.organisation}, after {len(found.steps)} questions")


def policy(target: Target, record: PolicyRecord, asked: Policy, name: str, *, silent: bool) -> Finding:
    """Judge what is asked of receivers for the domain itself, a test not taken into account. Pure."""
    subject = target.subject
    if asked is not Policy.NONE:
        return POLICY.passed(subject, str(asked), name)
    seen = "none" if record.p is not None else "none, as there is no p= that can be read"
    if silent:
        return POLICY.warned(subject, seen, "The domain sends nothing: publish p=reject.", name)
    do = (
        "declare dmarc={'policy': 'quarantine'} and then 'reject'"
        if target.declared
        else "publish p=quarantine, and then p=reject"
    )
    advice = f"When the reports show that all of your mail passes, {do}."
    return POLICY.warned(subject, seen, advice, name)


def subdomains(subject: Subject, found: Walk, step: Step) -> Finding:
    """Judge what is asked for names below: by the organisation's record, whatever is published in between. Pure."""
    above = next((s for s in found.steps if s.domain == found.organisation and s.record), step)
    own, general = parse(step.record or ""), parse(above.record or "")
    base = own.for_domain if step.domain == found.domain else own.for_subdomains
    name = f"_dmarc.{above.domain}"
    for text, below in (("", general.for_subdomains), (" that do not exist", general.for_nonexistent)):
        if below < base:
            seen = f"{below} for names below{text}, by the record of {above.domain}, and {base} for {subject.name}"
            advice = f"Publish {'np' if text else 'sp'}={base} at {name}, or leave the tag out."
            return SUBDOMAINS.warned(subject, seen, advice, name)
    return SUBDOMAINS.passed(subject, f"{general.for_subdomains}, and {general.for_nonexistent} if absent", name)


def _applied(found: Walk, step: Step, record: PolicyRecord, *, exists: bool) -> Policy:
    if step.domain == found.domain:
        return record.for_domain
    return record.for_subdomains if exists else record.for_nonexistent


def _exists(domain: str, look: Look) -> bool:
    """Whether a domain exists in the sense of section 3.2.13: some host or mail server has that name."""
    answers = look.dns.ask_all([(domain, rdtype) for rdtype in ("A", "AAAA", "MX")])
    return any(answer.told not in {Told.NO_DATA, Told.NO_NAME} for answer in answers)


def _tags(subject: Subject, record: PolicyRecord, name: str) -> Iterator[Finding]:
    strictest = max(record.for_domain, record.for_subdomains, record.for_nonexistent)
    if record.testing and strictest is not Policy.NONE:
        seen = f"t=y: receivers apply {record.applied(strictest)} instead of {strictest}"
        yield TESTING.warned(subject, seen, "Remove t=y when the reports show that your mail passes.", name)
    else:
        yield TESTING.passed(subject, "t=y changes nothing of a policy of none" if record.testing else "No test", name)
    limited = [uri.text for uri in (*record.rua, *record.ruf) if uri.limit]
    if gone := [*record.removed, *limited]:
        yield REMOVED.warned(subject, listed(gone), "Remove it: receivers ignore it now.", name)
    else:
        yield REMOVED.passed(subject, "None", name)
    if record.unknown:
        yield UNKNOWN_TAGS.warned(subject, listed(record.unknown), "Correct its name, or remove it.", name)
    else:
        yield UNKNOWN_TAGS.passed(subject, "None", name)
