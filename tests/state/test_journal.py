"""The journal of applies: written before anything is sent, readable, bounded, and never taken for something else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.errors import DnsError, NotAllowed, ServerUnreachable, StateError, WorldMoved
from sendwright.state.journal import KEPT, Content, Edited, Journal, Outcome, find
from sendwright.state.model import Claim

NOW = datetime(2026, 11, 22, 0, 7, 50, tzinfo=UTC)
COM, ORG = "example.com", "example.org"
OLD = RecordSet(COM, "MX", 300, ("5 Old.example.NET.",))
NEW = RecordSet(COM, "MX", 3600, ("10 mx1.example.com.",))
EDIT = Edit(COM, "MX", OLD, NEW)
ELSEWHERE = Edit(ORG, "A", None, RecordSet(ORG, "A", 300, ("192.0.2.1",)))
CLAIM = Claim(COM, COM, "MX", "10 mx1.example.com.", NOW, "main")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return an empty journal."""
    return Journal(tmp_path / "applies")


def test_an_apply_is_remembered_before_it_is_sent_and_marked_after(journal: Journal) -> None:
    """Texts are as they were read, so that what was somebody else's can come back byte for byte."""
    with journal.watching(journal.begin(COM, "main", (EDIT,), NOW, entered=(CLAIM,))):
        (sent,) = journal.applies()

    (applied,) = journal.applies()
    assert (sent.outcome, applied.outcome) == (Outcome.SENT, Outcome.APPLIED)
    assert (sent.id, sent.entered, sent.struck) == (f"{COM}/20261122T000750", (CLAIM,), ())
    assert sent.edits == (Edited(COM, "MX", Content(300, OLD.values), Content(3600, NEW.values)),)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (WorldMoved(COM, "moved."), Outcome.REFUSED),
        (NotAllowed(COM, "no."), Outcome.REFUSED),
        (ServerUnreachable(COM, "no answer."), Outcome.SENT),
        (DnsError(COM, "the first 1 of 3 record sets were changed."), Outcome.SENT),
    ],
)
def test_only_what_is_known_to_be_refused_is_called_so(error: DnsError, outcome: Outcome, journal: Journal) -> None:
    """Who got no answer cannot know whether it was carried out."""
    with pytest.raises(DnsError), journal.watching(journal.begin(COM, "main", (EDIT,), NOW)):
        raise error

    assert [a.outcome for a in journal.applies()] == [outcome]


def test_two_applies_in_one_second_keep_their_order(journal: Journal) -> None:
    """Stages follow each other quickly, and each has a name of its own, however many there are."""
    names = [journal.begin(COM, "main", (EDIT,), NOW).id for _ in range(3 * KEPT)]

    assert len(set(names)) == 3 * KEPT
    assert [a.id for a in journal.applies()] == sorted(names)[-KEPT:] == names[-KEPT:]


def test_the_last_applies_of_each_zone_are_kept(journal: Journal) -> None:
    """One zone's many changes do not push another's out."""
    journal.begin(ORG, "main", (ELSEWHERE,), NOW)
    for minute in range(KEPT + 5):
        journal.begin(COM, "main", (EDIT,), NOW + timedelta(minutes=minute))

    applies = journal.applies()

    assert [a.zone for a in applies].count(ORG) == 1
    assert [a.zone for a in applies].count(COM) == KEPT
    assert applies[-1].at == NOW + timedelta(minutes=KEPT + 4)


def test_the_last_apply_is_the_last_that_may_have_reached_its_zone(journal: Journal) -> None:
    """What was refused changed nothing, so there is nothing to undo."""
    first = journal.begin(COM, "main", (EDIT,), NOW)
    refused = journal.begin(ORG, "main", (ELSEWHERE,), NOW + timedelta(hours=1))
    journal.end(refused, Outcome.REFUSED)

    applies = journal.applies()

    assert find(applies, None) == first
    assert find(applies, refused.id) is not None
    assert find(applies, "../../etc/passwd") is None
    assert find((), None) is None


def test_the_same_apply_is_the_same_text(journal: Journal, tmp_path: Path) -> None:
    """Git sees the change of the outcome and nothing else, and a person can read it."""
    other = Edit(COM, "A", None, RecordSet(COM, "A", 60, ("203.0.113.1",)))
    apply = journal.begin(COM, "main", (EDIT, other), NOW)
    text = (tmp_path / f"applies/{apply.id}.json").read_text()
    journal.end(apply, Outcome.APPLIED)

    assert (tmp_path / f"applies/{apply.id}.json").read_text() == text.replace('"sent"', '"applied"')
    assert [e.type for e in apply.edits] == ["A", "MX"]
    assert '"5 Old.example.NET."' in text


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.json"))


def test_a_record_in_the_wrong_place_is_refused(journal: Journal, tmp_path: Path) -> None:
    """A folder that travels through git is as foreign as any other input."""
    journal.begin(COM, "main", (EDIT,), NOW)
    (path,) = _files(tmp_path)

    path.rename(path.with_name("20200101T000000.json"))
    with pytest.raises(StateError, match="it tells of another apply"):
        journal.applies()

    (path,) = _files(tmp_path)
    path.write_text(path.read_text().replace(COM, "$(x)"))
    with pytest.raises(StateError, match="is damaged"):
        journal.applies()


def test_the_journal_is_for_its_owner_alone(journal: Journal, tmp_path: Path) -> None:
    """As all of the state folder."""
    journal.begin(COM, "main", (EDIT,), NOW)

    assert [path.stat().st_mode & 0o077 for path in tmp_path.joinpath("applies").rglob("*")] == [0, 0]
