"""The last stage of a run: when clocks of withdrawal start."""

from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sendwright.connections import Fleet
from sendwright.errors import HostError, NotProvable, SendwrightError
from sendwright.inventory import Inventory
from sendwright.publishing import Zones
from sendwright.report.progress import Progress
from sendwright.run import Run
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder

MX1 = "mx1.example.com"


class Dns:
    """Zones in which nothing is to do; ``clocks``: whether any may start."""

    zones = Zones()
    clocks: bool | None = None

    def withdraw(self, *_: object, clocks: bool, **__: object) -> tuple[str, ...]:
        """Note what is told."""
        self.clocks = clocks
        return ()


@pytest.mark.parametrize(
    ("host_error", "certificate_error", "start"),
    [
        (None, None, True),
        (None, NotProvable(MX1, "mta-sts.example.org leads elsewhere."), True),
        (HostError(MX1, "it does not answer."), None, False),
    ],
    ids=["all is well", "a name cannot be proven", "a host failed"],
)
def test_only_hosts_that_may_still_use_something_keep_clocks_from_starting(
    tmp_path: Path, host_error: SendwrightError | None, certificate_error: SendwrightError | None, *, start: bool
) -> None:
    """One customer's zone that stays broken would have whatever is no longer declared stand in all zones for ever."""
    host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]}
    stack = Stack.model_validate({"hosts": [host], "domains": [{"name": "example.com", "dns": None}]})
    declared = Inventory(stack=stack, folder=tmp_path, state_dir=tmp_path / "state")
    folder, fleet = StateFolder.of(declared), Fleet(stack.hosts, tmp_path)
    run = Run(declared, folder, folder.load(), fleet, Future(), Progress(held=True), datetime.now(UTC))
    dns: Any = Dns()
    run.dns = dns
    if host_error:
        fleet.give_up(MX1, host_error)
    if certificate_error:
        run.tls.errors = (certificate_error,)

    run.withdraw()

    assert dns.clocks is start
    assert run.errors == tuple(e for e in (host_error, certificate_error) if e)
