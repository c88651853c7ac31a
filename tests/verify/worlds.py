"""What tests of checks share: a look at zone text, a declared domain, and findings by their check."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import dns.message

from sendwright.dns.transport import NoAnswer, Question
from sendwright.stack import Domain, Host, Stack
from sendwright.state.model import State
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Dns, Fetched, Look
from sendwright.verify.target import Declared, Target
from tests.verify.names import Names, zone

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def look_at(world: str | Dns) -> Look:
    """Return a look at zone text, or by a resolver; no single server answers, and no HTTPS."""
    dns = Names(zone(world)) if isinstance(world, str) else world
    return Look(dns, _silent, "192.0.2.53", lambda _url, _limit: Fetched(failure="no HTTPS here"), NOW)


def _silent(question: Question) -> dns.message.Message:
    raise NoAnswer(f"nobody answers for {question.name}")


def host(name: str, *addresses: str, **more: Any) -> Host:
    """Return a declared host that sends from some addresses."""
    egress = [{"public": address} for address in addresses]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, **more})


def declared(name: str, *hosts: Host, **domain: Any) -> Target:
    """Return a target whose domain an inventory declares."""
    stack = Stack(hosts=hosts, domains=(Domain.model_validate({"name": name, "dns": "main", **domain}),))
    return Target(name, (), Declared(stack, State(), stack.domains[0]))


def by_check(findings: Iterable[Finding]) -> Mapping[str, list[Finding]]:
    """Return findings by the name of their check, without the group."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.check.partition(".")[2], []).append(finding)
    return found


def worst(findings: Iterable[Finding]) -> Mapping[str, str]:
    """Return the worst that each check says: fail, warn, unknown, pass in this order."""
    order = list(Status)
    return {name: min((f.status for f in of_one), key=order.index).value for name, of_one in by_check(findings).items()}
