"""Speak to a mail server as a stranger does: SMTP, TLS and who it takes mail for; never a message.

One connection at a time and few in all: one to each address and port, one more that offers old TLS only, two or three
that offer weak TLS (``offering``), and more for recipients only where a server is the MX of many domains.
"""

import time
from dataclasses import replace
from itertools import product
from pathlib import Path

from sendwright.stack import HostState
from sendwright.verify.speaking import handshake, offering, recipients
from sendwright.verify.speaking.conversation import Conversation, Endpoint, Silence
from sendwright.verify.speaking.talking import Probe
from sendwright.verify.speaking.wire import Clock, Connect, connect
from sendwright.verify.target import Server

_RECIPIENTS = frozenset({"mx.postmaster", "mx.abuse"})
_GROUPS = ("smtp.", "tls.", "dane.")
_MOST_ADDRESSES = 16
_SUBMISSION = (587, 465)
_HURRIED = 4.0
# In which connections to a server begin, in waits for one reply: two addresses, where strangers wait for their greeting
# for five seconds on purpose, take less than a minute.
_WAITS = 6


def speak(
    server: Server,
    *,
    timeout: float,
    trust: Path | None,
    wanted: frozenset[str],
    helo: str,
    opened: Connect = connect,
    clock: Clock = time.monotonic,
) -> tuple[Conversation, ...]:
    """Speak to every address and port of a server and return what each said; never raises for what a server does.

    Arguments: ``timeout``: seconds for a connection to come about, and for each reply; one connection ends after thrice
    that, and none begins once the server has taken six times that; ``trust``: authorities in PEM instead of the
    system's; ``wanted``: names of the chosen checks, so that nothing is asked for in vain; ``helo``: the name of this
    machine, or empty to introduce it by its address (RFC 5321, 4.1.4); ``opened``: opens a connection. UsageError when
    ``trust`` cannot be read.
    """
    ports = _ports(server, wanted)
    if not ports:
        return ()
    offers = wanted & offering.CHECKS
    latest = clock() + _WAITS * timeout
    probe = Probe(
        timeout, timeout, handshake.context(trust), helo, opened, clock, "tls.protocols" in wanted, offers, latest
    )
    addresses = recipients.wanted_of(server.takes, wanted)
    senders = ("", f"postmaster@{(*server.takes, server.name)[0]}") if "smtp.relay" in wanted else ()
    talks: list[Conversation] = []
    for port, (place, address) in product(ports, enumerate(server.addresses)):
        endpoint = Endpoint(server.name, address, port)
        if place >= _MOST_ADDRESSES:
            why = f"not asked: it has {len(server.addresses)} addresses"
            talks.append(Conversation(endpoint, Silence.NO_ROUTE, why))
            continue
        asked = addresses if port == 25 else ()
        # One address is asked for all recipients, the others for as many as one connection takes.
        told = any(talk.recipients for talk in talks)
        talks.append(probe.endpoint(endpoint, asked[: recipients.MOST] if told else asked, senders))
        if talks[-1].silence is Silence.FILTERED:
            # Where one is filtered, others mostly are: they are waited for as long as two lost packets take.
            probe = replace(probe, connecting=min(timeout, _HURRIED))
    return tuple(talks)


def _ports(server: Server, wanted: frozenset[str]) -> tuple[int, ...]:
    if not any(name.startswith(_GROUPS) for name in wanted):
        return tuple(port for port in server.ports if port == 25 and wanted & _RECIPIENTS)
    # A draining host submits nothing, and that is looked at.
    draining = server.host is not None and server.host.state is HostState.DRAINING
    return tuple(dict.fromkeys((*server.ports, *(_SUBMISSION if draining else ()))))
