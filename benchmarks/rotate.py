"""Keys of ever more domains that are all due on one day: replaced, waited for, removed, and at rest."""

from benchmarks.growth import growth
from benchmarks.measure import Result

ROUNDS = 1


def measure(rounds: int) -> Result:
    """Measure 100 and 1,000 domains on two hosts, an RSA and an Ed25519 key each."""
    title = "rotate: all keys are due, on two hosts (seconds of computing)"
    return growth(title, (("rotate", "a zone each"),), (100, 1_000), rounds)
