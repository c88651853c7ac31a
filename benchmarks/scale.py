"""Planning without a network: what a host should run and what DNS should hold, for more and more domains."""

from datetime import UTC, datetime

from benchmarks.measure import Contender, Result, aim, interleaved, ratio
from sendwright import inventory, planning
from sendwright.dns.records import desired
from sendwright.stack import Stack
from sendwright.state.model import State

ROUNDS = 5
_SIZES = (1, 100, 1000)


def measure(rounds: int) -> Result:
    """Measure rendering of one host for both releases and of all records, for 1, 100 and 1000 domains."""
    contenders = tuple(Contender(f"{size:>4} domains", _plan(size)) for size in _SIZES)
    series = interleaved(contenders, rounds)
    growth = ratio(series[2], series[1])
    return Result("scale", series, series[0].name, (aim("1000 domains against 100", growth, below=15),))


def _plan(size: int) -> "_Plan":
    domains = {f"domain-{number}.example": {"dns": "main"} for number in range(size)}
    dns = {"main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "TSIG"}}}}
    hosts = [("mx1.domain-0.example", {"egress": [{"public": "203.0.113.10"}]})]
    return _Plan(inventory.parse(hosts, {"dns": dns, "domains": domains}, "a benchmark"))


class _Plan:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __call__(self) -> None:
        state = planning.planned(self._stack, State(), datetime.now(UTC))
        planning.desired(self._stack, self._stack.hosts[0], state)
        desired(self._stack, state.keys)
