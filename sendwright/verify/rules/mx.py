"""Where a domain's mail goes: its MX records and what they lead to (RFC 5321 section 5, RFC 7505)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "mx.present",
    "The domain says where its mail goes",
    "Bounces, postmaster and abuse mail have nowhere to go, and receivers distrust a sender that cannot be answered",
    "RFC 5321, 5.1",
    others=also("internet.nl", "checkdmarc", "miab"),
)
RESOLVES = Check(
    "mx.resolves",
    "Every MX name has an address",
    "Mail to the domain waits in others' queues or comes back",
    "RFC 5321, 5.1",
    others=also("internet.nl", "checkdmarc", "miab"),
)
ALIAS = Check(
    "mx.alias",
    "No MX name is an alias",
    "Some senders refuse to follow it, and loops are not seen",
    "RFC 2181, 10.3; RFC 5321, 5.1",
    others=also("checkdmarc"),
)
ADDRESS = Check(
    "mx.address",
    "Every address of an MX is public",
    "Others' mail goes to their own machines, or nowhere",
    "RFC 6890, 2.2",
)
NULL = Check(
    "mx.null",
    "A null MX stands alone, and only where nothing is sent",
    "Receivers refuse mail of a sender that takes no bounces (5.7.27)",
    "RFC 7505, 3 and 4.2",
    others=also("internet.nl"),
)
DESIRED = Check(
    "mx.as-desired",
    "MX is what the inventory says",
    "Mail goes to servers that do not know of it",
    "RFC 5321, 5.1",
    needs="an inventory",
)

CHECKS = (PRESENT, RESOLVES, ALIAS, ADDRESS, NULL, DESIRED)
