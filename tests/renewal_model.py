"""A small world for renewals: senders that enforce DANE, servers that lag, clocks that jump, a controller that dies.

Time is the world's. Nothing here is random: whoever drives it chooses. Senders are the worst that there can be: every
set of TLSA records that a server may have given out is held by somebody for as long as its TTL allows.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from sendwright import renewal
from sendwright.renewal import Held, Hold, Known, Order, Use, Wanted
from sendwright.service import Sealed
from sendwright.state.model import NextKey

START = datetime(2026, 11, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOST = "mx1.example.com"
SERVERS = 3
TTL = 5 * MINUTE
# How wrong a clock is when somebody notices: by the clocks of hosts (``preflight``).
NOTICED = 5 * MINUTE

Decide = Callable[[Held | None, NextKey | None, str, Wanted, Known, datetime], Order | Hold | None]
Keys = frozenset[str]


@dataclass(frozen=True)
class Rules:
    """What a controller goes by; tests take one away at a time."""

    decide: Decide = renewal.decide
    watched: Callable[[NextKey, Known, datetime | None], NextKey] = renewal.watched
    unwatched: Callable[[NextKey], NextKey] = renewal.unwatched
    looks_before_it_tells: bool = True
    reads_the_clock_last: bool = True
    doubts_its_clock: bool = True
    remembers_what_it_withdrew: bool = True


@dataclass(frozen=True)
class Asked:
    """What somebody wants of one run."""

    new_key: bool = False
    renew_now: bool = False


@dataclass
class Entry:
    """A value in the ledger: since when nothing needs it, and since when no server was seen to have it."""

    left: datetime | None = None
    gone: datetime | None = None


class World:
    """All of it; whatever happens, ``check`` finds nothing wrong."""

    def __init__(self, rules: Rules = Rules(), life: timedelta = 6 * DAY) -> None:
        self.rules = rules
        self.life = life
        self.now = START
        self.wrong = timedelta()
        self.numbers = count(1)
        self.kind = "ecdsa"
        self.dane = True
        self.names = frozenset({HOST})
        self.issuer = "https://acme.example/directory"
        self.refusing = self.unreachable = False
        # What the state folder holds.
        self.held: Held | None = None
        self.coming: NextKey | None = None
        self.ledger: dict[str, Entry] = {}
        # What there is.
        self.shown: str | None = None
        self.zone: Keys = frozenset()
        self.servers: list[Keys] = [frozenset()] * SERVERS
        self.slow: set[int] = set()
        self.cached: dict[Keys, datetime] = {}

    @property
    def time(self) -> datetime:
        """The time as the controller believes."""
        return self.now + self.wrong

    @property
    def wanted(self) -> Wanted:
        """What is declared."""
        return Wanted(HOST, self.names, self.kind, self.issuer)

    # What happens.

    def advance(self, span: timedelta) -> None:
        """Let time pass; servers give out what they have until then."""
        self.now += span
        self._given_out()
        self.cached = {keys: until for keys, until in self.cached.items() if until > self.now}
        self.check()

    def transfer(self, server: int) -> None:
        """Bring a server to what the zone holds."""
        self.slow.discard(server)
        self.servers[server] = self.zone
        self._given_out()

    def write(self, zone: Keys) -> None:
        """Change the zone; servers that are not slow have it at once."""
        self.zone = zone
        for server in range(SERVERS):
            if server not in self.slow:
                self.transfer(server)

    def show(self, spki: str) -> None:
        """Have the host show a key."""
        self.shown = spki
        self.check()

    def check(self) -> None:
        """Assert that no sender refuses: each knows no key at all, or the one that is shown."""
        for keys, until in self.cached.items():
            known = not keys or self.shown in keys or self.shown is None
            assert known, f"{self.now}: {self.shown} is shown, a sender knows {sorted(keys)} until {until}"

    def run(self, asked: Asked = Asked()) -> Iterator[str]:
        """Run a controller; it may be killed at each ``yield``, which says what comes next."""
        if self.unreachable or (self.rules.doubts_its_clock and abs(self.wrong) > NOTICED):
            return
        yield from self._persist()
        yield from self._converge()
        known = yield from self._look()
        wanted = replace(self.wanted, new_key=asked.new_key, renew_now=asked.renew_now)
        decided = self.rules.decide(
            self.held, self.coming, self.coming.kind if self.coming else "", wanted, known, self.time
        )
        order = decided.instead if isinstance(decided, Hold) else decided
        if order is not None and not self.refusing:
            yield from self._order(order)
            yield from self._persist()
            yield from self._converge()
        shows = not self.unreachable and self.held is not None and self.shown == self.held.spki
        if shows or not self.rules.looks_before_it_tells:
            yield from self._tell()
            yield from self._withdraw()

    def complete(self, asked: Asked = Asked()) -> None:
        """Run a controller to its end."""
        for _ in self.run(asked):
            self.check()
        self.check()

    # How a controller works.

    def _persist(self) -> Iterator[str]:
        if self.held is None:
            yield "a first key and a self-signed certificate"
            self.held = self._certificate(self._key(), "ecdsa", "self-signed")
        if self.coming is None or self.coming.kind != self.kind:
            yield "a next key"
            self.coming = self._next()

    def _converge(self) -> Iterator[str]:
        if not self.unreachable and self.held is not None and self.shown != self.held.spki:
            yield "the host shows the present key"
            self.show(self.held.spki)

    def _look(self) -> Generator[str, None, Known]:
        early = self.time
        yield "servers are asked"
        served = frozenset.intersection(*self.servers)
        told = bool(self.ledger) or any(self.servers)
        yield "what was seen is thought about"
        known = Known(told, served, "" if len({*self.servers}) == 1 else "ns3 does not have it")
        now = self.time if self.rules.reads_the_clock_last else early
        fresh = renewal.fresh_at(now, TTL, timedelta(), timedelta())
        if self.coming and (coming := self.rules.watched(self.coming, known, fresh)) != self.coming:
            yield "what was seen is remembered"
            self.coming = coming
        return known

    def _order(self, order: Order) -> Iterator[str]:
        assert self.held is not None
        if order.use is Use.CURRENT:
            yield "a certificate for the present key"
            self.held = self._certificate(self.held.spki, self.held.kind, "acme")
            return
        if order.use is Use.FRESH:
            yield "a fresh key, as the next one"
            self.coming = self._next()
        assert self.coming is not None
        yield "a certificate for the next key, which is the present one from now on"
        self.held, self.coming = self._certificate(self.coming.spki, self.coming.kind, "acme"), None

    def _tell(self) -> Iterator[str]:
        assert self.held is not None
        keys = {self.held.spki} | ({self.coming.spki} if self.coming else set())
        wanted = frozenset(keys if self.dane and self.held.mode == "acme" else ())
        if new := wanted - self.zone:
            if self.coming and self.coming.spki in new and (coming := self.rules.unwatched(self.coming)) != self.coming:
                yield "that some server lacks it is remembered"
                self.coming = coming
            yield "what is to be written stands in the ledger"
            self.ledger |= {spki: Entry() for spki in new}
            yield "TLSA records are written"
            self.write(self.zone | new)
        for spki, entry in self.ledger.items():
            entry.left = None if spki in wanted else entry.left or self.time

    def _withdraw(self) -> Iterator[str]:
        gone = frozenset(k for k, e in self.ledger.items() if e.left and self.time >= e.left + 2 * TTL)
        if gone & self.zone:
            yield "TLSA records are withdrawn"
            self.write(self.zone - gone)
        yield "it is seen what servers have"
        forgotten = []
        for spki in gone:
            entry = self.ledger[spki]
            entry.gone = None if any(spki in s for s in self.servers) else entry.gone or self.time
            wait = TTL if self.rules.remembers_what_it_withdrew else timedelta()
            if spki not in self.zone and (not wait or (entry.gone and self.time >= entry.gone + wait)):
                forgotten.append(spki)
        yield "what is gone is struck from the ledger"
        for spki in forgotten:
            del self.ledger[spki]

    # How it works.

    def _given_out(self) -> None:
        self.cached |= dict.fromkeys(self.servers, self.now + TTL)

    def _key(self) -> str:
        return f"{next(self.numbers):064x}"

    def _next(self) -> NextKey:
        spki = self._key()
        return NextKey(HOST, Sealed(f"tls/{HOST}.{spki}.key", spki), spki, self.time, None, self.kind)  # type: ignore[arg-type]

    def _certificate(self, spki: str, kind: str, mode: str) -> Held:
        issuer = self.issuer if mode == "acme" else None
        return Held(spki, kind, mode, self.names, self.time, self.time + self.life, issuer)
