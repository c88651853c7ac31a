"""Every check of ``verify`` sees what is broken, and holds where nothing is: servers are real."""

from typing import Any

import pytest

from tests.lab.verify.blocklists import DEAD, REFUSES
from tests.lab.verify.cases import DOMAINS, INVENTORY, OURS, SERVERS, Case
from tests.lab.verify.servers import GOOD
from tests.lab.verify.world import Broken

pytestmark = pytest.mark.lab


def said(findings: list[dict[str, Any]], check: str, subject: str) -> list[dict[str, Any]]:
    """Return what was said of a subject by a check."""
    return [f for f in findings if f["check"] == check and f["subject"]["name"] == subject]


def judge(findings: list[dict[str, Any]], case: Case) -> None:
    """Assert that a case is told apart from the world in which its check holds."""
    broken, good = said(findings, case.check, case.breaks), said(findings, case.check, case.holds)

    assert [f for f in broken if f["status"] == case.says], broken
    assert all(f["seen"] for f in broken)
    assert all(f["advice"] for f in broken if f["status"] in {"fail", "warn"})
    assert good
    assert {f["status"] for f in good if f["target"] not in {DEAD, REFUSES}} == {"pass"}, good


@pytest.mark.parametrize("case", [*DOMAINS, *SERVERS], ids=lambda case: f"{case.check}-{case.breaks}")
def test_a_check_fails_where_its_rule_is_broken_and_passes_where_it_holds(broken: Broken, case: Case) -> None:
    """For any domain of anybody, with nothing but DNS and the network."""
    judge(broken.anybody, case)


@pytest.mark.parametrize("case", INVENTORY, ids=lambda case: f"{case.check}-{case.breaks}")
def test_what_is_found_is_compared_with_the_inventory(broken: Broken, case: Case) -> None:
    """The one that was provisioned is as it says; of the other one nothing is."""
    judge(broken.inventories, case)


def test_a_good_domain_has_nothing_to_mend(broken: Broken) -> None:
    """No check cries wolf."""
    named = {GOOD, f"mx.{GOOD}", f"submit.{GOOD}"}
    found = [f for f in broken.anybody if f["subject"]["name"] in named]

    assert found
    assert [f for f in found if f["status"] != "pass" and f["target"] not in {DEAD, REFUSES}] == []


def test_a_provisioned_host_agrees_to_no_weak_tls(broken: Broken) -> None:
    """On every port, as its templates have it."""
    wanted = {"tls.ciphers", "tls.key-exchange", "tls.legacy"}
    found = [f for f in broken.inventories if f["check"] in wanted and f["subject"]["name"] == f"mx.{OURS}"]

    assert {f["check"] for f in found} == wanted
    assert {f["status"] for f in found} == {"pass"}, found


@pytest.mark.parametrize(("place", "subject"), [(DEAD, f"mx.{GOOD}"), (REFUSES, GOOD)])
def test_a_blocklist_that_lists_everything_or_refuses_is_no_listing(broken: Broken, place: str, subject: str) -> None:
    """Listed, not listed and not to be told are three things."""
    (found,) = (f for f in broken.anybody if f["target"] == place and f["subject"]["name"] == subject)

    assert found["status"] == "unknown"
    assert "cannot tell" in found["seen"]
