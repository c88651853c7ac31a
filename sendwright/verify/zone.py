"""Checks of the zone that a domain lies in: whether it exists, who speaks for it and what they say, DNSSEC, CAA."""

from collections.abc import Iterator, Mapping, Sequence

from sendwright.dns.authority import Server
from sendwright.dns.providers.base import Key
from sendwright.dns.transport import NoAnswer, Question, ask_all
from sendwright.verify import bogus, dnssec, zone_desired, zone_servers
from sendwright.verify.delegation import Delegation, Reply, delegation, parents, zone_of
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.records import caa
from sendwright.verify.rules.zone import AGREE, CAA, CHECKS, DESIRED, DNSSEC, EXISTS, SIGNATURES, TCP
from sendwright.verify.target import Target
from sendwright.verify.zone_servers import Heard

_SIGNED = {"SOA", "MX"}
_MOST_SELECTORS = 10
_SERVERS_TELL = tuple(check for check in CHECKS if check not in {EXISTS, DNSSEC, CAA})
_MOST_EXCHANGES = 6
# Servers of the zone above that show whether TCP gets out of here at all.
_WITNESSES = 2


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Yield what is found about the zone of a domain; of one that does not exist, that alone."""
    own = look.dns.ask(target.domain, "SOA")
    if own.told is Told.NO_NAME:
        yield _missing(target, own)
        return
    if not look.wants(_SERVERS_TELL) and (zone := zone_of(target.domain, own, look)):
        yield from _by_resolver(target, own, zone, look)
        return
    cut = delegation(target.domain, own, look)
    yield _exists(target, own, cut)
    if cut is None:
        if bogus.told(target, look):
            yield from dnssec.secure(target, target.domain, (own,), look.dns.ask(target.domain, "DS"), None, look)
        return
    yield from zone_servers.delegation(target, cut)
    yield from zone_servers.aliases(target, cut)
    yield from zone_servers.answer(target, cut)
    heard = _hear(cut.speaking, _keys(target, cut, look), look)
    if look.wants([AGREE]):
        yield from zone_servers.agree(target, cut, heard)
    if look.wants([TCP]):
        streams = _streams(target, cut.speaking, look)
        yield from zone_servers.tcp(target, streams, blocked=_blocked(cut, streams, look))
    yield from zone_servers.redundant(target, cut)
    if look.wants([DNSSEC, SIGNATURES]):
        yield from _signed(target, own, cut, heard, look)
    if look.wants([CAA]):
        yield from bogus.once([CAA], caa.check, target, look)
    if look.wants([DESIRED]):
        yield from zone_desired.check(target, cut.zone, cut.speaking, look)


def _by_resolver(target: Target, own: Answer, zone: str, look: Look) -> Iterator[Finding]:
    """Yield what a resolver alone can tell of a zone: its servers have not been asked."""
    yield EXISTS.passed(target.subject, _where(target.domain, zone))
    if look.wants([DNSSEC]):
        # A zone that is signed and has no DS is no unsigned one.
        questions = [(target.domain, "MX"), (zone, "DS"), *([] if own.secure else [(zone, "DNSKEY")])]
        mail, chain, *rest = look.dns.ask_all(questions)
        keys = dnssec.told(rest[0]) if rest else None
        yield from dnssec.secure(target, zone, (own, mail), chain, keys, look)
    if look.wants([CAA]):
        yield from bogus.once([CAA], caa.check, target, look)


def _missing(target: Target, own: Answer) -> Finding:
    if own.aliases:
        seen = f"{target.domain} is an alias of {own.aliases[-1]}, which does not exist"
        return EXISTS.failed(target.subject, seen, "Let the alias (CNAME) lead to a name that exists, or remove it.")
    seen = f"there is no {target.domain} (NXDOMAIN)"
    return EXISTS.failed(target.subject, seen, "Is it spelt right? If so, its registration or delegation lapsed.")


def _exists(target: Target, own: Answer, cut: Delegation | None) -> Finding:
    if own.known:
        return EXISTS.passed(target.subject, _where(target.domain, cut.zone if cut else target.domain))
    if cut:
        return EXISTS.passed(
            target.subject, f"{cut.parent or cut.zone} knows {cut.zone}; the resolver says: {own.why[:200]}"
        )
    return EXISTS.unknown(target.subject, f"the resolver could not tell: {own.why[:200]}")


def _where(domain: str, zone: str) -> str:
    return f"{domain} is a zone" if domain == zone else f"{domain} is a name in the zone {zone}"


def _keys(target: Target, cut: Delegation, look: Look) -> tuple[Key, ...]:
    """Return the record sets that every server is asked for: what receivers and senders of mail read."""
    domain = target.domain
    if not look.wants([AGREE, SIGNATURES]):
        return ((cut.zone, "SOA"),)
    selectors = [f"{selector}._domainkey.{domain}" for selector in target.selectors]
    if target.declared:
        keys = (key for key in target.declared.state.keys if key.domain == domain)
        selectors += [key.record_name for key in keys]
    names = dict.fromkeys(selectors)
    exchanges = (value.split()[-1] for value in look.dns.ask(domain, "MX").values)
    inside = [name for name in dict.fromkeys(exchanges) if name == cut.zone or name.endswith("." + cut.zone)]
    return (
        *((cut.zone, "SOA"), (domain, "MX"), (domain, "TXT"), (f"_dmarc.{domain}", "TXT")),
        *((name, "TXT") for name in list(names)[:_MOST_SELECTORS]),
        *((name, family) for name in inside[:_MOST_EXCHANGES] for family in ("A", "AAAA")),
    )


def _hear(servers: Sequence[Server], keys: Sequence[Key], look: Look) -> tuple[Heard, ...]:
    # All servers about one thing, then about the next: those that fall silent are waited for at the same time.
    pairs = [(server, key) for key in keys for server in servers]
    questions = [Question(s.address, *key, signatures=key[1] in _SIGNED) for s, key in pairs]
    replies = dict(zip(pairs, ask_all(look.ask, questions), strict=True))
    return tuple(Heard(server, {key: replies[server, key] for key in keys}) for server in servers)


def _streams(target: Target, servers: Sequence[Server], look: Look) -> dict[Server, Reply]:
    """Return what each server says over TCP. It is asked about itself, once for all zones that it serves."""
    questions = [Question(server.address, server.name, "A", stream=True) for server in servers]
    replies = dict(zip(servers, ask_all(look.ask, questions), strict=True))
    # Some servers say nothing to questions about what is not theirs.
    mute = [server for server, reply in replies.items() if isinstance(reply, NoAnswer)]
    again = [Question(server.address, target.domain, "SOA", stream=True) for server in mute]
    return replies | dict(zip(mute, ask_all(look.ask, again), strict=True))


def _blocked(cut: Delegation, streams: Mapping[Server, Reply], look: Look) -> bool:
    """Whether nobody answers this machine over TCP, those above the zone neither, who are asked only then."""
    if not all(isinstance(reply, NoAnswer) for reply in streams.values()):
        return False
    above = [Question(address, cut.parent, "SOA", stream=True) for address in parents(cut.parent, look)[:_WITNESSES]]
    return bool(above) and all(isinstance(reply, NoAnswer) for reply in ask_all(look.ask, above))


def _signed(target: Target, own: Answer, cut: Delegation, heard: Sequence[Heard], look: Look) -> Iterator[Finding]:
    mail, chain = look.dns.ask_all(((target.domain, "MX"), (cut.zone, "DS")))
    keys, asked = dnssec.keys(cut, heard, look)
    yield from dnssec.secure(target, cut.zone, (own, mail), chain, keys, look)
    if chain.values or chain.told is Told.BOGUS:
        yield from dnssec.signatures(target, cut, (*heard, asked) if asked else heard, look)
