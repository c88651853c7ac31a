"""``sendwright lab`` and ``rehearse`` where no lab can run, and for labs that are not there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sendwright.cli import main

ROOT = Path(__file__).parents[1]
EXAMPLE = str(ROOT / "inventories" / "example")
# As nobody: who runs the tests may be root, and the interpreter may lie where only root can look.
AS_NOBODY = """
import os, sys
import click, pydantic
import sendwright.cli, sendwright.cli.lab, sendwright.cli.rehearse, sendwright.rehearse, sendwright.report.lab
os.chdir(sys.argv.pop(1))
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sendwright.cli.main(sys.argv[1:])
"""


def as_nobody(*argv: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a folder without any privilege."""
    command = [sys.executable, "-c", AS_NOBODY, str(folder), *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", [["lab", "up"], ["rehearse"]])
def test_without_root_a_lab_says_so_and_builds_nothing(verb: list[str], tmp_path: Path) -> None:
    """One sentence, exit 1."""
    folder = tmp_path / "mail"
    shutil.copytree(EXAMPLE, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055)

    done = as_nobody(*verb, ".", folder=folder)

    assert done.returncode == 1, done.stderr
    assert "error: a lab cannot run here: it needs root" in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "argv",
    [["status"], ["down", "nosuch"], ["ssh", "mx1.example.com"], ["ssh", "x", "--lab", "y"], ["exec", "y", "true"]],
)
def test_without_root_no_lab_verb_ends_in_a_traceback(argv: list[str]) -> None:
    """A lab is root's; whoever is not root is told so."""
    done = as_nobody("lab", *argv)

    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}
    assert done.stdout or done.stderr.startswith("error: ")
    assert "Mend its permissions" not in done.stderr


@pytest.mark.parametrize(
    ("tool", "package"),
    [("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap"), ("ip", "iproute2")],
)
def test_a_missing_tool_is_named_with_the_command_that_installs_it(tool: str, package: str, tmp_path: Path) -> None:
    """One sentence for whatever is missing, one command for all of it."""
    for name in ("systemd-nspawn", "mmdebstrap", "ip", "nsenter"):
        if name != tool and (found := shutil.which(name)):
            (tmp_path / name).symlink_to(found)

    done = subprocess.run(
        [sys.executable, "-m", "sendwright", "rehearse", EXAMPLE],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 1
    assert f"{tool} is not installed" in done.stderr
    assert "apt-get install --no-install-recommends" in done.stderr
    assert package in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["no-such-lab", "../../etc", "a/b", "\x1b[2J", ""])
@pytest.mark.parametrize("verb", [["down"], ["exec"], ["ssh", "mx1.example.com", "--lab"]])
def test_a_lab_that_is_not_there_is_named_and_the_others_are_listed(
    verb: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is taken down for a name that is none, least of all what lies at a path."""
    with pytest.raises(SystemExit) as ended:
        main(["lab", *verb, name, *(["true"] if verb == ["exec"] else [])])

    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "there is no lab" in printed.err
    assert printed.err.replace("\n", "").isprintable()
