"""What ``certs renew`` brings to a host: what shows a certificate there, and what renews it."""

from datetime import UTC, datetime

from sendwright import certs, planning
from sendwright.bearers import bearers
from sendwright.deploys.base import key_path
from sendwright.service import Release
from sendwright.stack import Stack
from sendwright.state.model import Certificate, State

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MX1 = "mx1.example.com"


def _stack(renewal: str) -> Stack:
    host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]}
    tls = {"mode": "acme", "renewal": renewal}
    domain = {"name": "example.com", "dns": None, "mta_sts": {"mode": "testing"}}
    return Stack.model_validate({"hosts": [{**host, "tls": tls}], "domains": [domain]})


def _certificate(stack: Stack) -> Certificate:
    made, _ = certs.issue(stack.hosts[0], NOW)
    return certs.from_chain(MX1, made.chain, made.key, certs.held(made).spki, [MX1], issuer="https://acme.example/dir")


def test_a_host_that_renews_by_itself_is_told_where_its_new_key_lies() -> None:
    """The folder of the old one goes with the change: it would fail to renew until the next provision."""
    stack = _stack("host")
    certificate = _certificate(stack)

    found = planning.services(stack, stack.hosts[0], Release.TRIXIE, State(certificates=(certificate,)))
    brought = {service.name: service for service in bearers(found)}

    assert list(brought) == ["web", "renewal", "postfix"]
    assert any(key_path(certificate) in str(file.content) for file in brought["renewal"].files)


def test_where_the_controller_renews_only_what_shows_a_certificate_is_touched() -> None:
    """What else of a host differs is for provision."""
    stack = _stack("controller")

    found = planning.services(stack, stack.hosts[0], Release.TRIXIE, State(certificates=(_certificate(stack),)))

    assert [service.name for service in bearers(found)] == ["web", "postfix"]
