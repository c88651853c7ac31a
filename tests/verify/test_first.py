from datetime import UTC, datetime

import pytest

from sendwright.dns.transport import NoAnswer, Question
from sendwright.verify.asking import first
from sendwright.verify.asking.resolving import Dns
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.groups import ALL
from sendwright.verify.look import Dns as Asks
from sendwright.verify.look import Fetched, Look
from sendwright.verify.target import Target
from tests.verify.loopback import from_records, serving
from tests.verify.names import Names, zone

TARGET = Target("a.example")
WORLD = zone("""
.                   IN SOA a. b. 1 2 3 4 5
a.example.          IN SOA ns.a.example. h.a.example. 1 2 3 4 5
a.example.          IN MX 10 mx.a.example.
a.example.          IN TXT "v=spf1 mx -all"
_dmarc.a.example.   IN TXT "v=DMARC1; p=reject; rua=mailto:d@a.example"
_smtp._tls.a.example. IN TXT "v=TLSRPTv1; rua=mailto:t@a.example"
mx.a.example.       IN A 192.0.2.1
""")
WANTED = {
    group: frozenset(name for name, check in CHECKS.items() if check.group == group)
    for group in (*first.FIRST, "dmarc")
    # What a zone's servers are asked is not asked of a resolver.
} | {"dns": frozenset({"dns.exists", "dns.dnssec"})}


def _judge(wanted: frozenset[str], dns: Asks) -> None:
    def silent(question: Question) -> None:
        raise NoAnswer(question.name)

    look = Look(dns, silent, "192.0.2.53", lambda _, __: Fetched(failure="no"), datetime.now(UTC), True, wanted)  # type: ignore[arg-type]
    for group in (*ALL.zone, *ALL.domains):
        if group.chosen(wanted):
            list(group.judge(TARGET, look))


@pytest.mark.parametrize("group", first.FIRST)
def test_nothing_is_asked_first_that_nobody_wants_to_know(group: str) -> None:
    """A question too many for each of a thousand domains would be a thousand too many."""
    names = Names(WORLD)

    _judge(WANTED[group], names)

    assert {(f"{prefix}{TARGET.domain}", rdtype) for prefix, rdtype in first.FIRST[group]} <= set(names.asked)


def test_checks_find_nearly_all_answers_there() -> None:
    """Of one domain, what it takes is few round trips."""
    wanted = frozenset().union(*WANTED.values()) - {"mx.postmaster", "mx.abuse"}

    with serving(from_records(WORLD, secure={"."})) as server:
        dns = Dns(server.resolver(every=2))
        assert first.ask([TARGET], wanted, dns)
        before = len(server.asked)
        _judge(wanted, dns)

    assert len(server.asked) == before
