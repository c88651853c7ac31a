"""``sendwright --help`` against an interpreter that does nothing."""

import subprocess
import sys

from benchmarks.measure import Contender, Result, aim, interleaved

ROUNDS = 15


def measure(rounds: int) -> Result:
    """Measure how much of the help's time is the interpreter's own start."""
    nothing = Contender("python -c pass", lambda: _run("-c", "pass"))
    shown = Contender("sendwright --help", lambda: _run("-m", "sendwright", "--help"))
    series = interleaved((nothing, shown), rounds)
    return Result("help", series, nothing.name, (aim("seconds for the help", series[1].median, below=0.2),))


def _run(*argv: str) -> None:
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)
