"""Whether SPF passes for the hosts of an inventory: for the domain, and for the name that each greets with."""

from collections.abc import Iterator

from sendwright.dns.domain_records import spf_text
from sendwright.dns.spf import SpfSyntaxError
from sendwright.dns.spf_check import Result, Verdict, check_host
from sendwright.dns.spf_lookup import Lookup
from sendwright.dns.spf_merge import SpfTooLong, added, merged, terms_of
from sendwright.dns.spf_slot import VERDICTS
from sendwright.stack import Host
from sendwright.verify.finding import Finding
from sendwright.verify.remedy import publish, wanted
from sendwright.verify.rules import spf as rules
from sendwright.verify.target import Target
from sendwright.verify.wording import shown


def egress(target: Target, record: str, hosts: tuple[Host, ...], lookup: Lookup) -> Iterator[Finding]:
    """Evaluate the domain's record (its text) for each address that its hosts send from (RFC 7208, 2.4)."""
    for host in hosts:
        for address in host.addresses:
            sender = f"postmaster@{target.domain}"
            verdict = check_host(address, target.domain, sender, host.name, lookup)
            seen, where = _said(verdict, f"mail of {target.domain} from {host.name}"), str(address)
            if verdict.result is Result.PASS:
                yield rules.EGRESS.passed(target.subject, seen, where)
            elif verdict.result is Result.TEMPERROR:
                yield rules.EGRESS.unknown(target.subject, seen, "Ask again later.", where)
            else:
                advice = _merged(target, record) or publish(target, "TXT", "")
                yield rules.EGRESS.failed(target.subject, seen, advice, where)


def _merged(target: Target, record: str) -> str:
    """Return what is to be added to a record that stands there; nothing if it takes more than that."""
    terms = [term for text in wanted(target, "TXT") for term in terms_of(text) if term not in VERDICTS]
    try:
        ours = added(record, merged(record, terms, (), "~all"), terms)
    except (SpfSyntaxError, SpfTooLong):
        return ""
    if target.declared is None or not ours:
        return ""
    if target.declared.domain.dns is None:
        return f"Have the owner of the zone add to the record of {target.domain}: {' '.join(ours)}"
    what = "which adds to the record, and leaves what others wrote"
    return f"Run `sendwright provision INVENTORY`, {what}: {' '.join(ours)}"


def helo(target: Target, hosts: tuple[Host, ...], lookup: Lookup) -> Iterator[Finding]:
    """Evaluate the record at the name that each host greets with, for its bounces (RFC 7208, 2.3)."""
    subject = target.subject
    for host in hosts:
        for address in host.addresses:
            verdict = check_host(address, host.name, f"postmaster@{host.name}", host.name, lookup)
            seen, where = _said(verdict, f"the HELO name {host.name}"), f"{host.name} {address}"
            record = spf_text(host.addresses, (), "-all")
            advice = f'Publish at {host.name} TXT "{record}", as `sendwright provision INVENTORY` does in its zones.'
            if verdict.result is Result.PASS:
                yield rules.HELO.passed(subject, seen, where)
            elif verdict.result is Result.TEMPERROR:
                yield rules.HELO.unknown(subject, seen, "Ask again later.", where)
            elif verdict.result is Result.NONE:
                yield rules.HELO.warned(subject, f"{host.name} has no SPF record.", advice, where)
            else:
                yield rules.HELO.failed(subject, seen, advice, where)


def _said(verdict: Verdict, what: str) -> str:
    reason = verdict.term or verdict.why
    return f"SPF says {verdict.result.value} to {what}{f' ({shown(reason, 160)})' if reason else ''}."
