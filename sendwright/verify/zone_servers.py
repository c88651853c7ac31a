"""Checks of a zone's servers: delegation, aliases, lame ones, one that says something else, TCP, how many. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.message
import dns.rdataclass
import dns.rdatatype

from sendwright.dns.answers import authoritative, rcode, record_set
from sendwright.dns.authority import Server
from sendwright.dns.providers.base import Key
from sendwright.dns.rdata import canonical, plain_name, short
from sendwright.dns.transport import NoAnswer
from sendwright.verify.delegation import Delegation, Reply
from sendwright.verify.finding import Finding
from sendwright.verify.rules.zone import AGREE, ALIAS, ANSWER, DELEGATION, REDUNDANT, TCP
from sendwright.verify.target import Target
from sendwright.verify.wording import counted, listed, shown

_SHOWN = 5
_ELSEWHERE = "Its network may let it ask its resolver only: run it where port 53 is open,"
# Seconds: who shares load by DNS lets nobody remember an address for longer.
_SHORT_TTL = 300


@dataclass(frozen=True)
class Heard:
    """What one server answered to each question about mail."""

    server: Server
    replies: Mapping[Key, Reply]


def delegation(target: Target, cut: Delegation) -> Iterator[Finding]:
    """Yield whether the parent and the zone name the same servers, and the parent gives the addresses it must."""
    referral, lower = cut.referral, cut.lower
    if not cut.parent or not lower:
        return
    if referral is None:
        yield DELEGATION.unknown(target.subject, f"no name server of {cut.parent} could be asked what it refers to")
    elif referral.own:
        seen = f"the servers of {cut.parent} speak for {cut.zone} too, so there is nothing that could differ"
        yield DELEGATION.passed(target.subject, seen)
    else:
        yield _delegated(target, cut, referral.names, referral.glue)


def _delegated(target: Target, cut: Delegation, upper: frozenset[str], glue: Mapping[str, frozenset[str]]) -> Finding:
    subject, lower = target.subject, cut.lower
    within = sorted(n for n in upper if n == cut.zone or n.endswith("." + cut.zone))
    if bare := [name for name in within if not glue.get(name)]:
        seen = f"{cut.parent} refers to {listed(bare)} without an address (glue), which only the zone itself knows"
        return DELEGATION.failed(subject, seen, f"Have the registrar of {cut.zone} add glue for {listed(bare)}.")
    if upper == lower:
        seen = f"{cut.parent} and {cut.zone} both name {listed(sorted(upper))}"
        return _glue(target, cut, within, glue) or DELEGATION.passed(subject, seen)
    above, below = sorted(upper - lower), sorted(lower - upper)
    parts = [f"only {cut.parent} names {listed(above)}"] if above else []
    parts += [f"only the zone names {listed(below)}"] if below else []
    seen, advice = "; ".join(parts), f"Make both say the same: NS at the registrar of {cut.zone}, and NS in the zone."
    fine = {server.name for server in cut.speaking} | cut.unasked
    dumb = [name for name in (*above, *below) if name not in fine]
    if dumb or not upper & lower:
        why = f"; {listed(dumb)} does not speak for it" if dumb else "; they have none in common"
        return DELEGATION.failed(subject, seen + why, advice)
    return DELEGATION.warned(subject, seen, advice)


def _glue(target: Target, cut: Delegation, within: Iterable[str], glue: Mapping[str, frozenset[str]]) -> Finding | None:
    for name in within:
        known = cut.resolved.get(name)
        if known and (stale := sorted(glue[name] - known)):
            seen = f"{cut.parent} gives {listed(stale)} as address of {name}, and the zone itself does not"
            return DELEGATION.warned(
                target.subject, seen, f"Have the registrar of {cut.zone} correct the glue of {name}."
            )
    return None


def aliases(target: Target, cut: Delegation) -> Iterator[Finding]:
    """Yield whether a server's name is an alias."""
    for name, end in sorted(cut.aliases.items())[:_SHOWN]:
        advice = f"Give {name} addresses of its own (A, AAAA), or name {short(end)} as NS."
        yield ALIAS.failed(target.subject, f"{name} is an alias (CNAME) of {short(end)}", advice, name)
    if cut.names and not cut.aliases:
        seen = f"none of {listed(sorted(cut.names))} is an alias"
        yield ALIAS.passed(target.subject, seen)


def answer(target: Target, cut: Delegation) -> Iterator[Finding]:
    """Yield each server that does not speak for the zone, and once those that this machine cannot reach."""
    subject, silent = target.subject, []
    if cut.cut_off:
        seen = f"neither the servers of {cut.zone} nor those of {cut.parent} answer this machine"
        yield ANSWER.unknown(subject, seen, f"{_ELSEWHERE} to have them asked.")
        return
    for server in cut.servers:
        reply = cut.replies[server.address]
        if isinstance(reply, NoAnswer) and reply.no_route:
            silent.append(server)
        elif server not in cut.speaking:
            advice = (
                f"Have {server.name} load {cut.zone} (and transfer it from the primary), or remove its NS record in "
                "the zone and at the registrar."
            )
            yield ANSWER.failed(subject, f"{server} {_fault(cut.zone, reply)}", advice, str(server))
    lost = sorted(cut.names - {server.name for server in cut.servers})
    for name in lost[:_SHOWN]:
        if name in cut.unsure:
            yield ANSWER.unknown(subject, f"the address of {name} is not known: {shown(cut.unsure[name])}", target=name)
            continue
        advice = f"Give {name} an address, or remove its NS record in the zone and at the registrar."
        yield ANSWER.failed(subject, f"{name} has no address", advice, name)
    if silent:
        family = "IPv6" if all(ip_address(s.address).version == 6 for s in silent) else "some addresses"
        seen = f"this machine has no route to {listed(silent)}"
        yield ANSWER.unknown(subject, seen, "Run it where there is one, to have them asked too.", family)
    names = len({server.name for server in cut.speaking})
    if cut.speaking and len(cut.speaking) + len(silent) == len(cut.servers) and not lost:
        addresses = counted(len(cut.speaking), "address", "addresses")
        seen = f"{addresses} of {counted(names, 'name server')} speak for {cut.zone}"
        yield ANSWER.passed(subject, seen)


def _fault(zone: str, reply: Reply) -> str:
    if isinstance(reply, NoAnswer):
        return f"does not answer: {reply}"
    if rcode(reply) not in {"NOERROR", "NXDOMAIN"}:
        return f"answers {rcode(reply)}"
    if not authoritative(reply):
        return "answers without authority (no AA): it does not have the zone"
    return f"says that there is no zone {zone}"


def agree(target: Target, cut: Delegation, heard: Sequence[Heard]) -> Iterator[Finding]:
    """Yield each record set about mail of which not all servers say the same, and whether their serials do."""
    if not heard:
        return
    serials = _serials(cut.zone, heard)
    # Servers of several primaries, or providers, count each for itself.
    behind = len(serials) > 1 and len({primary for primary, _ in serials}) == 1
    found = [*_differing(target, heard, behind=behind), *_speechless(target, heard)]
    yield from found[: 2 * _SHOWN]
    if found:
        return
    if behind:
        each = "; ".join(f"{serial} at {listed(at)}" for (_, serial), at in sorted(serials.items()))
        advice = (
            "If it lasts, the secondary with the lower serial gets no transfers: look at its log, at NOTIFY and at who "
            "may transfer the zone."
        )
        yield AGREE.warned(target.subject, shown(f"the same about mail, but with different serials: {each}"), advice)
        return
    serial = f"serial {', '.join(sorted({serial for _, serial in serials}))}"
    what = f"{len(heard)} addresses say the same of {len(heard[0].replies)} record sets"
    seen = f"{what} ({serial})" if len(heard) > 1 else f"only one address, so nothing can differ ({serial})"
    yield AGREE.passed(target.subject, seen)


def _differing(target: Target, heard: Sequence[Heard], *, behind: bool) -> Iterator[Finding]:
    for name, rdtype in heard[0].replies:
        replies = {one.server: one.replies[name, rdtype] for one in heard}
        groups: dict[frozenset[str], list[Server]] = {}
        for server, reply in replies.items():
            if not isinstance(reply, NoAnswer):
                groups.setdefault(_said(reply, name, rdtype), []).append(server)
        shares = not behind and all(_shares_load(reply, name, rdtype) for reply in replies.values())
        if len(groups) < 2 or rdtype == "SOA" or shares:
            continue
        each = "; ".join(
            f"{', '.join(map(str, servers[:_SHOWN]))}: {_words(said)}"
            for said, servers in sorted(groups.items(), key=lambda item: (-len(item[1]), sorted(item[0])))
        )
        advice = (
            "Bring the servers that are behind up to date: look at their transfers (NOTIFY, allow-transfer, log); "
            "if it was changed a moment ago, look again."
        )
        yield AGREE.failed(target.subject, shown(each), advice, f"{rdtype} {name}")


def _shares_load(reply: Reply, name: str, rdtype: str) -> bool:
    """Whether a server may answer with other addresses each time, on purpose: they are to be forgotten soon."""
    if rdtype not in {"A", "AAAA"} or isinstance(reply, NoAnswer):
        return False
    found = record_set(reply, name, rdtype)
    return found is not None and found.ttl <= _SHORT_TTL


def _speechless(target: Target, heard: Sequence[Heard]) -> Iterator[Finding]:
    said = {one.server: _unanswered(one) for one in heard}
    quiet = {server: unanswered for server, unanswered in said.items() if unanswered}
    if not quiet:
        return
    advice, several = "It may limit how much it answers: look again.", len(quiet) > 1
    what = listed(list(dict.fromkeys(words for unanswered in quiet.values() for words in unanswered)))
    who = f"{listed(list(quiet))} speak" if several else f"{next(iter(quiet))} speaks"
    seen = f"{who} for the zone, and said nothing when asked for {what}"
    yield AGREE.unknown(target.subject, shown(seen), advice, "several" if several else str(next(iter(quiet))))


def _unanswered(one: Heard) -> list[str]:
    return [f"{rdtype} {name}" for (name, rdtype), reply in one.replies.items() if isinstance(reply, NoAnswer)]


def _said(reply: dns.message.Message, name: str, rdtype: str) -> frozenset[str]:
    """Return what a server says of a record set, as values that can be compared; nothing where there is none."""
    if rcode(reply) not in {"NOERROR", "NXDOMAIN"}:
        return frozenset({f"({rcode(reply)})"})
    for found_type in (rdtype, "CNAME"):
        if found := record_set(reply, name, found_type):
            prefix = "an alias of " if found_type != rdtype else ""
            return frozenset(prefix + _canonical(found_type, value) for value in found.values)
    return frozenset(_referred(reply)) if not authoritative(reply) else frozenset()


def _referred(reply: dns.message.Message) -> Iterator[str]:
    for rrset in reply.authority:
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype == dns.rdatatype.NS:
            yield from (f"(ask {plain_name(rdata.target.to_text())})" for rdata in rrset)


def _canonical(rdtype: str, value: str) -> str:
    try:
        return canonical(rdtype, value)
    except ValueError:
        return value


def _words(said: frozenset[str]) -> str:
    return ", ".join(map(short, sorted(said)[:_SHOWN])) or "nothing"


def _serials(zone: str, heard: Sequence[Heard]) -> dict[tuple[str, str], list[Server]]:
    """Return who has which primary and serial."""
    found: dict[tuple[str, str], list[Server]] = {}
    for one in heard:
        reply = one.replies[zone, "SOA"]
        start = None if isinstance(reply, NoAnswer) else record_set(reply, zone, "SOA")
        if start:
            primary, _, serial, *_ = start.values[0].split()
            found.setdefault((plain_name(primary), serial), []).append(one.server)
    return found


def tcp(target: Target, replies: Mapping[Server, Reply], *, blocked: bool) -> Iterator[Finding]:
    """Yield each server that is silent over TCP, of those that answer over UDP; ``blocked``: so is everybody's."""
    silent = {s: r for s, r in replies.items() if isinstance(r, NoAnswer)}
    if silent and blocked:
        seen = "no server answers this machine over TCP, not even those of the zone above"
        yield TCP.unknown(target.subject, seen, f"{_ELSEWHERE} for TCP too.")
        return
    for server, reply in sorted(silent.items()):
        advice = f"Open TCP port 53 of {server.name} in its firewall, and let its daemon listen there."
        yield TCP.failed(target.subject, f"{server} answers over UDP only: over TCP {reply}", advice, str(server))
    if replies and not silent:
        yield TCP.passed(target.subject, f"{counted(len(replies), 'address answers', 'addresses answer')} over TCP")


def redundant(target: Target, cut: Delegation) -> Iterator[Finding]:
    """Yield whether there are two servers that do not fail together."""
    addresses = {server.address for server in cut.servers}
    names = {server.name for server in cut.servers}
    if not addresses:
        return
    if len(names) < 2 or len(addresses) < 2:
        one = "one name server" if len(names) < 2 else f"{len(names)} names of one address"
        seen = f"{cut.zone} has {one}: {listed(cut.servers)}"
        yield REDUNDANT.warned(target.subject, seen, "Add a second name server, best in another network (RFC 2182).")
    else:
        seen = f"{len(names)} name servers at {len(addresses)} addresses"
        yield REDUNDANT.passed(target.subject, seen)
