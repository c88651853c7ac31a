"""Whatever is said from outside: bounded time and memory, no crash, and nothing of it reaches a reader unescaped."""

import json
import re
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.lab.verify.hostile import DOMAINS
from tests.lab.verify.servers import BAD, GOOD
from tests.lab.verify.world import Broken

pytestmark = pytest.mark.lab
# What would act on a terminal, and in a browser.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MARKUP = re.compile(r"<script|<img", re.IGNORECASE)
# In a code span of Markdown nothing is markup (GFM 6.3).
_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


def test_hostile_answers_cost_bounded_time_and_memory(broken: Broken) -> None:
    """Huge TXT, loops of includes and aliases, drips, endless greetings, TLS that never finishes."""
    measure = ["/usr/bin/env", "python3", "-c", _MEASURE]

    started = time.monotonic()
    done = broken.lab.run([*measure, *broken.command("--format", "json", *DOMAINS)], check=False, timeout=120)
    took = time.monotonic() - started

    *_, peak = done.stderr.strip().splitlines()
    findings = json.loads(done.stdout)["findings"]
    assert took < 60
    assert int(peak) < 300 * 1024
    assert {f["subject"]["name"] for f in findings} >= set(DOMAINS) - {f"circle.{BAD}"}


_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def test_nothing_from_outside_is_unescaped_in_any_form(broken: Broken, tmp_path: Path) -> None:
    """Neither on a terminal, nor in XML, HTML or Markdown."""
    forms = ("json", "junit", "sarif", "markdown", "html", "text")
    files = {form: tmp_path / form for form in forms}
    asked = [word for form, file in files.items() for word in ("--format", f"{form}={file}")]

    done = broken.sendwright("--all", *asked, *DOMAINS)

    assert done.returncode == 1, done.stderr
    written = {form: file.read_text() for form, file in files.items()}
    assert "script" in written["html"]
    for form in ("text", "markdown", "html", "junit"):
        assert not _CONTROLS.search(written[form]), form
    for form in ("markdown", "html", "junit"):
        assert not _MARKUP.search(_SPAN.sub("", written[form])), form
    ET.fromstring(written["junit"])  # noqa: S314 - whether it can be read is the question
    json.loads(written["json"])
    json.loads(written["sarif"])


def test_a_filtered_port_25_is_unknown_and_not_a_failure(broken: Broken) -> None:
    """Many clouds and CI runners block it: that says nothing of the server."""
    name = f"filtered.{BAD}"
    only = ("--only", "smtp,tls", name)

    relaxed, strict = broken.sendwright(*only), broken.sendwright("--strict", *only)
    found = json.loads(broken.sendwright("--format", "json", *only).stdout)["findings"]

    assert (relaxed.returncode, strict.returncode) == (0, 1), relaxed.stdout + relaxed.stderr
    assert [(f["check"], f["status"]) for f in found if f["status"] != "pass"] == [("smtp.reachable", "unknown")]
    assert found[0]["target"].endswith(":25")


@pytest.mark.parametrize(("name", "code"), [(GOOD, 0), ("no-such-name.example", 1), (f"expired.{BAD}", 1)])
def test_the_exit_code_says_what_was_found(broken: Broken, name: str, code: int) -> None:
    """0 all holds, 1 a check failed: a domain that does not exist fails."""
    done = broken.sendwright("--selector", "s1", name)

    assert done.returncode == code, done.stdout + done.stderr


def test_a_resolver_that_does_not_answer_is_said_once_and_soon(broken: Broken) -> None:
    """Nothing is known then, and nothing passes."""
    started = time.monotonic()
    done = broken.sendwright("--resolver", "198.51.100.99", GOOD)

    assert done.returncode != 0 or "unknown" in done.stdout
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60
