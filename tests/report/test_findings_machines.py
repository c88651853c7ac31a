"""What programs read: JSON by its published schema, JUnit XML, SARIF by its official schema."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from sendwright.report.findings import render
from sendwright.report.findings_json import schema
from sendwright.report.findings_sarif import sarif
from sendwright.report.findings_view import View
from sendwright.report.places import places
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Report, Status
from tests.report.findings_worlds import BAD, GOOD, HOSTILE, MISSING, WRONG, many, report

# By the OASIS committee that writes SARIF.
SARIF = json.loads((Path(__file__).parent / "sarif-2.1.0-rtm.5.schema.json").read_text())
REPORTS = {
    "good": GOOD,
    "bad": BAD,
    "missing": MISSING,
    "many": many(40),
    "empty": report([]),
    "hostile": report([CHECKS["spf.ptr"].failed(WRONG[0].subject, HOSTILE, HOSTILE, HOSTILE)]),
}
every_report = pytest.mark.parametrize("of", REPORTS.values(), ids=REPORTS)


def strictly(rules: Any) -> Any:
    """Return a schema that also refuses fields that it does not name."""
    if isinstance(rules, list):
        return [strictly(item) for item in rules]
    if not isinstance(rules, dict):
        return rules
    return {key: strictly(value) for key, value in rules.items()} | (
        {"additionalProperties": False} if rules.get("type") == "object" and "properties" in rules else {}
    )


@every_report
@pytest.mark.parametrize("strict", [False, True])
def test_the_json_is_as_its_schema_says_and_the_schema_knows_every_field(of: Report, *, strict: bool) -> None:
    """What is published is what programs get."""
    document = json.loads(render(of, "json", View(strict=strict)))

    rules = strictly(json.loads(schema()))
    jsonschema.Draft202012Validator.check_schema(rules)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(rules, format_checker=checker).validate(document)
    assert document["result"] == ("failed" if View(strict=strict).failed(of) else "passed")


def test_the_schema_refuses_what_is_no_report() -> None:
    """A schema that takes everything says nothing."""
    document = json.loads(render(BAD, "json"))
    document["findings"][0]["status"] = "broken"
    del document["findings"][1]["seen"]

    errors = jsonschema.Draft202012Validator(json.loads(schema())).iter_errors(document)

    assert len(list(errors)) == 2


def test_a_finding_in_the_json_says_all_that_is_known() -> None:
    """Who reads it needs no other file."""
    found = json.loads(render(BAD, "json"))["findings"][0]

    assert found == {
        "check": "spf.lookups",
        "status": "fail",
        "subject": {"kind": "domain", "name": "example.com"},
        "target": "",
        "seen": WRONG[0].seen,
        "advice": WRONG[0].advice,
        "accepted": False,
        "rule": CHECKS["spf.lookups"].rule,
        "why": CHECKS["spf.lookups"].why,
        "reference": "RFC 7208, 4.6.4",
    }


def test_the_order_of_the_json_does_not_depend_on_the_order_of_answers() -> None:
    """Two runs that found the same differ in their times only."""
    turned = report(reversed(BAD.findings))

    assert render(turned, "json") == render(BAD, "json")
    assert render(turned, "sarif") == render(BAD, "sarif")


def test_what_is_accepted_is_counted_apart() -> None:
    """It is a failure still, and fails nothing."""
    document = json.loads(render(BAD, "json", View(accepted=frozenset(WRONG[:1]))))

    assert document["counts"] == {"fail": 2, "warn": 1, "unknown": 1, "pass": 6, "accepted": 1}
    assert document["subjects"][0]["counts"]["accepted"] == 1
    assert [f["check"] for f in document["findings"] if f["accepted"]] == ["spf.lookups"]


@every_report
def test_junit_counts_what_it_holds_and_names_each_case_once(of: Report) -> None:
    """GitLab and Jenkins compare runs by the names of cases, and believe the counts."""
    root = ET.fromstring(render(of, "junit"))  # noqa: S314 - our own output

    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names) == len(of.findings) == int(root.get("tests", ""))
    for element in (root, *root.iter("testsuite")):
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped"), ("errors", "error")):
            assert int(element.get(count, "")) == len(list(element.iter(tag)))


def test_junit_fails_what_makes_the_run_fail_and_skips_the_rest_with_its_reason() -> None:
    """CI shows failures in red and skips with their message; both tell what to do."""
    root = ET.fromstring(render(BAD, "junit"))  # noqa: S314

    cases = {case.get("name"): case for case in root.iter("testcase")}
    failure = cases["spf.lookups example.com"].find("failure")
    skipped = cases["smtp.relay mx1.example.com [2001:db8::10]:25"].find("skipped")
    assert failure is not None
    assert skipped is not None
    assert failure.get("message") == WRONG[0].seen
    assert f"to do: {WRONG[0].advice}" in (failure.text or "")
    assert str(skipped.get("message")).startswith("cannot be told: no answer from")
    assert cases["spf.lookups example.com"].get("classname") == "spf"
    assert [suite.get("name") for suite in root] == ["domain example.com", "server mx1.example.com"]


def test_junit_is_as_strict_as_the_exit_code() -> None:
    """--strict turns skips into failures, a baseline failures into skips."""
    strict = ET.fromstring(render(BAD, "junit", View(strict=True)))  # noqa: S314
    accepted = ET.fromstring(render(BAD, "junit", View(accepted=frozenset(BAD.findings))))  # noqa: S314

    assert (strict.get("failures"), strict.get("skipped")) == ("5", "0")
    assert accepted.get("failures") == "0"


@every_report
def test_sarif_is_valid_by_its_official_schema(of: Report) -> None:
    """Code scanning refuses a file that is not."""
    official = jsonschema.validators.validator_for(SARIF)(SARIF)

    assert [fault.message for fault in official.iter_errors(json.loads(render(of, "sarif")))] == []


def test_sarif_tells_what_is_wrong_with_rules_levels_and_places() -> None:
    """What is right is no alert; every result names its rule and a file."""
    (run,) = json.loads(render(BAD, "sarif"))["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]

    assert [r["level"] for r in results] == ["error", "error", "error", "warning", "note"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
    assert {rule["id"] for rule in rules} == set(CHECKS)
    assert all(rule["help"]["text"] for rule in rules)
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "example.com"}, "region": {"startLine": 1}}


def test_sarif_knows_a_finding_again_whatever_was_seen() -> None:
    """Else code scanning closes and opens an alert on every run; two findings are never taken for one."""
    later = report([CHECKS["spf.lookups"].failed(WRONG[0].subject, "13 of 10 lookups", "")])

    before, after = (json.loads(render(of, "sarif"))["runs"][0]["results"] for of in (BAD, later))

    assert before[0]["partialFingerprints"] == after[0]["partialFingerprints"]
    assert len({r["partialFingerprints"]["primaryLocationLineHash"] for r in before}) == len(before)


def test_sarif_marks_what_is_accepted() -> None:
    """It stays in the file, suppressed."""
    results = json.loads(render(BAD, "sarif", View(accepted=frozenset(WRONG[:1]))))["runs"][0]["results"]

    assert [r["ruleId"] for r in results if "suppressions" in r] == ["spf.lookups"]


def test_sarif_messages_hold_no_link_and_no_placeholder_from_outside() -> None:
    """[text](address) and {0} mean something in a message (SARIF 2.1.0, 3.11.5 and 3.11.6)."""
    hostile = report([CHECKS["spf.ptr"].failed(WRONG[0].subject, "[x](https://evil.example) {0}", "")])

    text = json.loads(render(hostile, "sarif"))["runs"][0]["results"][0]["message"]["text"]

    assert "](" not in text
    assert "{{0}}" in text


def test_sarif_leaves_out_the_least_where_code_scanning_would_refuse_all() -> None:
    """And says so."""
    run = json.loads(sarif(BAD, View(), most=4))["runs"][0]

    assert [r["level"] for r in run["results"]] == ["error", "error", "error", "warning"]
    assert "The least 1 of 5 findings" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_a_finding_stands_at_the_line_that_declares_its_subject(tmp_path: Path) -> None:
    """A pull request shows it beside the domain; what the inventory does not name, beside its first line."""
    (tmp_path / "mail" / "group_data").mkdir(parents=True)
    (tmp_path / "mail" / "inventory.py").write_text('\nsenders = [("mx1.example.com", {})]\n')
    (tmp_path / "mail" / "group_data" / "all.py").write_text('dns = {}\n\ndomains = {\n    "example.com": {},\n}\n')

    found = places(tmp_path / "mail", {"example.com", "mx1.example.com", "mx.example.net"}, tmp_path)

    assert found == {
        "example.com": ("mail/group_data/all.py", 4),
        "mx1.example.com": ("mail/inventory.py", 2),
        "mx.example.net": ("mail/inventory.py", 1),
    }
    elsewhere = places(tmp_path / "mail", {"example.com"}, tmp_path / "mail" / "group_data" / "elsewhere")
    assert elsewhere == {"example.com": ("group_data/all.py", 4)}
    results = json.loads(render(BAD, "sarif", View(places=found)))["runs"][0]["results"]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results} == {
        "mail/group_data/all.py",
        "mail/inventory.py",
    }


def test_statuses_of_the_schema_are_those_of_findings() -> None:
    """A new one cannot be forgotten."""
    assert set(json.loads(schema())["$defs"]["status"]["enum"]) == set(Status)
