"""Judge the ports that mail programs submit to (RFC 6409, RFC 8314)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sendwright.stack import HostState
from sendwright.verify.finding import Finding
from sendwright.verify.rules.behaviour import SUBMISSION
from sendwright.verify.speaking.conversation import Conversation, Silence
from sendwright.verify.target import Server
from sendwright.verify.wording import shown

_CLOSED = frozenset({Silence.REFUSED, Silence.FILTERED})


def submission(server: Server, talks: Sequence[Conversation]) -> Iterator[Finding]:
    """Judge endpoints that are declared, or named by SRV; those of a draining host have to be closed."""
    draining = server.host is not None and server.host.state is HostState.DRAINING
    alive = any(talk.silence in {None, Silence.REFUSED} for talk in talks)
    judged = _draining if draining else _open_and_alive if alive else _open
    for talk in talks:
        if (finding := judged(server, talk)) is not None:
            yield replace(finding, target=str(talk.endpoint))


def _draining(server: Server, talk: Conversation) -> Finding | None:
    if talk.silence in _CLOSED:
        return SUBMISSION.passed(server.subject, "closed, as that of a draining host is")
    if talk.silence is Silence.NO_ROUTE:
        return SUBMISSION.unknown(server.subject, shown(talk.why))
    advice = "Run `sendwright provision INVENTORY`: what is submitted there would keep it from emptying its queue."
    return SUBMISSION.warned(server.subject, "open, though the host is draining", advice)


def _open_and_alive(server: Server, talk: Conversation) -> Finding | None:
    if talk.silence is Silence.FILTERED:
        # Another port of it answers from here: this one is closed by its own firewall.
        return _closed(server, talk)
    return _open(server, talk)


def _open(server: Server, talk: Conversation) -> Finding | None:
    if talk.silence in {Silence.FILTERED, Silence.NO_ROUTE}:
        return SUBMISSION.unknown(server.subject, shown(talk.why), "Run it from another place, or with --hosts.")
    if talk.silence is not None:
        return _closed(server, talk)
    if talk.greeting is not None and talk.greeting.code // 100 != 2:
        return SUBMISSION.unknown(server.subject, shown(f"it does not talk to this machine: {talk.greeting}"))
    # Passwords go through TLS only; that there is none is what `tls.offered` says.
    return _inside(server, talk) if talk.tls is not None else None


def _inside(server: Server, talk: Conversation) -> Finding:
    if not talk.inside:
        return SUBMISSION.unknown(server.subject, shown(talk.why or "it offers nothing inside TLS"))
    if "AUTH" not in talk.inside:
        advice = "Start the service that checks passwords (Dovecot), and switch AUTH on."
        return SUBMISSION.failed(server.subject, "no AUTH inside TLS", advice)
    return SUBMISSION.passed(server.subject, shown(f"AUTH {talk.inside['AUTH']}"))


def _closed(server: Server, talk: Conversation) -> Finding:
    if server.host is not None:
        advice = "Run `sendwright provision INVENTORY`; submission opens once a key is proven on the host."
    else:
        advice = "Open the port, or take it out of the SRV records."
    return SUBMISSION.failed(server.subject, shown(talk.why), advice)
