"""Tell Postfix what a destination's servers have to prove before they get mail: a socketmap for smtp_tls_policy_maps.

Installed by sendwright from templates/tlspolicy/tls_policy.py: an edit made here is undone by the next provision.

DANE comes first, then MTA-STS, as postfix-mta-sts-resolver tells it: that alone would override DANE, which RFC 8461
section 2 forbids. The decision is ``decide``, a pure function; below it lie the looking and a thin server. In doubt
mail waits, but only that of destinations which may insist on something: TEMP is never said of others.
"""

import asyncio
import os
import re
import socket
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

RESOLVER = "127.0.0.1"  # validates on this very host: its AD bit can be believed (RFC 7672 section 2.2)
STS = "/var/lib/mta-sts/socket"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)(?!.*\.\d+$){_LABEL}(?:\.{_LABEL})+", re.ASCII)
_ENFORCED = re.compile(r"OK secure match=(\S+)(?: .*)?")
_LONGEST = 100_000  # bytes of a request or an answer: Postfix takes no longer ones
_EXCHANGES = 20  # MX hosts that are looked at, the first ones: smtp(8) itself tries five addresses
_DESTINATIONS = 10_000  # remembered at most
_QUESTIONS = 100  # under way at most
# Seconds. smtp(8) waits for 100 in all, and an answer of MTA-STS is two questions of ten seconds.
_QUESTION, _ROUTE, _POLICY = 10.0, 30.0, 25.0
_SHORTEST, _LONGEST_TTL, _POLICY_TTL = 5, 300, 60
# A connection whose other end has died, says nothing in time or speaks no netstrings.
_BROKEN = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Exchange:
    """A host that takes a destination's mail; ``dane``: its TLSA records are to be matched (RFC 7672 section 2.2).

    So it is also where they are known to be signed and cannot be looked up: smtp(8) passes over such a host.
    """

    name: str
    dane: bool
    ttl: int = _LONGEST_TTL  # seconds


@dataclass(frozen=True)
class Route:
    """Where a destination's mail goes; ``whole``: these are all hosts; ``ttl`` in seconds."""

    exchanges: tuple[Exchange, ...]
    whole: bool = True
    ttl: int = _LONGEST_TTL

    @property
    def dane(self) -> bool:
        """Whether no host is without TLSA records."""
        return self.whole and bool(self.exchanges) and all(e.dane for e in self.exchanges)


@dataclass(frozen=True)
class Sts:
    """The MX patterns of a policy in enforce; none where nothing is enforced. ``known``: it could be found out."""

    patterns: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True)
class Answer:
    """What Postfix is told (socketmap_table(5)), and why, for people."""

    text: str
    why: str = ""


class Unanswered(Exception):
    """DNS did not tell."""


def decide(domain: str, route: Route, sts: Sts) -> Answer:
    """Return what a destination's servers have to prove: DANE first, then MTA-STS, else nothing of ours.

    NOTFOUND leaves it to Postfix, which does DANE where it finds TLSA records, and else opportunistic TLS.
    """
    if route.dane:
        # Not "dane": what smtp(8) cannot see as secure itself, though it is, must wait and not go unprotected.
        return Answer("OK dane-only", "every MX host has TLSA records")
    if any(e.dane for e in route.exchanges):
        # A policy never replaces TLSA records, and where it is enforced, no host without them goes unverified.
        level = "dane" if sts == Sts() else "dane-only"
        return Answer(f"OK {level}", "some of its MX hosts have TLSA records")
    if not sts.known:
        return Answer(f"TEMP {domain} may enforce an MTA-STS policy, which cannot be asked for at present")
    if not sts.patterns:
        return Answer("NOTFOUND ")
    names = [e.name for e in route.exchanges if _NAME.fullmatch(e.name) and _allowed(e.name, sts.patterns)]
    if not names:
        return Answer(f"TEMP {domain} enforces an MTA-STS policy that none of its MX hosts is in (RFC 8461 section 5)")
    # Names, not patterns: a host that the policy does not allow has no certificate for one that it does.
    return Answer(f"OK secure match={':'.join(names)} servername=hostname", "MTA-STS is enforced")


def _allowed(name: str, patterns: tuple[str, ...]) -> bool:
    # A wildcard stands for exactly one label (RFC 8461 section 4.1); the resolver writes it as a leading dot.
    return name in patterns or f".{name.partition('.')[2]}" in patterns


def parse_sts(reply: str) -> Sts:
    """Return what postfix-mta-sts-resolver answered: anything but its two regular answers tells nothing."""
    if reply.strip() == "NOTFOUND":
        return Sts()
    found = _ENFORCED.fullmatch(reply)
    patterns = [] if found is None else [p.rstrip(".") for p in found[1].lower().split(":")]
    good = tuple(p for p in patterns if _NAME.fullmatch(p.removeprefix(".")))
    return Sts(good, known=bool(good))


# ---- Looking

Ask = Callable[[dns.name.Name, str], Awaitable[dns.message.QueryMessage]]


async def route(domain: str, ask: Ask) -> Route:
    """Look up where a destination's mail goes, and which of its hosts have TLSA records; Unanswered."""
    name = dns.name.from_text(domain)
    secure, _, records, ttl = _read(await ask(name, "MX"))
    # Without MX the domain is its own host (RFC 5321 section 5.1); the root means that it takes no mail (RFC 7505).
    targets = sorted({(r.preference, r.exchange) for r in records}) if records else [(0, name)]
    names = list(dict.fromkeys(target for _, target in targets if target != dns.name.root))
    looks = await asyncio.gather(*(_exchange(n, secure, ask) for n in names[:_EXCHANGES]))
    exchanges = tuple(look for look in looks if look is not None)
    ttl = min([ttl, *(e.ttl for e in exchanges)])
    return Route(exchanges, len(names) <= _EXCHANGES, max(_SHORTEST, min(ttl, _LONGEST_TTL)))


async def _exchange(name: dns.name.Name, secure: bool, ask: Ask) -> Exchange | None:
    """Look at a host, of which ``secure`` MX records tell; None for one that has no address."""
    text = name.to_text(omit_final_dot=True).lower()
    if not secure:
        return Exchange(text, dane=False)
    try:
        signed, base, addresses, ttl = _read(await ask(name, "A"))
        if not addresses:
            signed, base, addresses, ttl = _read(await ask(name, "AAAA"))
    except Unanswered:
        return None
    # In zones that are not signed nobody is asked for TLSA: some servers never answer that (RFC 7672 section 2.1.2).
    if not addresses or not signed:
        return Exchange(text, dane=False, ttl=ttl) if addresses else None
    try:
        for each in dict.fromkeys((base, name)):
            signed, _, records, seconds = _read(await ask(dns.name.from_text("_25._tcp", each), "TLSA"))
            ttl = min(ttl, seconds)
            if signed and any(map(_usable, records)):
                return Exchange(text, dane=True, ttl=ttl)
    except (Unanswered, dns.exception.DNSException):
        return Exchange(text, dane=True, ttl=_SHORTEST)
    return Exchange(text, dane=False, ttl=ttl)


def _usable(tlsa: Any) -> bool:
    # RFC 7672 section 3.1: PKIX-TA and PKIX-EE are of no use to SMTP.
    length = {0: max(1, len(tlsa.cert)), 1: 32, 2: 64}.get(tlsa.mtype)
    return tlsa.usage in (2, 3) and tlsa.selector in (0, 1) and len(tlsa.cert) == length


def _read(response: dns.message.QueryMessage) -> tuple[bool, dns.name.Name, list[Any], int]:
    """Return whether an answer is secure, the name at the end of its aliases, its records, and its TTL in seconds."""
    try:
        chain = response.resolve_chaining()
    except dns.exception.DNSException as problem:
        raise Unanswered(str(problem)) from problem
    secure = bool(response.flags & dns.flags.AD)
    return secure, chain.canonical_name, list(chain.answer or ()), int(chain.minimum_ttl)


_gate = asyncio.Semaphore(_QUESTIONS)


async def ask_resolver(name: dns.name.Name, kind: str) -> dns.message.QueryMessage:
    """Ask the host's own resolver; Unanswered."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    query.flags |= dns.flags.AD
    try:
        async with _gate:
            response, _ = await dns.asyncquery.udp_with_fallback(query, RESOLVER, timeout=_QUESTION)
    except (dns.exception.DNSException, OSError) as problem:
        raise Unanswered(f"{kind} of {name}: {problem or type(problem).__name__}") from problem
    answered = response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    if not answered or not isinstance(response, dns.message.QueryMessage):
        raise Unanswered(f"{kind} of {name}: {dns.rcode.to_text(response.rcode())}")
    return response


async def ask_sts(domain: str) -> Sts:
    """Ask postfix-mta-sts-resolver what a destination enforces."""
    with suppress(*_BROKEN):
        async with asyncio.timeout(_POLICY):
            reader, writer = await asyncio.open_unix_connection(STS, limit=_LONGEST)
            with closing(writer):
                writer.write(netstring(f"sts {domain}"))
                return parse_sts((await read_netstring(reader)).decode("ascii", "replace"))
    return Sts(known=False)


class Destinations:
    """What is known of destinations, for as long as it holds. One is looked at once, however many ask meanwhile."""

    def __init__(self, ask: Ask, sts: Callable[[str], Awaitable[Sts]], say: Callable[[str], None]) -> None:
        self._ask, self._sts, self._say = ask, sts, say
        self._known: OrderedDict[str, tuple[Answer, Sts, float]] = OrderedDict()
        self._looks: dict[str, asyncio.Task[Answer]] = {}

    async def answer(self, domain: str) -> Answer:
        """Return what Postfix is to be told of a destination."""
        known = self._known.get(domain)
        if known is not None and time.monotonic() < known[2]:
            return known[0]
        look = self._looks.get(domain)
        if look is None:
            look = self._looks[domain] = asyncio.ensure_future(self._look(domain))
            look.add_done_callback(lambda _: self._looks.pop(domain))
        return await asyncio.shield(look)

    async def _look(self, domain: str) -> Answer:
        try:
            found = await asyncio.wait_for(route(domain, self._ask), _ROUTE)
        except (Unanswered, TimeoutError) as problem:
            self._say(wait := f"TEMP MX of {domain} cannot be looked up: {problem or 'no answer'}")
            return Answer(wait)
        before, old, _ = self._known.get(domain, (None, Sts(), 0.0))
        sts = old if found.dane else await self._policy(domain, old)
        answer = decide(domain, found, sts)
        if answer != (before or Answer("NOTFOUND ")):
            self._say(f"{domain}: {answer.text}{answer.why and f' ({answer.why})'}")
        longest = 0 if answer.text.startswith("TEMP") else _LONGEST_TTL if found.dane else _POLICY_TTL
        self._known.pop(domain, None)
        self._known[domain] = (answer, sts, time.monotonic() + min(found.ttl, longest))
        while len(self._known) > _DESTINATIONS:
            self._known.popitem(last=False)
        return answer

    async def _policy(self, domain: str, old: Sts) -> Sts:
        sts = await self._sts(domain)
        if sts.known:
            return sts
        # What was enforced when it last could be asked for is enforced still; who has no record has no policy.
        if old.patterns:
            return old
        try:
            name = dns.name.from_text(f"_mta-sts.{domain}")
            _, _, records, _ = _read(await self._ask(name, "TXT"))
        except (Unanswered, dns.exception.DNSException):
            return sts
        return sts if any(b"STSv1" in b"".join(getattr(r, "strings", ())) for r in records) else Sts()


# ---- Serving


def netstring(text: str) -> bytes:
    """Return a text as it travels."""
    data = text.encode("ascii", "replace")
    return b"%d:%b," % (len(data), data)


async def read_netstring(reader: asyncio.StreamReader) -> bytes:
    """Return what came; EOFError at the end, one of _BROKEN for what is none."""
    length = int((await reader.readuntil(b":"))[:-1])
    data = await reader.readexactly(length + 1) if 0 <= length <= _LONGEST else b""
    if data[-1:] != b",":
        raise ValueError("no netstring")
    return data[:-1]


async def reply(request: bytes, destinations: Destinations) -> str:
    """Return the answer to a request; parent domains, literals and hosts with a port have no policy of their own."""
    domain = request.partition(b" ")[2].decode("ascii", "replace").lower()
    if not _NAME.fullmatch(domain):
        return "NOTFOUND "
    try:
        return (await destinations.answer(domain)).text
    except Exception:
        # A mistake in here must not let mail pass that has to wait.
        traceback.print_exc()
        return "TEMP the TLS policy failed: see the journal of sendwright-tlspolicy"


async def serve() -> None:
    """Answer on the socket that systemd opened, until it ends us."""
    destinations = Destinations(ask_resolver, ask_sts, lambda line: print(line, flush=True))

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(*_BROKEN):
            while True:
                writer.write(netstring(await reply(await read_netstring(reader), destinations)))
                await writer.drain()

    # Not start_unix_server: from Python 3.13 on it removes the socket in the end, and that is systemd's.
    server = await asyncio.start_server(connection, sock=socket.socket(fileno=3), limit=_LONGEST)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
    await server.serve_forever()


if __name__ == "__main__":
    # It can be imported, and this file parses: that is the check.
    if sys.argv[1:] != ["--check"]:
        if not {"LISTEN_FDS", "NOTIFY_SOCKET"} <= os.environ.keys():
            sys.exit("It is started by systemd: systemctl start sendwright-tlspolicy")
        asyncio.run(serve())
