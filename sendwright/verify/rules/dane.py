"""What DNS says of certificates (TLSA; RFC 6698, RFC 7672)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "dane.present",
    "A server whose name is signed has TLSA records",
    "Senders cannot tell that TLS is meant: it can be stripped on the way",
    "RFC 7672, 2.2",
    needs="port 25",
    others=also("internet.nl", "miab", "checkdmarc"),
)
SECURE = Check(
    "dane.secure",
    "TLSA records lie in a zone that validates",
    "Unsigned ones are ignored; bogus ones stop mail",
    "RFC 7672, 2.2.2",
    needs="port 25",
    others=also("internet.nl"),
)
USABLE = Check(
    "dane.usable",
    "TLSA records are usable for mail (usage 2 or 3)",
    "Others are ignored by mail servers",
    "RFC 7672, 3.1.3",
    needs="port 25",
    others=also("internet.nl"),
)
MATCHES = Check(
    "dane.matches",
    "A TLSA record matches the certificate that is served",
    "Senders that verify DANE do not deliver",
    "RFC 7672, 3.2",
    needs="port 25",
    others=also("internet.nl", "miab"),
)
NEXT = Check(
    "dane.next",
    "TLSA covers the next key as well",
    "The next change of keys cuts off senders that verify",
    "RFC 7672, 8.1; RFC 6698, A.4",
    needs="port 25",
    others=also("internet.nl"),
)
DESIRED = Check(
    "dane.as-desired",
    "TLSA records are of the keys that the state folder has",
    "A renewal or a change of keys cuts off senders that verify, or a stranger's key is vouched for",
    "RFC 7671, 8.1",
    needs="an inventory",
)

CHECKS = (PRESENT, SECURE, USABLE, MATCHES, NEXT, DESIRED)
