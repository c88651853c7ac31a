from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify.records.sts_policy import LARGEST, LONGEST, Mode, StsPolicy, parse
from sendwright.verify.records.sts_record import StsSyntaxError

PLAIN = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, StsPolicy(Mode.ENFORCE, 604800, ("mx.example.com",))),
        (PLAIN.replace("\n", "\r\n"), StsPolicy(Mode.ENFORCE, 604800, ("mx.example.com",))),
        (
            "version:STSv1\r\nmode:\ttesting\nmx:  \t*.Example.com\nmax_age: 0",
            StsPolicy(Mode.TESTING, 0, ("*.example.com",)),
        ),
        ("max_age: 1 \t\nmode: none\nversion: STSv1", StsPolicy(Mode.NONE, 1)),
        (PLAIN + "more.of-it_1: a=b; c é\n", StsPolicy(Mode.ENFORCE, 604800, ("mx.example.com",))),
        (PLAIN + "Mode: none\n", StsPolicy(Mode.ENFORCE, 604800, ("mx.example.com",))),
        (f"version: STSv1\nmode: none\nmax_age: {LONGEST}", StsPolicy(Mode.NONE, LONGEST)),
        ("version: STSv1\nmode: none\nmax_age: 0000000001", StsPolicy(Mode.NONE, 1)),
    ],
)
def test_a_policy_is_lines_of_names_and_values(text: str, expected: StsPolicy) -> None:
    """RFC 8461, 3.2: LF or CRLF, any order, white space after the colon and at the end, unknown fields ignored."""
    assert parse(text.encode()) == parse(text) == expected


def test_of_a_field_that_comes_twice_the_first_counts() -> None:
    """But for mx, of which there may be many (RFC 8461, 3.2)."""
    policy = parse(PLAIN + "mode: nonsense\nmax_age: 1\nmx: mx2.example.com\n")

    assert (policy.mode, policy.max_age) == (Mode.ENFORCE, 604800)
    assert policy.mx == ("mx.example.com", "mx2.example.com")
    assert policy.ignored == (
        "line 5 repeats mode, and only the first counts",
        "line 6 repeats max_age, and only the first counts",
    )


def test_empty_lines_are_told_and_skipped() -> None:
    """The grammar has none, but editors leave them at the end, and no parser in use refuses a policy for it."""
    policy = parse(b"\r\nversion: STSv1\r\nmode: none\r\n \r\nmax_age: 1\r\n\r\n")

    assert (policy.mode, policy.max_age) == (Mode.NONE, 1)
    assert [told.partition(",")[0] for told in policy.ignored] == [f"line {n} is empty" for n in (1, 4, 6)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "version is missing; mode is missing; max_age is missing"),
        ("mode: none\nmax_age: 0", "version is missing"),
        ("version: STSv2\nmode: none\nmax_age: 0", "instead of STSv1"),
        ("version: stsv1\nmode: none\nmax_age: 0", "instead of STSv1"),
        ("Version: STSv1\nmode: none\nmax_age: 0", "version is missing"),
        ("version: STSv1\nmax_age: 0\nmx: example.com", "mode is missing"),
        ("version: STSv1\nmode: Enforce\nmax_age: 0\nmx: example.com", "instead of enforce, testing or none"),
        ("version: STSv1\nmode: none", "max_age is missing"),
        ("version: STSv1\nmode: none\nmax_age: -1", "no number of seconds"),
        ("version: STSv1\nmode: none\nmax_age: 1.5", "no number of seconds"),
        ("version: STSv1\nmode: none\nmax_age: ²", "no number of seconds"),
        ("version: STSv1\nmode: none\nmax_age: 01234567890", "no number of seconds"),
        (f"version: STSv1\nmode: none\nmax_age: {LONGEST + 1}", "at most 31557600"),
        ("version: STSv1\nmode: enforce\nmax_age: 1", "mx is missing"),
        ("version: STSv1\nmode: testing\nmax_age: 1", "mx is missing"),
        (" version: STSv1\nmode: none\nmax_age: 1", "no field's name"),
        ("version : STSv1\nmode: none\nmax_age: 1", "no field's name"),
        ("\ufeffversion: STSv1\nmode: none\nmax_age: 1", "no field's name"),
        ("version: STSv1\rmode: none\rmax_age: 1", "control characters"),
        ("version: STSv1\nmode: none\nmax_age: 1\nmore: a\tb", "control characters"),
        ("version: STSv1\nmode: none\nmax_age: 1\nmore:", "no value"),
        ("version: STSv1\nmode: none\nmax_age: 1\n_more: a", "no field's name"),
        ("version: STSv1\nmode: none\nmax_age: 1\n" + "a" * 33 + ": a", "no field's name"),
        ("version: STSv1\nmode: none\nmax_age: 1\nwhat is this", "has no colon"),
        ("<!doctype html>\n<title>404</title>\n", "line 1"),
    ],
)
def test_what_the_grammar_does_not_know_is_no_policy(text: str, fault: str) -> None:
    """Senders ignore it as a whole, so what is wrong is said exactly, with its line."""
    with pytest.raises(StsSyntaxError) as caught:
        parse(text.encode())

    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "*.*.example", "**.example", "mx*.example.com", "mx.*.example.com", "test.example-", "-a.example"),
        *("a..b", "mx.example.com.", "møx.example", "mx_1.example.com", "[192.0.2.1]", ".example.com"),
        *("a" * 64 + ".example", ".".join(["a" * 60] * 5)),
    ],
)
@pytest.mark.parametrize("mode", ["enforce", "none"])
def test_a_pattern_is_a_host_name_with_at_most_one_asterisk_in_front(pattern: str, mode: str) -> None:
    """RFC 8461, 3.2, and Domain of RFC 5321; whatever the mode."""
    with pytest.raises(StsSyntaxError, match="mx is"):
        parse(f"version: STSv1\nmode: {mode}\nmax_age: 1\nmx: {pattern}\n")


def test_a_policy_that_is_no_text_or_too_large_is_none() -> None:
    """Senders read UTF-8, and 64 KiB of it (RFC 8461, 3.2 and 3.3)."""
    with pytest.raises(StsSyntaxError, match="not UTF-8"):
        parse(PLAIN.encode() + b"more: \xff")
    with pytest.raises(StsSyntaxError, match="larger than 65536 octets"):
        parse(b"x" * (LARGEST + 1))


@pytest.mark.parametrize(
    ("exchange", "allowed"),
    [
        ("mx.example.com", True),
        ("MX.example.COM.", True),
        ("other.example.com", False),
        ("a.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("", False),
    ],
)
def test_an_asterisk_stands_for_exactly_one_label(exchange: str, allowed: bool) -> None:
    """RFC 8461, 4.1."""
    assert StsPolicy(Mode.ENFORCE, 1, ("mx.example.com", "*.example.net")).allows(exchange) is allowed


LINES = st.lists(st.sampled_from([*PLAIN.splitlines(), "", "mx: *.x", "a:b", "mode: none", "\r", ":", "max_age: 9"]))


@given(st.binary(max_size=200) | LINES.map(lambda lines: "\n".join(lines).encode()))
def test_any_octets_are_a_policy_or_have_mistakes(body: bytes) -> None:
    """Whatever a web server sends."""
    with suppress(StsSyntaxError):
        policy = parse(body)
        assert 0 <= policy.max_age <= LONGEST
        assert policy.mx or policy.mode is Mode.NONE
