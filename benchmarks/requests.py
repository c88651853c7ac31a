"""How many requests looking and publishing take, and how many are the least that the interfaces allow."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from benchmarks.declared import PARENT, Declared, declared
from benchmarks.measure import Counts, Sent
from benchmarks.name_servers import SERVERS
from benchmarks.rotation import Domains
from benchmarks.rotation import domains as due
from benchmarks.servers import NameServer
from sendwright.plan import Stage
from tests.dns.cloudflare_standin import StandIn
from tests.dns.cloudflare_world import opened

ROUNDS = 1
_DOMAINS, _FOREIGN = 200, 1_000
_STAGES = (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH)
# RFC 1035 section 4.2.2; the API's limits of a page of zones and of a batch.
_UPDATE, _PAGE, _BATCH = 65535, 50, 200
# A look before each change, and one after the last; a claim; new keys, and the switch (runs of pyinfra); probes.
_UNTIL_SIGNING = 3 + 1 + 2 + 1
# Who serves a zone and what it says of itself; two keys; the wildcards above them, which both have in common.
_QUESTIONS = 2 + 2 + 2


def measure(rounds: int, domains: int = _DOMAINS, foreign: int = _FOREIGN) -> Counts:
    """Count for domains in one zone, and in a zone each; nothing is timed, so ``rounds`` change nothing."""
    del rounds
    rows: list[Sent] = []
    with declared(domains, one_zone=True, foreign=foreign) as those:
        rows += _rfc2136(those)
    for words, one_zone in (("one zone", True), ("a zone each", False)):
        with declared(domains, one_zone=one_zone, foreign=foreign) as those:
            rows += _cloudflare(those, words)
    with due(domains) as keys:
        rows += _rotation(keys)
    return Counts(f"requests: {domains} domains, {foreign} foreign records", tuple(rows))


def _rfc2136(those: Declared) -> Iterator[Sent]:
    server = NameServer(PARENT, tuple(those.held[PARENT].values()))
    with server.serving() as provider:
        zones = replace(those, provider=provider).look()
        # A zone that nothing delegates is found by asking only: each domain may be one that nothing is published of.
        names = len(those.stack.domains)
        yield Sent("RFC 2136, one zone: first look, questions for zones", server.asked["questions"], names)
        yield Sent("RFC 2136, one zone: first look, transfers", server.asked["transfers"], 1)
        least = 0
        for stage in _STAGES:
            before = server.octets
            zones.publish(those.folder, stage)
            least += ceil((server.octets - before) / _UPDATE)
        yield Sent("RFC 2136, one zone: publish, updates of 64 KiB", server.asked["updates"], least)


def _cloudflare(those: Declared, words: str) -> Iterator[Sent]:
    with StandIn().serving() as standin:
        for name, sets in those.held.items():
            zone = standin.add_zone(name)
            for found in sets.values():
                standin.add(zone, found.name, found.type, found.values[0], found.ttl)
        zones = replace(those, provider=opened(standin, seconds=60)).look()
        kept = len(zones.found)
        yield Sent(f"Cloudflare, {words}: look, pages of zones", standin.count("zones"), ceil(kept / _PAGE))
        yield Sent(f"Cloudflare, {words}: look, readings", standin.count("records"), kept)
        looks, changes = standin.count("records"), [z.changes.at(s) for z in zones.found.values() for s in _STAGES]
        for stage in _STAGES:
            zones.publish(those.folder, stage)
        # The API has no conditional writes: each apply reads the zone again, right before it changes it.
        applies, least = sum(bool(c.writes) for c in changes), sum(ceil(len(c.writes) / _BATCH) for c in changes)
        yield Sent(f"Cloudflare, {words}: publish, readings before applies", standin.count("records") - looks, applies)
        yield Sent(f"Cloudflare, {words}: publish, batches", standin.count("batch"), least)


def _rotation(those: Domains) -> Iterator[Sent]:
    zones, servers = len(those.provider.held) - 1, len(SERVERS)
    those.rotate()
    yield Sent("Rotation: a host, commands and changes until new keys sign", max(_commands(those)), _UNTIL_SIGNING)
    told = [n for question, n in those.servers.asked.items() if question.server in SERVERS.values()]
    yield Sent("Rotation: questions to each zone's servers", sum(told), zones * servers * _QUESTIONS)
    yield Sent("Rotation: provider, readings", those.provider.requests["read"], zones)
    yield Sent("Rotation: provider, applies", those.provider.requests["apply"], zones)
    those.forget()
    those.rotate()
    yield Sent("Rotation, only clocks run: a host, remote commands", max(_commands(those)), 1)
    yield Sent("Rotation, only clocks run: questions", those.servers.asked.total(), 0)


def _commands(those: Domains) -> list[int]:
    return [commands.total() for commands in those.commands.values()]
