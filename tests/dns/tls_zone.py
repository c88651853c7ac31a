"""A zone as tests of TLS look at it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sendwright.dns.diff import diff
from sendwright.dns.plan import Changes
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.records import desired
from sendwright.dns.retention import retention
from sendwright.stack import Stack
from sendwright.state.model import Claim
from sendwright.tlsa import TlsFacts

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def diff_of(
    stack: Stack, tls: TlsFacts, *served: RecordSet, claims: Iterable[Claim] = (), now: datetime = NOW
) -> Changes:
    """Return what the zone example.com needs where only that stands."""
    claims = tuple(claims)
    keep = retention(stack, claims)
    return diff("example.com", desired(stack, (), tls), served, claims, now=now, retention=keep)
