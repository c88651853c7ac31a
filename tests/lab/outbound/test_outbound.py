"""Mail that we send goes only to servers that prove what their domain publishes; the log says why where it does not."""

import pytest

from tests.lab.outbound.receivers import (
    DANE,
    DANE_HALF,
    DANE_STS_WRONG,
    DANE_WRONG,
    DANE_WRONG_STS,
    DEMANDED,
    NEITHER,
    OVERRIDDEN,
    PLAIN,
    STS,
    STS_MX,
    STS_PLAIN,
    STS_TESTING,
    STS_UNTRUSTED,
    Stranger,
)
from tests.lab.outbound.sending import Outbound

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("to", "tls"),
    [
        pytest.param(DANE, "Verified", id="TLSA right"),
        pytest.param(DANE_STS_WRONG, "Verified", id="TLSA right, policy wrong"),
        pytest.param(STS, "Verified", id="policy right"),
        pytest.param(STS_TESTING, "Untrusted", id="policy in testing"),
        pytest.param(NEITHER, "Untrusted", id="neither"),
        pytest.param(PLAIN, "", id="neither, and no TLS"),
        pytest.param(OVERRIDDEN, "Untrusted", id="override"),
    ],
)
def test_mail_goes_to_who_proves_what_it_publishes(outbound: Outbound, host: str, to: Stranger, tls: str) -> None:
    """By DANE, else by MTA-STS, else opportunistically; an override comes before both."""
    found = outbound.sent(host, to)

    assert found.delivered, found.why
    assert found.tls == tls


@pytest.mark.parametrize(
    ("to", "reasons"),
    [
        pytest.param(DANE_WRONG, ("Server certificate not",), id="TLSA wrong"),
        pytest.param(DANE_WRONG_STS, ("Server certificate not",), id="TLSA wrong, policy right"),
        pytest.param(STS_UNTRUSTED, ("Server certificate not",), id="policy, certificate of nobody's"),
        pytest.param(STS_PLAIN, ("TLS is required, but was not offered",), id="policy, no TLS"),
        pytest.param(STS_MX, ("client TLS configuration problem",), id="policy with other hosts"),
        pytest.param(DEMANDED, ("TLS is required, but was not offered",), id="override, no TLS"),
    ],
)
def test_mail_waits_for_who_does_not_prove_it_and_the_log_says_why(
    outbound: Outbound, host: str, to: Stranger, reasons: tuple[str, ...]
) -> None:
    """It stays in the queue and is tried again: a server may be mended."""
    found = outbound.sent(host, to)

    assert not found.delivered
    assert all(reason in found.why for reason in reasons), found.why


def test_a_host_without_tlsa_gets_no_mail_of_a_destination_that_enforces_a_policy(
    outbound: Outbound, host: str
) -> None:
    """The other host of the same destination, whose TLSA record is right, gets it."""
    found = outbound.sent(host, DANE_HALF)

    assert found.delivered
    assert found.relay.startswith(DANE_HALF.host)
    assert found.tls == "Verified"
