"""Ask a server whom it takes mail for, without ever sending any: MAIL, RCPT, and RSET (RFC 5321, 3.3)."""

from collections.abc import Iterator, Sequence

from sendwright.verify.speaking.conversation import Reply
from sendwright.verify.speaking.dialogue import Dialogue

RELAYED = ("relay-test@www.example.com", "relay-test@[192.0.2.1]")
"""Recipients elsewhere, whom nobody can be (RFC 2606, RFC 5737), and who get nothing, for no message is ever sent.

``example.com`` itself would hide an open relay: it has a null MX, and a server that looks recipients' domains up
refuses it for that (RFC 7505). ``www.example.com`` has addresses and no MX, as a domain that takes mail may have; the
address in brackets needs no look-up at all, but some servers take none of that form. Either one is enough.
"""
MOST = 50
"""Recipients asked for in one connection."""
CONNECTIONS = 10
"""Connections in which recipients are asked for, of one server: the rest stays unknown."""

# RFC 5321, 4.2.2: about the form of a command, and no verdict on the recipient.
_NOT_UNDERSTOOD = frozenset({500, 501, 502, 503, 504, 555})


def wanted_of(domains: Sequence[str], wanted: frozenset[str]) -> tuple[str, ...]:
    """Return the addresses that servers of these domains must take, domain by domain (RFC 5321, 4.5.1; RFC 2142)."""
    locals_ = [part for part in ("postmaster", "abuse") if f"mx.{part}" in wanted]
    return tuple(f"{part}@{domain}" for domain in domains for part in locals_)


def batches(addresses: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Cut addresses into what is asked for in each connection."""
    for start in range(0, min(len(addresses), MOST * CONNECTIONS), MOST):
        yield tuple(addresses[start : start + MOST])


def ask(talk: Dialogue, addresses: Sequence[str], told: dict[str, Reply], *, together: bool) -> str:
    """Ask for each address, note the replies in ``told`` as they come, and return why the rest was not asked for.

    Each has a transaction of its own: a bounce has one recipient, and some servers refuse a second one.
    """
    for address in addresses:
        if talk.wire.left < talk.wire.patience:
            return "it answers too slowly to be asked for all of them"
        mail, reply, reset = transaction(talk, "", address, together=together)
        if mail.code // 100 != 2:
            return f"it takes no bounces from here (MAIL FROM:<> was answered {mail})"
        told[address] = reply
        if 421 in {reply.code, reset.code}:
            return f"it ended the conversation ({reply if reply.code == 421 else reset})"
    return ""


def relay(talk: Dialogue, senders: Sequence[str], told: dict[str, Reply], *, together: bool) -> None:
    """Ask a server, for each envelope sender, to take mail for somebody elsewhere, and note the reply in ``told``.

    Of several replies the one that says most is kept: accepted, then refused, then put off, then not understood.
    """
    for sender in senders:
        replies = []
        for recipient in RELAYED:
            mail, reply, _ = transaction(talk, sender, recipient, together=together)
            replies.append(reply if mail.code // 100 == 2 else mail)
            told[f"<{sender}>"] = min(replies, key=_telling)
            if replies[-1].code // 100 == 2:
                break


def _telling(reply: Reply) -> int:
    if reply.code in _NOT_UNDERSTOOD:
        return 3
    return {2: 0, 5: 1}.get(reply.code // 100, 2)


def transaction(talk: Dialogue, sender: str, recipient: str, *, together: bool) -> tuple[Reply, Reply, Reply]:
    """Return the replies to MAIL, RCPT and RSET."""
    mail, reply, reset = talk.say_all((f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "RSET"), together=together)
    return mail, reply, reset
