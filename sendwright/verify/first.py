"""What checks ask first, asked for all domains together: one round trip for a domain, few for a thousand.

It changes nothing but time: each question is asked once anyway, and whoever needs an answer finds it there.
"""

from collections.abc import Collection, Iterator, Sequence

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.look import Dns
from sendwright.verify.servers import MOST_SERVERS, mail_hosts
from sendwright.verify.target import Target

#: By group of checks: the prefix of the domain, and the type.
FIRST = {
    "dns": (("", "SOA"), ("", "DS"), ("", "MX")),
    "mx": (("", "MX"),),
    "spf": (("", "TXT"), ("", "SPF")),
    "dmarc": (("_dmarc.", "TXT"),),
    "mta-sts": (("_mta-sts.", "TXT"), ("", "MX"), ("mta-sts.", "A"), ("mta-sts.", "AAAA")),
    "tls-rpt": (("_smtp._tls.", "TXT"),),
    "bimi": (("default._bimi.", "TXT"),),
}


def ask(targets: Sequence[Target], wanted: Collection[str], dns: Dns) -> None:
    """Ask what the checks that were chosen ask first, then for the addresses of the servers that this names."""
    chosen = {CHECKS[name].group for name in wanted}
    prefixes = dict.fromkeys(each for group, asked in FIRST.items() if group in chosen for each in asked)
    dns.ask_all([(f"{prefix}{target.domain}", rdtype) for target in targets for prefix, rdtype in prefixes])
    if ("", "MX") in prefixes:
        dns.ask_all([(name, family) for name in _named(targets, dns) for family in ("A", "AAAA")])


def _named(targets: Sequence[Target], dns: Dns) -> Iterator[str]:
    for target in targets:
        yield from mail_hosts(target.domain, dns.ask(target.domain, "MX"))[:MOST_SERVERS]
