"""The list of labs as people and programs read it."""

import json

import click

from sendwright.lab.registry import Condition, Status
from sendwright.report.lab import lab_document, lab_lines

KEPT = Status("mail", next(iter(Condition)), kept=True, hosts=("mx1.example.com", "mx2.example.com"))


def test_no_labs_is_said_in_words() -> None:
    """An empty table would look like a fault."""
    assert lab_lines(()) == "no labs"


def test_a_lab_is_a_line_that_says_how_long_it_stays() -> None:
    """Name, condition, how long, hosts."""
    heading, line = click.unstyle(lab_lines((KEPT,))).splitlines()

    assert heading.split() == ["lab", "condition", "stays", "hosts"]
    assert line.split() == ["mail", KEPT.condition.value, "kept", "mx1.example.com,", "mx2.example.com"]


def test_a_program_reads_the_same() -> None:
    """One document, with the schema's version."""
    document = json.loads(lab_document((KEPT,)))

    assert (document["version"], document["kind"]) == (1, "labs")
    assert document["labs"] == [
        {"name": "mail", "condition": KEPT.condition.value, "kept": True, "hosts": list(KEPT.hosts)}
    ]
