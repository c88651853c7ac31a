"""Checks of DNSSEC: whether the zone validates (RFC 4035), and how long its signatures still do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sendwright.dns.authority import Server
from sendwright.dns.rdata import plain_name
from sendwright.dns.transport import NoAnswer, Question, ask_all
from sendwright.verify.delegation import Delegation
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.rules.zone import DNSSEC, SIGNATURES
from sendwright.verify.target import Target
from sendwright.verify.zone_servers import Heard

SOON = timedelta(days=2)
"""With less time left, a signer that stopped on a Friday has a zone bogus before Monday."""

# RFC 9905 and RFC 8624 section 3: MD5, DSA and SHA-1 must not sign, and validators take such zones for unsigned.
_DEAD = {1: "RSAMD5", 3: "DSA", 5: "RSASHA1", 6: "DSA-NSEC3-SHA1", 7: "RSASHA1-NSEC3-SHA1", 12: "ECC-GOST"}
_SEP = 0x0001
_SHOWN = 5


@dataclass(frozen=True)
class _Signature:
    """The longest-lived signature over one record set, as one server serves it."""

    server: Server
    type: str
    begins: datetime
    ends: datetime


def secure(
    target: Target, zone: str, answers: Sequence[Answer], chain: Answer, keys: dns.rrset.RRset | None, look: Look
) -> Iterator[Finding]:
    """Yield whether the zone validates.

    Arguments: ``answers``: what the resolver says of the domain's SOA and MX; ``chain``: of the zone's DS; ``keys``:
    the zone's DNSKEY as its own servers have them, if it is signed.
    """
    subject = target.subject
    bogus = next((a for a in (*answers, chain) if a.told is Told.BOGUS), None)
    if bogus:
        seen = f"{bogus.type} {bogus.name} is bogus: {bogus.why[:200]}"
        if chain.values and keys and not _match(zone, chain, keys):
            seen += "; no key of the zone matches the DS records at its parent"
        advice = (
            "Compare the DS records at the registrar with the zone's keys, and look whether the signatures ran out "
            f"(dns.signatures). If it lasts, remove the DS of {zone} at the registrar: unsigned is better than bogus."
        )
        yield DNSSEC.failed(subject, seen, advice)
    elif not answers[0].known or not chain.known:
        return  # said once, by dns.exists or by the servers that do not answer
    elif not look.validates:
        seen = f"the resolver {look.resolver} validates nothing, so it cannot tell"
        yield DNSSEC.unknown(subject, seen, "Name a resolver that validates: --resolver ADDRESS.")
    elif answers[0].secure:
        yield _weak(target, zone, chain) or DNSSEC.passed(subject, f"{zone} is signed, and the resolver validates it")
    elif chain.values:
        yield _weak(target, zone, chain) or DNSSEC.warned(
            subject,
            f"{zone} has DS records at its parent, and yet the resolver takes it for unsigned",
            "Use an algorithm that every validator knows, such as 13 (ECDSA P-256 with SHA-256).",
        )
    elif keys:
        seen = f"{zone} is signed, but its parent has no DS record, so nobody can validate it"
        yield DNSSEC.warned(subject, seen, f"Have the registrar publish {_advised(zone, keys)}")
    else:
        seen = f"{zone} is not signed: answers can be forged, and DANE is impossible"
        yield DNSSEC.warned(subject, seen, "Have the zone signed, then publish its DS record at the registrar.")


def _weak(target: Target, zone: str, chain: Answer) -> Finding | None:
    algorithms = {int(words[1]) for value in chain.values if len(words := value.split()) > 1 and words[1].isdigit()}
    if not algorithms or not algorithms <= _DEAD.keys():
        return None
    names = ", ".join(_DEAD[number] for number in sorted(algorithms))
    seen = f"{zone} is signed by {names} only, which validators no longer accept"
    return DNSSEC.warned(target.subject, seen, "Change over to algorithm 13 (ECDSA P-256 with SHA-256).")


def _advised(zone: str, keys: dns.rrset.RRset) -> str:
    entry = [key for key in keys if key.flags & _SEP] or list(keys)
    return "; ".join(f"{zone}. DS {ds}" for key in entry[:_SHOWN] if (ds := _ds(zone, key, "SHA256"))) or "a DS record."


def _ds(zone: str, key: object, digest: str) -> str:
    try:
        return dns.dnssec.make_ds(dns.name.from_text(zone), key, digest).to_text()  # type: ignore[arg-type]
    except (dns.exception.DNSException, ValueError):
        return ""


def _match(zone: str, chain: Answer, keys: dns.rrset.RRset) -> bool:
    published = {value.upper().replace(" ", "") for value in chain.values}
    made = {_ds(zone, key, digest).upper().replace(" ", "") for key in keys for digest in ("SHA1", "SHA256", "SHA384")}
    return bool(published & made)


def keys(cut: Delegation, heard: Sequence[Heard], look: Look) -> tuple[dns.rrset.RRset | None, Heard | None]:
    """Return the keys of a zone whose servers sign, and who was asked for them; None for one that is not signed."""
    signed = next((h for h in heard if _longest(h, cut.zone, "SOA")), None)
    if signed is None:
        return None, None
    question = Question(signed.server.address, cut.zone, "DNSKEY", signatures=True)
    (reply,) = ask_all(look.ask, [question])
    if isinstance(reply, NoAnswer):
        return None, None
    found = next((r for r in reply.answer if _is(r, cut.zone, dns.rdatatype.DNSKEY)), None)
    return found, Heard(signed.server, {(cut.zone, "DNSKEY"): reply})


def told(answer: Answer) -> dns.rrset.RRset | None:
    """Return the keys of a zone as a resolver has them, or None."""
    if not answer.values:
        return None
    try:
        return dns.rrset.from_text(answer.name + ".", answer.ttl, dns.rdataclass.IN, "DNSKEY", *answer.values)
    except dns.exception.DNSException:
        return None


def signatures(target: Target, cut: Delegation, heard: Iterable[Heard], look: Look) -> Iterator[Finding]:
    """Yield which server serves signatures that ran out, will soon, or has none, for a zone with DS at its parent."""
    found: list[_Signature] = []
    bare = []
    for one in heard:
        mine = [signature for name, rdtype in one.replies if (signature := _longest(one, name, rdtype))]
        found += mine
        if not mine:
            bare.append(one.server)
    if not found and not bare:
        return
    for server in bare[:_SHOWN]:
        seen = f"{server} serves {cut.zone} without signatures, and whoever validates refuses that"
        advice = f"Have {server.name} transfer the signed zone."
        yield SIGNATURES.failed(target.subject, seen, advice, str(server))
    first = {server: min(group, key=lambda s: s.ends) for server, group in _by_server(found).items()}
    late = {server: signature for server, signature in first.items() if _out(signature, look.now)}
    for server, signature in list(late.items())[:_SHOWN]:
        advice = f"Have the zone signed anew, and {server.name} serve that; look why the signer stopped."
        yield SIGNATURES.failed(target.subject, _out(signature, look.now), advice, str(server))
    if late or bare or not first:
        return
    next_ = min(first.values(), key=lambda s: s.ends)
    left = next_.ends - look.now
    seen = f"signatures stay valid for {_span(left)} at least ({next_.type} at {next_.server})"
    if left < SOON and not _made_when_asked(cut, next_.server, look):
        advice = "Look whether the signer runs: it should sign anew days before signatures run out (RFC 6781, 4.4.2)."
        yield SIGNATURES.warned(target.subject, seen, advice)
    else:
        yield SIGNATURES.passed(target.subject, seen)


def _out(signature: _Signature, now: datetime) -> str:
    if signature.ends < now:
        return f"the signature of {signature.type} at {signature.server} ran out {_span(now - signature.ends)} ago"
    if signature.begins > now:
        return f"the signature of {signature.type} at {signature.server} begins in {_span(signature.begins - now)} only"
    return ""


def _made_when_asked(cut: Delegation, server: Server, look: Look) -> bool:
    """Whether a server signs each answer when asked, for hours only: nothing follows a name there (RFC 9824)."""
    try:
        reply = look.ask(Question(server.address, cut.zone, "NSEC", signatures=True))
    except NoAnswer:
        return False
    followed = (r for rrset in reply.answer if _is(rrset, cut.zone, dns.rdatatype.NSEC) for r in rrset)
    return any(r.next.labels[0] == b"\0" and plain_name(r.next.parent().to_text()) == cut.zone for r in followed)


def _longest(one: Heard, name: str, rdtype: str) -> _Signature | None:
    reply = one.replies[name, rdtype]
    if isinstance(reply, NoAnswer):
        return None
    covered = dns.rdatatype.from_text(rdtype)
    found = [r for rrset in reply.answer if _is(rrset, name, dns.rdatatype.RRSIG) for r in rrset]
    ends = [r for r in found if r.type_covered == covered]
    if not ends:
        return None
    last = max(ends, key=lambda r: r.expiration)
    return _Signature(one.server, rdtype, *(datetime.fromtimestamp(t, UTC) for t in (last.inception, last.expiration)))


def _by_server(found: Iterable[_Signature]) -> dict[Server, list[_Signature]]:
    groups: dict[Server, list[_Signature]] = {}
    for signature in found:
        groups.setdefault(signature.server, []).append(signature)
    return groups


def _is(rrset: dns.rrset.RRset, name: str, rdtype: dns.rdatatype.RdataType) -> bool:
    same = rrset.rdclass == dns.rdataclass.IN and rrset.rdtype == rdtype
    return same and plain_name(rrset.name.to_text()) == name


def _span(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
