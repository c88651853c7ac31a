"""How long what is ours outlives its declaration."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sendwright.dns.retention import Clock, retention
from sendwright.stack import Stack
from sendwright.state.model import Claim

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOST = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
NONE, QUEUES = timedelta(), timedelta(days=4 + 2)
OTHERS = QUEUES + timedelta(days=7, hours=1)
LOCKED = {"name": "locked.example", "dns": "main", "sends": False}
SILENT = {**LOCKED, "name": "silent.example", "mx": "none"}


def _stack(**more: Any) -> Stack:
    domains = [{"name": "example.com", "dns": "main"}, LOCKED, SILENT]
    return Stack.model_validate(
        {"hosts": [HOST], "domains": domains, "smtp": {"queue_days": 4, "bounce_days": 2}, **more}
    )


def _claim(name: str, rdtype: str, value: str, *, mechanism: bool = False) -> Claim:
    return Claim("example.com", name, rdtype, value, NOW, "main", mechanism)


def _term(name: str) -> Claim:
    return _claim(name, "TXT", "ip4:203.0.113.9", mechanism=True)


GONE_HOST = (_claim("mx9.example.com", "A", "203.0.113.9"), _term("mx9.example.com"))
POLICY = (_claim("mta-sts.example.com", "A", "203.0.113.9"),)


@pytest.mark.parametrize(
    ("claim", "kept"),
    [
        (_claim("example.com", "MX", "10 mx9.example.com."), NONE),
        (_claim("locked.example", "MX", "10 mx1.example.com."), NONE),
        (_claim("silent.example", "MX", "10 mx1.example.com."), OTHERS),
        (_claim("gone.example", "MX", "10 mx1.example.com."), OTHERS),
        (_claim("s1._domainkey.gone.example", "CNAME", "s1.gone.example._domainkey.example.com."), OTHERS),
        (_claim("_submission._tcp.example.com", "SRV", "0 1 587 mx9.example.com."), NONE),
        (_claim("example.com", "CAA", '0 issue "ca.example"'), NONE),
        (_claim("_smtp._tls.example.com", "TXT", '"v=TLSRPTv1; rua=mailto:a@b.example"'), NONE),
        (_claim("gone.example._report._dmarc.example.com", "TXT", '"v=DMARC1"'), NONE),
        (_claim("mx1.example.com", "A", "203.0.113.9"), NONE),
        (_claim("mx9.example.com", "A", "203.0.113.9"), QUEUES),
        (_term("mx9.example.com"), QUEUES),
        (_term("mx1.example.com"), QUEUES),
        (_term("example.com"), QUEUES),
        (_term("locked.example"), OTHERS),
        (_term("gone.example"), OTHERS),
        (_claim("_dmarc.gone.example", "TXT", '"v=DMARC1; p=none"'), OTHERS),
        (_claim("r1._domainkey.gone.example", "TXT", '"v=DKIM1; p=YQ=="'), OTHERS),
        (_claim("r1._domainkey.example.com", "TXT", '"v=DKIM1; p=YQ=="'), OTHERS),
        (_claim("r1._domainkey.example.com", "TXT", '"v=DKIM1; p="'), NONE),
        (_claim("*._domainkey.example.com", "TXT", '"v=DKIM1; p="'), NONE),
        (_claim("_25._tcp.mx1.example.com", "TLSA", "3 1 1 ab"), timedelta(minutes=10)),
        (_claim("_mta-sts.example.com", "TXT", '"v=STSv1; id=1;"'), NONE),
        (_claim("mta-sts.example.com", "A", "203.0.113.9"), NONE),
    ],
)
def test_what_mail_is_judged_by_outlives_the_queues_that_may_hold_it(claim: Claim, kept: timedelta) -> None:
    """Ours for a domain that goes on, others' as well for one that does not; all else goes at once."""
    assert retention(_stack(), GONE_HOST + POLICY)(claim) == kept


def test_a_host_may_be_called_like_a_policy() -> None:
    """It sends, so it has an SPF record."""
    name = "mta-sts.gone.example"
    claims = (_claim(name, "A", "203.0.113.9"), _term(name))

    assert retention(_stack(), claims)(claims[0]) == QUEUES


def test_what_senders_remember_of_a_host_is_remembered_here() -> None:
    """A withdrawn TLSA record is forgotten when caches have forgotten it, as an MX is."""
    clock = Clock(NOW, lambda _: NONE)
    tlsa, mx = (replace(_claim("x.example.com", rdtype, "x"), withdrawn=True) for rdtype in ("TLSA", "MX"))

    for claim, lasting in ((tlsa, timedelta(minutes=10)), (mx, timedelta(hours=2))):
        assert not clock.forgotten(claim)
        assert not clock.forgotten(replace(claim, left=NOW - lasting + timedelta(seconds=1)))
        assert clock.forgotten(replace(claim, left=NOW - lasting))


def test_a_host_that_bore_the_name_of_a_domain_is_judged_as_the_domain() -> None:
    """Its SPF record served both."""
    claims = (*GONE_HOST, _claim("_dmarc.mx9.example.com", "TXT", '"v=DMARC1; p=none"'))

    assert retention(_stack(), claims)(_term("mx9.example.com")) == OTHERS
