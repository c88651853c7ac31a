"""Hosts from the inside: the same definitions that ``tests/live`` runs (docs/live-checks.md)."""

from sendwright.verify.finding import Check, also

REACHABLE = Check(
    "host.reachable",
    "The host can be logged in to, with the key that is known",
    "Nothing can be looked at or mended",
    "RFC 4251, 4.1",
    needs="--hosts",
)
DAEMONS = Check(
    "host.daemons",
    "Every daemon's processes run, and every unit is in its state now and after a reboot",
    'A unit says "active" and nothing sends, signs or filters',
    "systemd.unit(5)",
    needs="--hosts",
    others=also("miab"),
)
LOADED = Check(
    "host.loaded",
    "Each daemon runs with the configuration that lies on disk",
    "What was changed does not hold, and the next restart surprises",
    "postfix(1)",
    needs="--hosts",
)
DESIRED = Check(
    "host.as-desired",
    "Files, packages and settings are what the inventory says",
    "Something is not rolled out yet, or somebody changed the host by hand",
    "RFC 5321, 7.8",
    needs="--hosts",
)
SETTINGS = Check(
    "host.settings",
    "The settings of Postfix that mail's safety rests on hold",
    "Mail leaves unsigned or unencrypted, or strangers relay",
    "postconf(5)",
    needs="--hosts",
)
EGRESS = Check(
    "host.egress",
    "Mail leaves from the declared addresses, under the host's own name",
    "SPF and PTR know no other",
    "RFC 5321, 4.1.4",
    needs="--hosts",
)
OUTBOUND = Check(
    "host.outbound",
    "The host reaches port 25 of other mail servers",
    "No mail leaves: many clouds block it until they are asked",
    "RFC 5321, 5.1",
    needs="--hosts",
    others=also("miab"),
)
EXPOSED = Check(
    "host.exposed",
    "The declared ports are open to the world, and no other of ours",
    "People cannot send, or strangers use what is not for them",
    "RFC 5358, 4",
    needs="--hosts",
)
SECRETS = Check(
    "host.secrets",
    "Private files are private, and only declared keys lie there",
    "Whoever reads a key can sign as the domain",
    "RFC 6376, 8",
    needs="--hosts",
)
RESOLVER = Check(
    "host.resolver",
    "The host's own resolver validates, seen from inside Postfix's chroot",
    "DANE is off, and nobody notices",
    "RFC 7672, 2.2",
    needs="--hosts",
)
QUEUE = Check(
    "host.queue",
    "The queue is short, young and moves",
    "Mail is late or lost, or somebody abuses a login",
    "RFC 5321, 4.5.4.1",
    needs="--hosts",
)
CLOCK = Check(
    "host.clock",
    "The clock is right",
    "Signatures, TLS and TSIG fail",
    "RFC 6376, 3.5; RFC 8945, 5.2.3",
    needs="--hosts",
)
DISK = Check(
    "host.disk",
    "The disk has room for a queue",
    "Mail is refused, then lost",
    "RFC 5321, 4.5.3.1",
    needs="--hosts",
    others=also("miab"),
)
EXPIRY = Check(
    "host.expiry",
    "The certificate on the host is the declared one, and stays valid",
    "Renewal failed, and mail stops when it runs out",
    "RFC 5280, 4.1.2.5",
    needs="--hosts",
    others=also("miab"),
)

CHECKS = (
    REACHABLE,
    DAEMONS,
    LOADED,
    DESIRED,
    SETTINGS,
    EGRESS,
    OUTBOUND,
    EXPOSED,
    SECRETS,
    RESOLVER,
    QUEUE,
    CLOCK,
    DISK,
    EXPIRY,
)
