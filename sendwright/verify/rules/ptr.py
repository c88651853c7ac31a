"""Reverse DNS of addresses that send (RFC 1912 section 2.1)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "ptr.present",
    "Every sending address has a name (PTR)",
    "Large receivers refuse mail from addresses without one",
    "RFC 1912, 2.1",
    others=also("miab", "checkdmarc"),
)
CONFIRMED = Check(
    "ptr.confirmed",
    "That name leads back to the address",
    "An unconfirmed name counts as none",
    "RFC 8601, 2.7.3",
    others=also("miab", "checkdmarc"),
)
HELO = Check(
    "ptr.helo",
    "It is the host's HELO name",
    "Receivers score the difference as a sign of abuse",
    "RFC 5321, 4.1.4",
    needs="an inventory",
    others=also("miab"),
)
SINGLE = Check("ptr.single", "The address has one name only", "Receivers pick one at random", "RFC 1912, 2.1")
GENERIC = Check(
    "ptr.generic",
    "The name is not one that a provider makes up from the address",
    "Receivers take it for a home connection",
    "RFC 8499, 9; M3AAWG Sender Best Practices",
)

CHECKS = (PRESENT, CONFIRMED, HELO, SINGLE, GENERIC)
