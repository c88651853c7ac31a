"""What ``sendwright verify INVENTORY --hosts`` says of hosts: the same definitions, a test for each check and host."""

import warnings

import pytest

from sendwright.verify.finding import Finding, Status
from sendwright.verify.hosts import RULES
from sendwright.verify.inside.facts import Facts


@pytest.mark.parametrize("check", RULES)
def test_it_holds(facts: Facts, check: str) -> None:
    """A check holds on a host; what is only to be mended soon is a warning."""
    findings = tuple(RULES[check](facts))

    assert findings
    for finding in findings:
        if finding.status is Status.WARN:
            warnings.warn(_sentence(finding), stacklevel=1)
    if wrong := [_sentence(f) for f in findings if f.status in {Status.FAIL, Status.UNKNOWN}]:
        pytest.fail("\n".join(wrong), pytrace=False)


def _sentence(finding: Finding) -> str:
    return f"{finding.subject.name}: {finding.seen}. {finding.advice}"
