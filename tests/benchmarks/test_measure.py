"""What the benchmarks make of what they measured."""

from benchmarks.measure import Contender, Result, Series, aim, combined, interleaved, lines, ratio


def test_contenders_take_turns_and_nobody_is_always_first() -> None:
    """Each runs once a round, in an order that turns; the warming round does not count."""
    seen: list[str] = []
    contenders = [Contender(name, lambda name=name: seen.append(name)) for name in ("a", "b")]  # type: ignore[misc]

    series = interleaved(contenders, 3)

    assert "".join(seen) == "ab" + "ab" + "ba" + "ab"
    assert [len(s.seconds) for s in series] == [3, 3]


def test_the_clock_is_read_around_each_run() -> None:
    """A contender's time is what the clock says between its beginning and its end."""
    ticks = iter([0.0, 1.0, 10.0, 12.0])

    one, other = interleaved(
        [Contender("a", lambda: None), Contender("b", lambda: None)], 1, warm=False, clock=ticks.__next__
    )

    assert (one.seconds, other.seconds) == ((1.0,), (2.0,))


def test_a_ratio_is_the_median_of_each_rounds_own() -> None:
    """A round in which the machine was busy slows both sides, and leaves the ratio as it is."""
    ours, base = Series("ours", (2.0, 20.0, 2.2)), Series("base", (1.0, 10.0, 1.0))

    assert ratio(ours, base) == 2.0


def test_series_are_combined_round_by_round() -> None:
    """Twice the floor plus start-up is worked out for each round."""
    bound = combined("bound", ((2, Series("floor", (1.0, 2.0))), (1, Series("start", (0.5, 0.25)))))

    assert bound.seconds == (2.5, 4.25)


def test_an_aim_says_whether_it_is_held() -> None:
    """A figure is set against what is wanted of it, in both directions."""
    assert aim("a", 0.9, below=1) == "a: 0.90 (aim: below 1; held)"
    assert aim("a", 1.0, below=1) == "a: 1.00 (aim: below 1; NOT held)"
    assert aim("a", 10.0, at_least=10) == "a: 10.00 (aim: at least 10; held)"
    assert aim("a", 9.0, at_least=10) == "a: 9.00 (aim: at least 10; NOT held)"


def test_a_table_says_how_often_it_was_measured() -> None:
    """Each series is shown with its median, its spread and its ratio, under the number of rounds."""
    result = Result("demo", (Series("base", (0.1, 0.3, 0.2)), Series("other", (12.0, 36.0, 24.0))), "base", ("a note",))

    assert lines(result).splitlines() == [
        "demo (n = 3, interleaved)",
        "            median    fastest    slowest    ratio",
        "  base      200 ms     100 ms     300 ms     1.00",
        "  other     24.0 s     12.0 s     36.0 s   120.00",
        "  a note",
    ]
