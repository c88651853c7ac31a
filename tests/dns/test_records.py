from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sendwright.dns.rdata import joined
from sendwright.dns.records import Record, desired, first_stage, provider_of
from sendwright.plan import Stage
from sendwright.stack import DkimAlgorithm, KeyStore, Stack
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _host(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ssh": {"hostname": name}, "egress": [{"public": a} for a in addresses], **more}


def _stack(hosts: list[dict[str, Any]], *domains: dict[str, Any]) -> Stack:
    return Stack.model_validate({"hosts": hosts, "domains": [{"dns": "main", **d} for d in domains]})


def _texts(records: tuple[Record, ...], name: str, rdtype: str) -> list[str]:
    found = [r.value for r in records if (r.name, r.type) == (name, rdtype)]
    return [joined(v).decode() for v in found] if rdtype == "TXT" else found


def _key(stage: KeyStage = KeyStage.SIGNING, domain: str = "example.com") -> DkimKey:
    return DkimKey(domain, "r1", DkimAlgorithm.RSA, "TUlJQg==", "00", NOW, stage)


MX1 = _host("mx1.example.com", "203.0.113.10", "2001:db8::10")
MX2 = _host("mx2.example.com", "203.0.113.20", state="draining")


def test_a_host_has_every_address_that_it_sends_from_at_its_name() -> None:
    """HELO name, A and AAAA agree (RFC 5321 section 4.1.4)."""
    records = desired(_stack([MX1], {"name": "example.com"}), ())

    assert _texts(records, "mx1.example.com", "A") == ["203.0.113.10"]
    assert _texts(records, "mx1.example.com", "AAAA") == ["2001:db8::10"]


def test_the_helo_name_has_a_strict_spf_record_of_that_host_only() -> None:
    """Bounces are judged by the HELO name (RFC 7208 section 2.3), which nobody else greets with."""
    records = desired(_stack([MX1, MX2], {"name": "example.com"}), ())

    assert _texts(records, "mx1.example.com", "TXT") == ["v=spf1 ip4:203.0.113.10 ip6:2001:db8::10 -all"]


def test_a_domains_spf_lists_all_its_hosts_draining_ones_and_declared_senders_included() -> None:
    """A draining host still empties its queue, so receivers must still accept it."""
    spf = {"include": ["_spf.example.net"], "addresses": ["198.51.100.7"], "all": "-all"}
    records = desired(_stack([MX1, MX2], {"name": "example.com", "spf": spf}), ())

    assert _texts(records, "example.com", "TXT") == [
        "v=spf1 ip4:198.51.100.7 ip4:203.0.113.10 ip4:203.0.113.20 ip6:2001:db8::10 include:_spf.example.net -all"
    ]


def test_a_host_named_as_a_domain_shares_its_one_spf_record() -> None:
    """There may be only one SPF record at a name (RFC 7208 section 3.2), and both uses pass by it."""
    hosts = [_host("example.com", "203.0.113.1"), MX1]
    records = desired(_stack(hosts, {"name": "example.com", "hosts": ["mx1.example.com"]}), ())

    assert _texts(records, "example.com", "TXT") == ["v=spf1 ip4:203.0.113.1 ip4:203.0.113.10 ip6:2001:db8::10 ~all"]


def test_only_active_hosts_are_in_mx_and_only_after_they_take_mail() -> None:
    """An MX must point at a working service; a draining host takes no new mail."""
    records = [r for r in desired(_stack([MX1, MX2], {"name": "example.com"}), ()) if r.type == "MX"]

    assert [(r.name, r.value, r.stage) for r in records] == [("example.com", "10 mx1.example.com.", Stage.HOSTS)]


def test_the_mx_of_a_domain_that_receives_elsewhere_is_not_ours() -> None:
    """``elsewhere`` means that no MX is desired at all."""
    records = desired(_stack([MX1], {"name": "example.com", "mx": "elsewhere"}), ())

    assert not [r for r in records if r.type == "MX"]


@pytest.mark.parametrize("stage", [s for s in KeyStage if s is not KeyStage.REMOVED])
def test_every_key_that_is_not_removed_has_its_record(stage: KeyStage) -> None:
    """A key's record outlives its use, for mail still on its way; revocation empties ``p=``, last of all."""
    records = desired(_stack([MX1], {"name": "example.com"}), [_key(stage)])
    (record,) = [r for r in records if r.name == "r1._domainkey.example.com"]

    revoked = stage is KeyStage.REVOKED
    assert joined(record.value).decode().rstrip("; ").endswith("p=" if revoked else "p=TUlJQg==")
    alone = {KeyStage.REVOKED: Stage.CONTRACT, KeyStage.GENERATED: Stage.HOSTS}
    assert record.stage is alone.get(stage, Stage.EXPAND)


def test_a_new_key_is_no_addition_like_others_unless_a_command_makes_it_durable() -> None:
    """Without a push its record waits for a copy on a host: the only one may vanish with this machine."""
    stack = _stack([MX1], {"name": "example.com"})
    pushed = stack.model_copy(update={"key_store": KeyStore(push=("git", "push"))})

    assert first_stage(stack, _key(KeyStage.GENERATED)) is Stage.HOSTS
    assert first_stage(pushed, _key(KeyStage.GENERATED)) is Stage.EXPAND


def test_a_key_that_nobody_has_seen_and_no_algorithm_asks_for_is_not_published() -> None:
    """Its algorithm was taken out of the inventory before its record was written; a published one keeps its record."""
    stack = _stack([MX1], {"name": "example.com", "dkim": {"algorithms": ["rsa"]}})

    def published(stage: KeyStage) -> bool:
        key = replace(_key(stage), algorithm=DkimAlgorithm.ED25519)
        return any("_domainkey" in r.name for r in desired(stack, [key]))

    assert not published(KeyStage.GENERATED)
    assert published(KeyStage.PUBLISHED)


def test_removed_keys_and_keys_of_undeclared_domains_have_none() -> None:
    """What is not desired is withdrawn, if it is ours."""
    keys = [_key(KeyStage.REMOVED), _key(domain="example.org")]

    assert not [r for r in desired(_stack([MX1], {"name": "example.com"}), keys) if "_domainkey" in r.name]


def test_dmarc_says_only_what_is_not_the_default() -> None:
    """RFC 9989: no pct, rf or ri; defaults are left out."""
    plain = {"name": "example.com", "mx": "elsewhere", "dmarc": {"subdomains": "none"}}
    full = {
        "policy": "quarantine",
        "subdomains": "reject",
        "nonexistent": "quarantine",
        "alignment": "strict",
        "rua": ["mailto:a@example.com", "mailto:b@example.com"],
        "ruf": ["mailto:c@example.com"],
    }

    short = desired(_stack([MX1], plain), ())
    long = desired(_stack([MX1], {"name": "example.com", "dmarc": full}), ())

    assert _texts(short, "_dmarc.example.com", "TXT") == ["v=DMARC1; p=none"]
    tags = "v=DMARC1; p=quarantine; sp=reject; np=quarantine; adkim=s; aspf=s"
    reports = "rua=mailto:a@example.com,mailto:b@example.com; ruf=mailto:c@example.com"
    assert _texts(long, "_dmarc.example.com", "TXT") == [f"{tags}; {reports}"]


@pytest.mark.parametrize(
    ("dmarc", "stage"),
    [({}, Stage.EXPAND), ({"policy": "reject"}, Stage.SWITCH), ({"subdomains": "reject"}, Stage.SWITCH)],
)
def test_a_policy_that_can_cost_mail_waits_for_proven_signatures(dmarc: dict[str, str], stage: Stage) -> None:
    """Tightening is part of the switch."""
    records = desired(_stack([MX1], {"name": "example.com", "dmarc": dmarc}), ())

    assert [r.stage for r in records if r.name == "_dmarc.example.com"] == [stage]


def test_tls_reports_are_asked_for_where_somebody_reads_them() -> None:
    """RFC 8460; no address, no record."""
    here = desired(_stack([MX1], {"name": "example.com"}), ())
    elsewhere = desired(_stack([MX1], {"name": "example.com", "mx": "elsewhere"}), ())

    assert _texts(here, "_smtp._tls.example.com", "TXT") == ["v=TLSRPTv1; rua=mailto:tls-reports@example.com"]
    assert _texts(elsewhere, "_smtp._tls.example.com", "TXT") == []


def test_the_order_of_the_inventory_makes_no_difference() -> None:
    """Otherwise moving a line would change records."""
    domains = ({"name": "example.com"}, {"name": "example.net"})

    assert desired(_stack([MX1, MX2], *domains), ()) == desired(_stack([MX2, MX1], *reversed(domains)), ())


def test_every_record_says_why_it_is_there() -> None:
    """The plan shows it to people."""
    records = desired(_stack([MX1, MX2], {"name": "example.com"}), [_key()])

    assert all(r.why for r in records)


def test_a_name_is_served_by_the_provider_of_the_domain_it_lies_in() -> None:
    """A host outside of every declared domain has none: its records are for a person to set."""
    stack = _stack([MX1], {"name": "example.com", "dns": "one"}, {"name": "eu.example.com", "dns": "two"})

    assert provider_of(stack, "mx1.example.com") == "one"
    assert provider_of(stack, "_dmarc.eu.example.com") == "two"
    assert provider_of(stack, "mx1.example.org") is None
