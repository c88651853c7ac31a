"""The parsers of MTA-STS beside those of other hands: checkdmarc's, and what it parses is judged the same."""

from checkdmarc.mta_sts import (
    InvalidMTASTSTag,
    InvalidSTSTagValue,
    MTASTSPolicySyntaxError,
    MTASTSRecordSyntaxError,
    parse_mta_sts_policy,
    parse_mta_sts_record,
)
from hypothesis import example, given
from hypothesis import strategies as st

from sendwright.verify.records import sts_policy, sts_record
from sendwright.verify.records.sts_record import StsSyntaxError

LINES = st.sampled_from(
    [
        *("version: STSv1", "version:STSv1 ", "version: STSv2", "Version: STSv1", " version: STSv1", "version : STSv1"),
        *("mode: enforce", "mode:\ttesting\t", "mode: none", "mode: Enforce", "mode"),
        *("max_age: 0", "max_age: 31557600", "max_age: 31557601", "max_age: -1", "max_age: 0000000001", "max_age: x"),
        *("mx: a.example", "mx: *.example", "mx: *", "mx: a.*.example", "mx: a_b.example", "mx: -a.example", "mx:"),
        *("", "more: a b", "more:", "mo re: a", "_more: a", "a" * 33 + ": a", "more: a:b=c;d"),
    ]
)
WHOLE = st.permutations(["version: STSv1", "mode: enforce", "mx: a.example", "max_age: 1"])
FIELDS = st.sampled_from(["id=1", "id=" + "a" * 33, "id=a-b", "id=", "x=1", "x=", "x==", "x", "_x=1", "id =1", ""])


@given(st.lists(LINES, max_size=6), WHOLE, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_policy_is_valid_here_where_it_is_valid_there(
    lines: list[str], whole: list[str], end: str, last: bool
) -> None:
    """But for repeated fields without a value, which the grammar does not have and checkdmarc skips."""
    text = end.join([*whole, *lines]) + (end if last else "")

    assert _policy_here(text) == _policy_there(text)


@given(st.lists(FIELDS, max_size=4), st.sampled_from([";", "; ", " ; ", ";\t"]), st.sampled_from(["", ";", " ;"]))
@example(["id=1", "id=2"], "; ", "")
def test_a_record_is_valid_here_where_it_is_valid_there(fields: list[str], delimiter: str, last: str) -> None:
    """As far as the grammar goes; what senders discard before they parse is another check."""
    text = delimiter.join(["v=STSv1", *fields]) + last

    assert _record_here(text) == _record_there(text)


def _policy_here(text: str) -> bool:
    try:
        sts_policy.parse(text)
    except StsSyntaxError:
        return False
    return True


def _policy_there(text: str) -> bool:
    try:
        parse_mta_sts_policy(text)
    except MTASTSPolicySyntaxError:
        return False
    return True


def _record_here(text: str) -> bool:
    try:
        sts_record.parse(text)
    except StsSyntaxError:
        return False
    return True


def _record_there(text: str) -> bool:
    try:
        parse_mta_sts_record(text)
    except (MTASTSRecordSyntaxError, InvalidMTASTSTag, InvalidSTSTagValue):
        return False
    return True
