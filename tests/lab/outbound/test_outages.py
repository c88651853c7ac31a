"""What the death of a part does to mail: nothing goes out unprotected, and what need not wait does not wait."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.outbound.receivers import DANE, OVERRIDDEN, PLAIN, STS, STS_LATE
from tests.lab.outbound.sending import Outbound

pytestmark = pytest.mark.lab

_MAP = ("sendwright-tlspolicy.socket", "sendwright-tlspolicy.service")
_STS = ("postfix-mta-sts-resolver.service",)


@contextmanager
def away(outbound: Outbound, host: str, units: tuple[str, ...]) -> Iterator[None]:
    """Stop units while the block runs."""
    outbound.host(host).run(["systemctl", "stop", *units])
    try:
        yield
    finally:
        outbound.host(host).run(["systemctl", "start", *units])


def test_the_policy_maps_death_and_restart_defer_no_message(outbound: Outbound, host: str) -> None:
    """Its socket stays open, and Postfix waits for whoever answers next."""
    machine, sent = outbound.host(host), {to: list[str]() for to in (STS, DANE, PLAIN)}

    for end in (["kill", "--signal=KILL"], ["restart"], ["kill", "--signal=KILL"], ["kill", "--signal=SEGV"]):
        for to, recipients in sent.items():
            recipients.extend(outbound.send(host, to, 3))
        machine.run(["systemctl", *end, _MAP[1]])
        for to, recipients in sent.items():
            recipients.extend(outbound.send(host, to, 3))

    counts = {to.label: outbound.counts(host, recipients) for to, recipients in sent.items()}
    print(f"{host}: {counts}")
    assert counts == {to.label: {"sent": 24} for to in sent}
    assert outbound.sent(host, STS).tls == outbound.sent(host, DANE).tls == "Verified"


def test_without_the_policy_map_mail_waits_but_for_overridden_destinations(outbound: Outbound, host: str) -> None:
    """Postfix cannot know who enforces something: it never takes silence for an answer."""
    with away(outbound, host, _MAP):
        waiting = {to: outbound.send(host, to)[0] for to in (STS, DANE, PLAIN)}
        for recipient in waiting.values():
            found = outbound.outcome(host, recipient)
            assert not found.delivered
            assert found.why == "client TLS configuration problem"
            assert "policy table lookup error" in found.log
        assert outbound.sent(host, OVERRIDDEN).delivered

    for to, recipient in waiting.items():
        assert outbound.outcome(host, recipient, status="sent").tls == ("" if to is PLAIN else "Verified")


def test_without_the_mta_sts_daemon_only_unknown_policies_are_waited_for(outbound: Outbound, host: str) -> None:
    """A policy in use stays in force; who has no policy, or DANE, does not feel it; a policy never seen defers mail."""
    assert outbound.sent(host, STS).tls == "Verified"
    with away(outbound, host, _STS):
        # Until what was found out is out of date.
        time.sleep(6)
        assert outbound.sent(host, STS).tls == "Verified"
        assert outbound.sent(host, DANE).tls == "Verified"
        assert outbound.sent(host, PLAIN).delivered
        late = outbound.send(host, STS_LATE)[0]
        found = outbound.outcome(host, late)
        assert not found.delivered
        assert f"{STS_LATE.domain} may enforce an MTA-STS policy, which cannot be asked for at present" in found.log

    assert outbound.outcome(host, late, status="sent").tls == "Verified"


def test_a_policy_that_was_seen_binds_when_its_record_is_gone(outbound: Outbound, host: str) -> None:
    """Even after both daemons have started anew: it lies on the disk (RFC 8461 section 10.2)."""
    assert outbound.sent(host, STS).tls == "Verified"
    outbound.withdraw_policy(STS)
    try:
        outbound.host(host).run(["systemctl", "restart", *_STS, _MAP[1]])
        assert outbound.sent(host, STS).tls == "Verified"
        assert f"{STS.domain}: OK secure" in outbound.policy_log(host).rpartition("Started sendwright-tlspolicy")[2]
    finally:
        outbound.publish_policy(STS)
