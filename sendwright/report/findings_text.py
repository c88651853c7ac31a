"""Findings for people at a terminal: what is wrong and how to mend it first, quiet about what is right."""

import textwrap
from collections.abc import Iterator, Sequence

import click

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
    parts,
    tally,
    verdict,
    ways,
    whom,
)
from sendwright.verify.finding import Finding, Report, Status

_COLOUR = {Status.FAIL: "red", Status.WARN: "yellow", Status.UNKNOWN: "cyan", Status.PASS: "green"}
_INDENT = " " * 11
# As many lines have the names of one group, and as many rows the table of domains, before the rest is only counted.
_NAME_LINES = 3
_ROWS = 40
# As many ways in which one check fails are told before the rest is only counted.
_WAYS = 5


def lines(report: Report, view: View) -> str:
    """Return the report, wrapped to ``view.width``: by subject, or by check where there are many domains."""
    told = _fleet(report, view) if many(report) else _by_subject(report, view)
    return "\n".join([*told, *_accepted(report, view), _verdict(report, view)])


def _by_subject(report: Report, view: View) -> Iterator[str]:
    found = parts(report, view)
    for part in found:
        if part.wrong or view.every:
            yield from _part(part, view)
            yield ""
    quiet = [part for part in found if not (part.wrong or view.every)]
    width = max((len(part.name) for part in quiet), default=0)
    yield from (_quiet(part, width) for part in quiet)
    yield from [""] if quiet else []


def _part(part: Part, view: View) -> Iterator[str]:
    described = _cut(part.described, view.width - len(part.name) - 2)
    yield click.style(part.name, bold=True) + (click.style(f"  {described}", dim=True) if described else "")
    for group in part.wrong:
        yield from _block(group, ", ".join(group.targets), view)
    if view.every:
        for group in part.right:
            yield from _line(group, view)
    elif part.counts[Status.PASS]:
        yield f"  {_word(Status.PASS)}  {number(part.counts[Status.PASS], 'check')}"


def _quiet(part: Part, width: int) -> str:
    checks = part.counts[Status.PASS]
    told = f"{number(checks, 'check')} right" if checks else "all that is wrong is accepted"
    mark = click.style("✓", fg="green") if checks else "·"
    return f"{mark} {part.name:<{width}}  {told}"


def _block(group: Alike, whose: str, view: View) -> Iterator[str]:
    """A finding in full: what and where, what was seen, why it matters, what to do."""
    head = f"  {_word(group.status)}  {click.style(group.check.name, bold=True)}"
    yield head + (f"  {_cut(whose, view.width - 13 - len(group.check.name))}" if whose else "")
    yield from _wrapped(group.seen, view)
    if group.status is not Status.UNKNOWN:
        yield from (
            click.style(line, dim=True) for line in _wrapped(f"{group.check.why} ({group.check.reference})", view)
        )
    if group.advice:
        yield from _wrapped(group.advice, view, "→ ")


def _line(group: Alike, view: View) -> Iterator[str]:
    whose = f" ({', '.join(group.targets)})" if group.targets else ""
    told, *more = _wrapped(f"{group.check.name}{whose}: {group.seen}", view)
    yield f"  {_word(group.status)}  {told.strip()}"
    yield from more


def _fleet(report: Report, view: View) -> Iterator[str]:
    found = parts(report, view)
    yield from _table([part for part in found if part.wrong], view)
    for topic in by_check(alike(view.open(report.findings))):
        yield from _topic(topic, view)
        yield ""
    if view.every:
        for topic in by_check(alike(f for f in report.findings if f.status is Status.PASS)):
            yield f"  {_word(Status.PASS)}  {topic[0].check.name}: {whom(topic)}"
        yield ""
    if right := [part.subject for part in found if not part.wrong]:
        yield f"{click.style('✓', fg='green')} {kinds(right)} without a finding"
        yield ""


def _table(rows: Sequence[Part], view: View) -> Iterator[str]:
    if not rows:
        return
    shown = rows if view.every else rows[:_ROWS]
    width = max(len("name"), *(len(part.name) for part in shown))
    yield click.style(f"  {'name':<{width}}  {'fail':>5}  {'warn':>5}  {'unknown':>7}", bold=True)
    for part in shown:
        figures = zip((Status.FAIL, Status.WARN, Status.UNKNOWN), (5, 5, 7), strict=True)
        yield f"  {part.name:<{width}}" + "".join(f"  {_figure(part.counts[s], s, wide)}" for s, wide in figures)
    if more := rows[len(shown) :]:
        yield f"  … and {kinds(part.subject for part in more)} more with fewer (--all shows them)"
    yield ""


def _figure(count: int, status: Status, width: int) -> str:
    return click.style(f"{count:>{width},}", fg=_COLOUR[status], bold=True) if count else f"{'-':>{width}}"


def _topic(topic: Sequence[Alike], view: View) -> Iterator[str]:
    """One check, and whom it is about: each way in which it fails is told once."""
    (first, _), *others = ways(topic if view.every else topic[:_WAYS])
    yield from _names(topic, first, view)
    for group, advice in others:
        yield from _also(group, advice, view)
    if more := topic[1 + len(others) :]:
        yield f"{_INDENT}… and {whom(more)} more, each in its own way (--all shows them)"


def _names(topic: Sequence[Alike], first: Alike, view: View) -> Iterator[str]:
    where = ", ".join(first.targets) if len(topic) == len(first.names) == 1 else ""
    head, *body = _block(first, ", ".join(filter(None, (whom(topic), where))), view)
    yield head
    # A sentence that names the first one is about it; so it is named first.
    yield from _listed(first.names, view)
    yield from body


def _also(group: Alike, advice: str, view: View) -> Iterator[str]:
    yield from _listed(group.names, view, "· ")
    yield from _wrapped(group.seen, view, "  ")
    if advice:
        yield from _wrapped(advice, view, "  → ")


def _listed(names: Sequence[str], view: View, mark: str = "") -> list[str]:
    """Names in a few lines: those that have room, and how many more there are."""
    room, shown = _NAME_LINES * (view.width - len(_INDENT) - len(mark)) - len("… and 1,000 more"), list[str]()
    for name in names:
        room -= len(name) + 2
        if room < 0 and shown and not view.every:
            break
        shown.append(name)
    more = f" … and {left:,} more" if (left := len(names) - len(shown)) else ""
    return _wrapped(", ".join(shown) + more, view, mark)


def _accepted(report: Report, view: View) -> Iterator[str]:
    found = view.known(report.findings)
    if not found:
        return
    yield click.style("Accepted, because the baseline has it", bold=True)
    groups: dict[tuple[Status, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.status, finding.check), []).append(finding)
    for (status, check), same in groups.items():
        names = tuple(dict.fromkeys(name for group in alike(same) for name in group.names))
        yield f"  {_word(status)}  {check}"
        yield from _listed(names, view)
    yield ""


def _verdict(report: Report, view: View) -> str:
    failed = view.failed(report)
    colour = "red" if failed else "green"
    word = verdict(report, view)
    if not report.findings:
        told = "none of the chosen checks applies; leave --only and --skip out to see which do"
        return f"{click.style(word, fg=colour, bold=True)}  {told}"
    known = view.known(report.findings)
    counts = counted(f for f in report.findings if not view.accepts(f))
    word += " (--strict)" if view.strict and failed and not counts[Status.FAIL] else ""
    seconds = f"{report.took.total_seconds():.1f} s"
    told = f"{tally(counts, len(known))} · {kinds(report.subjects)} · {seconds}, resolver {report.resolver}"
    first, *more = textwrap.wrap(f"{word}  {told}", max(view.width, 40), subsequent_indent="  ")
    return "\n".join([click.style(word, fg=colour, bold=True) + first.removeprefix(word), *more])


def _word(status: Status) -> str:
    return click.style(f"{status.value.upper():<7}", fg=_COLOUR[status], bold=status is not Status.PASS)


def _wrapped(text: str, view: View, mark: str = "") -> list[str]:
    # A name or a key that is cut cannot be copied: a terminal wraps it by itself.
    return textwrap.wrap(
        text,
        max(view.width, 40),
        initial_indent=_INDENT + mark,
        subsequent_indent=_INDENT + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
