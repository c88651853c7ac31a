import json
from dataclasses import replace
from pathlib import Path

import pytest

from sendwright.errors import UsageError
from sendwright.report.findings import render
from sendwright.report.findings_diff import diff_document, diff_lines
from sendwright.report.findings_view import View
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Kind, Status
from sendwright.verify.known import Turn, accepted, changes, read
from tests.report.findings_worlds import BAD, DOMAIN, GOOD, WRONG, many

PTR, ALL, SIZE = CHECKS["spf.ptr"], CHECKS["spf.all"], CHECKS["spf.size"]
FAIL, WARN, UNKNOWN, PASS = Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS


def finding(status: Status, seen: str = "seen") -> Finding:
    """Return a finding of one check."""
    return Finding(PTR.name, DOMAIN, status, seen, "mend it" if status is not PASS else "")


def test_an_older_report_is_read_as_it_was(tmp_path: Path) -> None:
    """What JSON says is all that a baseline needs."""
    (tmp_path / "old.json").write_text(render(BAD, "json"))

    assert set(read(tmp_path / "old.json")) == set(BAD.findings)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no report"),
        ('{"kind": "plan", "version": 1}', "no report"),
        ('{"kind": "verify", "version": 2}', "version 2"),
        ('{"kind": "verify", "version": 1}', "damaged"),
        ('{"kind": "verify", "version": 1, "findings": [{"check": "spf.ptr"}]}', "damaged"),
        ('{"kind": "verify", "version": 1, "findings": 7}', "damaged"),
    ],
)
def test_what_is_no_report_is_refused(content: str, why: str, tmp_path: Path) -> None:
    """With the reason, and never with a traceback: else everything known would fail, or nothing."""
    (tmp_path / "old.json").write_text(content)

    with pytest.raises(UsageError, match=why):
        read(tmp_path / "old.json")


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A misspelt baseline accepts nothing silently."""
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "old.json")


def test_a_report_with_wrong_kinds_of_values_is_refused(tmp_path: Path) -> None:
    """Texts are texts."""
    document = json.loads(render(BAD, "json"))
    document["findings"][0]["target"] = ["x"]
    (tmp_path / "old.json").write_text(json.dumps(document))

    with pytest.raises(UsageError, match="damaged"):
        read(tmp_path / "old.json")


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ([FAIL], [FAIL], True),
        ([FAIL], [WARN], True),
        ([WARN], [UNKNOWN], True),
        ([WARN], [FAIL], False),
        ([UNKNOWN], [FAIL], False),
        ([PASS], [FAIL], False),
        ([], [FAIL], False),
    ],
)
def test_a_baseline_accepts_what_is_as_bad_as_it_was_and_no_more(
    before: list[Status], after: list[Status], *, known: bool
) -> None:
    """What is new or got worse fails."""
    old, new = [finding(s) for s in before], [finding(s) for s in after]

    assert bool(accepted(old, new)) == known


def test_a_second_failure_of_one_check_is_new() -> None:
    """The baseline had one."""
    old, new = [finding(FAIL, "a")], [finding(FAIL, "a"), finding(FAIL, "b")]

    assert accepted(old, new) == {finding(FAIL, "a")}


def test_a_finding_is_known_again_when_its_figures_change() -> None:
    """Days and counts change daily."""
    assert accepted([finding(FAIL, "12 of 10")], [finding(FAIL, "13 of 10")])


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        ([], [FAIL], Turn.NEW),
        ([PASS], [WARN], Turn.WORSE),
        ([WARN], [FAIL], Turn.WORSE),
        ([PASS], [UNKNOWN], Turn.WORSE),
        ([FAIL], [UNKNOWN], Turn.LOST),
        ([FAIL], [WARN], Turn.BETTER),
        ([FAIL], [PASS], Turn.BETTER),
        ([UNKNOWN], [PASS], Turn.BETTER),
        ([FAIL], [], Turn.GONE),
        ([FAIL], [FAIL], None),
        ([], [PASS], None),
        ([PASS], [], None),
    ],
)
def test_changes_are_named_by_their_direction(before: list[Status], after: list[Status], turn: Turn | None) -> None:
    """A failure that can no longer be looked at has not become better."""
    there = SIZE.passed(DOMAIN, "fits")
    found = changes([finding(s) for s in before], [there, *(finding(s) for s in after)], {PTR.name})

    assert [change.turn for change in found] == ([turn] if turn else [])


def test_what_this_run_did_not_look_at_has_not_gone() -> None:
    """--only and --skip leave checks out."""
    assert changes([finding(FAIL)], [SIZE.passed(DOMAIN, "fits")], {SIZE.name}) == ()


def test_domains_that_this_run_did_not_look_at_have_not_gone() -> None:
    """Nor their servers; a server that left a domain that was looked at has."""
    others = [f for f in many(3).findings if f.subject.kind is Kind.DOMAIN]
    here = [f for f in BAD.findings if f.subject == DOMAIN]

    assert changes([*BAD.findings, *others], here, set(CHECKS)) == ()
    assert {c.turn for c in changes(BAD.findings, here, set(CHECKS))} == {Turn.GONE}


def test_changes_are_told_worst_first_and_what_is_the_same_once() -> None:
    """A person reads what happened, in a few lines."""
    mended = replace(WRONG[0], status=PASS, seen="9 of 10 lookups", advice="")
    after = (*many(3).findings, mended, replace(WRONG[1], status=FAIL))

    lines = diff_lines(changes(WRONG, after, set(CHECKS)), View()).splitlines()

    assert "\n".join(lines).index("New") < "\n".join(lines).index("Better")
    assert "    d000.example, d002.example" not in lines
    assert "  \x1b[1mspf.lookups\x1b[0m  fail → pass" in lines
    assert "  \x1b[1mdmarc.policy\x1b[0m  warn → fail" in lines
    assert lines[-1] == "3 new, 1 worse, 1 better"


def test_no_change_is_one_line() -> None:
    """Quiet."""
    assert diff_lines(changes(GOOD.findings, GOOD.findings, set(CHECKS)), View()) == "nothing changed"


def test_changes_in_json_hold_both_findings() -> None:
    """What it was and what it is."""
    found = changes([finding(WARN, "was")], [finding(FAIL, "is")], {PTR.name})

    document = json.loads(diff_document(found, BAD, View()))

    assert document["kind"] == "verify-diff"
    assert document["counts"] == {"new": 0, "worse": 1, "lost": 0, "better": 0, "gone": 0}
    (change,) = document["changes"]
    assert (change["turn"], change["before"]["seen"], change["after"]["seen"]) == ("worse", "was", "is")
