"""What people read in browsers and on code hosts: HTML and Markdown."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sendwright.report.findings import render
from sendwright.report.findings_markdown import code, prose
from sendwright.report.findings_view import View
from sendwright.report.prose import pieces
from sendwright.report.references import linked
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Kind, Report, Subject
from tests.report.findings_worlds import BAD, DOMAIN, GOOD, HOSTILE, MISSING, many, report

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """An HTML document: its elements, what they say, and whether each that was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self._open += [tag] if tag not in VOID else []

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is said."""
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def tags(self) -> set[str]:
        """Return the names of all elements."""
        return {tag for tag, _ in self.elements}


@pytest.mark.parametrize(
    "of", [GOOD, BAD, MISSING, many(), report([])], ids=["good", "bad", "missing", "many", "empty"]
)
def test_the_page_is_one_file_without_scripts_and_without_anything_from_elsewhere(of: Report) -> None:
    """It can be mailed, archived, and opened where there is no network; its policy forbids all but its own style."""
    page = Page(render(of, "html"))

    assert not page.tags() & {"script", "img", "link", "iframe", "object", "form", "base", "svg"}
    assert not any(name in {"src", "style"} or name.startswith("on") for _, a in page.elements for name in a)
    assert not re.search(r"@import|url\(", page.style)
    addresses = [a["href"] for tag, a in page.elements if tag == "a"]
    assert all(str(address).startswith("https://www.rfc-editor.org/rfc/") for address in addresses)


def test_the_policy_of_the_page_admits_its_own_style_alone() -> None:
    """By its digest: no style that came in with a value holds."""
    page = Page(render(BAD, "html"))

    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_has_one_heading_and_sections_below_it() -> None:
    """Who listens to it finds their way by headings."""
    levels = [tag for tag, _ in Page(render(BAD, "html")).elements if re.fullmatch(r"h\d", tag)]

    assert levels == ["h1", "h2", "h3", "h3", "h2", "h3", "h3"]


def test_the_page_tells_what_the_text_tells() -> None:
    """What was seen, what to do, why, and what is accepted."""
    accepted = next(f for f in BAD.findings if f.check == "dmarc.policy")
    text = " ".join(Page(render(BAD, "html", View(accepted=frozenset([accepted])))).text.split())

    for finding in BAD.findings:
        assert finding.seen in text
        assert finding is accepted or finding.advice in text
    assert "3 checks fail" in text
    assert "1 finding, because the baseline has it" in text


def test_hundreds_of_domains_are_a_page_that_a_browser_opens_at_once() -> None:
    """By check, with a table; every name is in it, and it stays small."""
    text = render(many(1000), "html")

    assert len(text) < 500_000
    assert all(f"d{number:03}.example" in text for number in range(1000))


def test_each_way_of_mending_the_same_check_is_in_the_page() -> None:
    """Once: what mends the first one may be wrong for the next."""
    other = CHECKS["spf.ptr"].warned(
        Subject(Kind.DOMAIN, "d001.example"), "ptr twice", "Remove one, replace the other."
    )

    text = render(replace(many(), findings=(*many().findings, other)), "html")

    assert text.count("Remove one, replace the other.") == text.count("Replace ptr by addresses.") == 1


def test_hostile_values_are_text_in_the_page() -> None:
    """No element is made by them, and nothing in them turns the line around."""
    hostile = report([CHECKS["spf.ptr"].failed(DOMAIN, HOSTILE, HOSTILE, HOSTILE)])
    plain = report([CHECKS["spf.ptr"].failed(DOMAIN, "seen", "advice", "target")])

    page = Page(render(hostile, "html"))

    assert page.tags() == Page(render(plain, "html")).tags()
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text


def test_markdown_leads_with_the_verdict_and_keeps_records_fit_to_copy() -> None:
    """A job's summary: counts, a table, then what is wrong with what to publish as code."""
    lines = render(BAD, "markdown").splitlines()

    assert lines[0] == "## ❌ sendwright verify: failed"
    assert "| `example.com` | 1 | 1 |  | 5 |" in lines
    assert any("`v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com` at `_dmarc.example.com`." in x for x in lines)
    assert any("[RFC 7208, 4.6.4](https://www.rfc-editor.org/rfc/rfc7208.html#section-4.6.4)" in x for x in lines)
    assert render(GOOD, "markdown").startswith("## ✅ sendwright verify: passed")


def test_markdown_of_hundreds_of_domains_fits_into_a_comment() -> None:
    """Each check once, with the first names; GitHub takes 65,536 characters of a comment."""
    text = render(many(1000), "markdown")

    assert len(text) < 20_000
    assert "`spf.lookups` · `d000.example` and 99 domains more, in other ways" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "@somebody",
        "https://evil.example",
        "[a](b)",
        "a|b",
        "#123",
        "GH-12",
        "![x](y)",
        "**b**",
    ],
)
def test_what_means_something_in_markdown_stands_in_code(hostile: str) -> None:
    """No HTML, no mention that mails somebody, no link, no reference, no end of a cell."""
    assert prose(f"It says {hostile} today") == f"It says `{hostile}` today"


@pytest.mark.parametrize(
    ("text", "shown"), [("a`b", "``a`b``"), ("`a", "`` `a ``"), ("``", "``` `` ```"), ("a", "`a`")]
)
def test_backticks_do_not_end_a_code_span(text: str, shown: str) -> None:
    """The fence is longer than any run of them (GFM 6.3)."""
    assert code(text) == shown


@pytest.mark.parametrize(
    ("sentence", "values"),
    [
        ("Publish v=spf1 ip4:192.0.2.0/24 mx -all at example.com.", ["v=spf1 ip4:192.0.2.0/24 mx -all", "example.com"]),
        ("12 of 10 lookups: include:a.example (7), mx (1)", ["include:a.example"]),
        ("Run `sendwright provision mail`, then wait.", ["sendwright provision mail"]),
        ("It ran out on 2026-11-19 (3 days ago); renew it!", []),
        ("The key is revoked (p= is empty); end it in ~all (or -all).", ["p=", "~all", "-all"]),
        ("https://a.example/x: b.example (192.0.2.1:25)", ["https://a.example/x", "b.example", "192.0.2.1:25"]),
        ("a.example, b.example and c.example", ["a.example", "b.example", "c.example"]),
    ],
)
def test_values_are_told_from_prose(sentence: str, values: list[str]) -> None:
    """Records, names and commands; figures, dates and words are prose."""
    found = list(pieces(sentence))

    assert [piece for piece, value in found if value] == values
    assert "".join(piece for piece, _ in found) == sentence.replace("`", "")


@pytest.mark.parametrize(
    ("reference", "addresses"),
    [
        ("RFC 7208, 4.6.4", ["rfc7208.html#section-4.6.4"]),
        ("RFC 9989, A and C", ["rfc9989.html#appendix-A"]),
        ("RFC 8301, 3; RFC 8463, 3", ["rfc8301.html#section-3", "rfc8463.html#section-3"]),
        ("postconf(5)", []),
    ],
)
def test_references_are_links_to_their_section(reference: str, addresses: list[str]) -> None:
    """Who wants to know goes on reading there."""
    found = list(linked(reference))

    assert [a.removeprefix("https://www.rfc-editor.org/rfc/") for _, a in found if a] == addresses
    assert "".join(text for text, _ in found) == reference
