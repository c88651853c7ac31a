"""Judge how mail servers behave to strangers: whether they answer, how they name themselves, whom they relay for."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sendwright.verify.endpoints import spoken
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Look
from sendwright.verify.must_take import must_take
from sendwright.verify.remedy import on_host
from sendwright.verify.rules.behaviour import AUTH25, AUTHTLS, BANNER, REACHABLE, RELAY
from sendwright.verify.sending import sends_nothing
from sendwright.verify.speaking.conversation import Conversation, Silence
from sendwright.verify.speaking.dialogue import first_word
from sendwright.verify.submitting import submission
from sendwright.verify.target import Server, Target
from sendwright.verify.wording import shown

_READABLE = frozenset({"PLAIN", "LOGIN"})
_QUALIFIED = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.[a-z][a-z0-9-]*")
_LONGEST = 253
_UNTOLD = frozenset({Silence.FILTERED, Silence.NO_ROUTE})
_ELSEWHERE = "Many clouds and CI runners block port 25 out: run it from another place, or with --hosts."


def check(server: Server, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:
    """Judge every endpoint; what strangers on port 25 meet and what mail programs meet are different things."""
    mail = [talk for talk in talks if talk.endpoint.port == 25]
    wanted = _wanted(server, look)
    yield from _reachable(server, mail, wanted=wanted)
    yield from submission(server, [talk for talk in talks if talk.endpoint.port != 25])
    awake = spoken(talks)
    heard = [talk for talk in awake if talk.greeting is not None]
    yield from _told(server, heard, _banner)
    yield from _told(server, heard, _relay)
    yield from _told(server, [talk for talk in heard if talk.endpoint.port == 25], _auth25)
    yield from _told(server, [talk for talk in heard if talk.endpoint.port != 465], _auth_tls)
    if wanted is not None:
        yield from must_take(server, mail)


def _told(
    server: Server, talks: Sequence[Conversation], judge: Callable[[Server, Conversation], Finding]
) -> Iterator[Finding]:
    """Judge each endpoint by itself."""
    for talk in talks:
        yield replace(judge(server, talk), target=str(talk.endpoint))


def _wanted(server: Server, look: Look) -> Status | None:
    """Return how bad it is when mail is not taken; None where nobody expects that it is."""
    if server.takes != (server.name,) or look.dns.ask(server.name, "MX").values:
        return Status.FAIL if server.takes else Status.WARN
    # Without MX a domain's own address takes its mail (RFC 5321, 5.1), of whose owner it may be only a web server.
    return None if sends_nothing(Target(server.name), look) else Status.WARN


def _reachable(server: Server, talks: Sequence[Conversation], *, wanted: Status | None) -> Iterator[Finding]:
    for talk in talks:
        if talk.silence is None:
            yield _greeted(server, talk)
    if wanted is None:
        return
    judged = REACHABLE.failed if wanted is Status.FAIL else REACHABLE.warned
    for talk in talks:
        if talk.silence in _UNTOLD:
            yield REACHABLE.unknown(server.subject, shown(talk.why), _ELSEWHERE, str(talk.endpoint))
        elif talk.silence is not None:
            advice = "Start the mail server there, or take it out of DNS."
            yield judged(server.subject, shown(talk.why), advice, str(talk.endpoint))


def _greeted(server: Server, talk: Conversation) -> Finding:
    target, said = str(talk.endpoint), talk.greeting
    if said is None or said.code // 100 == 2:
        return REACHABLE.passed(server.subject, shown(str(said or "it answers")), target)
    if said.code == 521:
        advice = "Take it out of MX: it says that it takes no mail at all (RFC 7504)."
        return REACHABLE.failed(server.subject, shown(str(said)), advice, target)
    advice = "It may dislike this machine's address only: run it from another place, or with --hosts."
    return REACHABLE.unknown(server.subject, shown(f"it does not talk to this machine: {said}"), advice, target)


def _banner(server: Server, talk: Conversation) -> Finding:
    greeted = first_word(talk.greeting.text if talk.greeting else "").lower().removesuffix(".")[:_LONGEST]
    named = talk.named.lower().removesuffix(".")[:_LONGEST]
    advice = on_host(server, "Set the server's own name: in Postfix, myhostname and smtpd_banner = $myhostname ESMTP.")
    if not _QUALIFIED.fullmatch(greeted):
        seen = f"the greeting begins with {greeted or 'nothing'}, which is no qualified name"
        return BANNER.warned(server.subject, seen, advice)
    if named and named != greeted:
        return BANNER.warned(server.subject, f"it greets as {greeted} and answers EHLO as {named}", advice)
    if server.host is not None and greeted != server.name:
        return BANNER.warned(server.subject, f"it calls itself {greeted}, not {server.name}", advice)
    return BANNER.passed(server.subject, greeted)


def _relay(server: Server, talk: Conversation) -> Finding:
    accepted = [f"from {sender}: {said}" for sender, said in talk.relay.items() if said.code // 100 == 2]
    if accepted and talk.own:
        return RELAY.unknown(server.subject, "this is the machine itself, which it may trust", "Ask from elsewhere.")
    if accepted:
        advice = on_host(
            server,
            "Take mail for your own domains only (in Postfix, smtpd_relay_restrictions = permit_sasl_authenticated, "
            "reject_unauth_destination), and check mynetworks: this machine may be in it.",
        )
        seen = f"it takes mail for somebody elsewhere ({accepted[0]})"
        return RELAY.failed(server.subject, shown(seen), advice)
    later = [f"from {sender}: {said}" for sender, said in talk.relay.items() if said.code // 100 == 4]
    if later:
        return RELAY.unknown(server.subject, shown(f"it puts off the answer ({later[0]})"), "Try again in an hour.")
    if not talk.relay:
        return RELAY.unknown(server.subject, shown(talk.why or "it was not asked"))
    return RELAY.passed(server.subject, shown(str(next(iter(talk.relay.values())))))


def _auth25(server: Server, talk: Conversation) -> Finding:
    offered = talk.inside.get("AUTH") if "AUTH" in talk.inside else talk.before.get("AUTH")
    if offered is None and talk.tls is not None and not talk.inside and talk.why:
        return AUTH25.unknown(server.subject, shown(talk.why))
    if offered is None:
        return AUTH25.passed(server.subject, "no AUTH")
    advice = on_host(
        server, "Offer AUTH on 465 and 587 only: in Postfix, smtpd_sasl_auth_enable = no in main.cf, yes in master.cf."
    )
    judged = AUTH25.failed if server.host is not None else AUTH25.warned
    return judged(server.subject, shown(f"AUTH {offered}"), advice)


def _auth_tls(server: Server, talk: Conversation) -> Finding:
    offered = talk.before.get("AUTH")
    if offered is None:
        return AUTHTLS.passed(server.subject, "no AUTH before TLS")
    advice = on_host(server, "Offer it inside TLS only: in Postfix, smtpd_tls_auth_only = yes.")
    # A mechanism that proves a password without showing it is no leak, and still nothing for an open line.
    readable = not offered or not _READABLE.isdisjoint(offered.upper().split())
    judged = AUTHTLS.failed if readable else AUTHTLS.warned
    return judged(server.subject, shown(f"AUTH {offered} before TLS"), advice)
