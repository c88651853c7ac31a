"""Plans and errors as text for people. All text from outside is escaped before it reaches a terminal."""

import textwrap
from typing import TYPE_CHECKING

import click

from sendwright.errors import SendwrightError
from sendwright.escape import printable
from sendwright.plan import Action, Change, Kind, Plan

if TYPE_CHECKING:
    from sendwright.provision import Outcome

_SIGN = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-", Action.RELOAD: "↻", Action.RUN: "»"}
# A bare host's dozens of files are told together; from this many on.
_MANY = 4
# A path that is cut at a hyphen cannot be copied.
_NAMES = textwrap.TextWrapper(
    100, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False, break_long_words=False
)
_COLOUR = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DELETE: "red"}


def error_lines(error: SendwrightError) -> str:
    """Return an error as people read it: what happened, then what to do next."""
    lines = [click.style("error: ", fg="red", bold=True) + printable(error.what)]
    if error.hint:
        lines += ["  " + line if not line.startswith("  ") else line for line in printable(error.hint).splitlines()]
    return "\n".join(lines)


def plan_lines(plan: Plan, *, diffs: bool = True, partial: bool = False) -> str:
    """Return a plan as people read it: a summary line, then stage by stage, then what only a person can do.

    ``partial``: some host or zone could not be looked at, so that nothing to do does not mean that all is well.
    """
    lines = [_summary(plan, partial=partial)]
    for stage, changes in plan.stages():
        lines += ["", click.style(f"{int(stage)}. {stage.title}", bold=True)]
        width = max(len(c.subject) for c in changes)
        for same in _alike(changes):
            lines += _folded(same, width) if len(same) >= _MANY else _change_lines(same, width, diffs=diffs)
    if plan.needed:
        lines += ["", click.style("Needed from you", bold=True)]
        lines += [f"  ! {printable(text)}" for text in plan.needed]
    if plan.notes:
        lines += ["", click.style("Besides", bold=True)]
        lines += [f"  · {printable(text)}" for text in plan.notes]
    return "\n".join(lines)


def _summary(plan: Plan, *, partial: bool) -> str:
    if plan.empty:
        return "no changes to what could be looked at" if partial else "no changes"
    counts = {kind: sum(c.kind is kind for c in plan.changes) for kind in Kind}
    parts = [f"{n} {_plural(kind.value, n)}" for kind, n in counts.items() if n]
    return click.style("Plan: ", bold=True) + ", ".join(parts)


def _plural(noun: str, count: int) -> str:
    noun = {"dns": "DNS record", "host": "host change", "wait": "wait", "probe": "probe"}.get(noun, noun)
    return noun if count == 1 else f"{noun}s"


def _alike(changes: tuple[Change, ...]) -> list[list[Change]]:
    """Group what is created on a host by its kind of thing, the first word of the summary; all else stands alone."""
    groups: dict[object, list[Change]] = {}
    for number, change in enumerate(changes):
        created = change.kind is Kind.HOST and change.action in {Action.CREATE, Action.RUN}
        key = (change.subject, change.action, change.summary.partition(" ")[0]) if created else number
        groups.setdefault(key, []).append(change)
    return [one for group in groups.values() for one in ([group] if len(group) >= _MANY else [[c] for c in group])]


def _folded(changes: list[Change], width: int) -> list[str]:
    """Return many alike changes in a few lines: how many, of what, and all their names."""
    first, word = changes[0], changes[0].summary.partition(" ")[0]
    names = ", ".join(c.summary.partition(" ")[2] for c in changes)
    count = f"{word} {len(changes)} units" if first.action is Action.RUN else f"{len(changes)} {_many(word)}"
    start = f"  {sign(first.action)} {first.subject:<{width}}  {count}:"
    return [start, *_NAMES.wrap(printable(names))]


def _many(word: str) -> str:
    return "directories" if word == "directory" else f"{word}s"


def sign(action: Action) -> str:
    """Return the one character that stands for an action, in its colour."""
    return click.style(_SIGN[action], fg=_COLOUR.get(action))


def _change_lines(same: list[Change], width: int, *, diffs: bool) -> list[str]:
    (change,) = same
    why = click.style(f"  # {printable(change.why)}", dim=True) if change.why else ""
    lines = [f"  {sign(change.action)} {change.subject:<{width}}  {printable(change.summary)}{why}"]
    # What is new is new as a whole: its content is in the JSON, and in the templates.
    if diffs and change.diff and change.action is not Action.CREATE:
        lines += [f"        {_diff_line(line)}" for line in printable(change.diff).splitlines()]
    return lines


def _diff_line(line: str) -> str:
    if line.startswith("+") and not line.startswith("+++"):
        return click.style(line, fg="green")
    if line.startswith("-") and not line.startswith("---"):
        return click.style(line, fg="red")
    return line


def outcome_lines(outcome: "Outcome") -> str:
    """Return what came of a provision in a line, and what is waited for."""
    if outcome.plan.empty:
        return plan_lines(outcome.plan, partial=bool(outcome.errors))
    words = {
        "done": "done",
        "waiting": "waiting; run it again later",
        "declined": "nothing was changed",
        "failed": "failed in part; what worked stays, and running again heals",
    }
    return "\n".join([words[outcome.result.value], *(f"  {printable(text)}" for text in outcome.waiting)])


def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return rows under headings, each column as wide as its widest text."""
    shown = [headings, *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(headings))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return "\n".join([click.style(lines[0], bold=True), *lines[1:]])
