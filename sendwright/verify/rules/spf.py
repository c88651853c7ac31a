"""Who may send as a domain (RFC 7208)."""

from sendwright.verify.finding import Check, also

PRESENT = Check(
    "spf.present",
    "The domain has an SPF record",
    "Nothing says who may send, and large receivers refuse the mail",
    "RFC 7208, 3",
    others=also("internet.nl", "checkdmarc", "miab"),
)
SINGLE = Check(
    "spf.single",
    "There is one SPF record, not several",
    "Two are a permanent error: SPF never passes",
    "RFC 7208, 4.5",
    others=also("internet.nl", "checkdmarc"),
)
SYNTAX = Check(
    "spf.syntax",
    "The SPF record can be parsed",
    "A permanent error: SPF never passes",
    "RFC 7208, 4.6 and 12",
    others=also("internet.nl", "checkdmarc"),
)
LOOKUPS = Check(
    "spf.lookups",
    "Evaluating it takes at most ten terms that ask the DNS",
    "The eleventh is a permanent error for whoever is matched late",
    "RFC 7208, 4.6.4",
    others=also("internet.nl", "checkdmarc"),
)
VOIDS = Check(
    "spf.voids",
    "At most two of its questions have an empty answer",
    "The third is a permanent error at many receivers",
    "RFC 7208, 4.6.4",
    others=also("checkdmarc"),
)
INCLUDES = Check(
    "spf.includes",
    "What it includes or redirects to is there and valid",
    "A permanent error as soon as the evaluation comes to it",
    "RFC 7208, 5.2 and 6.1",
    others=also("internet.nl", "checkdmarc"),
)
SIZE = Check(
    "spf.size",
    "The answer with the record fits into one UDP packet",
    "Truncated answers are lost on the way to some receivers",
    "RFC 7208, 3.4",
    others=also("checkdmarc"),
)
STRINGS = Check(
    "spf.strings",
    "The strings of the record join to what was meant",
    "Receivers join them without a space: terms grow together",
    "RFC 7208, 3.3",
)
PTR = Check(
    "spf.ptr",
    "It does not use ptr",
    "It is slow, unreliable and not to be used; large receivers ignore it",
    "RFC 7208, 5.5",
    others=also("checkdmarc"),
)
ALL = Check(
    "spf.all",
    "It ends in ~all or -all",
    "Everybody may send as the domain",
    "RFC 7208, 5.1",
    others=also("internet.nl"),
)
NETWORKS = Check(
    "spf.networks",
    "It names no network that is larger than any sender's",
    "Strangers in it may send as the domain",
    "RFC 7208, 11.4 and 5.6",
)
AFTER = Check(
    "spf.after-all",
    "Nothing stands behind all",
    "Terms there are never evaluated: somebody who was meant may not send",
    "RFC 7208, 5.1 and 6.1",
    others=also("checkdmarc"),
)
TYPE = Check(
    "spf.type",
    "There is no record of the old type SPF (99)",
    "Nobody reads it, and it tends to differ",
    "RFC 7208, 3.1",
    others=also("checkdmarc"),
)
EGRESS = Check(
    "spf.egress",
    "SPF passes for every egress address of every host",
    "Mail of that host fails SPF, and DMARC with it",
    "RFC 7208, 4; RFC 7208, 2.4",
    needs="an inventory",
)
HELO = Check(
    "spf.helo",
    "SPF passes for the HELO name at every egress address",
    "Bounces, which have no envelope sender, are checked by it",
    "RFC 7208, 2.3",
    needs="an inventory",
)

CHECKS = (
    PRESENT,
    SINGLE,
    SYNTAX,
    LOOKUPS,
    VOIDS,
    INCLUDES,
    SIZE,
    STRINGS,
    PTR,
    ALL,
    NETWORKS,
    AFTER,
    TYPE,
    EGRESS,
    HELO,
)
