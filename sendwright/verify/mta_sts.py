"""Checks of MTA-STS: the record, the policy behind HTTPS, and whether it allows the servers of the domain."""

import re
from collections.abc import Iterator

from sendwright.verify import mta_sts_desired
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Fetched, Look, Told
from sendwright.verify.records import sts_policy, sts_record
from sendwright.verify.records.sts_policy import Mode, StsPolicy
from sendwright.verify.records.sts_record import StsSyntaxError
from sendwright.verify.rules.mta_sts import AGE, DESIRED, MODE, MX, POLICY, PRESENT, RECORD, SYNTAX
from sendwright.verify.sending import sends_nothing
from sendwright.verify.servers import mail_hosts
from sendwright.verify.target import Target
from sendwright.verify.wording import counted, listed, shown

_OK = 200
_DAY = 86400
_WEEK = 604800
_NAMES = 5
_MOST = 50
_ATTEMPT = re.compile(r"\s*v\s*=\s*stsv1", re.IGNORECASE)


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Yield what is found about the MTA-STS of a domain (RFC 8461)."""
    found = look.dns.ask(f"_mta-sts.{target.domain}", "TXT")
    if not found.known:
        yield _untold(target, found)
        return
    texts = [text for text in found.values if _ATTEMPT.match(text)]
    found = look.dns.ask(target.domain, "MX")
    exchanges = mail_hosts(target.domain, found) if found.known else None
    if not texts:
        yield _absent(target, look, exchanges)
        return
    yield PRESENT.passed(target.subject, f"_mta-sts.{target.domain} has a TXT record for it")
    yield _record(target, look, texts)
    if not look.wants([POLICY, SYNTAX, MODE, MX, AGE, DESIRED]):
        return
    fetched = look.fetch(_url(target), sts_policy.LARGEST)
    yield _fetching(target, fetched)
    if compared := mta_sts_desired.compare(target, texts, fetched):
        yield compared
    if fetched.status == _OK and not fetched.cut and not fetched.failure:
        yield from _policy(target, fetched.body, exchanges)


def _untold(target: Target, found: Answer) -> Finding:
    name = f"_mta-sts.{target.domain}"
    if found.told is Told.BOGUS:
        seen = f"the answer for TXT {name} is bogus: {shown(found.why)}"
        return PRESENT.failed(target.subject, seen, "Mend DNSSEC first (dns.dnssec): who validates sees nothing.")
    return PRESENT.unknown(target.subject, f"TXT {name} could not be asked for: {shown(found.why)}")


def _absent(target: Target, look: Look, exchanges: tuple[str, ...] | None) -> Finding:
    if exchanges == ():
        return PRESENT.passed(target.subject, "the domain takes no mail (null MX), so there is nothing to protect")
    if exchanges == (target.domain,) and not look.dns.ask(target.domain, "MX").values:
        if sends_nothing(target, look):
            seen = "the domain sends nothing and has no MX, so there is nothing to protect"
            return PRESENT.passed(target.subject, seen)
        # What it takes mail with at all is to be mended first: mx.present says so.
        if all(look.dns.ask(target.domain, family).told is Told.NO_DATA for family in ("A", "AAAA")):
            return PRESENT.passed(target.subject, "nothing takes mail of the domain, so there is nothing to protect")
    if wanted := mta_sts_desired.declared(target):
        seen = f"no MTA-STS record, and the inventory wants a policy with mode: {wanted.mode}"
        advice = "Run `sendwright provision INVENTORY`: it publishes the record once every host serves the policy."
        return PRESENT.warned(target.subject, seen, advice)
    stamp = f"{look.now:%Y%m%d%H%M%S}"
    record = f'_mta-sts.{target.domain}. TXT "v=STSv1; id={stamp}"'
    if _serves_policy(target, look):
        seen = f"there is a policy at {_url(target)}, but no record announces it, so no sender asks for it"
        return PRESENT.warned(target.subject, seen, f"Publish {record}")
    seen = "no MTA-STS record: senders without DANE deliver in the clear when somebody in between strips STARTTLS"
    lines = [
        "version: STSv1",
        "mode: testing",
        *(f"mx: {name}" for name in (exchanges or ())[:_NAMES]),
        "max_age: 604800",
    ]
    advice = f"Serve at {_url(target)} the lines: {' / '.join(lines)}. Then publish {record}. Later set mode: enforce."
    return PRESENT.warned(target.subject, seen, advice)


def _serves_policy(target: Target, look: Look) -> bool:
    host = f"mta-sts.{target.domain}"
    if not any(look.dns.ask(host, family).values for family in ("A", "AAAA")):
        return False
    fetched = look.fetch(_url(target), sts_policy.LARGEST)
    return fetched.status == _OK and fetched.body.lstrip().startswith(b"version:")


def _record(target: Target, look: Look, texts: list[str]) -> Finding:
    subject, advice = target.subject, f'Publish exactly one: "v=STSv1; id={look.now:%Y%m%d%H%M%S}"'
    records = [text for text in texts if sts_record.is_record(text)]
    if len(records) > 1:
        seen = f"there are {len(records)} records, and senders then act as if there were none"
        return RECORD.failed(subject, seen, advice)
    if not records:
        seen = f"senders discard what does not begin with v=STSv1; in this spelling: {shown(texts[0])}"
        return RECORD.failed(subject, seen, advice)
    try:
        record = sts_record.parse(records[0])
    except StsSyntaxError as error:
        return RECORD.failed(subject, f"{shown(records[0])}: {shown(str(error))}", advice)
    return RECORD.passed(subject, f"one record, with id {record.id}")


def _fetching(target: Target, fetched: Fetched) -> Finding:
    subject, url = target.subject, _url(target)
    where = f"mta-sts.{target.domain}"
    if fetched.unreachable:
        return POLICY.unknown(subject, f"{url} could not be reached from here: {shown(fetched.failure)}")
    if fetched.failure:
        advice = (
            f"There is a record, so senders ask for a policy: let {where} serve it by HTTPS with a valid certificate "
            "for that name, or withdraw the record."
        )
        return POLICY.failed(subject, f"{url}: {shown(fetched.failure)}", advice)
    if fetched.status != _OK:
        moved = "; senders follow no redirects" if fetched.status // 100 == 3 else ""
        advice = f"Serve the policy itself at that address with status 200, by {where}."
        return POLICY.failed(subject, f"{url} answers with status {fetched.status}{moved}", advice)
    if fetched.cut:
        seen = f"{url} serves more than {sts_policy.LARGEST} octets, and senders stop reading there"
        return POLICY.failed(subject, seen, "Serve nothing but the policy: it takes a few lines.")
    if fetched.kind != "text/plain":
        seen = f"{url} is served as {shown(fetched.kind) or 'no media type'}, and some senders take text/plain only"
        return POLICY.warned(subject, seen, "Serve it with the header Content-Type: text/plain.")
    return POLICY.passed(subject, f"{url} serves {len(fetched.body)} octets with a valid certificate")


def _policy(target: Target, body: bytes, exchanges: tuple[str, ...] | None) -> Iterator[Finding]:
    try:
        policy = sts_policy.parse(body)
    except StsSyntaxError as error:
        advice = f"Mend it: senders ignore it as a whole, or keep the one from before. It is at {_url(target)}."
        yield SYNTAX.failed(target.subject, shown(str(error)), advice)
        return
    if policy.ignored:
        advice = "Remove those lines: not every sender skips them."
        yield SYNTAX.warned(target.subject, shown("; ".join(policy.ignored)), advice)
    else:
        yield SYNTAX.passed(target.subject, f"it can be parsed, with {counted(len(policy.mx), 'mx pattern')}")
    yield _mode(target, policy)
    if policy.mode is not Mode.NONE:
        yield from _matching(target, policy, exchanges)
        yield _age(target, policy)


def _mode(target: Target, policy: StsPolicy) -> Finding:
    if policy.mode is Mode.ENFORCE:
        return MODE.passed(target.subject, "mode: enforce")
    if policy.mode is Mode.TESTING:
        advice = "When TLS reports (RFC 8460) show no failures, set mode: enforce, and change the id of the record."
        if mta_sts_desired.declared(target):
            advice = (
                'When TLS reports (RFC 8460) show no failures, set mta_sts to {"mode": "enforce"} for the domain, then '
                "run `sendwright provision INVENTORY`."
            )
        return MODE.warned(target.subject, "mode: testing: failures are reported, and the mail goes out anyway", advice)
    advice = (
        "Set mode: testing, then enforce; or, once it was served for as long as the old max_age, remove the record."
    )
    return MODE.warned(target.subject, "mode: none: the policy switches MTA-STS off", advice)


def _matching(target: Target, policy: StsPolicy, exchanges: tuple[str, ...] | None) -> Iterator[Finding]:
    """Yield which MX the policy leaves out, each by itself: a baseline that accepts one accepts no other."""
    if exchanges is None:
        yield MX.unknown(target.subject, "the MX records of the domain could not be asked for")
        return
    strays = sorted(name for name in exchanges if not policy.allows(name))
    if not strays:
        yield MX.passed(target.subject, f"{len(exchanges)} of {len(exchanges)} MX match: {listed(policy.mx, _NAMES)}")
    for name in strays[:_MOST]:
        seen = f"no pattern matches {name}; the policy allows {listed(policy.mx, _NAMES)}"
        advice = f"Add to the policy mx: {name}, and change the record's id."
        if policy.mode is Mode.ENFORCE:
            yield MX.failed(target.subject, seen, advice, name)
        else:
            seen += " (with mode: enforce senders would not deliver there)"
            yield MX.warned(target.subject, seen, advice, name)


def _age(target: Target, policy: StsPolicy) -> Finding:
    seen = f"max_age: {policy.max_age} seconds ({policy.max_age / _DAY:.3g} days)"
    if policy.max_age < _DAY:
        return AGE.warned(target.subject, seen, f"Set max_age: {_WEEK} (a week) or more; once it works, months.")
    return AGE.passed(target.subject, seen)


def _url(target: Target) -> str:
    return f"https://mta-sts.{target.domain}/.well-known/mta-sts.txt"
