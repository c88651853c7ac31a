"""What stands at domains: locked ones, the way to submission, and who may issue certificates."""

from typing import Any

import pytest

from sendwright.dns.rdata import canonical, joined
from sendwright.dns.records import Record, desired
from sendwright.plan import Stage
from sendwright.stack import Stack

MX1 = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
MX2 = {"name": "mx2.example.com", "ssh": {"hostname": "mx2"}, "egress": [{"public": "203.0.113.20"}]}
DRAINING = {**MX2, "state": "draining"}


def records(*hosts: dict[str, Any], **domain: Any) -> tuple[Record, ...]:
    """Return the records of example.org, as one of two domains."""
    domains = [{"name": "example.com", "dns": "main"}, {"name": "example.org", "dns": "main", **domain}]
    found = desired(Stack.model_validate({"hosts": hosts or [MX1], "domains": domains}), ())
    return tuple(r for r in found if r.name.endswith("example.org"))


def locked(**more: Any) -> dict[tuple[str, str], Record]:
    """Return the records of example.org, which sends nothing, by name and type."""
    return {(r.name, r.type): r for r in records(sends=False, **more)}


def test_a_locked_domain_refuses_whatever_claims_to_come_from_it() -> None:
    """No address may send, mail that fails is rejected, and no selector has a key."""
    found = {name: joined(record.value).decode() for (name, _), record in locked().items()}

    assert found == {
        "example.org": "v=spf1 -all",
        "_dmarc.example.org": "v=DMARC1; p=reject",
        "*._domainkey.example.org": "v=DKIM1; p=",
    }


def test_a_locked_domain_waits_for_nothing() -> None:
    """None of its own mail is on its way: what was sent before keeps its terms and keys until it has arrived."""
    for record in locked().values():
        assert (record.stage, record.tightens) == (Stage.EXPAND, None)


def test_reports_on_who_forges_a_locked_domain_go_where_it_says() -> None:
    """Mail does not come here, so there is no default."""
    rua = locked(dmarc={"rua": ["mailto:dmarc@example.com"]})["_dmarc.example.org", "TXT"]

    assert joined(rua.value) == b"v=DMARC1; p=reject; rua=mailto:dmarc@example.com"


def test_a_null_mx_comes_in_one_step_with_the_withdrawal_of_others() -> None:
    """It must be the only one (RFC 7505 section 3), and replaces a foreign one only with consent."""
    alone, replacing = (locked(mx="none", **more)["example.org", "MX"] for more in ({}, {"replace_mx": True}))

    assert (alone.value, alone.stage, alone.replaces) == ("0 .", Stage.CONTRACT, False)
    assert replacing.replaces


@pytest.mark.parametrize(("verdict", "stage"), [("-all", Stage.SWITCH), ("~all", None), ("?all", None)])
def test_a_verdict_that_refuses_mail_waits_until_ours_leaves_as_declared(verdict: str, stage: Stage | None) -> None:
    """The terms come first; that nobody else may send is said when the hosts are known to send from them."""
    (spf,) = (r for r in records(spf={"all": verdict}) if (r.name, r.type) == ("example.org", "TXT"))

    assert (spf.stage, spf.tightens) == (Stage.EXPAND, stage)


def test_mail_programs_find_the_submission_ports_of_each_active_host() -> None:
    """Implicit TLS is tried first (RFC 8314), the hosts share the work, and nothing leads to a draining one."""
    both = [(r.name, r.value) for r in records(MX1, MX2) if r.type == "SRV"]
    one = [r.value for r in records(MX1, DRAINING) if r.type == "SRV"]

    assert both == [
        ("_submission._tcp.example.org", "10 1 587 mx1.example.com."),
        ("_submission._tcp.example.org", "10 1 587 mx2.example.com."),
        ("_submissions._tcp.example.org", "0 1 465 mx1.example.com."),
        ("_submissions._tcp.example.org", "0 1 465 mx2.example.com."),
    ]
    assert one == ["10 1 587 mx1.example.com.", "0 1 465 mx1.example.com."]


def test_submission_is_pointed_at_when_it_has_opened() -> None:
    """It opens in the switch."""
    assert {r.stage for r in records() if r.type == "SRV"} == {Stage.SWITCH}


@pytest.mark.parametrize(
    ("domain", "services"),
    [
        ({}, 2),
        ({"submission_srv": False}, 0),
        ({"mx": "elsewhere"}, 0),
        ({"mx": "elsewhere", "submission_srv": True}, 2),
        ({"sends": False}, 0),
    ],
)
def test_where_mailboxes_are_elsewhere_mail_programs_are_left_to_go_there(
    domain: dict[str, Any], services: int
) -> None:
    """The records of one provider must not be mixed with ours, unless somebody says so."""
    assert len([r for r in records(**domain) if r.type == "SRV"]) == services


def test_only_declared_authorities_may_issue_certificates() -> None:
    """None declared, none written: an empty list is no prohibition (RFC 8659)."""
    values = [r.value for r in records(caa=["letsencrypt.org", "PKI.goog."]) if r.type == "CAA"]

    assert values == ['0 issue "letsencrypt.org"', '0 issue "pki.goog"']
    assert not [r for r in records() if r.type == "CAA"]


def test_every_value_is_written_in_its_canonical_form() -> None:
    """It is what values are compared and claimed by."""
    found = (*records(MX1, MX2, caa=["letsencrypt.org"]), *locked(mx="none").values())

    assert {r.type for r in found} == {"TXT", "MX", "SRV", "CAA"}
    assert all(canonical(r.type, r.value) == r.value for r in found)
