"""Servers that lag behind, are down or hang, and the others beside them."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sendwright import inventory
from sendwright.dns.freshness import Progress, Target, Timing, fresh_at
from sendwright.dns.propagation import World, timings, wait
from sendwright.dns.providers.base import Edit, Provider, RecordSet
from sendwright.dns.providers.powerdns import PowerDnsServer
from sendwright.dns.providers.rfc2136 import DynamicUpdate
from sendwright.dns.rdata import txt
from sendwright.dns.transport import query
from sendwright.errors import ServerUnreachable
from sendwright.lab import Lab, primaries
from sendwright.lab.knot import Knot
from sendwright.lab.primaries import Primary
from sendwright.plan import Stage
from sendwright.publishing import Zones
from sendwright.stack import KeyStore
from sendwright.state.folder import StateFolder

pytestmark = pytest.mark.lab


def _set(name: str, rdtype: str, *values: str) -> RecordSet:
    return RecordSet(name, rdtype, 60, values)


def _swap(provider: Provider, zone: str, name: str, rdtype: str, after: RecordSet | None) -> None:
    before = next(iter(provider.read(zone, [(name, rdtype)])), None)
    provider.apply(zone, [Edit(name, rdtype, before, after)])


def test_a_value_is_waited_for_until_the_last_server_has_it(dns_lab: Lab, primary: Primary, provider: Provider) -> None:
    """A secondary that is held back is named; when it catches up, the value becomes fresh, signed or not."""
    # What the withdrawal of an earlier name left at the secondary is no matter of this one.
    name = f"s{time.time_ns()}._domainkey.{primary.zone}"
    target = Target(primary.zone, name, "TXT", txt("p=YQ=="))
    world = World.around([primary.zone], query, dns_lab.resolver)
    known = timings(world, [target])
    primary.hold()
    _swap(provider, primary.zone, name, "TXT", _set(name, "TXT", target.value))
    reports: list[Progress] = []

    def watch(seconds: float) -> Progress:
        return wait(
            world,
            known,
            timedelta(seconds=1),
            datetime.now(UTC) + timedelta(seconds=seconds),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            report=reports.append,
        )

    held = watch(0)
    primary.release()
    done = watch(20)
    _swap(provider, primary.zone, name, "TXT", None)

    assert known == {target: Timing(negative=2)}
    assert held.waiting[0].behind
    assert all("ns2." in behind for behind in held.waiting[0].behind)
    assert done.done
    assert datetime.now(UTC) >= fresh_at(done.since[target], known[target], timedelta(seconds=1))


@pytest.fixture
def impatient(provider: Provider) -> Provider:
    """Each server, waited for a second instead of half a minute."""
    match provider:
        case DynamicUpdate():
            return replace(provider, ask=partial(query, timeout=0.3, tries=2), patience=1.0)
        case PowerDnsServer():
            return replace(provider, api=replace(provider.api, patience=1.0))
    raise AssertionError(provider)


@pytest.mark.parametrize("silent", [False, True], ids=["stopped", "silent"])
def test_a_server_that_is_down_is_named_and_serves_again_when_it_is_up(
    primary: Primary, impatient: Provider, silent: bool
) -> None:
    """Whether its port is closed or its process hangs; of a change that it took the outcome is unknown."""
    # Two names: a process that hung may well carry out what it took, once it goes on.
    zone, name, later = primary.zone, f"down{time.time_ns()}.{primary.zone}", f"later.{primary.zone}"
    acts: dict[Callable[[], object], str] = {
        lambda: impatient.zones([name, zone]): "reachable from here",
        lambda: impatient.read(zone, [(name, "A")]): "again is safe",
        lambda: impatient.read(zone, [(f"n{i}.{zone}", "A") for i in range(5)]): "again is safe",
        lambda: impatient.apply(zone, [Edit(name, "A", None, _set(name, "A", "203.0.113.7"))]): "again is safe|unknown",
    }

    if silent:
        primary.signal("SIGSTOP")
    else:
        primary.stop()
    try:
        for act, hint in acts.items():
            with pytest.raises(ServerUnreachable, match=f"zone {zone}: {re.escape(impatient.title)} ") as caught:
                act()
            assert re.search(hint, caught.value.hint)
    finally:
        if silent:
            primary.signal("SIGCONT")
        else:
            primary.start()

    _swap(impatient, zone, later, "A", _set(later, "A", "203.0.113.8"))
    assert impatient.read(zone, [(later, "A")]) == (_set(later, "A", "203.0.113.8"),)
    _swap(impatient, zone, later, "A", None)


def test_one_server_that_is_down_does_not_keep_the_others_from_being_served(
    dns_lab: Lab,
    second: Knot,
    tmp_path: Path,
    inside: None,  # noqa: ARG001 - requested for its place
) -> None:
    """All records of a domain are published at PowerDNS by its API while Knot is down, and at Knot when it is up."""
    here = {
        "api": primaries.powerdns_by_api(dns_lab, "example.org"),
        "updates": primaries.knot_by_updates(second, "quiet.example"),
    }
    for primary in here.values():
        primary.provider(tmp_path)
    data = {
        "dns": {name: dict(primary.entry) for name, primary in here.items()},
        "domains": {primary.zone: {"dns": name} for name, primary in here.items()},
    }
    hosts = [
        (f"mx.{primary.zone}", {"egress": [{"public": f"203.0.113.{number}"}]})
        for number, primary in enumerate(here.values(), 1)
    ]
    stack = inventory.parse(hosts, data, "a test")
    state = StateFolder(tmp_path / "state", KeyStore())

    def published() -> tuple[set[str], dict[str, str]]:
        """Publish everything; return the zones in which something was to do, and why others were given up."""
        zones = Zones.look(stack, (), state.load().claims, tmp_path, now=datetime.now(UTC))
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH):
            zones.publish(state, stage)
        return {n for n, z in zones.found.items() if z.changes.writes}, {n: str(e) for n, e in zones.errors.items()}

    second.stop()
    try:
        first, failed = published()
    finally:
        second.run()

    assert first == {"example.org"}
    assert list(failed) == ["dns › updates"]
    assert f"{second.address} does not answer" in failed["dns › updates"]
    assert published() == ({"quiet.example"}, {})
    assert published() == (set(), {})
