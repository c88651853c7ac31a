"""For every check a world in which it does not hold, and one in which it does."""

from dataclasses import dataclass

from tests.lab.verify.servers import BAD, GOOD

OURS, ASTRAY = "ours.example", "astray.example"
FAIL, WARN = "fail", "warn"


@dataclass(frozen=True)
class Case:
    """A check, the subject of which it does not hold, what it says there, and the subject of which it holds."""

    check: str
    breaks: str
    says: str
    holds: str = GOOD


def _bad(check: str, label: str, says: str = FAIL, holds: str = GOOD) -> Case:
    return Case(check, f"{label}.{BAD}", says, holds)


def _server(check: str, label: str, says: str = FAIL) -> Case:
    return Case(check, f"mx.{label}.{BAD}", says, f"mx.{GOOD}")


DOMAINS = (
    Case("mx.present", "bare.example", FAIL),
    _bad("mx.resolves", "mx-void"),
    _bad("mx.alias", "mx-alias", WARN),
    _bad("mx.address", "mx-private"),
    _bad("mx.null", "null-mx"),
    _bad("mx.postmaster", "refusing"),
    _bad("mx.abuse", "refusing", WARN),
    _bad("spf.present", "no-spf"),
    _bad("spf.single", "two-spf"),
    _bad("spf.syntax", "spf-syntax"),
    _bad("spf.lookups", "eleven"),
    _bad("spf.voids", "voids"),
    _bad("spf.includes", "includes"),
    _bad("spf.size", "big", WARN),
    _bad("spf.strings", "grown"),
    _bad("spf.ptr", "ptr", WARN),
    _bad("spf.all", "plus-all"),
    _bad("spf.networks", "wide"),
    _bad("spf.after-all", "after", WARN),
    _bad("spf.type", "old-type", WARN),
    _bad("dkim.present", "no-dkim"),
    _bad("dkim.syntax", "dkim-syntax"),
    _bad("dkim.key-type", "dkim-type", WARN),
    _bad("dkim.key-size", "dkim-short", WARN),
    _bad("dkim.testing", "dkim-testing", WARN),
    _bad("dkim.hash", "dkim-hash"),
    _bad("dkim.service", "dkim-service"),
    _bad("dkim.revoked", "dkim-revoked"),
    _bad("dkim.strings", "dkim-strings"),
    Case("dmarc.present", "bare.example", FAIL),
    _bad("dmarc.single", "two-dmarc"),
    _bad("dmarc.syntax", "dmarc-syntax"),
    _bad("dmarc.policy", "lax", WARN),
    _bad("dmarc.subdomains", "lax-below", WARN),
    _bad("dmarc.testing", "dmarc-test", WARN),
    _bad("dmarc.removed-tags", "removed", WARN),
    _bad("dmarc.unknown-tags", "unknown", WARN),
    _bad("dmarc.organisation", "organised", WARN),
    _bad("dmarc.reports", "no-report", WARN),
    _bad("dmarc.report-addresses", "lost-report", WARN),
    _bad("dmarc.consent", "no-consent", WARN),
    Case("dns.exists", "no-such-name.example", FAIL),
    Case("dns.delegation", "parted.example", WARN, "ending.example"),
    Case("dns.ns-alias", "alias-ns.example", FAIL),
    Case("dns.servers-answer", "lame.example", FAIL),
    Case("dns.servers-agree", "stale.example", FAIL),
    Case("dns.tcp", "udp.example", FAIL),
    Case("dns.redundant", "single.example", WARN),
    Case("dns.dnssec", "bogus.example", FAIL),
    Case("dns.signatures", "ending.example", WARN),
    _bad("dns.caa", "caa"),
    _bad("mta-sts.present", "no-sts", WARN),
    _bad("mta-sts.record", "two-sts"),
    _bad("mta-sts.policy", "sts-missing"),
    _bad("mta-sts.syntax", "sts-syntax"),
    _bad("mta-sts.mode", "sts-testing", WARN),
    _bad("mta-sts.mx", "sts-mx"),
    _bad("mta-sts.max-age", "sts-age", WARN),
    _bad("tls-rpt.present", "no-sts", WARN),
    _bad("tls-rpt.record", "two-rpt", WARN),
    _bad("bimi.record", "bimi", WARN, f"logo.{BAD}"),
    _bad("bimi.policy", "lax-logo", WARN, f"logo.{BAD}"),
    _bad("blocklist.domain", "listed"),
)
SERVERS = (
    _server("ptr.present", "no-tlsa", WARN),
    _server("ptr.confirmed", "wrong-tlsa", WARN),
    _server("ptr.single", "unusable-tlsa", WARN),
    _server("ptr.generic", "one-tlsa", WARN),
    _server("tls.offered", "no-tls"),
    _server("tls.chain", "self-signed", WARN),
    _server("tls.name", "wrong-name", WARN),
    _server("tls.days", "expired"),
    _server("tls.days", "ending", WARN),
    _server("tls.protocols", "old-tls", WARN),
    Case("tls.ciphers", f"submit.nobody.{BAD}", WARN, f"submit.{GOOD}"),
    Case("tls.ciphers", f"mx.null-cipher.{BAD}", FAIL, f"mx.stock.{BAD}"),
    _server("tls.key-exchange", "rsa-only", WARN),
    Case("tls.key-exchange", f"mx.short-prime.{BAD}", WARN, f"mx.stock.{BAD}"),
    Case("tls.legacy", f"mx.crime.{BAD}", WARN, f"mx.stock.{BAD}"),
    _server("tls.key", "short-key"),
    _server("tls.signature", "sha1"),
    _server("tls.same", "different", WARN),
    _server("dane.present", "no-tlsa", WARN),
    Case("dane.secure", "mx.unsigned.example", WARN, f"mx.{GOOD}"),
    _server("dane.usable", "unusable-tlsa"),
    _server("dane.matches", "wrong-tlsa"),
    _server("dane.next", "one-tlsa", WARN),
    _server("smtp.reachable", "refused"),
    _server("smtp.banner", "banner", WARN),
    _server("smtp.relay", "relay"),
    _server("smtp.auth-25", "auth", WARN),
    Case("smtp.auth-tls", f"submit.plain.{BAD}", FAIL, f"submit.{GOOD}"),
    Case("smtp.submission", f"submit.no-auth.{BAD}", FAIL, f"submit.{GOOD}"),
    _server("blocklist.address", "relay"),
)
INVENTORY = (
    Case("mx.as-desired", ASTRAY, FAIL, OURS),
    Case("spf.egress", ASTRAY, FAIL, OURS),
    Case("spf.helo", ASTRAY, FAIL, OURS),
    Case("dkim.as-desired", ASTRAY, FAIL, OURS),
    Case("dkim.stale", ASTRAY, WARN, OURS),
    Case("dmarc.alignment", ASTRAY, FAIL, OURS),
    Case("dns.as-desired", ASTRAY, FAIL, OURS),
    Case("ptr.helo", f"mx.{ASTRAY}", FAIL, f"mx.{OURS}"),
    Case("tls.as-desired", f"mx.{ASTRAY}", FAIL, f"mx.{OURS}"),
)
HOSTS = "host"
"""The group of checks, with dkim.key-matches-host and dkim.probe, that tests/lab/test_verify_hosts.py breaks."""
