"""Reports made up as real runs make them: a good domain, a bad one, one that does not exist, hundreds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Kind, Report, Subject

BEGAN = datetime(2026, 11, 22, 6, 40, tzinfo=UTC)
DOMAIN = Subject(Kind.DOMAIN, "example.com")
SERVER = Subject(Kind.SERVER, "mx1.example.com")
HOSTILE = (
    '<script>alert(1)</script>"><img src=x onerror=alert(1)> @somebody [x](https://evil.example) \u202eabc\x1b[31m | `'
)


def report(findings: Iterable[Finding], took: float = 3.14) -> Report:
    """Return a report of findings."""
    described = ((SERVER, "takes mail of example.com"),)
    return Report(tuple(findings), described, "192.0.2.53:53", BEGAN, timedelta(seconds=took))


def passed(check: str, seen: str, subject: Subject = DOMAIN, target: str = "") -> Finding:
    """Return that a check passes."""
    return CHECKS[check].passed(subject, seen, target)


RIGHT = (
    passed("mx.present", "10 mx1.example.com"),
    passed("mx.resolves", "mx1.example.com has 192.0.2.10 and 2001:db8::10"),
    passed("spf.present", "v=spf1 mx -all"),
    passed("spf.lookups", "1 of 10 lookups"),
    passed("dkim.present", "2 keys: s1 (rsa, 2,048 bits), s2 (ed25519)"),
    passed("dmarc.present", "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"),
    passed("dmarc.policy", "p=reject"),
    passed("tls.chain", "trusted, by R11 of Let's Encrypt", SERVER, "192.0.2.10:25"),
    passed("tls.days", "61 days left", SERVER, "192.0.2.10:25"),
    passed("tls.days", "61 days left", SERVER, "[2001:db8::10]:25"),
)
GOOD = report(RIGHT)

WRONG = (
    CHECKS["spf.lookups"].failed(
        DOMAIN,
        "12 of 10 lookups: include:_spf.a.example (7), include:_spf.b.example (4), mx (1)",
        "Take include:_spf.b.example out if it no longer sends, or publish v=spf1 ip4:192.0.2.0/24 mx -all instead.",
    ),
    CHECKS["dmarc.policy"].warned(
        DOMAIN,
        "p=none: forged mail is delivered",
        "Read the reports for some weeks, then publish v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com at "
        "_dmarc.example.com.",
    ),
    CHECKS["tls.days"].failed(
        SERVER, "the certificate ran out 3 days ago (2026-11-19)", "Renew it and reload the server.", "192.0.2.10:25"
    ),
    CHECKS["tls.days"].failed(
        SERVER,
        "the certificate ran out 3 days ago (2026-11-19)",
        "Renew it and reload the server.",
        "[2001:db8::10]:25",
    ),
    CHECKS["smtp.relay"].unknown(
        SERVER,
        "no answer from [2001:db8::10]:25 within 10 s: a firewall, its own or one on the way",
        "Run this from a network whose port 25 is open.",
        "[2001:db8::10]:25",
    ),
)
BAD = report((*RIGHT[:3], *WRONG, *RIGHT[4:6], RIGHT[7]))

MISSING = report(
    (
        CHECKS["dns.exists"].failed(
            Subject(Kind.DOMAIN, "exmaple.com"),
            "no such name, says 192.0.2.53:53",
            "Look for a misspelling; if it is right, ask your registrar whether the registration lapsed.",
        ),
    ),
    0.2,
)


def many(count: int = 300) -> Report:
    """Return a report of many domains: a third lacks DMARC, some have ptr, each tenth its own number of lookups."""
    findings: list[Finding] = []
    for index in range(count):
        subject = Subject(Kind.DOMAIN, f"d{index:03}.example")
        findings += [passed("mx.present", "10 mx1.example.com", subject), passed("spf.present", "v=spf1 -all", subject)]
        if index % 3 == 0:
            said = f"no TXT record at _dmarc.{subject.name}"
            todo = f"Publish v=DMARC1; p=none; rua=mailto:dmarc@{subject.name} at _dmarc.{subject.name}."
            findings.append(CHECKS["dmarc.present"].failed(subject, said, todo))
        if index % 8 == 0:
            findings.append(CHECKS["spf.ptr"].warned(subject, "ptr in v=spf1 ptr -all", "Replace ptr by addresses."))
        if index % 10 == 0:
            seen = f"{11 + index // 10} of 10 lookups"
            findings.append(CHECKS["spf.lookups"].failed(subject, seen, "Take out what no longer sends."))
    return report((*findings, *RIGHT[7:], *WRONG[2:]), 41.0)
