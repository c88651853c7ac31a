import stat
from pathlib import Path

import pytest

from sendwright.errors import UsageError
from sendwright.report.outputs import drafts


def test_a_report_takes_its_place_whole(tmp_path: Path) -> None:
    """With the mode that others expect of a report: they may read it."""
    with drafts([tmp_path / "report.xml"]) as (draft,):
        draft.write("<x/>")

    assert (tmp_path / "report.xml").read_text() == "<x/>\n"
    assert stat.S_IMODE((tmp_path / "report.xml").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["report.xml"]


def test_a_run_that_fails_leaves_the_older_report(tmp_path: Path) -> None:
    """And nothing of its own."""
    (tmp_path / "report.xml").write_text("old")

    with pytest.raises(KeyError), drafts([tmp_path / "report.xml"]):
        raise KeyError("the run")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.xml", "old")]


def test_every_file_that_cannot_be_written_is_named_before_the_run(tmp_path: Path) -> None:
    """No folder, a folder, a device, a link: nothing is asked, and the good ones leave no draft."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    wrong = [tmp_path / "none" / "x", tmp_path / "folder", Path("/dev/null"), tmp_path / "link"]

    with pytest.raises(UsageError) as refused, drafts([tmp_path / "good", *wrong]):
        pytest.fail("it began")

    assert all(str(path) in refused.value.what for path in wrong)
    assert Path("/dev/null").is_char_device()
    assert not list(tmp_path.glob(".*"))
