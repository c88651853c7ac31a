"""Master files in a folder, as a provider."""

import fcntl
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Edit, RecordSet, open_provider
from sendwright.dns.providers.zonefile import MasterFiles
from sendwright.errors import DnsError, NotAllowed, WorldMoved
from sendwright.providers import Zonefile

ZONE = "example.com"
TEXT = """\
$ORIGIN example.com.
@ 3600 IN SOA ns1 hostmaster 2026010101 7200 900 1209600 300 ; caf\xe9
  3600 NS ns1
www 300 A 192.0.2.1
alias 300 CNAME www
sub 3600 NS ns.example.net.
"""
SPF = RecordSet(ZONE, "TXT", 3600, ('"v=spf1 -all"',))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a zone's file; its comment is no UTF-8."""
    path = tmp_path / f"{ZONE}.zone"
    path.write_bytes(TEXT.encode("latin-1"))
    return path


@pytest.fixture
def files(path: Path) -> MasterFiles:
    """Return the folder as a provider, on a day in November."""
    return MasterFiles(path.parent, 900, lambda: datetime(2026, 11, 22, tzinfo=UTC))


def _add(records: RecordSet) -> Edit:
    return Edit(*records.key, None, records)


def test_the_inventory_says_where_the_folder_is(tmp_path: Path) -> None:
    """Relative paths start at the inventory folder."""
    config = Zonefile.model_validate({"provider": "zonefile", "folder": "zones", "margin": 0})

    provider = open_provider(config, tmp_path)

    assert provider.title == f"the folder {tmp_path}/zones"
    assert provider.margin == 0


def test_a_name_lies_in_the_longest_zone_that_has_a_file(files: MasterFiles) -> None:
    """The file's name tells which zone it is, in whatever case."""
    (files.folder / "Deep.Example.com.zone").write_text("@ 1 SOA a b 1 1 1 1 1\n")

    zones = files.zones(["example.com", "mx1.example.com", "a.deep.example.com"])

    assert zones == {
        "example.com": "example.com",
        "mx1.example.com": "example.com",
        "a.deep.example.com": "deep.example.com",
    }


def test_a_name_without_a_file_says_which_one_it_would_be(files: MasterFiles) -> None:
    """Not found is not a crash."""
    with pytest.raises(NotAllowed, match=r"as example\.org\.zone would be") as refused:
        files.zones(["example.org"])

    assert refused.value.hint == "Put ZONE.zone into the folder, or name under dns who keeps the zone."


def test_a_name_that_the_zone_delegates_is_not_in_it(files: MasterFiles) -> None:
    """What is written below a zone cut is never served (RFC 1034 section 4.2)."""
    with pytest.raises(NotAllowed, match=r"delegates sub\.example\.com") as refused:
        files.zones(["mx1.sub.example.com"])

    assert refused.value.hint == "Put ZONE.zone into the folder, or name under dns who keeps the zone."


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to mend."""
    with pytest.raises(NotAllowed, match="nowhere") as refused:
        MasterFiles(tmp_path / "nowhere", 900).zones([ZONE])

    assert refused.value.hint == "Mend folder under dns, or its permissions."


def test_what_stands_is_read_and_an_alias_as_such(files: MasterFiles) -> None:
    """With absolute names; what is not there is absent."""
    found = files.read(ZONE, {(f"www.{ZONE}", "A"), (f"alias.{ZONE}", "TXT"), (ZONE, "TXT")})

    assert found == (
        RecordSet(f"alias.{ZONE}", "CNAME", 300, (f"www.{ZONE}.",)),
        RecordSet(f"www.{ZONE}", "A", 300, ("192.0.2.1",)),
    )


def test_an_apply_changes_its_lines_and_the_serial_number_only(files: MasterFiles, path: Path) -> None:
    """Bytes that are no text come through unharmed, and what was written is read back."""
    files.apply(ZONE, [_add(SPF)])

    expected = TEXT.replace("2026010101", "2026112201").encode("latin-1")
    expected += b'; Added by sendwright:\nexample.com.\t3600\tIN\tTXT\t"v=spf1 -all"\n'
    assert path.read_bytes() == expected
    assert files.read(ZONE, {SPF.key}) == (SPF,)


def test_undoing_an_apply_leaves_the_records_as_they_were(files: MasterFiles, path: Path) -> None:
    """What came goes again, line by line."""
    files.apply(ZONE, [_add(SPF)])

    files.apply(ZONE, [Edit(*SPF.key, SPF, None)])

    assert path.read_bytes() == TEXT.replace("2026010101", "2026112202").encode("latin-1") + b"; Added by sendwright:\n"


def test_the_file_keeps_its_mode_and_no_rest_is_left(files: MasterFiles, path: Path) -> None:
    """A server that could read it still can; and nobody else."""
    path.chmod(0o640)

    files.apply(ZONE, [_add(SPF)])

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(files.folder.iterdir()) == [path]


def test_a_link_stays_a_link(files: MasterFiles, path: Path, tmp_path: Path) -> None:
    """The file that it leads to is the one that is replaced."""
    target = path.rename(tmp_path / "elsewhere")
    path.symlink_to(target)

    files.apply(ZONE, [_add(SPF)])

    assert path.is_symlink()
    assert "spf1" in target.read_text("latin-1")


def test_nothing_to_change_writes_nothing(files: MasterFiles, path: Path) -> None:
    """No serial number moves without a reason."""
    files.apply(ZONE, [])

    assert path.read_bytes() == TEXT.encode("latin-1")


@pytest.mark.parametrize(
    "edit",
    [
        Edit(f"www.{ZONE}", "A", RecordSet(f"www.{ZONE}", "A", 300, ("192.0.2.9",)), None),
        Edit(f"www.{ZONE}", "A", RecordSet(f"www.{ZONE}", "A", 60, ("192.0.2.1",)), None),
        Edit(ZONE, "TXT", SPF, None),
        _add(RecordSet(f"www.{ZONE}", "A", 300, ("192.0.2.2",))),
        _add(RecordSet(f"alias.{ZONE}", "TXT", 300, ('"x"',))),
    ],
)
def test_a_world_that_moved_is_refused_whole(files: MasterFiles, path: Path, edit: Edit) -> None:
    """One record set that is not as it was, and not even the others are written."""
    with pytest.raises(WorldMoved, match="nothing was applied"):
        files.apply(ZONE, [_add(RecordSet(f"_dmarc.{ZONE}", "TXT", 60, ('"x"',))), edit])

    assert path.read_bytes() == TEXT.encode("latin-1")


def test_another_run_is_kept_out(files: MasterFiles, path: Path) -> None:
    """Two runs that share a folder do not overwrite each other."""
    handle = os.open(files.folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)

    with pytest.raises(DnsError, match="another run"):
        files.apply(ZONE, [_add(SPF)])

    os.close(handle)
    assert path.read_bytes() == TEXT.encode("latin-1")


def test_an_editor_that_saves_in_between_wins(path: Path) -> None:
    """Editors know no locks: the file is compared once more in the last moment."""

    def now() -> datetime:
        path.write_text(TEXT + "new A 192.0.2.7\n")
        return datetime(2026, 11, 22, tzinfo=UTC)

    with pytest.raises(WorldMoved, match="in this moment"):
        MasterFiles(path.parent, 900, now).apply(ZONE, [_add(SPF)])

    assert path.read_text() == TEXT + "new A 192.0.2.7\n"


def test_a_file_that_cannot_be_read_is_left_as_it_is(files: MasterFiles, path: Path) -> None:
    """The error names the line."""
    path.write_text(TEXT + "broken A 192.0.2\n")

    with pytest.raises(DnsError, match="line 7 of its master file"):
        files.apply(ZONE, [_add(SPF)])

    assert path.read_text() == TEXT + "broken A 192.0.2\n"


@pytest.mark.parametrize("generated", ["signer", "journal"])
def test_a_file_that_is_made_from_another_is_refused_before_anything_is_planned(
    files: MasterFiles, path: Path, generated: str
) -> None:
    """What is written to it would be lost, so reading refuses in the same words as writing: a plan says it already."""
    if generated == "journal":
        path.with_name(f"{path.name}.jnl").touch()
    else:
        path.write_text(TEXT + "www 300 NSEC example.com. A NSEC\n")
    said = []

    for attempt in (lambda: files.read(ZONE, {SPF.key}), lambda: files.apply(ZONE, [_add(SPF)])):
        with pytest.raises(NotAllowed, match=generated) as refused:
            attempt()
        said.append(str(refused.value))

    assert said[0] == said[1]


def test_a_journal_beside_what_a_link_leads_to_counts(files: MasterFiles, path: Path, tmp_path: Path) -> None:
    """There the server keeps it, and there the file would be overwritten."""
    target = path.rename(tmp_path / "elsewhere")
    path.symlink_to(target)
    target.with_name("elsewhere.jnl").touch()

    with pytest.raises(NotAllowed, match="journal"):
        files.read(ZONE, {SPF.key})


def test_an_alias_beside_other_records_is_never_written(files: MasterFiles) -> None:
    """A server would refuse to load the whole zone."""
    edit = _add(RecordSet(f"www.{ZONE}", "CNAME", 60, ("example.net.",)))

    with pytest.raises(DnsError, match="beside its CNAME"):
        files.apply(ZONE, [edit])


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path: Path) -> None:
    """Here because the system takes no longer name for the new one; else for want of permissions or room."""
    zone = ".".join(["a" * 61, "b" * 61, "c" * 61, "d" * 58])
    path = tmp_path / f"{zone}.zone"
    path.write_text("@ 60 SOA a b 1 2 3 4 5\n")

    with pytest.raises(NotAllowed, match="is as it was"):
        MasterFiles(tmp_path, 0).apply(zone, [_add(RecordSet(zone, "A", 60, ("192.0.2.1",)))])

    assert path.read_text() == "@ 60 SOA a b 1 2 3 4 5\n"
