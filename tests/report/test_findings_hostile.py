"""Whatever stands in a finding, no form of the report is broken by it, and nothing in it acts."""

import json
from xml.etree import ElementTree as ET

import click
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.report.findings import FORMS, render
from sendwright.report.findings_diff import diff_document, diff_lines
from sendwright.report.findings_view import View
from sendwright.report.prose import pieces
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Kind, Report, Status, Subject
from sendwright.verify.known import accepted, changes
from tests.report.findings_worlds import report
from tests.report.test_findings_pages import Page

# Any characters, lone surrogates too, and pieces of what means something somewhere.
ANY = st.text(st.characters(), max_size=60)
MEANT = st.sampled_from(
    ["<script>", "]]>", "&amp;", "-->", '"><img src=x onerror=x>', "\x1b[2J", "\u202e", "\r\n", "\0", "```", "`", "|",
     "${{ x }}", "{{ 7*7 }}", "{% raw %}", "</style>", "](https://x)", "@x", "\ufffe", "\ud800", "v=spf1 a", "  "]
)  # fmt: skip
TEXT = st.lists(st.one_of(ANY, MEANT), max_size=4).map("".join)
SUBJECTS = st.builds(Subject, st.sampled_from(Kind), TEXT)
FINDINGS = st.builds(
    Finding, st.sampled_from(sorted(CHECKS)), SUBJECTS, st.sampled_from(Status), TEXT, advice=TEXT, target=TEXT
)
# Up to as many subjects as are told by check.
REPORTS = st.lists(FINDINGS, max_size=14).map(report)


@settings(max_examples=60)
@given(REPORTS, st.booleans(), st.booleans())
def test_every_form_stays_whole(of: Report, strict: bool, every: bool) -> None:
    """XML and JSON can be parsed, the page holds our elements only, and a terminal gets no control character."""
    view = View(strict=strict, every=every, accepted=frozenset(of.findings[:2]))

    shown = {form: render(of, form, view) for form in FORMS}

    ET.fromstring(shown["junit"])  # noqa: S314 - our own output
    assert len(json.loads(shown["json"])["findings"]) == len(of.findings)
    json.loads(shown["sarif"])
    assert not Page(shown["html"]).tags() & {"script", "img"}
    for form in FORMS:
        text = click.unstyle(shown[form]).replace("\n", "")
        assert text.isprintable(), form
        assert text.encode()


@given(REPORTS, REPORTS)
def test_changes_are_shown_safely(before: Report, after: Report) -> None:
    """An older report is from outside as well."""
    found = changes(before.findings, after.findings, set(CHECKS))

    assert click.unstyle(diff_lines(found, View())).replace("\n", "").isprintable()
    assert len(json.loads(diff_document(found, after, View()))["changes"]) == len(found)


@given(REPORTS)
def test_a_report_is_its_own_baseline(of: Report) -> None:
    """Everything that is known is accepted, and nothing has changed."""
    known = accepted(of.findings, of.findings)

    assert known == frozenset(f for f in of.findings if f.status is not Status.PASS)
    assert changes(of.findings, of.findings, set(CHECKS)) == ()
    assert View(strict=True, accepted=known).failed(of) == (not of.findings)


@given(TEXT)
def test_nothing_outside_of_code_means_anything(text: str) -> None:
    """What prose may consist of is a closed alphabet."""
    outside = "".join(piece for piece, value in pieces(text) if not value)

    assert not set(outside) & set("<>&[]{}|`*_~#@\\/$^=+")
