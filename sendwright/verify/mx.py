"""Where a domain's mail goes: its MX records and what they lead to (RFC 5321, 5.1; RFC 7505)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from sendwright.verify import mx_desired
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Look, Told
from sendwright.verify.records.mx_record import Exchange, exchange
from sendwright.verify.remedy import publish
from sendwright.verify.reserved import reserved
from sendwright.verify.rules import mx as rules
from sendwright.verify.sending import sends_nothing
from sendwright.verify.spf_lookup import spf_records
from sendwright.verify.target import Target
from sendwright.verify.wording import counted, listed, shown

# Senders stop long before: Postfix tries five addresses of a domain.
_MANY = 10
_MOST = 50
_LATER = "Ask again later."


@dataclass(frozen=True)
class Taker:
    """One MX record, and the addresses that its name leads to."""

    exchange: Exchange
    answers: tuple[Answer, ...]

    @property
    def name(self) -> str:
        """Its name, as it fits into a sentence."""
        return shown(self.exchange.name, 120)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, of both families."""
        return tuple(value for answer in self.answers for value in answer.values)


def check(target: Target, look: Look) -> Iterator[Finding]:
    """Judge the MX records of a domain."""
    answer = look.dns.ask(target.domain, "MX")
    if not answer.known or not answer.values:
        absent = _absent(target, look, answer)
        yield absent
        if answer.told is Told.NO_DATA and absent.status != "fail":
            yield from mx_desired.compare(target, ())
        return
    found = sorted(set(map(exchange, answer.values)))
    yield _present(target, found)
    yield from _null(target, look, found)
    yield from mx_desired.compare(target, found)
    yield from takers(target, tuple(_asked(look, [e for e in found if not e.null][:_MOST])))


def _asked(look: Look, found: Sequence[Exchange]) -> Iterator[Taker]:
    questions = [(e.name, family) for e in found for family in ("A", "AAAA")]
    answers = iter(look.dns.ask_all(questions))
    for each in found:
        yield Taker(each, (next(answers), next(answers)))


def _present(target: Target, found: Sequence[Exchange]) -> Finding:
    seen = f"{counted(len(found), 'MX record')}: {listed(found)}."
    if len(found) > _MANY:
        return rules.PRESENT.warned(target.subject, seen, "Keep two or three: senders give up before the last.")
    return rules.PRESENT.passed(target.subject, seen)


def _absent(target: Target, look: Look, answer: Answer) -> Finding:
    why = shown(answer.why or answer.told.value)
    if answer.told is Told.BOGUS:
        advice = "Mend DNSSEC of the zone: senders that validate find no way to the domain."
        return rules.PRESENT.failed(target.subject, f"The answer is bogus: {why}.", advice)
    if not answer.known:
        return rules.PRESENT.unknown(target.subject, f"MX of {target.domain} cannot be had: {why}.", _LATER)
    if answer.told is Told.NO_NAME:
        advice = publish(target, "MX", "Check the name, and that the domain is registered and delegated.")
        return rules.PRESENT.failed(target.subject, f"{target.domain} does not exist.", advice)
    if sends_nothing(target, look):
        return rules.PRESENT.passed(target.subject, "No MX, and it sends nothing that could come back.")
    return _implicit(target, look.dns.ask_all([(target.domain, "A"), (target.domain, "AAAA")]))


def _implicit(target: Target, own: Sequence[Answer]) -> Finding:
    """Without an MX a domain's own address takes its mail (RFC 5321, 5.1)."""
    advice = publish(target, "MX", "Publish an MX record that names the server which takes its mail.")
    if addresses := [value for each in own for value in each.values]:
        seen = f"No MX: its mail goes to its own address, {listed(addresses)}."
        return rules.PRESENT.warned(target.subject, seen, advice)
    if silent := [each for each in own if not each.known]:
        seen = f"No MX, and {silent[0].type} cannot be had: {shown(silent[0].why)}."
        return rules.PRESENT.unknown(target.subject, seen, _LATER)
    return rules.PRESENT.failed(target.subject, "No MX, and no address of its own.", advice)


def _null(target: Target, look: Look, found: Sequence[Exchange]) -> Iterator[Finding]:
    null = [each for each in found if each.null]
    if not null:
        yield rules.NULL.passed(target.subject, "None.")
        return
    if len(found) > len(null):
        others = listed(each for each in found if not each.null)
        advice = "Remove the null MX if the domain takes mail, or else the others."
        yield rules.NULL.failed(target.subject, f"A null MX stands beside {others}.", advice)
    elif sends_nothing(target, look):
        odd = null[-1].preference != 0
        seen = f"{listed(null)}: it takes no mail, and sends none."
        yield (
            rules.NULL.warned(target.subject, seen, "Write it as 0 .")
            if odd
            else rules.NULL.passed(target.subject, seen)
        )
    elif target.declared is None and not spf_records(look.dns.ask(target.domain, "TXT")):
        advice = 'If it sends nothing publish TXT "v=spf1 -all"; if it does, give it an MX that takes bounces.'
        yield rules.NULL.warned(target.subject, "It takes no mail, and does not say that it sends none.", advice)
    else:
        advice = publish(
            target, "MX", 'Give it an MX that takes bounces, or publish "v=spf1 -all" if it sends nothing.'
        )
        seen = "It sends mail, and its null MX says that nothing can come back."
        yield rules.NULL.failed(target.subject, seen, advice)


def takers(target: Target, found: Sequence[Taker]) -> Iterator[Finding]:
    """Judge what the names of MX records lead to. Pure."""
    if not found:
        return
    yield from _resolving(target, found)
    aliases = [each for each in found if each.addresses and any(answer.aliases for answer in each.answers)]
    for each in aliases:
        chain = next(answer.aliases for answer in each.answers if answer.aliases)
        seen = f"{each.name} is an alias of {listed(chain, 3)}."
        advice = f"Name {shown(chain[-1], 120)} in the MX itself, or give {each.name} addresses of its own."
        yield rules.ALIAS.warned(target.subject, seen, advice, each.exchange.name)
    if not aliases and any(each.addresses for each in found):
        yield rules.ALIAS.passed(target.subject, f"None of {listed(each.name for each in found)}.")
    yield from _public(target, found)


def _resolving(target: Target, found: Sequence[Taker]) -> Iterator[Finding]:
    good = [each for each in found if each.addresses]
    bad = [finding for each in found if (finding := _resolved(target, each, bool(good))) is not None]
    yield from bad
    if not bad and all(a.known and not a.values for each in found for a in each.answers if a.type == "A"):
        seen = f"{listed(each.name for each in found)}: no address of IPv4, and many senders speak nothing else."
        advice = "Give one of them an A record as well, or add an MX that has one."
        yield rules.RESOLVES.warned(target.subject, seen, advice)
    elif not bad:
        seen = "; ".join(f"{each.name}: {listed(each.addresses, 4)}" for each in found)
        yield rules.RESOLVES.passed(target.subject, shown(seen, 600))


def _resolved(target: Target, taker: Taker, others: bool) -> Finding | None:
    """Return what is wrong with a name; others that lead somewhere keep the mail flowing."""
    name, where = taker.name, taker.exchange.name
    bogus = next((answer for answer in taker.answers if answer.told is Told.BOGUS), None)
    if bogus is not None:
        seen = f"{bogus.type} of {name} is bogus: {shown(bogus.why)}."
        return rules.RESOLVES.failed(target.subject, seen, "Mend DNSSEC of its zone.", where)
    if taker.addresses:
        return None
    loop = any(len(set(answer.aliases)) < len(answer.aliases) for answer in taker.answers)
    if silent := [answer for answer in taker.answers if not answer.known and not loop]:
        seen = f"{silent[0].type} of {name} cannot be had: {shown(silent[0].why or silent[0].told.value)}."
        return rules.RESOLVES.unknown(target.subject, seen, _LATER, where)
    what = "is an address: an MX record takes a name" if _literal(where) else "has no address"
    seen = f"{name} {'is an alias that leads back to itself' if loop else what}."
    advice = f"Give {name} an A record, or remove its MX record."
    if _literal(where):
        advice = "Give the server a name with an A record, and name that in the MX record."
    judge = rules.RESOLVES.warned if others else rules.RESOLVES.failed
    return judge(target.subject, seen, advice, where)


def _literal(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _public(target: Target, found: Sequence[Taker]) -> Iterator[Finding]:
    bad = [(each, value, what) for each in found for value in each.addresses if (what := reserved(ip_address(value)))]
    for each, value, what in bad[:_MOST]:
        seen = f"{each.name} leads to {value}, which is for {what}."
        advice = f"Remove it, or put the public address of {each.name} in its place."
        yield rules.ADDRESS.failed(target.subject, seen, advice, f"{each.exchange.name} {value}")
    if not bad and any(each.addresses for each in found):
        number = sum(len(each.addresses) for each in found)
        yield rules.ADDRESS.passed(target.subject, f"{counted(number, 'address', 'addresses')}, all public.")
