"""How mail servers behave to strangers (RFC 5321, RFC 6409, RFC 8314)."""

from sendwright.verify.finding import Check, also

REACHABLE = Check(
    "smtp.reachable",
    "The server can be connected to and speaks SMTP",
    "Mail to it waits, or people cannot send",
    "RFC 5321, 3.1",
    needs="port 25",
    others=also("internet.nl", "checkdmarc", "miab"),
)
BANNER = Check(
    "smtp.banner",
    "The greeting and EHLO name the server",
    "Senders and receivers log and score it; a wrong name hides who was reached",
    "RFC 5321, 4.2 and 4.3.1",
    needs="port 25",
)
RELAY = Check(
    "smtp.relay",
    "Strangers cannot relay through it",
    "An open relay is on blocklists within hours",
    "RFC 5321, 7.9; RFC 2505, 2.1",
    needs="port 25",
)
AUTH25 = Check(
    "smtp.auth-25",
    "Port 25 offers no authentication",
    "Passwords are guessed where nobody looks",
    "RFC 8314, 3.3; RFC 6409, 3.1",
    needs="port 25",
)
AUTHTLS = Check(
    "smtp.auth-tls",
    "Authentication is offered inside TLS only",
    "Passwords travel readable",
    "RFC 8314, 3.3; RFC 4954, 4",
    needs="port 25",
)
SUBMISSION = Check(
    "smtp.submission",
    "Submission is open where it is declared, and offers authentication",
    "People cannot send",
    "RFC 6409, 3.1; RFC 8314, 3.3",
    needs="port 25",
    others=also("miab"),
)
POSTMASTER = Check(
    "mx.postmaster",
    "postmaster@ is accepted",
    "Nobody can tell you that something is wrong, and some lists punish it",
    "RFC 5321, 4.5.1",
    needs="port 25",
    others=also("miab"),
)
ABUSE = Check(
    "mx.abuse",
    "abuse@ is accepted",
    "Complaints go to your provider and to blocklists instead",
    "RFC 2142, 4",
    needs="port 25",
)

CHECKS = (REACHABLE, BANNER, RELAY, AUTH25, AUTHTLS, SUBMISSION, POSTMASTER, ABUSE)
