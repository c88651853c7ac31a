"""What ``verify`` says of certificates, keys and policies as they should be, and of each that is not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from sendwright import sts, tlsa
from sendwright.dns.rdata import txt
from sendwright.lab import RRset
from sendwright.lab.clients import wait
from tests.lab.tls.world import BOTH, FOUR, FOURTH, ONE, THREE, TWO, Tls

pytestmark = pytest.mark.lab

Findings = list[dict[str, Any]]
_ABOUT = "tls,dane,mta-sts,dns.as-desired"


def verified(tls: Tls, *argv: str) -> Findings:
    """Return what ``verify`` finds now, with nothing but the inventory: it names the roots of its authority."""
    argv = ("--format", "json", "--timeout", "5", "--only", _ABOUT, *argv)
    done = tls.world.sendwright("verify", str(tls.world.folder), *argv, timeout=240)
    assert done.returncode in {0, 1}, done.stderr
    found: Findings = json.loads(done.stdout)["findings"]
    return found


def said(found: Findings, check: str, subject: str) -> set[str]:
    """Return how a check was judged of a host or a domain."""
    return {f["status"] for f in found if f["check"] == check and f["subject"]["name"] == subject}


def wrong(found: Findings, subject: str) -> list[str]:
    """Return what did not pass of a host or a domain, as lines."""
    mine = (f for f in found if f["subject"]["name"] == subject and f["status"] != "pass")
    return [f"{f['check']} {f['status']} {f['target']}: {f['seen']}" for f in mine]


def test_a_world_at_rest_is_as_declared(tls: Tls) -> None:
    """Chains, keys in use and coming, policies to the byte: nothing fails, and nothing about them is warned of."""
    tls.at_rest()

    found = verified(tls)

    for host in (ONE, TWO, THREE, FOUR):
        for check in ("tls.chain", "tls.days", "tls.as-desired", "dane.matches", "dane.next", "dane.as-desired"):
            assert said(found, check, host) == {"pass"}, wrong(found, host)
    for domain in (BOTH, FOURTH):
        for check in ("mta-sts.policy", "mta-sts.mode", "mta-sts.mx", "mta-sts.as-desired", "dns.as-desired"):
            assert said(found, check, domain) == {"pass"}, wrong(found, domain)


def test_a_strange_key_and_another_id_are_told(tls: Tls) -> None:
    """A record of a key that nobody here has; and an id by which senders do not hear of the policy."""
    name = f"_25._tcp.{FOUR}"
    strange = RRset(name, "TLSA", 300, (*tls.at(name, "TLSA"), tlsa.value("ab" * 32)))
    other = RRset(f"_mta-sts.{FOURTH}", "TXT", 300, (txt(sts.record_text("20200101000000")),))

    with published(tls, strange, other):
        found = verified(tls)

    assert said(found, "dane.as-desired", FOUR) == {"warn"}
    assert said(found, "mta-sts.as-desired", FOURTH) == {"warn"}


def test_a_key_that_no_record_is_about_fails_before_a_sender_finds_out(tls: Tls) -> None:
    """Whoever holds to DANE would keep their mail."""
    with published(tls, RRset(f"_25._tcp.{FOUR}", "TLSA", 300, (tlsa.value("ab" * 32),))):
        found = verified(tls)

    assert said(found, "dane.as-desired", FOUR) == {"fail"}
    assert said(found, "dane.matches", FOUR) == {"fail"}


def test_a_renewal_that_did_not_come_is_an_error_with_what_to_do(tls: Tls) -> None:
    """A certificate of six days of which a fifth is left, and an authority that refuses: it is said, loudly."""
    tls.aged(ONE, timedelta(days=6), 1 / 5)
    with tls.world.lab.authority.refusing():
        assert tls.certs("renew", "--limit", ONE).returncode == 1
        late = [f for f in verified(tls) if f["check"] == "tls.days" and f["subject"]["name"] == ONE]
        listed = tls.certs("list", "--limit", ONE).stdout

    assert {f["status"] for f in late} == {"fail"}
    assert all("sendwright certs renew" in f["advice"] for f in late)
    assert "should have been renewed since" in listed
    tls.renew("--limit", ONE)
    assert said(verified(tls), "tls.days", ONE) == {"pass"}


@contextmanager
def published(tls: Tls, *records: RRset) -> Iterator[None]:
    """Have other records stand in the zone of the fourth domain for a while."""
    before = [RRset(r.name, r.type, 300, tls.at(r.name, r.type)) for r in records]
    try:
        _publish(tls, records)
        yield
    finally:
        _publish(tls, before)


def _publish(tls: Tls, records: Any) -> None:
    tls.world.lab.primary.replace(FOURTH, list(records))
    wait(tls.caught_up, "the secondary does not have what the primary has")
    tls.world.lab.forget()
