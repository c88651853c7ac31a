"""Where senders report failures of TLS (RFC 8460)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "tls-rpt.present",
    "TLS reports go somewhere",
    "Nobody notices when senders cannot deliver",
    "RFC 8460, 3",
    others=also("checkdmarc"),
)
RECORD = Check(
    "tls-rpt.record",
    "There is one record, and it can be parsed",
    "Senders ignore it",
    "RFC 8460, 3",
    others=also("checkdmarc"),
)

CHECKS = (PRESENT, RECORD)
