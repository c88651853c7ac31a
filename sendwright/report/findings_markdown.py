"""Findings as Markdown (GitHub's and GitLab's), for a job's summary or a comment.

Everything that is not plain prose stands in code spans: nothing is HTML, a link, a mention or a reference there, and
records can be copied as they are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from sendwright.report.findings_view import (
    Alike,
    Part,
    View,
    alike,
    by_check,
    counted,
    kinds,
    many,
    number,
    one_line,
    parts,
    tally,
    verdict,
    whom,
)
from sendwright.report.prose import pieces
from sendwright.report.references import linked
from sendwright.verify.finding import Report, Status

_MARK = {Status.FAIL: "❌", Status.WARN: "⚠️", Status.UNKNOWN: "❔", Status.PASS: "✅"}
_ROWS = 50
_NAMES = 20


def markdown(report: Report, view: View) -> str:
    """Return a report as Markdown."""
    return "\n".join([*_head(report, view), *_body(report, view), *_accepted(report, view)]).rstrip()


def prose(text: str) -> str:
    """Return a sentence from outside: its values as code, so that nothing in it means anything."""
    return "".join(code(piece) if value else piece for piece, value in pieces(one_line(text)))


def code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds (GFM 6.3)."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[:1] in {"`", " "} or text[-1:] in {"`", " "} else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _head(report: Report, view: View) -> Iterator[str]:
    mark = _MARK[Status.FAIL if view.failed(report) else Status.PASS]
    counts = counted(f for f in report.findings if not view.accepts(f))
    yield f"## {mark} sendwright verify: {verdict(report, view).lower()}"
    yield ""
    yield f"{tally(counts, len(view.known(report.findings)))} · {kinds(report.subjects)}"
    yield ""


def _body(report: Report, view: View) -> Iterator[str]:
    found = parts(report, view)
    if len(found) > 1 and any(part.wrong for part in found):
        yield from _table([part for part in found if part.wrong])
    if many(report):
        for topic in by_check(alike(view.open(report.findings))):
            yield from _item(
                topic[0], topic[0].names, f" and {whom(topic[1:])} more, in other ways" if topic[1:] else ""
            )
        yield ""
    else:
        for part in found:
            yield from _part(part, view)
    right = [part for part in found if not part.wrong]
    if right:
        yield f"{_MARK[Status.PASS]} Without a finding: {_listed([part.name for part in right])}"
        yield ""


def _table(rows: Sequence[Part]) -> Iterator[str]:
    yield "| | fail | warn | unknown | right |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for part in rows[:_ROWS]:
        cells = (part.counts[status] or "" for status in (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS))
        # A pipe ends a cell even in a code span.
        name = code(part.name).replace("|", "\\|")
        yield f"| {name} | {' | '.join(map(str, cells))} |"
    yield ""
    if more := rows[_ROWS:]:
        yield f"… and {kinds(part.subject for part in more)} more"
        yield ""


def _part(part: Part, view: View) -> Iterator[str]:
    if not part.wrong and not view.every:
        return
    described = f" {prose(part.described)}" if part.described else ""
    yield f"### {code(part.name)}{described}"
    yield ""
    for group in part.wrong:
        yield from _item(group, group.targets)
    yield ""
    if view.every:
        yield f"<details><summary>{number(part.counts[Status.PASS], 'check')} right</summary>"
        yield ""
        yield from (f"- {code(group.check.name)} {prose(group.seen)}" for group in part.right)
        yield ""
        yield "</details>"
        yield ""


def _item(group: Alike, whose: Sequence[str], more: str = "") -> Iterator[str]:
    check, mark = group.check, _MARK[group.status]
    names = f" · {_listed(whose)}" if whose else ""
    yield f"- {mark} **{group.status.value}** {code(check.name)}{names}{more}<br>"
    advice = f"<br>\n  **→ {prose(group.advice)}**" if group.advice else ""
    yield f"  {prose(group.seen)}{advice}<br>"
    references = "".join(f"[{text}]({address})" if address else text for text, address in linked(check.reference))
    yield f"  <sub>{prose(check.why)} ({references})</sub>"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(map(code, names[:_NAMES])) + more


def _accepted(report: Report, view: View) -> Iterator[str]:
    known: Iterable[Alike] = alike(view.known(report.findings))
    topics = by_check(known)
    if not topics:
        return
    yield "<details><summary>Accepted, because the baseline has it</summary>"
    yield ""
    for topic in topics:
        names = dict.fromkeys(name for group in topic for name in group.names)
        yield f"- {topic[0].status.value} {code(topic[0].check.name)} · {_listed(list(names))}"
    yield ""
    yield "</details>"
