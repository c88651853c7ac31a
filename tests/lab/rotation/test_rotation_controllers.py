"""Of two controllers, or of a state folder and its old copy, one rotates: the other stops before its first write."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sendwright.generation import PATH
from tests.lab.rotation.world import ADDRESSES, BOTH, SECOND, ZONES, Rotating

pytestmark = pytest.mark.lab

START = ("--start", "--domain", BOTH)


@contextmanager
def copied(rotating: Rotating) -> Iterator[Rotating]:
    """Return another controller's copy of the inventory, with its state."""
    folder = rotating.world.folder.with_name("copied")
    shutil.copytree(rotating.world.folder, folder)
    try:
        yield replace(rotating, world=replace(rotating.world, folder=folder))
    finally:
        shutil.rmtree(folder)


def seen(rotating: Rotating) -> list[object]:
    """Return what a controller could have changed: zones, what hosts sign with, whom they follow, its own folder."""
    zones = [rotating.world.lab.records(zone) for zone in ZONES]
    listing = ["find", "/etc/opendkim", PATH, "-type", "f", "-printf", r"%p %C@ %s\n"]
    hosts = [rotating.world.lab.host(name).run(listing).stdout for name in ADDRESSES]
    path = rotating.folder.path
    files = {p: p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != ".lock"}
    return [zones, hosts, files]


def test_last_week_s_copy_does_not_rotate(rotating: Rotating) -> None:
    """It is told which folder is newer, since when and by whom, and nothing is written anywhere."""
    with copied(rotating) as early:
        new = rotating.start(SECOND)
        before = seen(early)
        refused = [early.ran(*START), early.ran("--force-new", SECOND)]
        after = seen(early)
    rotating.switch(new)

    for each in refused:
        assert (each.returncode, each.stdout) == (1, "")
        assert "follows a newer state folder than this one: that is at generation " in each.stderr
    assert after == before


def test_of_two_controllers_at_once_one_rotates(rotating: Rotating) -> None:
    """Both begin with equal copies: one makes keys, the other is told so, and makes none that anybody sees."""
    known = rotating.keys
    with copied(rotating) as other:
        with rotating.running(*START) as one, other.running(*START) as two:
            said = [one.communicate(timeout=120), two.communicate(timeout=120)]
        codes = one.returncode, two.returncode
        assert sorted(codes) == [0, 1], said
        first = codes.index(0)
        winner, loser = ((rotating, other), (other, rotating))[first]
        made = [[k for k in each.new(known) if each.published(k) == k.public] for each in (winner, loser)]
        if winner is other:
            shutil.rmtree(rotating.folder.path)
            shutil.copytree(other.folder.path, rotating.folder.path)
    new = rotating.new(known)
    rotating.rotate_until(lambda: rotating.served(new))
    rotating.switch(new)

    assert "state folder" in said[1 - first][1]
    assert [len(keys) for keys in made] == [2, 0]
