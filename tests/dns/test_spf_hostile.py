"""SPF records of others are as long and as deep as their owners like: nobody waits for them or reads it all."""

import time
import tracemalloc

import pytest

from sendwright.dns.spf import SpfSyntaxError, parse
from sendwright.dns.spf_cost import cost
from sendwright.dns.spf_lookup import Answer
from sendwright.dns.spf_macros import truncated

SECONDS = 5.0


def test_a_label_that_is_no_top_level_label_is_told_at_once() -> None:
    """Time grows with its length, not with the square of it."""
    started = time.monotonic()

    with pytest.raises(SpfSyntaxError):
        parse("v=spf1 include:x." + "a" * 60_000 + "_")

    assert time.monotonic() - started < SECONDS


def test_a_name_of_megabytes_is_cut_in_one_step() -> None:
    """As RFC 7208 section 7.3 cuts it: whole labels from the left, until 253 octets are left."""
    record = parse("v=spf1 include:" + "%{d}." * 12_000 + "example")
    started = time.monotonic()

    cost("a.example." * 25 + "example", record, lambda *_: Answer())

    assert time.monotonic() - started < SECONDS
    assert truncated("b." * 200_000 + "example") == "b." * 123 + "example"
    assert truncated("x." + "a" * 260) == "a" * 260
    assert truncated("a" * 260 + ".b.") == "b"


def test_a_record_of_thousands_of_terms_takes_no_gigabytes_and_no_pages() -> None:
    """All are counted; the first of them are shown."""
    tracemalloc.start()
    found = cost("e.example", parse("v=spf1" + " a" * 10_000), lambda *_: Answer(("192.0.2.1",)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.total == 10_000
    assert most < 50_000_000
    assert str(found).endswith("a 1, and 9980 more = 10000 of 10")


def test_questions_about_a_record_end_some_time() -> None:
    """Hundreds of names whose servers are silent would be asked for most of an hour."""
    now = [0.0]

    def silent(*_: str) -> Answer:
        now[0] += 6
        return Answer(failure="timed out")

    found = cost("e.example", parse("v=spf1" + "".join(f" a:h{i}.example" for i in range(400))), silent, lambda: now[0])

    assert now[0] <= 66
    assert len(found.problems) <= 20
    assert all(len(problem) <= 200 for problem in found.problems)
