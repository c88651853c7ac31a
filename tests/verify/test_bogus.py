from collections.abc import Iterator, Sequence

import dns.flags
import dns.message
import dns.rcode
import pytest

from sendwright.verify import bogus, spf, verify
from sendwright.verify.finding import Status
from sendwright.verify.look import Told
from sendwright.verify.rules.spf import CHECKS
from sendwright.verify.target import Target
from tests.verify.loopback import from_records, serving
from tests.verify.names import Names, zone
from tests.verify.worlds import look_at

DOMAIN = "bogus.example"
WORLD = zone(f"""
.          IN SOA a. b. 1 2 3 4 5
example.   IN SOA a. b. 1 2 3 4 5
{DOMAIN}.  IN SOA a. b. 1 2 3 4 5
{DOMAIN}.  IN MX 10 mx.{DOMAIN}.
{DOMAIN}.  IN TXT "v=spf1 mx -all"
""")


@pytest.fixture
def resolver() -> Iterator[str]:
    """A validating resolver that takes everything of one zone for forged."""
    answering = from_records(WORLD, secure={"."})

    def validating(message: bytes, stream: bool) -> Sequence[bytes]:
        query = dns.message.from_wire(message)
        if query.flags & dns.flags.CD or not query.question[0].name.to_text().endswith(f"{DOMAIN}."):
            return answering(message, stream)
        reply = dns.message.make_response(query)
        reply.set_rcode(dns.rcode.SERVFAIL)
        return (reply.to_wire(),)

    with serving(validating) as server:
        yield f"127.0.0.1:{server.port}"


def test_a_bogus_zone_is_one_failure(resolver: str) -> None:
    """Nine groups would fail for one cause; of what a domain may do without nothing is said."""
    found = verify([DOMAIN], resolver=resolver, skip=["blocklist"], timeout=1).findings

    assert [f.check for f in found if f.status is Status.FAIL] == ["dns.dnssec"]
    rest = [f for f in found if not f.check.startswith("dns.")]
    assert {f.check for f in rest} == {"mx.present", "spf.present", "dkim.present", "dmarc.present"}
    assert {f.status for f in rest} == {Status.UNKNOWN}
    assert len(rest) == 4
    assert all("dns.dnssec" in f.seen for f in rest)


def test_a_group_fails_by_itself_where_the_check_of_dnssec_was_not_chosen(resolver: str) -> None:
    """Somebody has to say it."""
    (found,) = verify([DOMAIN], resolver=resolver, only=["spf"], timeout=1).findings

    assert (found.check, found.status) == ("spf.present", Status.FAIL)


def test_a_group_that_was_told_something_says_what_it_is() -> None:
    """One signature may be bad, and the next one good: then records are judged."""
    told = {(DOMAIN, "SOA"): Told.BOGUS}
    some, none = (
        Names(WORLD, each) for each in (told, {**told, (DOMAIN, "TXT"): Told.BOGUS, (DOMAIN, "SPF"): Told.BOGUS})
    )

    judged, silent = (bogus.once(CHECKS, spf.check, Target(DOMAIN), look_at(names)) for names in (some, none))
    assert {"spf.single", "spf.lookups"} <= {finding.check for finding in judged}
    assert [(finding.check, finding.status) for finding in silent] == [("spf.present", Status.UNKNOWN)]
