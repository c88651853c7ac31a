"""A journal comes through git: what was never written from here is never read from it, and no link leads out of it."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.errors import StateError
from sendwright.state import files
from sendwright.state.journal import KEPT, Journal

NOW = datetime(2026, 11, 22, 0, 7, 50, tzinfo=UTC)
ZONE = "example.com"
EDIT = Edit(ZONE, "MX", None, RecordSet(ZONE, "MX", 300, ("10 mx1.example.com.",)))
OTHER: Mapping[str, Any] = {"name": f"mx1.{ZONE}", "type": "A", "before": {"ttl": 60, "values": ["192.0.2.66"]}}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return a journal of one apply."""
    found = Journal(tmp_path / "applies")
    found.begin(ZONE, "main", (EDIT,), NOW)
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": f"MX1.{ZONE}"}, "no name as it is written here"),
        ({"name": f"mx1.{ZONE}."}, "no name as it is written here"),
        ({"name": ".".join(["a" * 60] * 5) + f".{ZONE}"}, "no name as it is written here"),
        ({"name": "mx1.example.org"}, "does not lie in the zone"),
        ({"name": "notexample.com"}, "does not lie in the zone"),
        ({"type": "CNAME"}, "never written from here"),
        ({"type": "NS"}, "never written from here"),
        ({"type": "SOA"}, "never written from here"),
        ({"type": "TYPE1"}, "never written from here"),
        ({"before": {"ttl": -1, "values": []}}, "ttl"),
        ({"before": {"ttl": 2**32, "values": []}}, "ttl"),
        ({"name": ZONE, "type": "MX"}, "stands in it twice"),
    ],
)
def test_what_was_never_written_from_here_is_damage(
    journal: Journal, tmp_path: Path, change: Mapping[str, Any], said: str
) -> None:
    """A name in other letters is the same to a server, and passes gates that know the host by its own."""
    (path,) = (tmp_path / "applies" / ZONE).glob("*.json")
    apply = json.loads(path.read_text())
    apply["edits"].append({**OTHER, "after": None, **change})
    path.write_text(json.dumps(apply))

    with pytest.raises(StateError, match=said):
        journal.applies()


def test_nothing_is_written_or_forgotten_where_a_link_leads(tmp_path: Path) -> None:
    """The oldest files behind it would be taken for applies too many."""
    (tmp_path / "elsewhere").mkdir()
    for number in range(KEPT + 5):
        (tmp_path / "elsewhere" / f"{number:03}.json").write_text("{}")
    (tmp_path / "applies").mkdir()
    (tmp_path / "applies" / ZONE).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StateError, match="is a link"):
        Journal(tmp_path / "applies").begin(ZONE, "main", (EDIT,), NOW)

    assert len(list((tmp_path / "elsewhere").iterdir())) == KEPT + 5


def test_links_to_folders_above_are_not_followed(journal: Journal, tmp_path: Path) -> None:
    """Two of them in one folder would be followed a million million times."""
    for name in ("one", "two"):
        (tmp_path / "applies" / name).symlink_to(".")

    with pytest.raises(StateError, match="link to a folder"):
        journal.applies()


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    """A pipe would be waited for, and a device has no end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")

    for name in ("pipe", "endless"):
        with pytest.raises(StateError, match="no plain file"):
            files.read(tmp_path / name)
