"""Keys that sign a domain's mail, as DNS has them (RFC 6376)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "dkim.present",
    "A DKIM key is published",
    "Nothing can be verified, and forwarded mail fails DMARC",
    "RFC 6376, 3.6.2",
    others=also("internet.nl"),
)
SYNTAX = Check(
    "dkim.syntax",
    "The key record can be parsed",
    "Verifiers ignore the key: signatures fail",
    "RFC 6376, 3.6.1",
)
TYPE = Check(
    "dkim.key-type",
    "The key is of a type that verifiers know, and not only Ed25519",
    "A key of another type verifies nowhere",
    "RFC 8301, 3; RFC 8463, 3",
)
SIZE = Check(
    "dkim.key-size",
    "An RSA key has at least 2,048 bits",
    "1,024 bits can be broken by a funded attacker; below, verifiers ignore it",
    "RFC 8301, 3.2",
)
TESTING = Check(
    "dkim.testing",
    "The key is not marked as a test (t=y)",
    "Verifiers treat failed signatures as none: forgeries pass for unsigned",
    "RFC 6376, 3.6.1",
)
HASH = Check(
    "dkim.hash",
    "The key admits SHA-256 (h=)",
    "Signatures with SHA-256 fail, and SHA-1 is not accepted",
    "RFC 6376, 3.6.1; RFC 8301, 3.1",
)
SERVICE = Check("dkim.service", "The key may sign mail (s=)", "Verifiers ignore the key for mail", "RFC 6376, 3.6.1")
REVOKED = Check(
    "dkim.revoked", "A selector in use is not revoked (empty p=)", "Everything that it signs fails", "RFC 6376, 3.6.1"
)
STRINGS = Check(
    "dkim.strings",
    "The record joins from its strings to one key record",
    "Pasted quotes, spaces or a second record break the key",
    "RFC 6376, 3.6.2.2",
)
DESIRED = Check(
    "dkim.as-desired",
    "DNS holds every key that the inventory's stories say, as they say it",
    "Signatures fail, or a leaked key goes on verifying",
    "RFC 6376, 3.6",
    needs="an inventory",
)
STALE = Check(
    "dkim.stale",
    "No selector of ours is published that no key stands behind",
    "An old key is one more that can be stolen",
    "RFC 6376, 3.1",
    needs="an inventory",
)
MATCHES = Check(
    "dkim.key-matches-host",
    "Every host signs with the private key of the published record",
    "Everything that the host sends fails DKIM, and nothing on either side shows it",
    "RFC 6376, 3.6 and 5",
    needs="--hosts",
)
PROBE = Check(
    "dkim.probe",
    "A message that the host signs verifies through live DNS",
    "Signatures fail at every receiver",
    "RFC 6376, 6.1",
    needs="--hosts",
)

CHECKS = (PRESENT, SYNTAX, TYPE, SIZE, TESTING, HASH, SERVICE, REVOKED, STRINGS, DESIRED, STALE, MATCHES, PROBE)
