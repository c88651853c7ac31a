"""What ``verify`` found, in each form that it can be printed in."""

from collections.abc import Callable

from sendwright.report.findings_view import View
from sendwright.verify.finding import Report

FORMS = ("text", "json", "junit", "sarif", "markdown", "html")
"""For people at a terminal, programs, CI's lists of tests, code scanning, job summaries, and browsers."""


def render(report: Report, form: str, view: View | None = None) -> str:
    """Return a report in one of ``FORMS``, without a last line feed; KeyError for another one.

    Text may hold colours (click drops them where there is no terminal); all else holds none.
    """
    return _printer(form)(report, view or View())


def _printer(form: str) -> Callable[[Report, View], str]:
    # Who asks for text does not wait for jinja2.
    match form:
        case "text":
            from sendwright.report.findings_text import lines as printer
        case "json":
            from sendwright.report.findings_json import document as printer
        case "junit":
            from sendwright.report.findings_junit import junit as printer
        case "sarif":
            from sendwright.report.findings_sarif import sarif as printer
        case "markdown":
            from sendwright.report.findings_markdown import markdown as printer
        case "html":
            from sendwright.report.findings_html import page as printer
        case _:
            raise KeyError(form)
    return printer
