"""Judge TLSA records of mail servers against what is served (RFC 7672)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sendwright.stack import CertificateFile
from sendwright.verify import dane_desired
from sendwright.verify.endpoints import spoken
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.records import certificate, tlsa
from sendwright.verify.records.certificate import Read
from sendwright.verify.records.tlsa import Tlsa
from sendwright.verify.rules.dane import MATCHES, NEXT, PRESENT, SECURE, USABLE
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server
from sendwright.verify.unheard import unheard

_SHOWN = 3
_MOST_RECORDS = 64


@dataclass(frozen=True)
class Base:
    """Where the TLSA records of a server are looked for, and what is known of the way there.

    ``names``: below which they may lie, the first that has any wins (RFC 7672, 2.2.2); none for a server without
    addresses, of which `mx.resolves` tells; ``secure``: its addresses validate; ``problem``: the answer because of
    which nothing can be said.
    """

    names: tuple[str, ...]
    secure: bool
    problem: Answer | None = None


@dataclass(frozen=True)
class Published:
    """The TLSA records of one port. ``name``: where they are, or should be; ``secure``: senders use them."""

    name: str
    port: int
    answer: Answer
    secure: bool
    records: tuple[Tlsa, ...] = ()

    @property
    def usable(self) -> tuple[Tlsa, ...]:
        """The records that mail servers use."""
        return tuple(record for record in self.records if not record.problem)


def check(server: Server, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:
    """Judge the records for each port: those for 25 are wanted, those for others are judged if there are any."""
    base = base_of(server.name, look)
    if base.problem is not None:
        yield _unheard(server, base.problem)
        return
    if not base.names:
        return
    for port in server.ports:
        found = published(base, port, look)
        if found.answer.told is not Told.FOUND:
            yield from _absent(server, base, found, talks, look)
            continue
        yield PRESENT.passed(server.subject, _some(found.records), found.name)
        yield from dane_desired.compare(server, port, found.name, found.answer.values[:_MOST_RECORDS])
        yield _secure(server, found, look)
        yield from _records(server, found, [t for t in spoken(talks) if t.endpoint.port == port], look)


def vouched(server: Server, talk: Conversation, look: Look) -> bool:
    """Tell whether a server's own certificate is vouched for by DANE: nobody then looks at its issuer or its name."""
    base = base_of(server.name, look)
    if base.problem is not None or not base.names or talk.tls is None or not talk.tls.chain:
        return False
    found = published(base, talk.endpoint.port, look)
    leaf = _read(talk.tls.chain[0])
    return found.secure and look.validates and any(tlsa.equal_now(record, leaf) for record in found.usable)


def base_of(name: str, look: Look) -> Base:
    """Return where a server's records are: below what its name is an alias of, if that validates, or below its name."""
    answers = look.dns.ask_all(((name, "A"), (name, "AAAA")))
    wrong = next((answer for answer in answers if not answer.known), None)
    found = [answer for answer in answers if answer.told is Told.FOUND]
    secure = bool(found) and all(answer.secure for answer in found)
    if not found and not wrong:
        return Base((), secure=False)
    aliases = next((answer.aliases for answer in found if answer.aliases), ())
    if not aliases:
        return Base((name,), secure, wrong if not found or (wrong and wrong.told is Told.BOGUS) else None)
    if secure:
        return Base((aliases[-1], name), secure)
    # Only the alias itself may be signed: then the records of its own name count (RFC 7672, 2.2.2).
    return Base((name,), look.dns.ask(name, "CNAME").secure)


def published(base: Base, port: int, look: Look) -> Published:
    """Return the records for a port."""
    found = [_asked(f"_{port}._tcp.{name}", port, look) for name in base.names]
    return next((each for each in found if each.answer.told not in {Told.NO_DATA, Told.NO_NAME}), found[-1])


def _asked(name: str, port: int, look: Look) -> Published:
    answer = look.dns.ask(name, "TLSA")
    records = tuple(tlsa.parse(value) for value in answer.values[:_MOST_RECORDS])
    # A resolver that validates nothing leaves it open; who publishes such records means them.
    return Published(name, port, answer, answer.secure or not look.validates, records)


def _absent(
    server: Server, base: Base, found: Published, talks: Sequence[Conversation], look: Look
) -> Iterator[Finding]:
    if not found.answer.known:
        yield _unheard(server, found.answer, found.name)
    elif found.port != 25:
        return
    elif not look.validates:
        why = "there is none; whether its zone is signed cannot be told, because the resolver validates nothing"
        yield PRESENT.unknown(server.subject, why, "Ask one that does: --resolver ADDRESS.", found.name)
    elif not base.secure:
        seen = f"the zone of {server.name} is not signed: DANE is not possible"
        yield PRESENT.warned(server.subject, seen, "Sign it with DNSSEC, then publish TLSA records.", found.name)
    elif server.host is not None and server.state is not None:
        yield PRESENT.warned(server.subject, *dane_desired.absent(server, server.host, found.name), found.name)
    else:
        advice = _to_publish(found.name, _leaf(talks, found.port))
        yield PRESENT.warned(server.subject, "none, though its zone is signed", advice, found.name)


def _unheard(server: Server, answer: Answer, target: str = "") -> Finding:
    # Senders that verify keep the mail until it validates (RFC 7672, 2.1.1).
    return unheard(SECURE if answer.told is Told.BOGUS else PRESENT, server.subject, answer, target)


def _remedy(server: Server, name: str, served: Read | None) -> str:
    """Return what to publish: of the declared certificate, if something else is served in its place."""
    kept = server.state.certificate_of(server.host.name) if server.state and server.host else None
    declared = _read(certificate.first_of(kept.chain)) if kept else None
    if declared is None or served is None or declared.spki in {b"", served.spki}:
        return _to_publish(name, served)
    publish = _to_publish(name, declared)
    return f"Run `sendwright provision INVENTORY`: the key that is served is not the declared one. For that: {publish}"


def _to_publish(name: str, leaf: Read | None) -> str:
    if leaf is None:
        return f"Publish {name} IN TLSA 3 1 1 and the SHA-256 of the server's public key."
    return f"Publish {name}. IN TLSA {tlsa.wanted(leaf)}"


def _secure(server: Server, found: Published, look: Look) -> Finding:
    if not look.validates:
        why = "the resolver validates nothing"
        return SECURE.unknown(server.subject, why, "Ask one that does: --resolver ADDRESS.", found.name)
    if found.secure:
        return SECURE.passed(server.subject, "they validate", found.name)
    advice = "Sign the zone with DNSSEC: until then senders ignore them."
    return SECURE.warned(server.subject, "their zone is not signed", advice, found.name)


def _records(server: Server, found: Published, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:
    bad = [record for record in found.records if record.problem]
    if not bad:
        yield USABLE.passed(server.subject, _some(found.records), found.name)
    else:
        seen = "; ".join(f"{record.text}: {record.problem}" for record in bad[:_SHOWN])
        advice = "Withdraw them" + (
            "." if found.usable else f", and say it so: {_remedy(server, found.name, _leaf(talks, found.port))}"
        )
        judged = USABLE.warned if found.usable else USABLE.failed
        yield judged(server.subject, seen, advice, found.name)
    if found.usable and talks:
        yield from _compared(server, found, talks, look)


def _compared(server: Server, found: Published, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:
    name = found.name.split(".", 2)[2]
    served = [(talk, chain) for talk in talks if (chain := read_chain(talk)) is not None]
    good = [c[0] for _, c in served if any(tlsa.matches(r, c, name, look.now) for r in found.usable)]
    bare = [t for t in talks if read_chain(t) is None and (t.tls_failure or not t.why)]
    judged = MATCHES.failed if found.secure else MATCHES.warned
    for talk, chain in served:
        where = str(talk.endpoint)
        if chain[0] in good:
            yield MATCHES.passed(server.subject, f"{_some(found.usable)} vouches for what is served", where)
            continue
        advice = f"{_remedy(server, found.name, chain[0])}, or have the server show the key that they are about."
        yield judged(server.subject, f"none of the records at {found.name} is about what is served", advice, where)
    for talk in bare:
        advice = "Mend TLS there first: senders that verify do not deliver."
        seen = f"there are records at {found.name}, and it speaks no TLS"
        yield judged(server.subject, seen, advice, str(talk.endpoint))
    if good and not bare and all(chain[0] in good for _, chain in served):
        yield _next(server, found, good)


def _next(server: Server, found: Published, leaves: Sequence[Read]) -> Finding:
    spare = [r for r in found.usable if not any(tlsa.equal_now(r, leaf) for leaf in leaves)]
    if spare:
        about = "another key" if tlsa.end_entity(spare[0]) else "an authority, whatever it issues next"
        return NEXT.passed(server.subject, f"{spare[0].text} is about {about}", found.name)
    if _key_stays(server) and all(record.selector == 1 for record in found.usable):
        return NEXT.passed(server.subject, "its renewals keep the key that the record is about", found.name)
    advice = (
        "Before the next change of keys, publish a 3 1 1 record of the new key as well and wait for the TTL; or keep "
        "the key when the certificate is renewed (certbot: --reuse-key); or add a 2 1 1 record of the authority."
    )
    return NEXT.warned(server.subject, "only the key that is served now is covered", advice, found.name)


def _key_stays(server: Server) -> bool:
    return server.host is not None and not isinstance(server.host.tls, CertificateFile)


def read_chain(talk: Conversation) -> tuple[Read, ...] | None:
    """Return the certificates that an endpoint sent, or None."""
    return tuple(_read(der) for der in talk.tls.chain) if talk.tls is not None and talk.tls.chain else None


# One certificate is judged by many checks.
_read = lru_cache(maxsize=256)(certificate.read)


def _leaf(talks: Sequence[Conversation], port: int) -> Read | None:
    chains = (read_chain(talk) for talk in talks if talk.endpoint.port == port)
    return next((chain[0] for chain in chains if chain and chain[0].spki), None)


def _some(records: Sequence[Tlsa]) -> str:
    shown = ", ".join(f"{record.text[:24]}…" if len(record.text) > 24 else record.text for record in records[:_SHOWN])
    return shown + (f" and {len(records) - _SHOWN} more" if len(records) > _SHOWN else "")
