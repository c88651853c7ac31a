"""``python -m benchmarks [NAME…]``: measure side by side, print ratios."""

import importlib
import time

import click

from benchmarks.measure import lines

_BENCHMARKS = ("help", "scale", "zone", "domains", "requests", "rotate", "noop", "fresh", "verify")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(_BENCHMARKS))
@click.option("--rounds", type=click.IntRange(1, 100), default=None, help="How often; each benchmark has a default.")
def main(names: tuple[str, ...], rounds: int | None) -> None:
    """Run the named benchmarks, or all: ratios of things measured side by side in this run."""
    for name in names or _BENCHMARKS:
        started = time.monotonic()
        benchmark = importlib.import_module(f"benchmarks.{name}")
        click.echo(lines(benchmark.measure(rounds or benchmark.ROUNDS)))
        click.echo(f"  (took {time.monotonic() - started:.0f} s)\n")


if __name__ == "__main__":
    main()
