"""How time and memory grow from one size to ten times that, each measured in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.measure import Result, Series, aim, ratio

# Ten times, and something for caches of the processor and Python's collector, which look at more when there is more.
_AIM = 15

Measure = Callable[[str, int], dict[str, float]]


def apart(case: str, size: int) -> dict[str, float]:
    """Measure a case of ``large`` in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.large", case, str(size)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def growth(
    title: str, cases: Sequence[tuple[str, str]], sizes: tuple[int, int], rounds: int, measure: Measure = apart
) -> Result:
    """Measure cases, by name and what people call them, in two sizes side by side; the second is ten times the first.

    Arguments: ``measure`` returns seconds by what was done, and MiB.
    """
    taken = [
        {(case, size): measure(case, size) for case, _ in cases for size in sizes[:: -1 if number % 2 else 1]}
        for number in range(rounds)
    ]
    series: list[Series] = []
    notes: list[str] = []
    for case, words in cases:
        for what in taken[0][case, sizes[0]]:
            small, large = (
                Series(f"{words}, {size:>6}: {what}", tuple(found[case, size][what] for found in taken))
                for size in sizes
            )
            if what == "MiB":
                peaks = " and ".join(f"{found.median:.0f}" for found in (small, large))
                notes.append(f"{words}: it takes {peaks} MiB at its peak")
            else:
                series += [small, large]
                notes.append(aim(f"{words}: {what}, ten times as many", ratio(large, small), below=_AIM))
    return Result(title, tuple(series), series[0].name, tuple(notes))
