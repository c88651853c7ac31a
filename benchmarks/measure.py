"""Measure contenders side by side, and say the outcome as ratios. Pure but for the clock, which is passed in."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Contender:
    """Something to be timed, by a name for people."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Series:
    """What a contender took in each round, in seconds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return median(self.seconds)


@dataclass(frozen=True)
class Result:
    """A benchmark's outcome. ``base``: the name of the series that the others are set against; ``notes``: sentences."""

    title: str
    series: tuple[Series, ...]
    base: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """How many requests something took, and the least that the interface allows."""

    what: str
    sent: int
    least: int


@dataclass(frozen=True)
class Counts:
    """A benchmark's outcome in requests."""

    title: str
    rows: tuple[Sent, ...]


def interleaved(
    contenders: Sequence[Contender], rounds: int, *, warm: bool = True, clock: Callable[[], float] = time.perf_counter
) -> tuple[Series, ...]:
    """Time each contender once a round, and turn their order round after round, so that nobody is always first.

    Arguments: ``warm``: begin with a round that does not count (caches, compiled modules); ``clock`` in seconds.
    """
    taken: dict[str, list[float]] = {c.name: [] for c in contenders}
    if warm:
        for contender in contenders:
            contender.run()
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            started = clock()
            contender.run()
            taken[contender.name].append(clock() - started)
    return tuple(Series(name, tuple(seconds)) for name, seconds in taken.items())


def combined(name: str, terms: Iterable[tuple[float, Series]]) -> Series:
    """Return the weighted sum of series, round by round: ``terms`` are factors and series."""
    terms = tuple(terms)
    rounds = zip(*(series.seconds for _, series in terms), strict=True)
    factors = [factor for factor, _ in terms]
    return Series(name, tuple(sum(f * s for f, s in zip(factors, seconds, strict=True)) for seconds in rounds))


def ratio(of: Series, to: Series) -> float:
    """Return the median of the ratios of each round: what disturbs the machine disturbs both sides of a round."""
    return median(a / b for a, b in zip(of.seconds, to.seconds, strict=True))


def lines(result: Result | Counts) -> str:
    """Return a result as a table for people."""
    if isinstance(result, Counts):
        width = max(len(row.what) for row in result.rows)
        rows = [f"  {row.what:{width}} {row.sent:8} {row.least:8}" for row in result.rows]
        return "\n".join([result.title, f"  {'':{width}} {'sent':>8} {'least':>8}", *rows])
    base = next(series for series in result.series if series.name == result.base)
    width = max(len(series.name) for series in result.series)
    rows = [
        f"{result.title} (n = {len(base.seconds)}, interleaved)",
        f"  {'':{width}}     median    fastest    slowest    ratio",
        *(f"  {s.name:{width}}{_times(s)} {ratio(s, base):8.2f}" for s in result.series),
        *(f"  {note}" for note in result.notes),
    ]
    return "\n".join(rows)


def aim(what: str, value: float, *, below: float | None = None, at_least: float | None = None) -> str:
    """Return a sentence that sets a ratio against what is aimed at."""
    held = (below is None or value < below) and (at_least is None or value >= at_least)
    wanted = f"below {below:g}" if below is not None else f"at least {at_least:g}"
    return f"{what}: {value:.2f} (aim: {wanted}; {'held' if held else 'NOT held'})"


def _times(series: Series) -> str:
    return "".join(map(_time, (series.median, min(series.seconds), max(series.seconds))))


def _time(seconds: float) -> str:
    return f"{seconds * 1000:8.0f} ms" if seconds < 10 else f"{seconds:9.1f} s"
