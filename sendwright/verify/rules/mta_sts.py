"""Whether senders without DANE must use TLS (MTA-STS, RFC 8461)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "mta-sts.present",
    "The domain has an MTA-STS record",
    "TLS to its servers can be stripped on the way by senders without DANE",
    "RFC 8461, 3.1",
    others=also("checkdmarc", "miab"),
)
RECORD = Check(
    "mta-sts.record",
    "There is one record, and it can be parsed",
    "Senders ignore it",
    "RFC 8461, 3.1",
    others=also("checkdmarc", "miab"),
)
POLICY = Check(
    "mta-sts.policy",
    "The policy can be fetched by HTTPS with a valid certificate",
    "Senders act as if there were none, or keep the old one",
    "RFC 8461, 3.3",
    needs="HTTPS",
    others=also("checkdmarc", "miab"),
)
SYNTAX = Check(
    "mta-sts.syntax",
    "The policy can be parsed",
    "Senders ignore it",
    "RFC 8461, 3.2",
    needs="HTTPS",
    others=also("checkdmarc", "miab"),
)
MODE = Check(
    "mta-sts.mode",
    "Its mode is enforce",
    "A policy under test only reports, and none switches it off",
    "RFC 8461, 3.2 and 5",
    needs="HTTPS",
    others=also("miab"),
)
MX = Check(
    "mta-sts.mx",
    "Every MX of the domain matches the policy",
    "Senders refuse to deliver to the one that does not",
    "RFC 8461, 4.1",
    needs="HTTPS",
    others=also("checkdmarc", "miab"),
)
AGE = Check(
    "mta-sts.max-age",
    "Senders keep the policy for at least a day",
    "The protection ends as soon as it is blocked",
    "RFC 8461, 3.2",
    needs="HTTPS",
)
DESIRED = Check(
    "mta-sts.as-desired",
    "Record and policy are those of the inventory",
    "Senders insist on something that nobody declared, or do not hear of what was",
    "RFC 8461, 3.1 and 3.2",
    needs="an inventory",
)

CHECKS = (PRESENT, RECORD, POLICY, SYNTAX, MODE, MX, AGE, DESIRED)
