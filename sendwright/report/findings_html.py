"""Findings as one HTML file: no script, nothing from elsewhere, for a phone, a desk, the dark and for paper."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from sendwright.report.findings_view import (
    View,
    alike,
    by_check,
    counted,
    kinds,
    many,
    number,
    one_line,
    parts,
    ways,
    whom,
)
from sendwright.report.prose import pieces
from sendwright.report.references import linked
from sendwright.verify.finding import Report, Status


def page(report: Report, view: View) -> str:
    """Return a report as an HTML document."""
    wrong, right = view.open(report.findings), (f for f in report.findings if f.status is Status.PASS)
    known = view.known(report.findings)
    counts = counted(f for f in report.findings if not view.accepts(f))
    found = parts(report, view)
    template, css = _template()
    rendered: str = template.render(
        css=Markup(css),  # noqa: S704 - ours, from the file beside this one
        style=_digest(css),
        title=_title(report),
        headline=_headline(report, counts, view),
        failed=view.failed(report),
        counts=counts,
        accepted=by_check(alike(known)),
        accepted_count=len(known),
        about=kinds(report.subjects),
        report=report,
        parts=found,
        many=many(report),
        wrong=by_check(alike(wrong)) if many(report) else (),
        right=by_check(alike(right)) if many(report) else (),
    )
    return rendered


def _headline(report: Report, counts: Mapping[Status, int], view: View) -> str:
    fails, warns, unknown = (counts[s] for s in (Status.FAIL, Status.WARN, Status.UNKNOWN))
    if not report.findings:
        return "Nothing was checked"
    if fails:
        return f"{number(fails, 'check')} {'fails' if fails == 1 else 'fail'}"
    told = [number(warns, "warning")] * bool(warns) + [f"{unknown:,} cannot be told"] * bool(unknown)
    return f"{'Not right' if view.failed(report) else 'Right'}, with {' and '.join(told)}" if told else "All is right"


def _title(report: Report) -> str:
    names = [one_line(subject.name) for subject in report.subjects]
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _digest(css: str) -> str:
    return base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


@cache
def _template() -> tuple[Template, str]:
    folder = files("sendwright.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"pieces": pieces, "linked": linked, "one_line": one_line}
    environment.filters |= {"number": number, "ways": ways, "whom": whom}
    template = environment.from_string((folder / "verify.html.j2").read_text(encoding="utf-8"))
    return template, (folder / "verify.css").read_text(encoding="utf-8")
