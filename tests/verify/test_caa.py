from datetime import UTC, datetime

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.transport import NoAnswer, Question
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Fetched, Look, Told
from sendwright.verify.records import caa
from sendwright.verify.target import Target
from tests.verify.names import Names, zone


def _nobody(question: Question) -> dns.message.Message:
    raise NoAnswer(question.server)


def _check(text: str, told: Told | None = None) -> Finding:
    names = Names(zone(text), {("mail.example.com", "CAA"): told} if told else {})
    look = Look(names, _nobody, "192.0.2.53", lambda url, _: Fetched(failure=url), datetime(2026, 11, 22, tzinfo=UTC))
    (found,) = caa.check(Target("mail.example.com"), look)
    assert bool(found.advice) is (found.status in {"warn", "fail"})
    return found


@pytest.mark.parametrize(
    ("records", "status", "said"),
    [
        (['0 issue "letsencrypt.org"'], Status.PASS, "letsencrypt.org"),
        (['128 ISSUE "ca.example; validationmethods=dns-01; x=1"'], Status.PASS, "ca.example"),
        (['0 issue "ca.example"', '0 issue ";"'], Status.PASS, "allows ca.example"),
        (['0 issue ";"'], Status.PASS, "allows nobody"),
        (['0 issue ""'], Status.PASS, "allows nobody"),
        (['0 issue "ca.example"', '0 contactemail "a@example.com"', '0 issuevmc "ca.example"'], Status.PASS, "ca."),
        (['0 issue "ca_example"'], Status.FAIL, "malformed"),
        (['0 issue "ca.example; oops"'], Status.FAIL, "malformed"),
        (['0 issue "ca.example, other.example"'], Status.FAIL, "malformed"),
        (['0 issue "ca.example"', '0 issue "https://other.example"'], Status.WARN, "malformed"),
        (['0 issue "ca.example"', '128 tbs "unknown"'], Status.FAIL, "tbs"),
        (['0 issue "ca.example"', '0 isue "other.example"'], Status.WARN, "isue"),
        (['0 iodef "mailto:a@example.com"'], Status.WARN, "no issue property"),
        (['0 issuewild ";"'], Status.WARN, "no issue property"),
        ([], Status.WARN, "no CAA record"),
    ],
)
def test_caa_names_who_may_issue(records: list[str], status: Status, said: str) -> None:
    """RFC 8659, 4: an unknown tag that is critical, or a value that is malformed, allows nobody."""
    found = _check("\n".join(f"mail.example.com. IN CAA {record}" for record in records))

    assert found.status is status
    assert said in found.seen


def test_the_nearest_record_above_counts() -> None:
    """RFC 8659, 3: the search ends with the first name that has any."""
    found = _check('example.com. IN CAA 0 issue "near.example"\ncom. IN CAA 0 issue "far.example"')

    assert "example.com allows near.example" in found.seen


@pytest.mark.parametrize(("told", "status"), [(Told.FAILED, Status.UNKNOWN), (Told.BOGUS, Status.FAIL)])
def test_an_answer_that_nobody_can_use_is_not_taken_for_none(told: Told, status: Status) -> None:
    """An authority that cannot look must not issue."""
    assert _check("", told).status is status


@given(st.lists(st.text(max_size=40) | st.from_regex(r"\d{1,3} [a-z]{1,9} \"[^\x00]{0,20}\"", fullmatch=True)))
def test_whatever_a_record_holds_there_is_a_finding(records: list[str]) -> None:
    """And no exception."""
    found = caa.judged(Target("example.com"), "example.com", [caa.parse(text) for text in records])

    assert len(found.seen) < 800
