"""Findings as JSON, by ``verify.schema.json`` beside this file and ``docs/json.md``."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sendwright.report.findings_view import View, counted, of_subjects, ordered
from sendwright.report.json import document as json_document
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Kind, Report, Status, Subject

KIND = "verify"


def document(report: Report, view: View) -> str:
    """Return a report as a JSON document; subjects and findings in an order of their own, the same from run to run."""
    described = dict(report.described)
    of = {subject: ordered(findings) for subject, findings in of_subjects(report).items()}
    subjects = sorted(of, key=_order)
    return json_document(
        KIND,
        result="failed" if view.failed(report) else "passed",
        strict=view.strict,
        began=report.began.isoformat(),
        took=round(report.took.total_seconds(), 3),
        resolver=report.resolver,
        counts=_counts(report.findings, view),
        subjects=[_subject(s, described.get(s, ""), of[s], view) for s in subjects],
        findings=[{**finding_fields(f), "accepted": view.accepts(f)} for s in subjects for f in of[s]],
    )


def schema() -> str:
    """Return the JSON Schema (2020-12) of the document."""
    return (files("sendwright.report") / "verify.schema.json").read_text(encoding="utf-8")


def finding_fields(finding: Finding) -> dict[str, Any]:
    """Return the fields of one finding, with what the catalogue, if it still knows the check, says of it."""
    check = CHECKS.get(finding.check)
    return {
        "check": finding.check,
        "status": finding.status.value,
        "subject": subject_fields(finding.subject),
        "target": finding.target,
        "seen": finding.seen,
        "advice": finding.advice,
        "rule": check.rule if check else "",
        "why": check.why if check else "",
        "reference": check.reference if check else "",
    }


def subject_fields(subject: Subject) -> dict[str, str]:
    """Return the fields of what findings are about."""
    return {"kind": subject.kind.value, "name": subject.name}


def _subject(subject: Subject, described: str, findings: tuple[Finding, ...], view: View) -> dict[str, Any]:
    return {**subject_fields(subject), "described": described, "counts": _counts(findings, view)}


def _counts(findings: tuple[Finding, ...], view: View) -> Mapping[str, int]:
    counts = counted(f for f in findings if not view.accepts(f))
    return {
        **{status.value: counts[status] for status in Status},
        "accepted": sum(view.accepts(f) for f in findings),
    }


def _order(subject: Subject) -> tuple[int, str]:
    return list(Kind).index(subject.kind), subject.name
