from dataclasses import replace
from datetime import timedelta
from typing import Any

from sendwright.dns.authority import Server
from sendwright.dns.transport import NoAnswer
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import Claim, DkimKey, KeyStage, State
from sendwright.verify import zone_desired
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Look
from sendwright.verify.target import Target
from tests.verify.nameservers import Nameservers
from tests.verify.worlds import NOW, declared, host, look_at

SERVER = Server("ns1.example.com", "192.0.2.1")
SOA = "example.com. IN SOA ns1.example.com. h.example.com. 7 3600 600 86400 300\n"
ADDRESS = "mx1.example.com. IN A 192.0.2.25\n"
POLICIES = (
    '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.com"\n'
    '_smtp._tls.example.com. IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@example.com"\n'
)
SRV = (
    "_submissions._tcp.example.com. IN SRV 0 1 465 mx1.example.com.\n"
    "_submission._tcp.example.com. IN SRV 10 1 587 mx1.example.com.\n"
)
CAA = 'example.com. IN CAA 0 issue "ca.example"\n'
WHOLE = SOA + ADDRESS + POLICIES + SRV + CAA


def _target(*, signs: bool = True, claims: tuple[Claim, ...] = (), **domain: Any) -> Target:
    target = declared("example.com", host("mx1.example.com", "192.0.2.25"), **{"caa": ["ca.example"], **domain})
    assert target.declared
    stage, proven = (KeyStage.SIGNING, ("mx1.example.com",)) if signs else (KeyStage.PUBLISHED, ())
    keys = tuple(
        DkimKey("example.com", a.value, a, "YQ==", "0" * 64, NOW, stage, proven_on=proven) for a in DkimAlgorithm
    )
    return replace(target, declared=replace(target.declared, state=State(keys=keys, claims=claims)))


def _claim(name: str, rdtype: str, value: str) -> Claim:
    return Claim("example.com", name, rdtype, value, NOW - timedelta(days=400), "main", left=NOW - timedelta(days=300))


def _check(world: str, target: Target, **servers: Any) -> list[Finding]:
    asked = Nameservers({SERVER.address: {"example.com": world}}, **servers)
    look = Look(look_at("").dns, asked, "192.0.2.99", look_at("").fetch, NOW)
    found = list(zone_desired.check(target, "example.com", [SERVER], look))
    assert all(f.seen and bool(f.advice) is (f.status in {"fail", "warn"}) for f in found)
    assert len({f.identity for f in found}) == len(found)
    return found


def _missing(world: str, target: Target) -> list[tuple[str, str]]:
    return [(f.status.value, f.target.partition(":")[0]) for f in _check(world, target)]


def test_a_zone_that_holds_what_is_declared_passes() -> None:
    """Address of the host, DMARC, TLS-RPT, SRV and CAA; MX, SPF and DKIM have checks of their own."""
    (found,) = _check(WHOLE, _target())

    assert found.status is Status.PASS
    assert found.seen == "6 records as declared"


def test_a_policy_name_leads_to_every_host_that_serves_it() -> None:
    """Senders ask one of its addresses."""
    target = declared("example.com", host("mx1.example.com", "192.0.2.25", tls="acme"), caa=["ca.example"])
    assert target.declared
    ours = replace(_claim("mta-sts.example.com", "A", "192.0.2.25"), left=None)
    target = replace(target, declared=replace(target.declared, state=_target(claims=(ours,)).declared.state))  # type: ignore[union-attr]
    name = "mta-sts.example.com. IN A 192.0.2.25\n"

    assert _missing(WHOLE + name, target) == [("pass", "")]
    assert _missing(WHOLE, target) == [("fail", "A mta-sts.example.com")]
    assert ("warn", "A mta-sts.example.com") not in _missing(WHOLE + name.replace("25", "26"), target)


def test_a_domain_that_nobody_declared_has_nothing_to_compare() -> None:
    """Silence."""
    assert not _check(WHOLE, Target("example.com"))


def test_each_record_that_is_missing_or_says_something_else_fails() -> None:
    """With what is served instead, and the verb that mends it."""
    world = SOA + ADDRESS.replace("25", "26") + POLICIES + CAA.replace("ca.", "other.")

    found = _check(world, _target())

    assert sorted({(f.status.value, f.target.partition(":")[0]) for f in found}) == [
        ("fail", "A mx1.example.com"),
        ("fail", "CAA example.com"),
        ("fail", "SRV _submission._tcp.example.com"),
        ("fail", "SRV _submissions._tcp.example.com"),
    ]
    assert {f.seen.partition(" 1 587")[0] for f in found if "_submission._tcp" in f.target} == {"there is no 10"}


def test_case_cutting_and_ttl_are_no_difference() -> None:
    """Values are compared as plan does, by DNS rules."""
    world = WHOLE.replace("mx1.example.com.\n", "MX1.Example.COM.\n").replace("p=none; rua", 'p=none;" " rua')

    assert _missing(world, _target()) == [("pass", "")]


def test_what_asks_for_signatures_may_be_missing_until_every_host_signs() -> None:
    """Provision writes SRV and a strict DMARC policy last: that is no fault of the zone."""
    target = _target(signs=False, dmarc={"policy": "reject"})

    (found,) = _check(SOA + ADDRESS + POLICIES.partition("\n")[2] + CAA, target)

    assert found.status is Status.PASS
    assert found.seen == "3 records as declared; 3 wait until every host is proven to sign"


def test_a_policy_that_was_declared_and_is_not_served_fails_once_hosts_sign() -> None:
    """It was ours, and provision would tighten it now."""
    served = "v=DMARC1; p=none; rua=mailto:dmarc@example.com"
    target = _target(dmarc={"policy": "reject"}, claims=(_claim("_dmarc.example.com", "TXT", f'"{served}"'),))

    assert _missing(WHOLE, target) == [("fail", "TXT _dmarc.example.com")]


def test_somebody_elses_policy_is_told_where_another_was_declared() -> None:
    """It stays until it is adopted; where none was declared in so many words, it is welcome."""
    world = WHOLE.replace("p=none", "p=quarantine")

    found = _check(world, _target(dmarc={"policy": "reject"}))

    assert [f.status for f in found] == [Status.WARN]
    assert "dns adopt" in found[0].advice
    assert _missing(world, _target()) == [("pass", "")]


def test_what_is_ours_and_no_longer_declared_is_a_warning_once_it_is_due() -> None:
    """Before that it stays by design."""
    claim = _claim("example.com", "CAA", '0 issue "old.example"')
    world = WHOLE + 'example.com. IN CAA 0 issue "old.example"\n'

    assert _missing(world, _target(claims=(claim,))) == [("warn", "CAA example.com")]


def test_a_strange_address_at_the_name_of_a_host_fails() -> None:
    """Its name would lead elsewhere, in a family that nobody declared too."""
    found = _check(WHOLE + "mx1.example.com. IN AAAA 2001:db8::66\n", _target())

    assert [f.status for f in found] == [Status.FAIL]
    assert "2001:db8::66" in found[0].seen


def test_who_may_not_write_the_zone_is_told_what_its_owner_has_to_publish() -> None:
    """With the whole record."""
    found = _check(WHOLE.replace(ADDRESS, ""), _target(dns=None))

    assert [f.advice for f in found] == ["Have the owner of the zone publish mx1.example.com. A 192.0.2.25"]


def test_a_locked_domain_has_its_empty_wildcard_key() -> None:
    """And a DMARC policy of reject, and nothing else here."""
    target = declared("example.com", host("mx1.example.org", "192.0.2.25"), sends=False, mx="none")
    world = SOA + '_dmarc.example.com. IN TXT "v=DMARC1; p=reject"\n*._domainkey.example.com. IN TXT "v=DKIM1; p="\n'

    assert _missing(world, target) == [("pass", "")]
    assert _missing(SOA, target) == [("fail", "TXT *._domainkey.example.com"), ("fail", "TXT _dmarc.example.com")]


def test_a_server_that_falls_silent_leaves_it_open() -> None:
    """Nothing is called missing that nobody could ask for."""
    found = _check(WHOLE, _target(), silent={SERVER.address: NoAnswer("no answer within 2 s")})

    assert [f.status for f in found] == [Status.UNKNOWN]
