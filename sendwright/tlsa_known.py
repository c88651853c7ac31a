"""What senders can know of a host's keys: its TLSA records, as every server that speaks for its zone has them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import dns.message

from sendwright.dns.answers import authoritative, rcode, record_set
from sendwright.dns.authority import Server
from sendwright.dns.propagation import World
from sendwright.dns.rdata import canonical
from sendwright.dns.tls_records import names
from sendwright.dns.transport import NoAnswer, Question, ask_all
from sendwright.renewal import Known

_OURS = "3 1 1 "


@dataclass(frozen=True)
class Held:
    """What one server has at the names of a host's ports: canonical values by name; ``fault``: why it is not known."""

    values: Mapping[str, frozenset[str]]
    fault: str = ""

    def digests(self, name: str) -> frozenset[str]:
        """Return the digests of keys that are told at a name."""
        return frozenset(v.removeprefix(_OURS) for v in self.values.get(name, ()) if v.startswith(_OURS))


Seen = Mapping[Server, Held]


def look(world: World, zone: str, host: str) -> Seen:
    """Ask every address of every server of a zone for the TLSA records of a host; no resolver hears of it."""
    servers, places = world.servers[zone], names(host)
    questions = {server: [Question(server.address, name, "TLSA") for name in places] for server in servers}
    everything = [q for asked in questions.values() for q in asked]
    answers = dict(zip(everything, ask_all(world.ask, everything), strict=True))
    found = {s: _held(zip(places, [answers[q] for q in asked], strict=True)) for s, asked in questions.items()}
    # An address that this machine has no route to is excused if the same server was asked by its other address.
    asked_ones = {server.name for server, held in found.items() if held is not None}
    mute = Held({}, "cannot be asked: no route from this machine to any of its addresses")
    return {s: held or mute for s, held in found.items() if held is not None or s.name not in asked_ones}


def known(seen: Seen, keys: Iterable[str], expected: Collection[str], *, ledger: bool) -> Known:
    """Return what senders can know. Pure.

    Arguments: ``keys``: the digests that they are to know; ``expected``: the names at which records of ours should
    stand; ``ledger``: whether any record of ours stands at one of the host's ports, or may.
    """
    doubt = any(held.fault for held in seen.values()) or not seen
    places = {name for held in seen.values() for name, values in held.values.items() if values} | {*expected}
    told = [held.digests(name) for held in seen.values() for name in places]
    served = frozenset.intersection(*told) if told and not doubt else frozenset[str]()
    lacking = [key for key in keys if key not in served]
    behind = "; ".join(dict.fromkeys(_behind(seen, lacking, sorted(places)))) if lacking else ""
    return Known(ledger or doubt or bool(places), served, behind)


def _behind(seen: Seen, lacking: Collection[str], places: Collection[str]) -> Iterator[str]:
    """Tell of each server once: several ports of a host at several servers are one sentence, not their product."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for server, held in sorted(seen.items()):
        if held.fault:
            yield f"{server} {held.fault}"
        elif short := tuple(name for name in places if not held.digests(name).issuperset(lacking)):
            alike.setdefault(short, []).append(str(server))
    for ports, servers in alike.items():
        more = f" and {len(ports) - 1} more" if len(ports) > 1 else ""
        verb = "does" if len(servers) == 1 else "do"
        yield f"TLSA {ports[0]}{more}: {', '.join(servers)} {verb} not tell of every key of the host yet"


def _held(answers: Iterable[tuple[str, dns.message.Message | NoAnswer]]) -> Held | None:
    """Return what a server has, None if there is no way to it."""
    values: dict[str, frozenset[str]] = {}
    for name, answer in answers:
        if isinstance(answer, NoAnswer):
            return None if answer.no_route else Held({}, f"does not answer: {answer}")
        if not authoritative(answer):
            return Held({}, f"does not speak for its zone: it answers {rcode(answer)}")
        values[name] = _values(name, answer)
    return Held(values)


def _values(name: str, answer: dns.message.Message) -> frozenset[str]:
    found = record_set(answer, name, "TLSA")
    if found is not None:
        return frozenset(canonical("TLSA", text) for text in found.values)
    alias = record_set(answer, name, "CNAME")
    # Senders follow it (RFC 7672 section 2.1.3), so something is told; it is not for us to change.
    return frozenset(alias.values) if alias else frozenset()
