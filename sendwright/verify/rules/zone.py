"""The zone itself: delegation, servers, DNSSEC (RFC 1034, RFC 4035)."""

from sendwright.verify.finding import Check, also

EXISTS = Check(
    "dns.exists",
    "The domain exists",
    "There is nothing to verify: a misspelt name, or a registration that lapsed",
    "RFC 1034, 4.3.2",
    others=also("internet.nl"),
)
DELEGATION = Check(
    "dns.delegation",
    "The parent and the zone name the same name servers",
    "Resolvers follow either: some ask servers that do not know",
    "RFC 1034, 4.2.2",
    others=also("miab"),
)
ALIAS = Check(
    "dns.ns-alias", "No name server's name is an alias", "Resolvers may refuse to follow it", "RFC 2181, 10.3"
)
ANSWER = Check(
    "dns.servers-answer",
    "Every address of every name server speaks for the zone",
    "Every so many questions fail: mail is deferred at random",
    "RFC 1034, 4.2.1; RFC 1912, 2.8",
    others=also("miab"),
)
AGREE = Check(
    "dns.servers-agree",
    "Every name server says the same about mail",
    "Receivers see an old key, an old address or nothing",
    "RFC 1034, 4.3.5",
    others=also("miab"),
)
TCP = Check(
    "dns.tcp",
    "Every name server answers over TCP",
    "Answers with long keys are cut, and the rest cannot be had",
    "RFC 7766, 5",
)
REDUNDANT = Check(
    "dns.redundant",
    "There are at least two name servers, at different addresses",
    "While the only one is away, mail is deferred, then bounced",
    "RFC 2182, 5",
    others=also("internet.nl"),
)
DNSSEC = Check(
    "dns.dnssec",
    "The zone is signed and validates",
    "Bogus: half of the world's resolvers say nothing. Unsigned: answers can be forged, and DANE is impossible",
    "RFC 4035, 4.3",
    others=also("internet.nl", "checkdmarc", "miab"),
)
SIGNATURES = Check(
    "dns.signatures",
    "Signatures stay valid for more than two days",
    "The zone goes bogus when they run out",
    "RFC 4035, 5.3.1; RFC 6781, 4.4.2",
)
CAA = Check(
    "dns.caa",
    "CAA names who may issue certificates, validly",
    "Any authority may issue a certificate for the mail servers",
    "RFC 8659, 4",
    others=also("internet.nl", "testssl"),
)
DESIRED = Check(
    "dns.as-desired",
    "Every other record is what the inventory says",
    "Mail programs and receivers find something else than what was set up",
    "RFC 1034, 3.6",
    needs="an inventory",
)

CHECKS = (EXISTS, DELEGATION, ALIAS, ANSWER, AGREE, TCP, REDUNDANT, DNSSEC, SIGNATURES, CAA, DESIRED)
