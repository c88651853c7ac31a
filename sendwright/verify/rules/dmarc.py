"""What receivers do with mail that only claims to be of a domain (RFC 9989, RFC 9990)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "dmarc.present",
    "A DMARC record applies to the domain",
    "Anybody can put its name into From, and large receivers refuse bulk mail",
    "RFC 9989, 4.10",
    others=also("internet.nl", "checkdmarc"),
)
SINGLE = Check(
    "dmarc.single",
    "There is one DMARC record, not several",
    "Receivers ignore all of them",
    "RFC 9989, 4.10",
    others=also("internet.nl", "checkdmarc"),
)
SYNTAX = Check(
    "dmarc.syntax",
    "The DMARC record can be parsed",
    "Receivers ignore it, in part or whole",
    "RFC 9989, 4.7",
    others=also("internet.nl", "checkdmarc"),
)
POLICY = Check(
    "dmarc.policy",
    "The policy is quarantine or reject",
    "Forged mail is delivered: p=none only looks",
    "RFC 9989, 4.7",
    others=also("internet.nl", "checkdmarc"),
)
SUBDOMAINS = Check(
    "dmarc.subdomains",
    "Subdomains, also those that do not exist, are as strict as the domain",
    "Forgers use a subdomain",
    "RFC 9989, 4.7",
    others=also("checkdmarc"),
)
TESTING = Check(
    "dmarc.testing", "The policy is not under test (t=y)", "Receivers apply the next weaker policy", "RFC 9989, 4.7"
)
REMOVED = Check(
    "dmarc.removed-tags",
    "Nothing is used that RFC 9989 removed (pct, rf, ri, and size limits of addresses)",
    "It means nothing any more: the policy is not what somebody thinks it is",
    "RFC 9989, A and C",
    others=also("checkdmarc"),
)
UNKNOWN = Check(
    "dmarc.unknown-tags", "Every tag is known", "A misspelt tag is ignored", "RFC 9989, 4.7", others=also("checkdmarc")
)
ORGANISATION = Check(
    "dmarc.organisation",
    "The tree walk finds the organisational domain that is meant",
    "Alignment and the policy come from another domain than expected",
    "RFC 9989, 4.10",
)
REPORTS = Check(
    "dmarc.reports",
    "Aggregate reports go somewhere",
    "Nobody notices what fails",
    "RFC 9989, 4.7",
    others=also("checkdmarc"),
)
ADDRESSES = Check(
    "dmarc.report-addresses",
    "Every report address can receive mail",
    "Reports are lost",
    "RFC 9989, 4.7; RFC 5321, 5.1",
    others=also("checkdmarc"),
)
CONSENT = Check(
    "dmarc.consent",
    "Every other domain that gets the reports consents",
    "Receivers send none",
    "RFC 9990, 4",
    others=also("checkdmarc", "internet.nl"),
)
ALIGNMENT = Check(
    "dmarc.alignment",
    "SPF and DKIM of this stack's mail align with the domain in From",
    "DMARC fails although both pass",
    "RFC 9989, 4.4",
    needs="an inventory",
)

CHECKS = (
    PRESENT,
    SINGLE,
    SYNTAX,
    POLICY,
    SUBDOMAINS,
    TESTING,
    REMOVED,
    UNKNOWN,
    ORGANISATION,
    REPORTS,
    ADDRESSES,
    CONSENT,
    ALIGNMENT,
)
