"""What checks ask first, asked for all domains together: one round trip for a domain, few for a thousand.

It changes nothing but time: each question is asked once anyway, and whoever needs an answer finds it there.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from sendwright.verify.asking.resolving import Dns, validates
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.servers import MOST_SERVERS, mail_hosts
from sendwright.verify.target import Target
from sendwright.verify.tree_walk import path

_LEADS = re.compile(r"[ +?~-](?:include:|redirect=)([A-Za-z0-9._-]{1,253})(?= |$)", re.IGNORECASE)
# More would be too many lookups (RFC 7208, 4.6.4).
_MOST_LED_TO = 10
# A dead resolver is found out by as many as are asked at the same time.
_TOGETHER = 60

#: By group of checks: the prefix of the domain, and the type.
FIRST = {
    "dns": (("", "SOA"), ("", "DS"), ("", "MX")),
    "mx": (("", "MX"),),
    "spf": (("", "TXT"), ("", "SPF")),
    "mta-sts": (("_mta-sts.", "TXT"), ("", "MX"), ("mta-sts.", "A"), ("mta-sts.", "AAAA")),
    "tls-rpt": (("_smtp._tls.", "TXT"),),
    "bimi": (("default._bimi.", "TXT"),),
}


def ask(targets: Sequence[Target], wanted: Collection[str], dns: Dns) -> bool:
    """Ask what the checks that were chosen ask first, then for the addresses of the servers that this names.

    Return whether the resolver validates; SendwrightError if it says nothing.
    """
    chosen = {CHECKS[name].group for name in wanted}
    prefixes = dict.fromkeys(each for group, asked in FIRST.items() if group in chosen for each in asked)
    questions = [(f"{prefix}{target.domain}", rdtype) for target in targets for prefix, rdtype in prefixes]
    if "dmarc" in chosen:
        walked = dict.fromkeys(name for target in targets for name in path(target.domain))
        questions += [(f"_dmarc.{name}", "TXT") for name in walked]
    secure = validates(dns, questions[:_TOGETHER])
    dns.ask_all(questions)
    second: list[tuple[str, str]] = []
    if ("", "MX") in prefixes:
        second += [(name, family) for name in _named(targets, dns) for family in ("A", "AAAA")]
    if "spf" in chosen:
        second += [(name, "TXT") for target in targets for name in _led_to(target.domain, dns)]
    dns.ask_all(list(dict.fromkeys(second)))
    return secure


def _led_to(domain: str, dns: Dns) -> list[str]:
    """Return the names whose records the SPF record of a domain leads to, as far as they are written out."""
    records = (value for value in dns.ask(domain, "TXT").values if value.lower().startswith("v=spf1 "))
    return [found.lower() for record in records for found in _LEADS.findall(record)][:_MOST_LED_TO]


def _named(targets: Sequence[Target], dns: Dns) -> Iterator[str]:
    for target in targets:
        yield from mail_hosts(target.domain, dns.ask(target.domain, "MX"))[:MOST_SERVERS]
