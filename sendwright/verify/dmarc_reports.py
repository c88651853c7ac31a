"""Whether DMARC reports arrive: addresses that take mail, and domains that agree to take them (RFC 9990 section 4)."""

from collections.abc import Iterator, Sequence

from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Dns
from sendwright.verify.receiving import takes_mail
from sendwright.verify.records.dmarc_record import PolicyRecord, is_policy
from sendwright.verify.records.report_uri import ReportUri
from sendwright.verify.rules.dmarc import ADDRESSES, CONSENT, REPORTS
from sendwright.verify.tree_walk import walk
from sendwright.verify.unheard import unheard
from sendwright.verify.wording import listed, shown

# Nobody sends to that many, and each costs questions to strangers.
_MOST = 10


def reports(subject: Subject, record: PolicyRecord, name: str, *, silent: bool) -> Finding:
    """Judge whether anybody gets aggregate reports; a domain that sends nothing needs none. Pure."""
    if any(uri.valid for uri in record.rua):
        return REPORTS.passed(subject, f"To {listed([uri.text for uri in record.rua if uri.valid], 3)}", name)
    if silent and not record.rua:
        return REPORTS.passed(subject, "Nobody, and the domain sends nothing that could fail", name)
    lacks = "No address of rua= can be used" if record.rua else "There is no rua= tag"
    advice = f"Add rua=mailto:dmarc@{subject.name} or the address of a service that reads the reports for you."
    return REPORTS.warned(subject, lacks, advice, name)


def addresses(subject: Subject, record: PolicyRecord, name: str, dns: Dns) -> Iterator[Finding]:
    """Judge each address for reports: that it is one, and that its domain takes mail."""
    uris = tuple(dict.fromkeys((*record.rua, *record.ruf)))
    wrong = [finding for uri in uris[:_MOST] if (finding := _address(subject, uri, name, dns))]
    yield from wrong
    if uris[_MOST:]:
        seen = f"{len(uris)} addresses for reports, of which the first {_MOST} were looked at"
        yield ADDRESSES.warned(subject, seen, "Name one or two: reporters may send to the first two only.", name)
    elif uris and not wrong:
        domains = sorted({uri.domain for uri in uris})
        yield ADDRESSES.passed(subject, f"{listed(domains, 3)} take{'s' * (len(domains) == 1)} mail", name)


def consent(subject: Subject, record: PolicyRecord, policy_domain: str, dns: Dns) -> Iterator[Finding]:
    """Judge whether each other organisation that gets reports about the domain of a policy agrees to it.

    One that takes no mail gets none anyway, as is said of its address.
    """
    domains = dict.fromkeys(uri.domain for uri in (*record.rua, *record.ruf) if uri.valid and uri.domain)
    others = [
        other
        for other in _others(policy_domain, list(domains)[:_MOST], dns)
        if takes_mail(other, dns).mail is not False
    ]
    answers = dns.ask_all([(f"{policy_domain}._report._dmarc.{other}", "TXT") for other in others])
    agreed = []
    for other, answer in zip(others, answers, strict=True):
        if any(map(is_policy, answer.values)):
            agreed.append(other)
        elif not answer.known:
            yield unheard(CONSENT, subject, answer, answer.name)
        else:
            seen = f"{other} does not agree to take reports about {policy_domain}: receivers send it none"
            advice = f'Have its owner publish {answer.name}. TXT "v=DMARC1", or name an address of your own domain.'
            yield CONSENT.warned(subject, seen, advice, answer.name)
    if domains and len(agreed) == len(others):
        said = f"{listed(agreed, 3)} agree{'s' * (len(agreed) == 1)}" if agreed else "No other organisation gets them"
        yield CONSENT.passed(subject, said)


def _others(policy_domain: str, domains: Sequence[str], dns: Dns) -> list[str]:
    """Those of some domains that are another organisation's."""
    # A domain and a name below it are taken for one organisation, whatever records are between them.
    related = {d for d in domains if f".{policy_domain}".endswith(f".{d}") or d.endswith(f".{policy_domain}")}
    strangers = [d for d in domains if d not in related]
    ours = walk(policy_domain, dns).organisation if strangers else ""
    return [d for d in strangers if walk(d, dns).organisation != ours]


def _address(subject: Subject, uri: ReportUri, name: str, dns: Dns) -> Finding | None:
    target = f"{name} {shown(uri.text, 100)}"
    if not uri.valid:
        return ADDRESSES.warned(subject, f"{shown(uri.text)}: {uri.fault}", "Write mailto: and an address.", target)
    if uri.scheme != "mailto":
        seen = f"{shown(uri.text)}: receivers need to support mailto: alone"
        return ADDRESSES.warned(subject, seen, "Name an address to send mail to as well.", target)
    takes = takes_mail(uri.domain, dns)
    if takes.mail is None:
        return ADDRESSES.unknown(subject, takes.why, target=target)
    if not takes.mail:
        advice = f"Name an address that receives mail, as in mailto:dmarc@{subject.name}."
        return ADDRESSES.warned(subject, f"{shown(uri.text)}: {takes.why}", advice, target)
    return None
