import click
import pytest

from sendwright.report.findings import render
from sendwright.report.findings_view import View
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Kind, Report, Status, Subject
from tests.report.findings_worlds import BAD, DOMAIN, GOOD, HOSTILE, MISSING, WRONG, many, passed, report


def shown(of: Report, view: View | None = None) -> list[str]:
    """Return the lines of a text report without colours."""
    return click.unstyle(render(of, "text", view or View())).splitlines()


def test_a_good_domain_is_told_in_as_many_lines_as_there_are_subjects() -> None:
    """Quiet about what is right: no check is named, and the last line says that all is well."""
    assert shown(GOOD) == [
        "✓ example.com      7 checks right",
        "✓ mx1.example.com  3 checks right",
        "",
        "PASSED  10 right · 1 domain, 1 server · 3.1 s, resolver 192.0.2.53:53",
    ]


def test_a_bad_domain_leads_with_what_is_wrong_and_how_to_mend_it() -> None:
    """Status, check, what was seen, why it matters and where that is written, what to do; then only a count."""
    assert shown(BAD)[:14] == [
        "example.com",
        "  FAIL     spf.lookups",
        "           12 of 10 lookups: include:_spf.a.example (7), include:_spf.b.example (4), mx (1)",
        "           The eleventh is a permanent error for whoever is matched late (RFC 7208, 4.6.4)",
        "           → Take include:_spf.b.example out if it no longer sends, or publish v=spf1",
        "             ip4:192.0.2.0/24 mx -all instead.",
        "  WARN     dmarc.policy",
        "           p=none: forged mail is delivered",
        "           Forged mail is delivered: p=none only looks (RFC 9989, 4.7)",
        "           → Read the reports for some weeks, then publish v=DMARC1; p=quarantine;",
        "             rua=mailto:dmarc@example.com at _dmarc.example.com.",
        "  PASS     5 checks",
        "",
        "mx1.example.com  takes mail of example.com",
    ]


def test_the_same_of_two_addresses_is_told_once() -> None:
    """Both addresses stand beside the check."""
    lines = shown(BAD)

    assert "  FAIL     tls.days  192.0.2.10:25, [2001:db8::10]:25" in lines
    assert sum("ran out 3 days ago" in line for line in lines) == 1


def test_the_same_of_two_name_servers_is_told_once() -> None:
    """Though each sentence names its own."""
    check, ends = CHECKS["dns.servers-answer"], (("ns1.example.com", "192.0.2.1"), ("ns2.example.com", "192.0.2.2"))
    findings = (check.failed(DOMAIN, f"{n} ({a}) is silent", f"Mend {n}.", f"{n} ({a})") for n, a in ends)

    lines = shown(report(findings))

    assert lines[1] == "  FAIL     dns.servers-answer  ns1.example.com (192.0.2.1), ns2.example.com (192.0.2.2)"
    assert sum("is silent" in line for line in lines) == 1


def test_what_cannot_be_told_says_why_and_fails_nothing() -> None:
    """A filtered port is not a fault of the server."""
    lines = shown(report([WRONG[-1]]))

    assert lines[1:4] == [
        "  UNKNOWN  smtp.relay  [2001:db8::10]:25",
        "           no answer from [2001:db8::10]:25 within 10 s: a firewall, its own or one on the way",
        "           → Run this from a network whose port 25 is open.",
    ]
    assert lines[-1].startswith("PASSED  1 cannot be told")
    assert shown(report([WRONG[-1]]), View(strict=True))[-1].startswith("FAILED (--strict)  1 cannot be told")


def test_a_domain_that_does_not_exist_is_one_failure() -> None:
    """And a person reads what it may be."""
    lines = shown(MISSING)

    assert lines[:2] == ["exmaple.com", "  FAIL     dns.exists"]
    assert lines[-1].startswith("FAILED  1 fails · 1 domain")


def test_nothing_checked_is_not_a_success() -> None:
    """Who leaves out every check that applies has proven nothing."""
    assert shown(report([]))[-1].startswith("NOTHING CHECKED")
    assert View().failed(report([]))


def test_a_check_with_a_bug_is_not_a_success() -> None:
    """What it would have found is missing."""
    assert shown(GOOD, View(broken=True))[-1].startswith("FAILED  10 right")


def test_passes_are_shown_when_asked_for() -> None:
    """With what was seen."""
    assert "  PASS     spf.lookups: 1 of 10 lookups" in shown(GOOD, View(every=True))


def test_hundreds_of_domains_begin_with_a_table_and_are_told_by_check() -> None:
    """What is the same for many is told once, with the first names and a count."""
    lines = shown(many())

    assert lines[0].split() == ["name", "fail", "warn", "unknown"]
    assert lines[1].split() == ["d000.example", "2", "1", "-"]
    assert len(lines) < 100
    (ptr,) = (number for number, line in enumerate(lines) if line == "  WARN     spf.ptr  38 domains")
    assert lines[ptr + 1].strip().startswith("d000.example, d008.example, d016.example")
    assert lines[ptr + 3].strip().endswith("… and 21 more")
    assert lines[ptr + 4].strip() == "ptr in v=spf1 ptr -all"
    assert sum("no TXT record at _dmarc" in line for line in lines) == 1
    assert "✓ 160 domains without a finding" in lines
    assert lines[-2].startswith("FAILED  132 fail, 38 warnings, 1 cannot be told")


def test_of_hundreds_of_domains_each_way_of_mending_is_told_once() -> None:
    """What mends the first one may be wrong for the next; what is the same but for names is not told again."""
    own = "Publish it at s1._domainkey.b.example."
    ways = (("two keys", "Leave one."), ("no key", own), ("three keys", "Leave one."))
    failed = [
        CHECKS["dkim.strings"].failed(Subject(Kind.DOMAIN, f"{name}.example"), seen, advice)
        for name, (seen, advice) in zip("abc", ways, strict=True)
    ]
    right = [passed("spf.present", "v=spf1 -all", Subject(Kind.DOMAIN, f"d{index}.example")) for index in range(9)]

    lines = [line.strip() for line in shown(report((*failed, *right)))]

    assert lines.count("→ Leave one.") == 1
    assert lines[lines.index("no key") + 1] == f"→ {own}"


def test_of_hundreds_of_domains_every_one_is_named_when_asked_for() -> None:
    """Nothing is cut then."""
    told = " ".join(shown(many(), View(every=True)))

    assert " more" not in told
    assert all(f"d{number:03}.example" in told for number in range(0, 300, 3))


def test_what_the_baseline_accepts_stands_apart_and_fails_nothing() -> None:
    """It is counted, and not told again."""
    view = View(accepted=frozenset(f for f in BAD.findings if f.status is Status.FAIL))
    lines = shown(BAD, view)

    at = lines.index("Accepted, because the baseline has it")
    assert lines[at + 1 : at + 3] == ["  FAIL     spf.lookups", "           example.com"]
    assert lines[-2].startswith("PASSED  1 warning, 1 cannot be told, 6 right, 3 accepted")
    assert "  FAIL     spf.lookups" not in lines[:at]
    assert shown(GOOD, view)[-1] == shown(GOOD)[-1]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_are_as_long_as_the_terminal_is_wide(width: int) -> None:
    """But for names and values without a space, which could not be copied if they were cut."""
    longest = max((line for line in shown(BAD, View(width=width)) if len(line.split()) > 3), key=len)

    assert len(longest) <= width


def test_nothing_from_outside_moves_the_cursor_or_turns_lines_around() -> None:
    """Escape sequences and direction marks are shown, not obeyed."""
    hostile = Finding("spf.ptr", DOMAIN, Status.FAIL, HOSTILE + "\r\n\x00", HOSTILE, HOSTILE)

    text = "\n".join(shown(report([hostile])))

    assert text.replace("\n", "").isprintable()
    assert "\\x1b[31m" in text


def test_a_check_is_told_with_its_reason() -> None:
    """Every failure says what happens to mail, in the catalogue's words."""
    for check in CHECKS.values():
        told = " ".join(" ".join(shown(report([check.failed(DOMAIN, "seen", "mend it")]))).split())
        assert f"{check.why} ({check.reference}) → mend it" in told
