"""Findings as SARIF 2.1.0 (OASIS), as GitHub's code scanning takes it.

What is right is left out: code scanning would show it as an alert. The place of a finding is the line of the inventory
that declares its subject, else a file by the subject's name.
"""

import hashlib
import re
from typing import Any

from sendwright import __version__
from sendwright.escape import printable
from sendwright.report.findings_view import View, one_line
from sendwright.report.json import dump
from sendwright.report.references import first_link
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Check, Finding, Report, Status

_LEVEL = {Status.FAIL: "error", Status.WARN: "warning", Status.UNKNOWN: "note"}
# What GitHub takes of one run; it refuses the whole file otherwise.
_MOST = 25_000
_INDEX = {name: index for index, name in enumerate(CHECKS)}


def sarif(report: Report, view: View, most: int = _MOST) -> str:
    """Return a report as a SARIF log, with the ``most`` results that are worst."""
    wrong = view.open(report.findings) + view.known(f for f in report.findings if f.status is not Status.PASS)
    tool = {
        "name": "sendwright verify",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(check) for check in CHECKS.values()],
    }
    ended = report.began + report.took
    invocation: dict[str, Any] = {
        "executionSuccessful": True,
        "startTimeUtc": _utc(report.began.isoformat()),
        "endTimeUtc": _utc(ended.isoformat()),
    }
    if len(wrong) > most:
        text = f"The least {len(wrong) - most} of {len(wrong)} findings are left out: code scanning takes {most}."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    run = {
        "tool": {"driver": tool},
        "automationDetails": {"id": "sendwright-verify/"},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(f, view) for f in wrong[:most]],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return dump({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _rule(check: Check) -> dict[str, Any]:
    needs = f" It needs {check.needs}." if check.needs else ""
    link = first_link(check.reference)
    return {
        "id": check.name,
        "name": "".join(word.capitalize() for word in re.split(r"[.-]", check.name)),
        "shortDescription": {"text": _literal(check.rule)},
        "fullDescription": {"text": _literal(f"{check.rule}. Otherwise: {check.why}.")},
        "help": {"text": _literal(f"{check.rule}. Otherwise: {check.why} ({check.reference}).{needs}")},
        **({"helpUri": link} if link else {}),
        "properties": {"tags": ["email", check.group]},
    }


def _result(finding: Finding, view: View) -> dict[str, Any]:
    uri, line = view.places.get(finding.subject.name, (finding.subject.name, 1))
    told = f"{finding.subject.name}{_of(finding)}: {one_line(finding.seen)}"
    advice = f" → {one_line(finding.advice)}" if finding.advice else ""
    accepted = view.accepts(finding)
    return {
        "ruleId": finding.check,
        "ruleIndex": _INDEX[finding.check],
        "level": _LEVEL[finding.status],
        "message": {"text": _literal(told + advice)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(uri)}, "region": {"startLine": line}},
                "logicalLocations": [{"name": _literal(finding.subject.name), "kind": finding.subject.kind.value}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(finding), "identity/v1": _fingerprint(finding)},
        **({"suppressions": [{"kind": "external", "justification": "The baseline has it."}]} if accepted else {}),
    }


def _of(finding: Finding) -> str:
    return f" ({one_line(finding.target)})" if finding.target else ""


def _fingerprint(finding: Finding) -> str:
    """The same from run to run, whatever was seen: code scanning tells by it what is new."""
    return hashlib.sha256("\0".join(finding.identity).encode(errors="backslashreplace")).hexdigest()


def _literal(text: str) -> str:
    """Text as a message that means nothing else: no argument ({0}) and no link ([text](address)); 3.11.5 and 6."""
    return printable(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path, safe="/", errors="backslashreplace")


def _utc(moment: str) -> str:
    return moment.replace("+00:00", "Z")
