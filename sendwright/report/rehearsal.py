"""What a rehearsal proved, for people and for machines."""

from dataclasses import asdict, dataclass

import click

from sendwright.escape import printable
from sendwright.report.json import document


@dataclass(frozen=True)
class Finding:
    """One sentence that was put to the test: what should hold, whether it did, what was seen."""

    sentence: str
    held: bool
    seen: str = ""


def rehearsal_lines(findings: tuple[Finding, ...], seconds: dict[str, float]) -> str:
    """Return the report as people read it: what failed first, the proof in a table, the time it took."""
    failed = [f for f in findings if not f.held]
    width = max((len(f.sentence) for f in findings), default=0)
    lines = [_line(f, width) for f in (*failed, *(f for f in findings if f.held))]
    times = ", ".join(f"{name} {spent:.0f} s" for name, spent in seconds.items())
    verdict = click.style("PROVEN", fg="green", bold=True) if not failed else click.style("FAILED", fg="red", bold=True)
    counted = f"{len(findings) - len(failed)} of {len(findings)} hold"
    return "\n".join([*lines, "", f"{verdict}  {counted}; {times}"])


def _line(finding: Finding, width: int) -> str:
    mark = click.style("✓", fg="green") if finding.held else click.style("✗", fg="red", bold=True)
    return f"  {mark} {printable(finding.sentence):<{width}}  {printable(finding.seen)}".rstrip()


def rehearsal_document(findings: tuple[Finding, ...], seconds: dict[str, float]) -> str:
    """Return the report as JSON (``docs/json.md``)."""
    return document("rehearsal", findings=[asdict(f) for f in findings], seconds=seconds)
