"""Judge whether the servers of a domain take mail for postmaster and abuse (RFC 5321 section 4.5.1, RFC 2142)."""

import re
from collections.abc import Iterator, Sequence

from sendwright.verify.endpoints import spoken
from sendwright.verify.finding import Check, Finding, Kind, Status, Subject
from sendwright.verify.rules.behaviour import ABUSE, POSTMASTER
from sendwright.verify.speaking.conversation import Conversation, Reply
from sendwright.verify.target import Server
from sendwright.verify.wording import shown

# Said by servers that dislike whoever asks: it is no verdict on the recipient.
_ABOUT_US = re.compile(
    r"(?i)spamhaus|spamcop|barracuda|\b(rbl|dnsbl|blocked|blocklist\w*|black-?list\w*|listed|reputation|banned|ptr|r?dns"
    r"|reverse|helo|ehlo|client host|your (ip|host|network))\b"
)
_WANTED = {"postmaster": (POSTMASTER, Status.FAIL), "abuse": (ABUSE, Status.WARN)}


def must_take(server: Server, talks: Sequence[Conversation]) -> Iterator[Finding]:
    """Judge each domain by what all endpoints of this server said to its recipients."""
    heard = [talk for talk in spoken(talks) if talk.greeting is not None]
    if not heard:
        return
    for domain in server.takes:
        for part, (check, worst) in _WANTED.items():
            yield _judged(check, worst, server, f"{part}@{domain}", heard)


def _judged(check: Check, worst: Status, server: Server, address: str, talks: Sequence[Conversation]) -> Finding:
    subject = Subject(Kind.DOMAIN, address.partition("@")[2])
    replies = [talk.recipients[address] for talk in talks if address in talk.recipients]
    if refused := next((said for said in replies if _refused(said, address)), None):
        judged = check.failed if worst is Status.FAIL else check.warned
        advice = f"Let {server.name} take mail for {address}, and somebody read it."
        return judged(subject, shown(f"{server.name} said: {refused}"), advice, server.name)
    if later := next((said for said in replies if said.code // 100 != 2), None):
        advice = "Try again in an hour, or from another place."
        return check.unknown(
            subject, shown(f"{server.name} does not say it to this machine: {later}"), advice, server.name
        )
    if replies:
        return check.passed(subject, shown(f"{server.name} said: {replies[0]}"), server.name)
    why = next((talk.unasked or talk.why for talk in talks if talk.unasked or talk.why), "it was not asked")
    return check.unknown(subject, shown(f"{server.name}: {why}"), "", server.name)


def _refused(said: Reply, address: str) -> bool:
    if said.code // 100 != 5:
        return False
    # Enhanced codes 5.1.x are about the recipient (RFC 3463, 3.2), whatever else is said.
    return said.text.startswith("5.1.") or not _ABOUT_US.search(said.text.replace(address, ""))
