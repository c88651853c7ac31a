"""``sendwright verify`` against a resolver on loopback: forms, files, exit codes, baselines and changes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dns.rdata import Rdata

from sendwright.report.findings import FORMS
from tests.verify.loopback import Server, from_records, serving
from tests.verify.names import zone

Run = Callable[..., tuple[int, str, str]]

WORLD = zone(
    """
.            IN SOA a. b. 1 2 3 4 5
good.example IN TXT "v=spf1 ip4:192.0.2.10 -all"
bad.example  IN TXT "v=spf1 ptr +all"
warn.example IN TXT "v=spf1 ip4:192.0.2.10 ?all"
""".replace(".example ", ".example. ")
)


@pytest.fixture
def world() -> dict[tuple[str, str], list[Rdata]]:
    """What the resolver knows."""
    return dict(WORLD)


@pytest.fixture
def resolver(world: dict[tuple[str, str], list[Rdata]]) -> Iterator[Server]:
    """A resolver that knows three domains."""
    with serving(from_records(world)) as server:
        yield server


@pytest.fixture
def spf(run: Run, resolver: Server) -> Run:
    """Run the checks of SPF, asking that resolver."""
    return lambda *argv: run("verify", *argv, "--only", "spf", "--resolver", f"127.0.0.1:{resolver.port}")


def test_a_good_domain_ends_with_0_and_a_bad_one_with_1(spf: Run) -> None:
    """The verdict is the last line of standard output, progress goes to standard error."""
    good, told, progress = spf("good.example")
    bad, more, _ = spf("good.example", "bad.example")

    assert (good, bad) == (0, 1)
    assert told.splitlines()[-1].startswith("PASSED")
    assert "FAIL     spf.all" in more
    assert more.splitlines()[0] == "bad.example"
    assert "looked from outside" in progress


def test_strict_fails_for_a_warning(spf: Run) -> None:
    """And says why."""
    assert spf("warn.example")[0] == 0
    code, told, _ = spf("warn.example", "--strict")

    assert code == 1
    assert "FAILED (--strict)" in told


def test_a_selector_of_a_domain_that_is_not_verified_is_a_mistake(run: Run, resolver: Server) -> None:
    """Nothing would look at it, and that would look like a success."""
    at = f"127.0.0.1:{resolver.port}"

    code, _, told = run("verify", "good.example", "--selector", "s1._domainkey.god.example", "--resolver", at)

    assert (code, "s1._domainkey.god.example belongs to no domain of this run" in told) == (2, True)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_is_told_of_in_every_form(form: str, resolver: Server) -> None:
    """Standard output may be it: then the error has no room there either."""
    argv = ["good.example", "--only", "spf", "--format", form, "--resolver", f"127.0.0.1:{resolver.port}"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sendwright", "verify", *argv],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert "error: standard output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["2>/dev/full", "2>&-"])
def test_a_report_is_not_lost_where_progress_cannot_be_told(closed: str, resolver: Server) -> None:
    """Standard error is for people who wait; the report is what they wait for."""
    argv = ["good.example", "--only", "spf", "--resolver", f"127.0.0.1:{resolver.port}"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m sendwright verify "$@" {closed}', sys.executable, *argv],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )

    assert "good.example" in done.stdout
    assert done.returncode == 0


def test_every_form_goes_to_its_file_in_one_run(spf: Run, tmp_path: Path) -> None:
    """Text stays on standard output; nothing is asked twice."""
    files = {form: tmp_path / f"report.{form}" for form in FORMS}
    formats = [word for form, file in files.items() for word in ("--format", f"{form}={file}")]

    code, told, _ = spf("bad.example", *formats)

    assert code == 1
    assert told.startswith("bad.example\n")
    assert all(file.read_text().endswith("\n") for file in files.values())
    assert files["text"].read_text() == told
    assert json.loads(files["json"].read_text())["result"] == "failed"
    assert sorted(tmp_path.iterdir()) == sorted(files.values())


def test_json_is_alone_on_standard_output(spf: Run) -> None:
    """A program reads one document."""
    code, told, _ = spf("bad.example", "--format", "json")

    assert code == 1
    assert json.loads(told)["kind"] == "verify"


def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_asked(
    spf: Run, resolver: Server, tmp_path: Path
) -> None:
    """A long run whose report is lost is worse than none."""
    code, told, error = spf("bad.example", "--format", f"junit={tmp_path / 'none' / 'x.xml'}")

    assert (code, told) == (2, "")
    assert "cannot be written" in error
    assert resolver.asked == []


def test_mistakes_are_told_before_anything_is_asked(spf: Run, resolver: Server) -> None:
    """All at once; as a document where JSON was asked for."""
    code, told, error = spf("bad.example", "--skip", "spff", "--timeout", "0", "--format", "json")

    assert code == 2
    assert json.loads(told)["errors"][0]["what"] == "2 mistakes; nothing was asked."
    assert "did you mean spf" in error
    assert resolver.asked == []


def test_a_baseline_accepts_what_is_known_and_fails_for_what_is_new(spf: Run, tmp_path: Path) -> None:
    """A team with old faults can put the check into CI today."""
    old = tmp_path / "old.json"
    spf("bad.example", "--format", f"json={old}")

    known, told, _ = spf("bad.example", "--baseline", old, "--strict")
    new, _, _ = spf("bad.example", "warn.example", "--baseline", old, "--strict")

    assert (known, new) == (0, 1)
    assert "accepted" in told.splitlines()[-1]


def test_what_changed_since_an_older_report_is_shown(
    spf: Run, world: dict[tuple[str, str], list[Rdata]], tmp_path: Path
) -> None:
    """As text and as JSON; the exit code still says whether something fails."""
    old = tmp_path / "old.json"
    spf("bad.example", "--format", f"json={old}")

    assert spf("bad.example", "--diff", old)[1] == "nothing changed\n"
    world["bad.example", "TXT"] = world["good.example", "TXT"]
    code, told, _ = spf("bad.example", "--diff", old)
    document = json.loads(spf("bad.example", "--diff", old, "--format", "json")[1])

    assert code == 0
    assert told.startswith("Better\n")
    assert document["counts"]["better"] > 0


def test_what_is_not_compared_is_said(spf: Run, tmp_path: Path) -> None:
    """A run of other domains does not look like one in which nothing changed."""
    old = tmp_path / "old.json"
    spf("bad.example", "--format", f"json={old}")

    told = spf("good.example", "--diff", old)[1]

    assert told.splitlines()[0] == "not looked at this time: 1 domain of the older report (bad.example)"


def test_a_resolver_that_does_not_answer_is_an_error_and_no_verdict(run: Run) -> None:
    """Nobody knows anything then: not even that all is unknown."""
    code, told, error = run("verify", "good.example", "--resolver", "127.0.0.1:1", "--only", "spf")

    assert (code, told) == (1, "")
    assert "--resolver" in error


def test_the_schema_is_printed(run: Run) -> None:
    """For whoever checks documents by it."""
    code, told, _ = run("verify", "--schema")

    assert code == 0
    assert json.loads(told)["title"]


def test_all_shows_what_is_right(spf: Run) -> None:
    """Each check with what was seen."""
    assert "PASS     spf.present" in spf("good.example", "-v")[1]
