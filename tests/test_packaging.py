"""The traps of the layout, guarded."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import dns
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("folder", ["dns", "deploys", "tests"])
def test_no_folder_of_the_card_is_a_package_that_shadows_another(folder: str) -> None:
    """An ``__init__.py`` in dns/, deploys/ or below tests/ would shadow dnspython."""
    found = [*(ROOT / folder).rglob("__init__.py")]

    assert found == []


def test_dnspython_is_the_dns_that_is_imported() -> None:
    """``import dns`` means dnspython, whatever the working directory."""
    assert dns.__file__ is not None
    assert "site-packages" in dns.__file__


def test_a_wheel_built_from_the_sdist_holds_the_folders_behind_the_symlinks(tmp_path: Path) -> None:
    """dns/, deploys/ and templates/ are reached through symlinks, which an sdist may silently lose."""
    _hatch(ROOT, "sdist", tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    _hatch(next(tmp_path.glob("sendwright-*/")), "wheel", tmp_path)

    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())

    expected = {"dns/records.py", "deploys/postfix.py", "templates/postfix/main.cf.j2", "cli/__init__.py"}
    expected |= {f"report/verify.{kind}" for kind in ("schema.json", "html.j2", "css")}
    assert {f"sendwright/{name}" for name in expected} <= names


def _hatch(folder: Path, target: str, output: Path) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(output)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
