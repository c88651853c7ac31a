"""Every check as a table in Markdown, against other tools: `python -m sendwright.report.check_table docs/verify.md`.

The table stands in docs/verify.md between two marks; a test compares.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from sendwright.report.references import linked
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import OTHERS, Check

BEGIN, END = "<!-- checks: begin -->", "<!-- checks: end -->"


def table() -> str:
    """Return the table; in bold what none of the others has."""
    return "\n".join(_lines())


def written(document: str) -> str:
    """Return a document with the table between its marks; ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END} in it")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _lines() -> Iterator[str]:
    yield f"| check | what holds | needs | {' | '.join(OTHERS.values())} | where |"
    yield f"| --- | --- | --- | {' | '.join([':-:'] * len(OTHERS))} | --- |"
    for check in CHECKS.values():
        marks = " | ".join("✓" if tool in check.others else "" for tool in OTHERS)
        needs = check.needs.replace("--hosts", "`--hosts`")
        yield f"| {_name(check)} | {_escaped(check.rule)} | {needs} | {marks} | {_where(check)} |"
    alone = sum(not check.others for check in CHECKS.values())
    counts = ", ".join(f"{name} {sum(t in c.others for c in CHECKS.values())}" for t, name in OTHERS.items())
    yield ""
    yield f"{len(CHECKS)} checks; {alone} of them none of the others has ({counts})."


def _name(check: Check) -> str:
    return f"`{check.name}`" if check.others else f"**`{check.name}`**"


def _where(check: Check) -> str:
    return "".join(f"[{text}]({address})" if address else text for text, address in linked(check.reference))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
