"""The action for GitHub and the job for GitLab: run for real, and closed to what inputs may hold."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sendwright.cli.verify import command
from tests.verify.loopback import from_records, serving
from tests.verify.names import zone

ROOT = Path(__file__).parents[1]
ACTION = ROOT / ".github" / "actions" / "verify"
GITHUB: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text())
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab.yml").read_text())[".sendwright-verify"]
OPTIONS = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
WORLD = zone("""
.             IN SOA a. b. 1 2 3 4 5
good.example. IN TXT "v=spf1 ip4:192.0.2.10 -all"
bad.example.  IN TXT "v=spf1 ptr +all"
""")


@pytest.fixture
def resolver() -> Iterator[str]:
    """A resolver that knows two domains."""
    with serving(from_records(WORLD)) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder as the step before leaves it, with the command line of this tree in it."""
    program = tmp_path / "sendwright" / "bin" / "sendwright"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sendwright "$@"\n')
    program.chmod(0o755)
    return tmp_path


def script(name: str) -> dict[str, Any]:
    """Return a step of the action."""
    (step,) = (step for step in GITHUB["runs"]["steps"] if step["name"] == name)
    return dict(step)


def on_github(folder: Path, **inputs: str) -> "subprocess.CompletedProcess[str]":
    """Run the step as a runner does: bash -e, inputs in its environment."""
    step = script("Verify")
    defaults = {name: str(of.get("default", "")) for name, of in GITHUB["inputs"].items()}
    given = {name: _input(str(value), defaults | inputs) for name, value in step["env"].items()}
    github = {
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    return _bash(["bash", "--noprofile", "--norc", "-eo", "pipefail"], step["run"], folder, given | github)


def on_gitlab(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the job's script as a runner without bash does."""
    path = {"PATH": f"{folder / 'sendwright' / 'bin'}:{os.environ['PATH']}"}
    return _bash(["sh", "-e"], "\n".join(GITLAB["script"]), folder, GITLAB["variables"] | variables | path)


def _outputs(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())


def _input(value: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.(\w+) }}", lambda found: inputs[found[1]], value)


def _bash(shell: list[str], text: str, folder: Path, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    (folder / "script").write_text(text)
    return subprocess.run(
        [*shell, str(folder / "script")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("text", [script("Verify")["run"], "\n".join(GITLAB["script"])], ids=["github", "gitlab"])
def test_every_option_that_ci_uses_exists(text: str) -> None:
    """A renamed option would break everybody's pipeline."""
    used = set(re.findall(r"(?<![\w-])--[a-z]+", text))

    assert {"--format", "--strict", "--only", "--baseline"} <= used <= OPTIONS


def test_no_input_is_pasted_into_a_script() -> None:
    """Whoever may name a target must not name a command: inputs reach the shell as variables alone."""
    for step in GITHUB["runs"]["steps"]:
        assert "${{" not in step["run"]
    assert "$[[" not in (ROOT / "docs" / "ci" / "gitlab.yml").read_text()
    assert {f"${{{{ inputs.{name} }}}}" for name in GITHUB["inputs"]} == set(script("Verify")["env"].values())


def test_the_action_uses_nothing_but_the_repository() -> None:
    """No action of somebody else; what it installs is the tree that it lies in."""
    assert not any("uses" in step for step in GITHUB["runs"]["steps"])
    assert "$GITHUB_ACTION_PATH/../../.." in script("Install sendwright")["run"]
    assert (ACTION / ".." / ".." / ".." / "pyproject.toml").resolve() == ROOT / "pyproject.toml"
    assert (ACTION / ".." / ".." / ".." / "constraints.txt").is_file()


def test_a_bad_domain_fails_the_step_and_leaves_every_report(installed: Path, resolver: str) -> None:
    """The outputs name them, and the summary of the job tells people."""
    done = on_github(installed, targets="good.example\nbad.example", only="spf", resolver=resolver)

    assert done.returncode == 1, done.stderr
    outputs = _outputs(installed)
    assert set(outputs) == set(GITHUB["outputs"])
    assert json.loads(Path(outputs["sarif"]).read_text())["version"] == "2.1.0"
    assert "`bad.example`" in (installed / "summary").read_text()
    assert "FAIL     spf.all" in done.stdout


def test_what_servers_say_is_no_command_to_the_runner(installed: Path, resolver: str) -> None:
    """Commands are stopped by a word that nobody knows, and taken again after it."""
    first, *between, last = on_github(
        installed, targets="bad.example", only="spf", resolver=resolver
    ).stdout.splitlines()

    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert last == f"::{token}::"
    assert between


def test_a_baseline_and_a_good_domain_pass_the_step(installed: Path, resolver: str) -> None:
    """The JSON of one run is the baseline of the next."""
    on_github(installed, targets="bad.example", only="spf", resolver=resolver)
    Path(_outputs(installed)["json"]).rename(installed / "old.json")

    known = on_github(
        installed, targets="bad.example", only="spf", resolver=resolver, baseline="old.json", strict="true"
    )
    good = on_github(installed, targets="good.example", skip="spf.ptr", only="spf", resolver=resolver, timeout="5")

    assert (known.returncode, good.returncode) == (0, 0), known.stdout + known.stderr


def test_a_use_that_made_no_report_has_none_of_an_earlier_one(installed: Path, resolver: str) -> None:
    """Two in one job: code scanning would take the reports of the first for those of the second."""
    on_github(installed, targets="good.example", only="spf", resolver=resolver)
    (installed / "output").unlink()

    mistaken = on_github(installed, targets="good.example", only="spam", resolver=resolver)

    assert mistaken.returncode == 2
    assert not (installed / "output").exists()


def test_hostile_inputs_are_bad_usage_and_nothing_else(installed: Path) -> None:
    """As targets and as options, on both: no command runs, no file is made, nothing is asked."""
    inputs = {"only": "$(touch hit)", "skip": "*", "resolver": "`touch hit`", "timeout": '"; touch hit; "'}
    targets = "$(touch hit)\n`touch hit`\n; touch hit\n--format=json=hit\n::add-mask::x\n*"
    before = {path for path in installed.rglob("*") if path.name != "script"}

    github = on_github(installed, targets=targets, **inputs)
    gitlab = on_gitlab(
        installed, SENDWRIGHT_TARGETS=targets, **{f"SENDWRIGHT_{name.upper()}": value for name, value in inputs.items()}
    )

    made = {
        path for path in installed.rglob("*") if not path.name.startswith(("script", "sendwright-verify."))
    } - before
    assert (github.returncode, gitlab.returncode) == (2, 2)
    assert "mistakes; nothing was asked" in github.stderr
    assert "--format=json=hit: no folder of that name is here, and it is not a fully qualified domain" in gitlab.stderr
    assert made == set()


def test_the_job_of_gitlab_leaves_its_reports(installed: Path, resolver: str) -> None:
    """JUnit for the merge request, HTML for people."""
    wanted = {
        "SENDWRIGHT_TARGETS": "good.example bad.example",
        "SENDWRIGHT_ONLY": "spf",
        "SENDWRIGHT_RESOLVER": resolver,
    }
    done = on_gitlab(installed, **wanted)

    assert done.returncode == 1, done.stderr
    assert all((installed / path).is_file() for path in GITLAB["artifacts"]["paths"])
    assert GITLAB["artifacts"]["reports"]["junit"] in GITLAB["artifacts"]["paths"]
    assert GITLAB["artifacts"]["when"] == "always"
