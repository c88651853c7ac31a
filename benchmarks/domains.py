"""The first plan, the publication and the plan that finds nothing to do, for ever more domains on four hosts."""

from benchmarks.growth import growth
from benchmarks.measure import Result

ROUNDS = 1
_CASES = (("one", "in one zone"), ("own", "a zone each"))


def measure(rounds: int) -> Result:
    """Measure 1,000 and 10,000 domains, 17 records each, with their keys and a ledger."""
    return growth("domains: on four hosts, 17 records each (seconds of computing)", _CASES, (1_000, 10_000), rounds)
