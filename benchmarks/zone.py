"""The plan for ten domains in a zone with ever more records of other people, wherever it is kept."""

from benchmarks.growth import growth
from benchmarks.measure import Result

ROUNDS = 3
_CASES = (("memory", "in memory"), ("file", "zone file"), ("transfer", "RFC 2136"))


def measure(rounds: int) -> Result:
    """Measure look and plan among 10,000 and 100,000 foreign records."""
    return growth("zone: ten domains among foreign records (seconds of computing)", _CASES, (10_000, 100_000), rounds)
