"""When the authority suggests to renew (RFC 9773); without a suggestion a certificate's age decides."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.acme.conftest import HOST, KEY, NAMES, SHORT, Customer
from tests.acme.standin import Answer, Fault, StandIn, hangs, never_ends, problem

NOW = datetime.now(UTC).replace(microsecond=0)


def test_a_moment_of_the_window_is_drawn(customer: Customer, standin: StandIn) -> None:
    """Any of it: not everybody comes at its beginning."""
    chain = customer.issue()
    standin.window = (NOW + timedelta(days=1), NOW + timedelta(days=2))

    drawn = {customer.authority().window(HOST, chain) for _ in range(3)}

    assert len(drawn) == 3
    assert all(when and standin.window[0] <= when <= standin.window[1] for when in drawn)


def test_an_authority_without_windows_has_none(customer: Customer) -> None:
    """It is not asked for any, and nobody is told of that."""
    chain = customer.issue()
    customer.said.clear()

    assert customer.authority().window(HOST, chain) is None
    assert not customer.said


@pytest.mark.parametrize(
    "fault",
    [
        Answer(200, b"garbage"),
        Answer(200, {"suggestedWindow": {"start": "0001-01-01T00:00:00+14:00", "end": "0001-01-01T00:00:00+14:00"}}),
        Answer(200, {"suggestedWindow": {"start": "yesterday", "end": None}}),
        problem("malformed", "unknown certificate", 404),
        hangs,
        never_ends,
    ],
    ids=["garbage", "before time", "no times", "unknown", "hangs", "never ends"],
)
def test_whatever_it_says_instead_is_no_window(customer: Customer, standin: StandIn, fault: Fault) -> None:
    """It never stands in the way of anything, and is said in a line."""
    chain = customer.issue()
    standin.window = (NOW, NOW)
    standin.faults["renewalInfo"] = [fault]
    customer.patience = SHORT
    customer.said.clear()

    assert customer.authority().window(HOST, chain) is None
    (line,) = customer.said
    assert line.isprintable()


def test_a_chain_that_is_none_has_no_window(customer: Customer, standin: StandIn) -> None:
    """Whatever lies in the state folder."""
    standin.window = (NOW, NOW)

    assert customer.authority().window(HOST, "no chain") is None


def test_an_authority_that_is_too_busy_to_suggest_anything_is_asked_for_certificates_all_the_same(
    customer: Customer, standin: StandIn
) -> None:
    """An order has more patience; but not every host waits for a suggestion that does not come."""
    chain = customer.issue()
    standin.window = (NOW, NOW)
    standin.faults["directory"] = [Answer(503, b"busy", {"Retry-After": "1"})]
    authority = customer.authority()
    customer.said.clear()

    assert authority.window(HOST, chain) is None
    assert authority.window("mx2.example.com", chain) is None
    assert authority.issue(HOST, 0, NAMES, KEY, standin.prove, lambda _: "dns-01")
    assert len([line for line in customer.said if "renewed by its age" in line]) == 1
