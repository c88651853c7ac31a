"""Findings as JUnit XML, as GitLab and Jenkins read it: a suite for a subject, a test case for a finding.

CI shows three states only. A warning, what cannot be told and what a baseline accepts are "skipped", with the reason as
their message: they stand out and break nothing. What makes the run fail (by ``--strict`` also these) is a failure.
"""

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from sendwright.escape import printable
from sendwright.report.findings_view import View, of_subjects, one_line, ordered
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Report, Status

_WORDS = {Status.WARN: "warning", Status.UNKNOWN: "cannot be told", Status.FAIL: "fails", Status.PASS: "right"}


def junit(report: Report, view: View) -> str:
    """Return a report as JUnit XML."""
    root = ET.Element("testsuites", name="sendwright verify")
    for subject, findings in of_subjects(report).items():
        suite = ET.SubElement(root, "testsuite", name=f"{subject.kind.value} {one_line(subject.name)}")
        _count(suite, view, findings)
        suite.set("timestamp", f"{report.began:%Y-%m-%dT%H:%M:%S}")
        _cases(suite, ordered(findings), view)
    _count(root, view, report.findings)
    root.set("time", f"{report.took.total_seconds():.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode")


def _cases(suite: ET.Element, findings: Sequence[Finding], view: View) -> None:
    names: Counter[str] = Counter()
    for finding in findings:
        name = " ".join(filter(None, (finding.check, one_line(finding.subject.name), one_line(finding.target))))
        names[name] += 1
        # CI compares runs by name: two of one name would be taken for one.
        unique = name if names[name] == 1 else f"{name} ({names[name]})"
        case = ET.SubElement(suite, "testcase", classname=CHECKS[finding.check].group, name=unique, time="0")
        _outcome(case, finding, view)


def _outcome(case: ET.Element, finding: Finding, view: View) -> None:
    if view.fails(finding):
        ET.SubElement(case, "failure", type=finding.check, message=one_line(finding.seen)).text = _told(finding)
    elif finding.status is not Status.PASS:
        word = "accepted by the baseline" if view.accepts(finding) else _WORDS[finding.status]
        ET.SubElement(case, "skipped", message=f"{word}: {one_line(finding.seen)}")
        ET.SubElement(case, "system-out").text = _told(finding)
    else:
        ET.SubElement(case, "system-out").text = one_line(finding.seen)


def _told(finding: Finding) -> str:
    check = CHECKS[finding.check]
    told = [
        f"{_WORDS[finding.status]}: {one_line(finding.seen)}",
        f"rule: {check.rule}",
        f"why: {check.why} ({check.reference})",
        *([f"to do: {one_line(finding.advice)}"] if finding.advice else []),
    ]
    return printable("\n".join(told))


def _count(element: ET.Element, view: View, findings: Sequence[Finding]) -> None:
    failures = sum(map(view.fails, findings))
    skipped = sum(f.status is not Status.PASS and not view.fails(f) for f in findings)
    for name, count in (("tests", len(findings)), ("failures", failures), ("errors", 0), ("skipped", skipped)):
        element.set(name, str(count))
