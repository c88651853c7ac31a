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
    """Judge each domain by what each endpoint of this server said to its recipients."""
    heard = [talk for talk in spoken(talks) if talk.greeting is not None]
    if not heard:
        return
    for domain in server.takes:
        for part, (check, worst) in _WANTED.items():
            yield from _judged(check, worst, server, f"{part}@{domain}", heard)


def _judged(
    check: Check, worst: Status, server: Server, address: str, talks: Sequence[Conversation]
) -> Iterator[Finding]:
    # One endpoint of many domains' MX is asked for all of them, and the others for some.
    asked = [talk for talk in talks if address in talk.recipients]
    for talk in asked or talks:
        yield _said(check, worst, server, address, talk)


def _said(check: Check, worst: Status, server: Server, address: str, talk: Conversation) -> Finding:
    subject, where = Subject(Kind.DOMAIN, address.partition("@")[2]), f"{server.name} {talk.endpoint}"
    said = talk.recipients.get(address)
    if said is None:
        why = talk.unasked or talk.why or "it was not asked"
        return check.unknown(subject, shown(f"{server.name}: {why}"), "", where)
    seen = shown(f"{server.name} said: {said}")
    if said.code // 100 == 2:
        return check.passed(subject, seen, where)
    if _refused(said, address):
        judged = check.failed if worst is Status.FAIL else check.warned
        return judged(subject, seen, f"Let {server.name} take mail for {address}, and somebody read it.", where)
    advice = "Try again in an hour, or from another place."
    return check.unknown(subject, shown(f"{server.name} does not say it to this machine: {said}"), advice, where)


def _refused(said: Reply, address: str) -> bool:
    if said.code // 100 != 5:
        return False
    # Enhanced codes 5.1.x are about the recipient (RFC 3463, 3.2), whatever else is said.
    return said.text.startswith("5.1.") or not _ABOUT_US.search(said.text.replace(address, ""))
