"""The HTML report in a real browser: Debian's chromium, without a network, driven by selenium."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from sendwright.report.findings import render
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Report
from tests.report.findings_worlds import BAD, DOMAIN, GOOD, HOSTILE, MISSING, WRONG, many, report

pytestmark = pytest.mark.lab

PHONE, DESK = (390, 844), (1280, 900)
LONG = "x" * 5000
NASTY = report(
    [
        CHECKS["spf.ptr"].failed(DOMAIN, HOSTILE, "\u05e9\u05dc\u05d5\u05dd \u0007\u202e " + HOSTILE, "<b>\u200f"),
        CHECKS["spf.all"].failed(DOMAIN, LONG, f"Take {LONG} out.", LONG),
        *WRONG,
    ]
)
REPORTS = {"good": GOOD, "bad": BAD, "missing": MISSING, "many": many(), "nasty": NASTY}

UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"
# What is shown, with the colours that it is shown in: the first background below it that can be seen.
COLOURS = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  let below = element, colour = 'rgba(0, 0, 0, 0)';
  for (; below && colour === 'rgba(0, 0, 0, 0)'; below = below.parentElement)
    colour = getComputedStyle(below).backgroundColor;
  found.push([walker.currentNode.data.trim().slice(0, 40), getComputedStyle(element).color, colour]);
}
return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that notes every request and every word on its console; where there is none, CI fails."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        reason = "no browser is here: make browser-tools installs chromium and chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    options = ChromeOptions()
    options.binary_location = program  # type: ignore[assignment]
    # As root there is no sandbox; /dev/shm is small in containers. A name is never asked for: nothing leaves.
    for switch in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{switch}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # Its path is named, or selenium would look for a driver on the network.
    chrome = Chrome(options=options, service=ChromeService(executable_path=driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def show(browser: Chrome, tmp_path: Path) -> Any:
    """Return what shows a report at a size, light or dark."""

    def shown(of: Report, size: tuple[int, int] = PHONE, scheme: str = "light") -> Chrome:
        (tmp_path / "report.html").write_text(render(of, "html"), encoding="utf-8")
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    return shown


@pytest.mark.parametrize("of", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen(show: Any, of: Report, size: tuple[int, int]) -> None:
    """Whatever stands in a record: nobody scrolls sideways to read what to do."""
    page = show(of, size)
    page.execute_script(UNFOLD)

    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert page.execute_script("return document.documentElement.clientWidth") == size[0]


@pytest.mark.parametrize("name", ["bad", "missing", "many"])
def test_the_worst_finding_is_seen_on_a_phone_without_scrolling(show: Any, name: str) -> None:
    """What is wrong and what to do about it."""
    page = show(REPORTS[name])

    for part in ("h3", ".seen", ".advice"):
        box = page.execute_script(f"return document.querySelector('article.fail {part}').getBoundingClientRect()")
        assert 0 <= box["top"] < box["bottom"] <= PHONE[1]


@pytest.mark.parametrize("of", REPORTS.values(), ids=REPORTS)
def test_light_and_dark_differ_and_both_can_be_read(show: Any, of: Report) -> None:
    """Every text has a contrast of at least 4.5 to what it stands on (WCAG 2.2, 1.4.3)."""
    backgrounds = []
    for scheme in ("light", "dark"):
        page = show(of, DESK, scheme)
        page.execute_script(UNFOLD)
        texts = page.execute_script(COLOURS)
        assert len(texts) > 10
        assert [(t, *colours) for t, *colours in texts if _contrast(*colours) < 4.5] == []
        backgrounds.append(page.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert backgrounds[0] != backgrounds[1]


def test_it_prints_on_white_paper(show: Any) -> None:
    """To PDF, in dark as well: ink is for text."""
    page = show(BAD, DESK, "dark")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})

    pdf = base64.b64decode(page.print_page())

    assert pdf.startswith(b"%PDF-")
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert [t for t, *colours in page.execute_script(COLOURS) if _contrast(*colours) < 4.5] == []


def test_hostile_values_stay_text(show: Any) -> None:
    """No element is made by them, no script runs, no line is turned around."""
    page = show(NASTY)

    assert page.execute_script("return document.querySelectorAll('script, img, b:not(.counts b)').length") == 0
    seen = page.execute_script("return document.body.innerText")
    assert "<script>alert(1)</script>" in seen
    assert not {"\u202e", "\u0007", "\u200f"} & set(seen)
    assert page.execute_script("return document.body.getAttribute('onerror')") is None


@pytest.mark.parametrize("of", REPORTS.values(), ids=REPORTS)
def test_nothing_is_asked_of_anybody_and_the_console_is_silent(show: Any, browser: Chrome, of: Report) -> None:
    """One file is all; the page's own policy is not broken by it."""
    for log in ("browser", "performance"):
        browser.get_log(log)  # type: ignore[no-untyped-call]

    show(of)

    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("file://")] == []
    assert len(asked) == 1
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def _contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
