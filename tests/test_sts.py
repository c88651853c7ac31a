"""Policies of MTA-STS: which domains have one, what it says, and when senders hear of another one."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sendwright import sts
from sendwright.stack import Stack
from sendwright.state.model import Claim
from sendwright.verify.records.sts_policy import Mode, parse

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1, MX2 = "mx1.example.com", "mx2.example.com"


def stack(tls: str = "acme", **domain: Any) -> Stack:
    """Return two hosts and a domain, with further settings of either."""
    hosts = [
        {"name": name, "ssh": {"hostname": name}, "egress": [{"public": f"203.0.113.{n}"}], "tls": tls}
        for n, name in enumerate((MX1, MX2), 10)
    ]
    return Stack.model_validate({"hosts": hosts, "domains": [{"name": "example.com", "dns": "main", **domain}]})


def text(of: Stack, *claims: Claim) -> str | None:
    """Return the policy of the domain."""
    return sts.policy(of, of.domains[0], claims)


def mx(host: str) -> Claim:
    """Return the claim on an MX that leads to a host."""
    return Claim("example.com", "example.com", "MX", f"10 {host}.", NOW, "main")


def test_a_domain_whose_mail_comes_to_hosts_with_acme_starts_in_testing() -> None:
    """Senders report and deliver; our own parser reads what we write, and each line ends as RFC 8461 has it."""
    found = text(stack())

    assert found is not None
    policy = parse(found)
    assert (policy.mode, policy.mx, policy.ignored) == (Mode.TESTING, (MX1, MX2), ())
    assert policy.max_age == 7 * 86400
    assert found.count("\r\n") == found.count("\n") == 5


@pytest.mark.parametrize(
    ("tls", "domain"),
    [
        ("self-signed", {}),
        ("acme", {"mta_sts": {"mode": "off"}}),
        ("acme", {"mx": "elsewhere"}),
        ("acme", {"sends": False, "mx": "none"}),
        ("acme", {"dns": None}),
    ],
)
def test_any_other_domain_has_no_policy_by_itself(tls: str, domain: dict[str, Any]) -> None:
    """Nobody could fetch it, or its owner has to publish the name of it first."""
    of = stack(tls, **domain)

    assert text(of) is None
    assert sts.names(of, of.hosts[0]) == (MX1,)


def test_the_owner_of_a_zone_that_is_not_ours_may_ask_for_one() -> None:
    """And then publishes what the plan asks for."""
    of = stack(dns=None, mta_sts={"mode": "enforce"})

    assert "mode: enforce" in (text(of) or "")
    assert sts.names(of, of.hosts[0]) == (MX1, "mta-sts.example.com")


def test_a_policy_names_the_host_of_a_withdrawn_mx_while_the_ledger_remembers_it() -> None:
    """Caches lead senders to it, and those that enforce would not deliver."""
    of = stack()
    alone = of.model_copy(update={"domains": (of.domains[0].model_copy(update={"hosts": (MX1,)}),)})

    assert parse(text(alone, mx(MX1), mx(MX2)) or "").mx == (MX1, MX2)
    assert parse(text(alone, mx(MX1)) or "").mx == (MX1,)


def test_the_id_changes_when_the_bytes_do_and_only_then() -> None:
    """Senders fetch a policy again when the id is another one (RFC 8461 section 3.1)."""
    first, again = text(stack(), mx(MX1), mx(MX2)), text(stack(), mx(MX2), replace(mx(MX1), since=NOW.replace(day=2)))
    other = text(stack(mta_sts={"mode": "enforce"}))

    assert first == again
    assert sts.policy_id(first or "") == sts.policy_id(again or "") != sts.policy_id(other or "")
    assert sts.record_text(sts.policy_id(first or "")).startswith("v=STSv1; id=")


def test_a_draining_host_serves_no_policy_and_is_in_none() -> None:
    """It is out of MX."""
    of = stack()
    draining = of.hosts[1].model_copy(update={"state": "draining"})
    after = of.model_copy(update={"hosts": (of.hosts[0], draining)})

    assert parse(text(after) or "").mx == (MX1,)
    assert sts.domains(after, draining) == ()
