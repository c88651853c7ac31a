"""Plans and errors as people read them."""

import click
from hypothesis import given
from hypothesis import strategies as st

from sendwright.errors import Unreachable
from sendwright.escape import printable
from sendwright.plan import Action, Change, Kind, Plan, Stage
from sendwright.provision import Outcome, Result
from sendwright.report.text import error_lines, outcome_lines, plan_lines, table


@given(st.text())
def test_no_control_character_from_outside_reaches_a_terminal(text: str) -> None:
    """Whatever a server answers, a terminal sees printable characters, line feeds and tabs only."""
    assert all(c.isprintable() or c in "\n\t" for c in printable(text))


def test_an_empty_plan_says_no_changes() -> None:
    """Nothing to do is said in exactly two words."""
    assert plan_lines(Plan()) == "no changes"


def test_stages_come_in_the_order_in_which_they_are_carried_out() -> None:
    """A plan reads from the first thing that happens to the last, whatever order the changes were found in."""
    late = Change(Stage.SWITCH, Kind.HOST, Action.UPDATE, "mx1.example.com", "open submission")
    early = Change(Stage.PERSIST, Kind.KEY, Action.CREATE, "example.com", "generate an RSA key")

    text = click.unstyle(plan_lines(Plan((late, early))))

    assert text.index("generate an RSA key") < text.index("open submission")
    assert text.startswith("Plan: 1 key, 1 host change")


def test_what_only_a_person_can_do_is_said() -> None:
    """A missing PTR is no change of ours, so it stands apart."""
    text = click.unstyle(plan_lines(Plan(needed=("set the PTR of 203.0.113.10",))))

    assert "Needed from you" in text
    assert "! set the PTR of 203.0.113.10" in text


def test_an_error_says_what_happened_then_what_to_do() -> None:
    """The hint follows the sentence, on a line of its own."""
    text = click.unstyle(error_lines(Unreachable("mx1.example.com", "no answer on port 22.", "Is it up?")))

    assert text == "error: mx1.example.com: no answer on port 22.\n  Is it up?"


def test_tables_align() -> None:
    """Every column starts at the same place in every row."""
    lines = click.unstyle(table(("login", "may send as"), [("a", "x"), ("longer-login", "y")])).splitlines()

    assert [line.index(mark) for line, mark in zip(lines, ("may", "x", "y"), strict=True)] == [14, 14, 14]


def test_a_bare_hosts_many_files_are_told_together_and_all_named() -> None:
    """Dozens of creations of one kind fold into one line and their names; none is left out."""
    names = [f"/etc/postfix/{i}" for i in range(30)]
    changes = tuple(Change(Stage.HOSTS, Kind.HOST, Action.CREATE, "mx1.example.com", f"file {n}") for n in names)

    text = click.unstyle(plan_lines(Plan(changes)))

    assert "30 files" in text
    assert len(text.splitlines()) < 12
    assert all(f"{n}," in text or text.endswith(n) for n in names)


def test_nothing_to_do_is_not_claimed_of_what_nobody_looked_at() -> None:
    """A host that did not answer may need anything."""
    assert plan_lines(Plan(), partial=True) == "no changes to what could be looked at"


def test_an_unchanged_world_still_says_what_it_needs_from_a_person() -> None:
    """A missing PTR is said each time, until somebody sets it."""
    outcome = Outcome(Result.UNCHANGED, Plan(needed=("set the PTR of 203.0.113.10",)))

    lines = click.unstyle(outcome_lines(outcome)).splitlines()

    assert lines[0] == "no changes"
    assert lines[-1] == "  ! set the PTR of 203.0.113.10"


def test_what_is_waited_for_is_said_below_the_outcome() -> None:
    """Waiting is no failure; a person reads for what, and that running again goes on."""
    change = Change(Stage.SWITCH, Kind.DNS, Action.CREATE, "example.com", "TXT _dmarc.example.com")

    text = outcome_lines(Outcome(Result.WAITING, Plan((change,)), waiting=("TXT x: ns2 does not have it yet",)))

    assert text == "waiting; run it again later\n  TXT x: ns2 does not have it yet"
