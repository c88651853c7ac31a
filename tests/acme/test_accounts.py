"""An account is made once for each authority, and whatever stands in its way is said in a sentence."""

import base64
from typing import Any

import pytest

from sendwright.errors import AuthorityError, AuthorityRefused
from tests.acme.conftest import Customer
from tests.acme.standin import StandIn, lost

SECRET = b"0123456789abcdef0123456789abcdef"
HMAC = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")


def _external(customer: Customer, secret: str, kid: str = "customer-7") -> dict[str, Any]:
    (customer.place / "hmac").write_text(f"{secret}\n")
    return {"external_account": {"kid": kid, "hmac": {"file": "hmac"}}}


def test_an_account_is_made_once_and_its_terms_are_told(customer: Customer, standin: StandIn) -> None:
    """With whom it may write to; the key rests in the state folder."""
    for _ in range(2):
        customer.issue(contact=["mailto:tls@example.com"])

    (made,) = standin.accounts.values()
    assert made["contact"] == ["mailto:tls@example.com"]
    assert sum("opening an account" in line for line in customer.said) == 1
    assert any(f"{standin.base}/terms" in line for line in customer.said)
    kept = customer.folder.account(standin.directory)
    assert kept is not None
    assert [kept.uri] == list(standin.accounts)


def test_another_contact_is_told(customer: Customer, standin: StandIn) -> None:
    """The inventory says who is written to; nobody, if it says nothing."""
    customer.issue(contact=["mailto:tls@example.com"])
    customer.issue(contact=["mailto:other@example.com"])
    (account,) = standin.accounts.values()
    assert account["contact"] == ["mailto:other@example.com"]

    customer.issue()
    assert account["contact"] == []


def test_an_authority_that_forgot_us_hears_of_the_same_key(customer: Customer, standin: StandIn) -> None:
    """Those for tests forget everything when they start."""
    customer.issue()
    before = customer.folder.account(standin.directory)
    standin.accounts.clear()

    customer.issue()

    after = customer.folder.account(standin.directory)
    assert before is not None
    assert after is not None
    assert (after.key, after.uri) != (before.key, before.uri)
    assert after.key == before.key


def test_a_key_that_a_killed_run_made_is_the_one_that_is_known(customer: Customer, standin: StandIn) -> None:
    """The authority has the account, its answer was lost: the next run finds it by its key."""
    standin.faults["newAccount"] = [lost]
    with pytest.raises(AuthorityError):
        customer.issue()

    customer.issue()

    assert len(standin.accounts) == 1


def test_an_external_account_is_bound(customer: Customer, standin: StandIn) -> None:
    """By its identifier and its HMAC key, once (RFC 8555 section 7.3.4)."""
    standin.meta["externalAccountRequired"] = True
    standin.external["customer-7"] = SECRET

    assert customer.issue(**_external(customer, HMAC))
    assert customer.issue(**_external(customer, HMAC), contact=["mailto:tls@example.com"])
    assert len(standin.accounts) == 1


def test_an_authority_for_customers_only_says_so(customer: Customer, standin: StandIn) -> None:
    """Before it is asked for anything."""
    standin.meta["externalAccountRequired"] = True

    with pytest.raises(AuthorityRefused, match=r"only for customers of its own.*acme › external_account"):
        customer.issue()

    assert "newAccount" not in standin.asked


@pytest.mark.parametrize(
    ("secret", "kid", "words"),
    [
        (base64.urlsafe_b64encode(b"another key, as long as it is").decode(), "customer-7", "does not verify"),
        (HMAC, "customer-8", "does not verify"),
        ("not a key!", "customer-7", "is no HMAC key"),
        ("", "customer-7", "holds nothing"),
    ],
)
def test_a_wrong_external_account_is_told_without_its_key(
    customer: Customer, standin: StandIn, secret: str, kid: str, words: str
) -> None:
    """Whoever named a wrong one has to know; nobody else has to see it."""
    standin.meta["externalAccountRequired"] = True
    standin.external["customer-7"] = SECRET

    with pytest.raises(AuthorityError, match=words) as refused:
        customer.issue(**_external(customer, secret, kid))

    assert not secret or secret not in str(refused.value)


def test_a_closed_account_is_told_with_the_way_to_another(customer: Customer, standin: StandIn) -> None:
    """It is not replaced in silence: somebody has closed it."""
    customer.issue()
    (account,) = standin.accounts.values()
    account["status"] = "deactivated"

    with pytest.raises(AuthorityRefused, match=r"account is deactivated.*remove accounts/[0-9a-f]{16}\.json"):
        customer.issue()
