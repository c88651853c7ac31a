"""The list of labs, for people and for machines."""

from sendwright.lab.registry import Status
from sendwright.report.json import document
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


def lab_document(labs: tuple[Status, ...]) -> str:
    """Return the labs of this machine as JSON (``docs/json.md``)."""
    fields = [
        {"name": lab.name, "condition": lab.condition.value, "kept": lab.kept, "hosts": list(lab.hosts)} for lab in labs
    ]
    return document("labs", labs=fields)
