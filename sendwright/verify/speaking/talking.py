"""One endpoint's part of ``speaking``: what is said to it in which order, and what is kept if it breaks off."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from OpenSSL import SSL

from sendwright.verify.speaking import handshake, offering, recipients
from sendwright.verify.speaking.conversation import Conversation, Endpoint, Handshake, Parameters, Reply, Silence
from sendwright.verify.speaking.dialogue import Dialogue
from sendwright.verify.speaking.wire import Clock, Closed, Connect, Fallen, Unreached, Wire, reach, reason

_IMPLICIT_TLS = 465
_OVER = "not asked: the server kept this machine waiting for too long before"
_OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})


class _Unsecured(Exception):
    """The handshake failed: nothing more can be said on that connection."""


@dataclass
class _Heard:
    """What is known of an endpoint so far, as in `Conversation`: it may end at any time."""

    endpoint: Endpoint
    silence: Silence | None = None
    why: str = ""
    greeting: Reply | None = None
    named: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    tls: Handshake | None = None
    tls_failure: str = ""
    parameters: Parameters | None = None
    recipients: dict[str, Reply] = field(default_factory=dict)
    unasked: str = ""
    relay: dict[str, Reply] = field(default_factory=dict)
    own: bool = False

    def frozen(self) -> Conversation:
        return Conversation(**vars(self))


@dataclass(frozen=True)
class Probe:
    """How a server is spoken to; see `speaking.speak`.

    ``connecting`` and ``timeout``: seconds for a connection and for a reply; ``old``: whether old TLS is offered too;
    ``offers``: names of chosen checks for which weak TLS is offered too; ``latest``: after when, by the clock, no
    connection begins any more.
    """

    connecting: float
    timeout: float
    tls: SSL.Context
    helo: str
    opened: Connect
    clock: Clock
    old: bool
    offers: frozenset[str]
    latest: float

    def endpoint(self, endpoint: Endpoint, addresses: Sequence[str], senders: Sequence[str]) -> Conversation:
        """Speak to one endpoint, and ask it for recipients (``addresses``) and, from ``senders``, to relay."""
        heard = _Heard(endpoint)
        first, *others = [*recipients.batches(addresses)] or [()]
        self._talk(heard, first, senders, secure=True)
        if heard.silence is not None or heard.greeting is None or heard.greeting.code // 100 != 2:
            return heard.frozen()
        if heard.tls is None and heard.tls_failure and (first or senders) and not (heard.recipients or heard.relay):
            # The handshake ended that connection; what strangers may do is seen without TLS as well.
            self._talk(heard, first, senders, secure=False)
        for batch in others:
            so_far = len(heard.recipients)
            self._talk(heard, batch, (), secure=heard.tls is not None)
            if len(heard.recipients) == so_far:
                break
        if len(addresses) > recipients.MOST * recipients.CONNECTIONS:
            heard.unasked = (
                heard.unasked or f"a server is asked for {recipients.MOST * recipients.CONNECTIONS} addresses only"
            )
        if heard.tls is not None and self.old:
            heard.tls = self._with_old(endpoint, heard.tls)
        if self.offers and (heard.tls is not None or heard.tls_failure):
            heard.parameters = offering.gather(lambda: self._begun(endpoint), endpoint, self.offers)
        return heard.frozen()

    def _talk(self, heard: _Heard, addresses: Sequence[str], senders: Sequence[str], *, secure: bool) -> None:
        try:
            with self._dialogue(heard.endpoint) as talk:
                heard.own = heard.own or _own(talk)
                keywords = self._introduced(talk, heard, secure=secure)
                if keywords is None:
                    return
                together = "PIPELINING" in keywords
                if addresses:
                    heard.unasked = (
                        recipients.ask(talk, addresses, heard.recipients, together=together) or heard.unasked
                    )
                recipients.relay(talk, senders, heard.relay, together=together)
                talk.quit()
        except _Unsecured as error:
            heard.tls_failure = str(error)
        except Unreached as missed:
            heard.silence, heard.why = (missed.silence if heard.greeting is None else None), heard.why or missed.why
        except Fallen as fallen:
            spoken = heard.named or heard.before or heard.inside
            heard.silence, heard.why = (None if spoken else Silence.BROKEN), heard.why or str(fallen)

    @contextmanager
    def _dialogue(self, endpoint: Endpoint) -> Iterator[Dialogue]:
        if self.clock() > self.latest:
            raise Unreached(Silence.NO_ROUTE, _OVER)
        wire = Wire(reach(endpoint, self.connecting, self.opened), self.clock, self.timeout)
        try:
            yield Dialogue(wire)
        finally:
            wire.close()

    def _introduced(self, talk: Dialogue, heard: _Heard, *, secure: bool) -> Mapping[str, str] | None:
        """Go as far as EHLO inside TLS, and return the keywords; None for a server that does not want to talk."""
        implicit = heard.endpoint.port == _IMPLICIT_TLS
        if implicit:
            heard.tls = _shaken(talk.wire, self.tls, heard.endpoint.name)
        heard.greeting = talk.reply()
        if heard.greeting.code // 100 != 2:
            return None
        greeted = talk.ehlo(self._helo(talk))
        heard.named = greeted.named
        if greeted.reply.code // 100 != 2:
            raise Fallen(f"EHLO was answered {greeted.reply}")
        if implicit:
            heard.inside = greeted.keywords
            return heard.inside
        heard.before = greeted.keywords
        if not secure or "STARTTLS" not in heard.before:
            return heard.before
        if (said := talk.say("STARTTLS")).code != 220:
            heard.tls_failure = f"STARTTLS was answered {said}"
            return heard.before
        heard.tls = _shaken(talk.wire, self.tls, heard.endpoint.name)
        heard.inside = talk.ehlo(self._helo(talk)).keywords
        return heard.inside

    def _helo(self, talk: Dialogue) -> str:
        return self.helo or _literal(talk.wire.socket.getsockname()[0])

    def _with_old(self, endpoint: Endpoint, tls: Handshake) -> Handshake:
        if tls.version in _OLD:
            return replace(tls, old=tls.version)
        try:
            with self._begun(endpoint) as wire:
                return _offered(wire, endpoint, tls)
        except (Unreached, Fallen) as error:
            return replace(tls, unasked=str(error))

    @contextmanager
    def _begun(self, endpoint: Endpoint) -> Iterator[Wire]:
        """Connect and go as far as the handshake; Unreached and Fallen where that fails."""
        with self._dialogue(endpoint) as talk:
            if (said := self._ready(talk, endpoint)) is not None:
                raise Fallen(f"it answered {said}")
            yield talk.wire

    def _ready(self, talk: Dialogue, endpoint: Endpoint) -> Reply | None:
        """Go as far as the handshake; return the reply that stands in the way, if one does."""
        if endpoint.port == _IMPLICIT_TLS:
            return None
        if (greeting := talk.reply()).code != 220:
            return greeting
        talk.ehlo(self._helo(talk))
        said = talk.say("STARTTLS")
        return said if said.code != 220 else None


def _offered(wire: Wire, endpoint: Endpoint, tls: Handshake) -> Handshake:
    try:
        found = handshake.shake(wire, handshake.old_context(), endpoint.name)
    except (SSL.Error, Closed):
        return tls
    return replace(tls, old=found.version)


def _shaken(wire: Wire, made: SSL.Context, name: str) -> Handshake:
    try:
        return handshake.shake(wire, made, name)
    except SSL.Error as error:
        raise _Unsecured(reason(error)) from None
    except Fallen as fallen:
        raise _Unsecured(str(fallen)) from None


def _own(talk: Dialogue) -> bool:
    try:
        here, there = talk.wire.socket.getsockname()[0], talk.wire.socket.getpeername()[0]
    except OSError:
        return False
    return bool(here == there and not ip_address(here).is_loopback)


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
