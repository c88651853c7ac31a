"""The logo of a domain (BIMI), where it has a record: nobody needs one, but one that is published should work."""

from collections.abc import Generator, Iterator

from sendwright.verify.finding import Finding
from sendwright.verify.look import Fetched, Look
from sendwright.verify.records.bimi_logo import LARGEST_LOGO, evidence_faults, logo_faults
from sendwright.verify.records.bimi_record import Assertion, BadAssertion, is_assertion, parse
from sendwright.verify.records.dmarc_record import Policy
from sendwright.verify.records.dmarc_record import parse as parse_policy
from sendwright.verify.rules.bimi import POLICY, RECORD
from sendwright.verify.target import Target
from sendwright.verify.tree_walk import walk
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import listed, shown

# Of certificates with the logo inside, and the chain above them.
_LARGEST_EVIDENCE = 256 * 1024
_OK = 200


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge a domain's record, what it leads to, and whether its DMARC policy lets receivers show it."""
    name = f"default._bimi.{target.domain}"
    answer = look.dns.ask(name, "TXT")
    if not answer.known:
        yield unheard(RECORD, target.subject, answer, name)
        return
    records = [value for value in answer.values if is_assertion(value)]
    if not records:
        return
    if len(records) > 1:
        seen = f"{len(records)} records: {listed(records, 3)}"
        yield RECORD.warned(target.subject, seen, "Leave one: receivers ignore several.", name)
        return
    try:
        assertion = parse(records[0])
    except BadAssertion as error:
        advice = "Publish v=BIMI1; l=https://…/logo.svg; a=https://…/certificate.pem"
        yield RECORD.warned(target.subject, f"{error}: {shown(records[0])}", advice, name)
        yield from _policy(target, look)
        return
    if assertion.declined:
        yield RECORD.passed(target.subject, "The domain declines to show a logo", name)
        return
    yield from _fetched(target, look, assertion, name)
    yield from _policy(target, look)


def _fetched(target: Target, look: Look, assertion: Assertion, name: str) -> Iterator[Finding]:
    found = [*_logo(target, look, assertion.logo), *_evidence(target, look, assertion.evidence)]
    yield from found
    if not found:
        with_it = "with a certificate" if assertion.evidence else "without a certificate, which some receivers ask for"
        yield RECORD.passed(target.subject, f"{shown(assertion.logo or assertion.evidence, 100)}, {with_it}", name)


def _logo(target: Target, look: Look, url: str) -> Iterator[Finding]:
    advice = "Serve an SVG of the profile Tiny Portable/Secure there, of at most 32 KiB."
    place = f"l={shown(url, 150)}"
    got = yield from _got(target, look, url, LARGEST_LOGO * 2, place, advice)
    if got is None:
        return
    if faults := logo_faults(got.body):
        yield RECORD.warned(target.subject, f"The logo is not shown: {listed(faults)}", advice, place)
    elif len(got.body) > LARGEST_LOGO:
        yield RECORD.warned(target.subject, f"The logo has {len(got.body):,} octets", advice, place)
    elif got.kind not in {"image/svg+xml", ""}:
        seen = f"The logo is served as {shown(got.kind, 60)}, and not as image/svg+xml"
        yield RECORD.warned(target.subject, seen, "Correct the type in the web server.", place)


def _evidence(target: Target, look: Look, url: str) -> Iterator[Finding]:
    advice = f"Serve the mark certificate (VMC or CMC) of {target.domain} there, and its chain."
    place = f"a={shown(url, 150)}"
    got = yield from _got(target, look, url, _LARGEST_EVIDENCE, place, advice)
    if got and (faults := tuple(evidence_faults(got.body, target.domain, look.now))):
        yield RECORD.warned(target.subject, f"The evidence proves nothing: {listed(faults)}", advice, place)


def _got(
    target: Target, look: Look, url: str, most: int, place: str, advice: str
) -> Generator[Finding, None, Fetched | None]:
    """Yield why an address leads to nothing that can be judged; return what it led to."""
    got = look.fetch(url, most) if url else None
    if got is None:
        return None
    if got.failure:
        seen = f"It could not be fetched: {shown(got.failure)}"
        unreachable = RECORD.unknown(target.subject, seen, target=place)
        yield unreachable if got.unreachable else RECORD.warned(target.subject, seen, advice, place)
    elif got.status != _OK or got.cut:
        seen = f"It has more than {most:,} octets" if got.cut else f"Its address answers {got.status}"
        yield RECORD.warned(target.subject, seen, advice, place)
    else:
        return got
    return None


def _policy(target: Target, look: Look) -> Iterator[Finding]:
    """Yield whether DMARC is strict enough, for the domain and for the organisation that it belongs to."""
    found = walk(target.domain, look.dns)
    above = next((step.record for step in found.steps if step.domain == found.organisation), None)
    step = found.applies
    if step is None or step.record is None:
        # That it is absent, or cannot be looked up, is said by dmarc.present.
        return
    records = [parse_policy(text) for text in dict.fromkeys((step.record, above)) if text]
    weak = next((w for record in records for w in _weak(record.applied(record.for_domain), "p")), None) or next(
        (w for record in records for w in _weak(record.applied(record.for_subdomains), "sp")), None
    )
    if weak:
        advice = "Publish p=quarantine or p=reject, without sp=none and t=y, when your mail passes DMARC."
        yield POLICY.warned(target.subject, f"Receivers apply {weak}", advice, f"_dmarc.{step.domain}")
    else:
        yield POLICY.passed(target.subject, str(records[0].for_domain), f"_dmarc.{step.domain}")


def _weak(policy: Policy, tag: str) -> Iterator[str]:
    if policy is Policy.NONE:
        yield f"{tag}=none"
