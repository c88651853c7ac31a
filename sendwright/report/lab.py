"""The list of labs, for people."""

from sendwright.lab.registry import Status
from sendwright.report.text import table


def lab_lines(labs: tuple[Status, ...]) -> str:
    """Return the labs of this machine as a table."""
    if not labs:
        return "no labs"
    rows = [(lab.name, lab.condition.value, "kept" if lab.kept else "until its owner ends") for lab in labs]
    return table(
        ("lab", "condition", "stays", "hosts"),
        [(*row, ", ".join(lab.hosts)) for row, lab in zip(rows, labs, strict=True)],
    )
