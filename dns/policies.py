"""What a domain asks of receivers: DMARC, reports on failed TLS, and that no key of a locked domain exists. Pure."""

from collections.abc import Iterator

from sendwright.dns.rdata import txt
from sendwright.dns.record import TTL, Record
from sendwright.plan import Stage
from sendwright.stack import Dmarc, Domain


def policies(domain: Domain) -> Iterator[Record]:
    """Yield the records by which a domain says how receivers treat mail in its name, and where they report."""
    yield _dmarc(domain)
    if reports := domain.tls_rpt_rua:
        value = txt(f"v=TLSRPTv1; rua={','.join(reports)}")
        yield Record(f"_smtp._tls.{domain.name}", "TXT", TTL, value, "asks for reports on failed TLS (RFC 8460)")
    if not domain.sends:
        # One record for all selectors. It hides no key that is published: a wildcard yields to what is there.
        why = f"DKIM: {domain.name} sends no mail, so no selector has a key"
        yield Record(f"*._domainkey.{domain.name}", "TXT", TTL, txt("v=DKIM1; p="), why)


def _dmarc(domain: Domain) -> Record:
    # What is sent as a locked domain is nobody's mail: nothing has to be proven before it is refused.
    policy = domain.dmarc if domain.sends else Dmarc(policy="reject", ruf=domain.dmarc.ruf)
    strict = policy.alignment == "strict"
    # RFC 9989 section 4.7; what is the default is not written, and pct, rf and ri are gone.
    tags = [
        "v=DMARC1",
        f"p={policy.policy}",
        f"sp={policy.subdomains}" if policy.subdomains not in {None, policy.policy} else "",
        f"np={policy.nonexistent}" if policy.nonexistent not in {None, policy.subdomains or policy.policy} else "",
        "adkim=s" if strict else "",
        "aspf=s" if strict else "",
        f"rua={','.join(domain.dmarc_rua)}" if domain.dmarc_rua else "",
        f"ruf={','.join(policy.ruf)}" if policy.ruf else "",
    ]
    loose = strict is False and {policy.policy, policy.subdomains, policy.nonexistent} <= {"none", None}
    why = f"DMARC: what receivers do with mail that fails as {domain.name} ({policy.policy})"
    value = txt("; ".join(tag for tag in tags if tag))
    # Tightening waits for a proven signature; a policy of none harms no mail and may come first.
    stage = Stage.SWITCH if domain.sends and not loose else Stage.EXPAND
    # A domain that lives already keeps its policy until somebody declares another.
    implied = frozenset({"policy", "rua"} - domain.dmarc.model_fields_set) if domain.sends else frozenset[str]()
    return Record(f"_dmarc.{domain.name}", "TXT", TTL, value, why, stage, implied=implied)
