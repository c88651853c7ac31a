"""Domains that send nothing: what an inventory may say of them."""

from typing import Any

import pytest

from sendwright import inventory, planning, users
from sendwright.deploys.receiving import receiving
from sendwright.errors import InventoryError, Problem, UsageError
from sendwright.overlay import inventory_files
from sendwright.stack import Domain, Mx, Stack

HOST: tuple[str, dict[str, Any]] = ("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})
PROVIDER = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "K"}}}


def parsed(*hosts: tuple[str, dict[str, Any]], **locked: Any) -> Stack:
    """Return a stack that sends for example.com and has example.org locked."""
    domains = {"example.com": {"dns": "main"}, "example.org": {"dns": "main", "sends": False, **locked}}
    return inventory.parse([HOST, *hosts], {"dns": {"main": PROVIDER}, "domains": domains}, "test")


def problems(*hosts: tuple[str, dict[str, Any]], **locked: Any) -> tuple[Problem, ...]:
    """Return the mistakes of such an inventory."""
    try:
        parsed(*hosts, **locked)
    except InventoryError as error:
        return error.problems
    return ()


def test_no_host_has_anything_to_do_with_a_locked_domain() -> None:
    """It is a matter of DNS only: no key is made, no mail is signed or taken."""
    stack = parsed()
    (host,) = stack.hosts

    assert stack.hosts_of(stack.domain("example.org")) == ()
    assert [d.name for d in stack.domains_of(host)] == ["example.com"]
    assert {domain.name for domain, _ in planning.missing_keys(stack, ())} == {"example.com"}
    assert "example.org" not in receiving(stack, host).domains


def test_reports_about_a_locked_domain_find_their_mailbox() -> None:
    """Its DMARC record asks for them at a domain that receives here."""
    stack = parsed(dmarc={"rua": ["mailto:forged@example.com"]})

    assert "forged@example.com" in receiving(stack, stack.hosts[0]).addresses


def test_nobody_may_send_as_a_locked_domain() -> None:
    """Neither as all of it nor as one address there; the sentence says what it is."""
    for sender in ("example.org", "shop@example.org"):
        with pytest.raises(UsageError, match=r"example\.org sends no mail") as refused:
            users.add((), "shop", str, [sender], parsed())
        assert "sends is False" in refused.value.hint


@pytest.mark.parametrize(
    ("written", "mx"), [({}, Mx.ELSEWHERE), ({"mx": "elsewhere"}, Mx.ELSEWHERE), ({"mx": "none"}, Mx.NONE)]
)
def test_the_mx_of_a_locked_domain_is_left_alone_unless_it_is_said_to_take_no_mail(
    written: dict[str, str], mx: Mx
) -> None:
    """A domain may send nothing and receive all the same."""
    assert parsed(**written).domain("example.org").mx is mx


@pytest.mark.parametrize(
    ("locked", "setting"),
    [
        ({"hosts": ["mx1.example.com"]}, "hosts"),
        ({"dkim": {"rsa_bits": 4096}}, "dkim"),
        ({"spf": {"include": ["_spf.example.net"]}}, "spf"),
        ({"receive": {"aliases": {"info": None}}}, "receive"),
        ({"replace_mx": True}, "replace_mx"),
        ({"submission_srv": True}, "submission_srv"),
        ({"mx": "here"}, "mx"),
        ({"mx": "none", "tls_rpt": {"rua": ["mailto:tls@example.com"]}}, "tls_rpt"),
        ({"dmarc": {"policy": "none"}}, "dmarc › policy"),
        ({"dmarc": {"alignment": "strict"}}, "dmarc › alignment"),
    ],
)
def test_what_makes_no_sense_for_a_locked_domain_is_a_mistake_that_says_so(
    locked: dict[str, Any], setting: str
) -> None:
    """A setting without effect would be read as one that has it."""
    (found,) = problems(**locked)

    assert found.place == f"domains › example.org › {setting}"
    assert "contradicts sends" in found.what


def test_what_makes_sense_for_a_locked_domain_is_no_mistake() -> None:
    """Reports show who forges it; the consent to replace an MX holds for a null MX too."""
    reports = {"policy": "reject", "rua": ["mailto:dmarc@example.com"]}

    assert problems(dmarc=reports, mx="none", replace_mx=True) == ()


def test_a_host_has_its_name_in_a_domain_that_sends() -> None:
    """Its bounces come from its own name, and are signed by the domain above it."""
    (found,) = problems(("mx.example.org", {"egress": [{"public": "203.0.113.11"}]}))

    assert found.place == "hosts › mx.example.org"
    assert "sends nothing" in found.what


def test_a_domain_that_sends_takes_its_bounces() -> None:
    """A null MX is for domains that send nothing (RFC 7505 section 4.2)."""
    with pytest.raises(InventoryError) as refused:
        inventory.parse(
            [HOST], {"dns": {"main": PROVIDER}, "domains": {"example.com": {"dns": "main", "mx": "none"}}}, "test"
        )

    assert [p.place for p in refused.value.problems] == ["domains › example.com › mx"]


@pytest.mark.parametrize("locked", [{}, {"mx": "none"}, {"dmarc": {"rua": ["mailto:dmarc@example.com"]}}])
def test_a_locked_domain_stays_one_when_an_inventory_is_written_anew(locked: dict[str, Any]) -> None:
    """A rehearsal writes the inventory of its lab."""
    stack = parsed(**locked)
    written: dict[str, Any] = {}
    exec(inventory_files(stack)["group_data/all.py"], written)  # noqa: S102 - it is how an inventory is read

    again = Domain.model_validate({"name": "example.org", **written["domains"]["example.org"]})

    assert again == stack.domain("example.org")
