"""What an undo may not do, although it was so before: each refusal names the record and the reason. Pure.

The gates are those that everything else passes: nothing that mail relies on goes, nothing points at what does not work,
nothing tightens before mail leaves signed, and no key comes back that was revoked.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sendwright import signing, sts
from sendwright.dkim import record_text
from sendwright.dns.dmarc import stricter
from sendwright.dns.rdata import joined, txt
from sendwright.dns.records import desired
from sendwright.dns.slots import revokes, slot
from sendwright.dns.spf import Directive, SpfSyntaxError, parse
from sendwright.dns.spf_merge import terms_of
from sendwright.dns.tls_records import host_of
from sendwright.dns.undo import Reverse
from sendwright.pointing import exchange
from sendwright.stack import Address, HostState, Mx, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage
from sendwright.tlsa import NO_TLS, TlsFacts
from sendwright.tlsa import value as tlsa_value

_IN_USE = {KeyStage.PROVEN, KeyStage.SIGNING, KeyStage.RETIRING}
_DEAD = {KeyStage.REVOKED, KeyStage.REMOVED}
_ADDRESSES = ("A", "AAAA")
_JUDGED_BY = {"SPF", "DKIM", "DMARC"}
# How much an SPF record asks of mail that nothing else in it matches; no ``all`` is as ``?all`` (RFC 7208, 4.7).
_SEVERITY = {"+": 0, "?": 1, "~": 2, "-": 3}


@dataclass(frozen=True)
class Refusal:
    """Why one record set is not put back."""

    name: str
    type: str
    why: str

    def __str__(self) -> str:
        return f"{self.type} {self.name}: {self.why}"


@dataclass(frozen=True)
class World:
    """What gates judge by: the declaration, the keys and their proofs, and which claims' clocks have run out.

    ``tls``: the keys that hosts have and will have, and the policies that they serve.
    """

    stack: Stack
    keys: tuple[DkimKey, ...]
    due: Callable[[Claim], bool]
    tls: TlsFacts = NO_TLS

    @cached_property
    def senders(self) -> Mapping[str, frozenset[str]]:
        """The hosts from which each domain's mail left, or may have: where one of its keys was proven."""
        found: dict[str, frozenset[str]] = {}
        for key in self.keys:
            if key.proven_on:
                found[key.domain] = found.get(key.domain, frozenset()).union(key.proven_on)
        return found

    @cached_property
    def working(self) -> frozenset[str]:
        """The hosts that send: any key was proven there."""
        return frozenset().union(*self.senders.values())

    @cached_property
    def declared(self) -> Collection[tuple[str, str, str]]:
        """Every declared value, each term of an SPF record by itself."""
        found = set()
        for record in desired(self.stack, self.keys, self.tls):
            spf = slot(record.name, record.type, record.value) == "SPF"
            values = terms_of(joined(record.value).decode("ascii")) if spf else (record.value,)
            found |= {(record.name, record.type, value) for value in values}
        return found

    def key(self, name: str) -> DkimKey | None:
        """Return the key whose record stands at a name."""
        return next((k for k in self.keys if k.txt_name == name), None)

    def sent_as(self, name: str) -> bool:
        """Whether mail may have left that is judged by what stands at a name: a host's, or at or below a domain."""
        return name in self.working or any(name == d or name.endswith("." + d) for d in self.senders)


def refusals(undone: Iterable[Reverse], aliases: Collection[str], world: World) -> tuple[Refusal, ...]:
    """Return every reason against undoing; ``aliases``: the names at which a CNAME stands."""
    found = (Refusal(r.name, r.type, why) for r in undone if r.going or r.coming for why in _reasons(r, aliases, world))
    return tuple(dict.fromkeys(found))


def _reasons(undone: Reverse, aliases: Collection[str], world: World) -> Iterator[str]:
    if undone.coming and undone.name in aliases:
        yield "an alias (CNAME) stands at that name now, and nothing can stand beside it"
    yield from _slots(undone)
    yield from _on_its_way(undone, world)
    if undone.type == "CNAME":
        yield from _alias(undone, world)
    elif undone.type in _ADDRESSES:
        yield from _addresses(undone, world)
    elif undone.type == "MX":
        yield from _mx(undone, world)
    elif undone.type == "SRV":
        yield from _srv(undone, world)
    elif undone.type == "TLSA":
        yield from _tlsa(undone, world)
    elif undone.type == "TXT":
        yield from _policy(undone, world)
        yield from _dkim(undone, world)
        yield from _dmarc(undone, world)
        yield from _spf(undone, world)


def _slots(undone: Reverse) -> Iterator[str]:
    for value in undone.coming:
        place = slot(undone.name, undone.type, value)
        if place and sum(slot(undone.name, undone.type, v) == place for v in undone.result) > 1:
            yield f"another {place} record stands there by now, and there may be only one: undo what came later first"


def _on_its_way(undone: Reverse, world: World) -> Iterator[str]:
    """Hold what is no longer declared as long as its clock of withdrawal does."""
    filled = {slot(undone.name, undone.type, value) for value in undone.coming} - {None, "SPF"}
    for claim in undone.strike:
        place = slot(claim.name, claim.type, claim.value) if not claim.mechanism else "SPF"
        judged = (place in _JUDGED_BY and place not in filled) or claim.type in _ADDRESSES
        if claim.mechanism and claim.value.lstrip("-~?") == "all":
            continue  # a verdict on others' mail, which ``_spf`` looks at
        left = (claim.name, claim.type, claim.value) not in world.declared
        if judged and left and world.sent_as(claim.name) and not world.due(claim):
            yield f"{claim.value} is no longer declared, but mail on its way is judged by it: it is withdrawn in time"


def _addresses(undone: Reverse, world: World) -> Iterator[str]:
    spoken = undone.name.removeprefix("mta-sts.")
    if spoken != undone.name and spoken in world.tls.policies:
        for value in undone.going:
            if (undone.name, undone.type, value) in world.declared:
                yield f"senders fetch the policy of {spoken} from {value}: set mta_sts instead"
    host = next((h for h in world.stack.hosts if h.name == undone.name), None)
    if host is None:
        return
    own = {str(a) for a in host.addresses}
    for value in undone.coming:
        if value not in own:
            yield f"{value} is not an address of {host.name}, whose name must lead to its own addresses only"
    if host.name in world.working:
        for value in undone.going:
            if value in own:
                yield f"{host.name} sends from {value}"
            elif not undone.result:
                yield f"{host.name} works, and no other address stands at its name"


def _mx(undone: Reverse, world: World) -> Iterator[str]:
    domain = world.stack.domain(undone.name) if undone.name in {d.name for d in world.stack.domains} else None
    for value in undone.going:
        if exchange(value) in world.working and not undone.result:
            yield f"{exchange(value)} takes its mail, and no other MX would stand there"
    ours = {c.value for c in undone.enter}
    for value in undone.coming:
        if not exchange(value):
            if domain is None or domain.mx is not Mx.NONE or len(undone.result) > 1:
                yield "it says that no mail is taken there, which is not so (RFC 7505)"
        elif value in ours and not _takes_mail(exchange(value), world):
            yield f"{exchange(value)} is not known to take mail"
        elif "" in map(exchange, (v for v in undone.result if v != value)):
            yield "it is declared to take no mail (RFC 7505)"


def _srv(undone: Reverse, world: World) -> Iterator[str]:
    ours = {c.value for c in undone.enter}
    for value in undone.coming:
        target = value.split()[-1].rstrip(".")
        if value in ours and target and not _takes_mail(target, world):
            yield f"{target} is not known to take submission"


def _tlsa(undone: Reverse, world: World) -> Iterator[str]:
    """Refuse to cross an exchange of keys: senders take a host by what is told there, and by what they remember."""
    host = host_of(undone.name)
    told = {tlsa_value(spki) for spki in world.tls.keys.get(host, ())}
    ours, due = {c.value for c in undone.enter}, {c.value for c in undone.strike if world.due(c)}
    for going in undone.going:
        if going in told:
            yield f"it tells senders of a key that {host} has or will have: take its port out of dane instead"
        elif going not in due:
            yield f"senders may know {host} by that key yet: it is withdrawn in time"
    for coming in undone.coming:
        if coming in ours and coming not in told:
            yield f"{host} has another key by now, and this record tells of one that it does not show"
        elif not undone.before:
            yield f"nobody is told of keys of {host} now: that it shows this one is seen by sendwright provision"


def _policy(undone: Reverse, world: World) -> Iterator[str]:
    """Refuse an ``id`` under which hosts serve another policy, and to forget that senders hold us to one."""
    values = [v for v in (*undone.going, *undone.coming) if slot(undone.name, "TXT", v) == "MTA-STS"]
    domain = undone.name.removeprefix("_mta-sts.")
    wanted = world.tls.policies.get(domain)
    if not values or wanted is None:
        return
    then = [v for v in undone.result if slot(undone.name, "TXT", v) == "MTA-STS"]
    if then != [txt(sts.record_text(wanted))]:
        yield f"senders hold {domain} to a policy, and its hosts serve the present one: set mta_sts instead"


def _takes_mail(name: str, world: World) -> bool:
    active = {h.name for h in world.stack.hosts if h.state is HostState.ACTIVE}
    return name in active and name in world.working


def _dkim(undone: Reverse, world: World) -> Iterator[str]:
    if slot(undone.name, "TXT", '""') != "DKIM":
        return
    key = world.key(undone.name)
    if key and undone.going and (key.stage in _IN_USE or key.proven_on) and key.stage not in _DEAD:
        yield f"its key is {key.stage}: mail that it signed, or may sign, is verified by this record"
    for value in undone.coming:
        if revokes(undone.name, "TXT", value):
            yield from _revoking(undone.name, world)
        elif value not in {c.value for c in undone.enter}:
            continue  # it was somebody else's
        elif key is None or key.stage in _DEAD:
            yield "its key is revoked, or no longer in the state folder, and never comes back"
        elif value != txt(record_text(key)):
            yield "its key is another one by now"


def _alias(undone: Reverse, world: World) -> Iterator[str]:
    key = next((k for k in world.keys if k.target and k.record_name == undone.name and k.stage not in _DEAD), None)
    if key and (undone.going or undone.coming):
        yield f"verifiers are led by it to a key that is {key.stage}"


def _revoking(name: str, world: World) -> Iterator[str]:
    selector, _, domain = name.partition("._domainkey.")
    declared = next((d for d in world.stack.domains if d.name == domain), None)
    if selector != "*":
        yield "an empty key is only ever written by a revocation"
    elif declared is None or declared.sends:
        yield f"{domain} is not declared to send nothing, and this says that none of its keys is valid"


def _dmarc(undone: Reverse, world: World) -> Iterator[str]:
    def policies(values: Iterable[str]) -> list[str]:
        return [v for v in values if slot(undone.name, "TXT", v) == "DMARC"]

    for value in policies(undone.coming):
        if all(stricter(value, old) for old in policies(undone.before) or ['"v=DMARC1; p=none"']):
            yield from _tightening(undone.name.removeprefix("_dmarc."), world)


def _spf(undone: Reverse, world: World) -> Iterator[str]:
    now, then = (_record(undone.name, values) for values in (undone.before, undone.result))
    if now == then:
        return
    for host in world.stack.hosts:
        if host.name not in world.senders.get(undone.name, ()) and not (
            host.name == undone.name and host.name in world.working
        ):
            continue
        for address in host.addresses:
            if _passes(now, address) and not _passes(then, address):
                yield f"{host.name} sends from {address}, which would no longer pass"
    if then is not None and _severity(then) > _severity(now):
        yield from _tightening(undone.name, world)


def _tightening(name: str, world: World) -> Iterator[str]:
    domain = next((d for d in world.stack.domains if d.name == name), None)
    if domain is None or not domain.sends:
        return
    keys = [k for k in world.keys if k.domain == name]
    if not all(signing.signs(domain, host, keys) for host in world.stack.hosts_of(domain)):
        yield "it would become stricter, and mail does not leave signed from every host of the domain"


def _record(name: str, values: Iterable[str]) -> str | None:
    texts = (joined(v).decode("latin-1") for v in values if slot(name, "TXT", v) == "SPF")
    return next(texts, None)


def _passes(text: str | None, address: Address) -> bool:
    """Whether a record passes an address by what it says itself, without asking anybody."""
    for term in _directives(text):
        if term.mechanism == "all" or (term.network is not None and address in term.network):
            return term.qualifier == "+"
    return False


def _severity(text: str | None) -> int:
    return next((_SEVERITY[t.qualifier] for t in _directives(text) if t.mechanism == "all"), _SEVERITY["?"])


def _directives(text: str | None) -> list[Directive]:
    try:
        return [t for t in parse(text).terms if isinstance(t, Directive)] if text is not None else []
    except SpfSyntaxError:
        return []
