from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify.records.sts_record import StsRecord, StsSyntaxError, is_record, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=STSv1; id=20160831085700Z;", StsRecord("20160831085700Z")),
        ("v=STSv1;id=1", StsRecord("1")),
        ("v=STSv1; \t id=20160831085700Z  \t; \t", StsRecord("20160831085700Z")),
        ("v=STSv1; id=" + "a" * 32, StsRecord("a" * 32)),
        ("v=STSv1; more=a:b; id=1; x-id=2", StsRecord("1", (("more", "a:b"), ("x-id", "2")))),
        ("v=STSv1; id=first; id=second", StsRecord("first")),
    ],
)
def test_a_record_is_a_version_and_an_id_and_more_may_follow(text: str, expected: StsRecord) -> None:
    """RFC 8461, 3.1: unknown fields are ignored, their order means nothing, and of two ids the first counts."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "instead of v=STSv1;"),
        (" v=STSv1; id=1", "instead of v=STSv1;"),
        ("V=STSv1; id=1", "instead of v=STSv1;"),
        ("v = STSv1; id=1", "instead of v=STSv1;"),
        ("v=STSv2; id=1", "instead of v=STSv1;"),
        ("v=STSv10; id=1", "instead of v=STSv1;"),
        ("id=1; v=STSv1", "instead of v=STSv1;"),
        ("v=STSv1", "no id"),
        ("v=STSv1;", "no id"),
        ("v=STSv1; ext=1", "no id"),
        ("v=STSv1; ID=1", "no id"),
        ("v=STSv1; id=", "'id' has no value"),
        ("v=STSv1; id = 1", "no field's name"),
        ("v=STSv1; id=" + "a" * 33, "1 to 32 letters and digits"),
        ("v=STSv1; id=2026-01-01", "1 to 32 letters and digits"),
        ("v=STSv1; id=1;; more=1", "nothing between two semicolons"),
        ("v=STSv1; id=1;;", "nothing between two semicolons"),
        ("v=STSv1; id=1; more", "has no ="),
        ("v=STSv1; id=1; more=", "has no value"),
        ("v=STSv1; id=1; test==", "holds what it may not"),
        ("v=STSv1; id=1; more=a b", "holds what it may not"),
        ("v=STSv1; id=1; 1%=a", "no field's name"),
        ("v=STSv1; id=1; " + "a" * 33 + "=1", "no field's name"),
    ],
)
def test_what_the_grammar_does_not_know_is_no_record(text: str, fault: str) -> None:
    """Senders ignore it, so what is wrong is said exactly."""
    with pytest.raises(StsSyntaxError) as caught:
        parse(text)

    assert fault in str(caught.value)


def test_every_mistake_of_a_record_is_named_at_once() -> None:
    """Nobody mends one to read of the next."""
    with pytest.raises(StsSyntaxError, match=r"nothing between.*has no =.*1 to 32"):
        parse("v=STSv1;; what; id=a-b")


def test_senders_discard_records_that_begin_otherwise() -> None:
    """RFC 8461, 3.1, and its erratum 6285: the grammar would have allowed white space before the semicolon."""
    assert is_record("v=STSv1; what")
    assert not is_record("v=STSv1 ; id=1")
    assert not is_record("v=STSv10; id=1")


@given(st.text(max_size=80) | st.text("v=STS1;id \t", max_size=60).map(lambda t: "v=STSv1;" + t))
def test_any_text_is_a_record_or_has_mistakes(text: str) -> None:
    """Whatever stands in DNS."""
    with suppress(StsSyntaxError):
        assert parse(text).id.isalnum()
