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
    STS_UNSIGNED,
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
        pytest.param(STS_UNSIGNED, "Verified", id="policy right, TLSA wrong and not signed"),
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


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (DANE_WRONG, "OK dane-only (every MX host has TLSA records)"),
        (STS_UNTRUSTED, "OK secure match={host} servername=hostname (MTA-STS is enforced)"),
        (STS_MX, "TEMP {domain} enforces an MTA-STS policy that none of its MX hosts is in (RFC 8461 section 5)"),
    ],
    ids=["DANE", "MTA-STS", "policy with other hosts"],
)
def test_the_journal_says_what_was_demanded_and_why(outbound: Outbound, host: str, to: Stranger, told: str) -> None:
    """Beside Postfix's own lines: which of the two it was, and what Postfix was told."""
    found = outbound.sent(host, to)

    line = told.format(host=to.host, domain=to.domain)
    assert f"{to.domain}: {line}\n" in outbound.policy_log(host)
    if line.startswith("TEMP"):
        assert f"socketmap server temporary error: {line.removeprefix('TEMP ')}" in found.log


def test_a_second_provision_changes_nothing(outbound: Outbound) -> None:
    """Both daemons are as they should be, and stay it."""
    done = outbound.world.sendwright("plan", str(outbound.world.folder), "--detailed-exitcode")

    assert done.returncode == 0, done.stdout + done.stderr


def test_other_overrides_hold_from_the_next_provision_on(outbound: Outbound) -> None:
    """What demanded too much is waived, and what demanded nothing is held to TLS, on both hosts."""
    declared = {name: override.level for name, override in outbound.stack.smtp.tls_overrides.items()}
    outbound.override({**declared, DEMANDED.domain: "may", PLAIN.domain: "encrypt"})
    try:
        for host in outbound.world.lab.hosts:
            waived, held = (outbound.send(host.name, to)[0] for to in (DEMANDED, PLAIN))
            assert outbound.outcome(host.name, waived, status="sent").delivered
            assert outbound.outcome(host.name, held).why.startswith("TLS is required, but was not offered")
    finally:
        outbound.override(declared)
