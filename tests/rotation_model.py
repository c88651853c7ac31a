"""A small world for rotation: servers that lag, hosts that vanish, clocks that jump, a controller that dies.

Time is the world's; what a controller or a host believes it to be is another matter. Nothing here is random: whoever
drives it chooses. Caches are the worst that there can be: what a server may have said to anybody is remembered by
somebody for as long as a TTL allows. So are queues: a message lies in ours for as long as the host keeps any, then in
somebody else's for as long as others do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import cache

from sendwright import planning, signing
from sendwright.dkim import selector
from sendwright.gates import untimely
from sendwright.lines import (
    Act,
    Held,
    HostSeen,
    Line,
    Record,
    Seen,
    Step,
    confirmed,
    lines,
    promoted,
    removed,
    restarted,
    revoked,
)
from sendwright.rotation import next_steps, resting
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMES = ("mx1.example.com", "mx2.example.com", "mx3.example.com")
DOMAIN = "example.com"
SERVERS = 3
# How long resolvers remember: that there is none, and a record.
NEGATIVE, POSITIVE = timedelta(minutes=30), HOUR
# How long the queues of others keep mail.
OTHERS = 3 * DAY
ENDED = frozenset({KeyStage.REVOKED, KeyStage.REMOVED})

Rules = Callable[[Line, Seen, datetime], tuple[Step, ...]]


class Value(Enum):
    """What stands at a key's name: the key, an empty ``p=``, or that with the private part besides."""

    KEY = auto()
    EMPTY = auto()
    DISCLOSED = auto()


@dataclass(frozen=True)
class Declared:
    """What the inventory says of it."""

    algorithms: tuple[str, ...] = ("rsa", "ed25519")
    rotate: bool = False
    others: int = 3
    pushed: bool = False
    hosts: tuple[str, ...] = NAMES


@cache
def stack_of(declared: Declared) -> Stack:
    """Return the stack of an inventory with three hosts and one domain."""
    dkim = {"algorithms": declared.algorithms, "rotate": declared.rotate, "rotate_days": 30, "revoked_days": 5}
    return Stack(
        hosts=tuple(
            Host.model_validate({"name": n, "ssh": {"hostname": n}, "egress": [{"public": f"203.0.113.{10 + i}"}]})
            for i, n in enumerate(NAMES)
        ),
        domains=(
            Domain.model_validate(
                {
                    "name": DOMAIN,
                    "dns": "main",
                    "dkim": dkim | {"publish_revoked_keys": True},
                    "hosts": tuple(n for n in NAMES if n in declared.hosts),
                }
            ),
        ),
        key_store={"push": ("true",) if declared.pushed else None},
        smtp={"others_queue_days": declared.others},
    )


@dataclass
class Mx:
    """A host: ``holds`` and ``table`` lie on it, by ``loaded`` its signer signs; ``sent``: when it last did so by key.

    ``known``: whether what its signer loaded can be told; ``before``: what it held and signed by before that changed;
    ``wrong``: by how much its clock is; ``held``: the time of arrival of messages on hold, by key; ``busy``: whether
    its queue is never empty; ``takes``: whether its Postfix takes mail of the domain.
    """

    name: str
    skew: timedelta
    holds: frozenset[str] = frozenset()
    table: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    before: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    known: bool = True
    reachable: bool = True
    busy: bool = False
    takes: bool = True
    wrong: timedelta = timedelta()
    lifetime: timedelta = 5 * DAY
    sent: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    held: list[tuple[str, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """What the controller saw, when it believes that it was, and what comes next."""

    seen: Seen
    now: datetime
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]


class World:
    """All of it; whatever happens, ``check`` finds nothing wrong."""

    def __init__(self, rules: Rules = next_steps) -> None:
        self.rules = rules
        self.now = START
        self.wrong = timedelta()
        self.declared = Declared()
        self.start: frozenset[str] = frozenset()
        self.keys: dict[str, DkimKey] = {}
        self.ledger: set[str] = set()
        self.zone: dict[str, Value] = {}
        self.servers: list[dict[str, Value]] = [{} for _ in range(SERVERS)]
        self.slow: set[int] = set()
        self.dark = False
        self.hosts = {n: Mx(n, timedelta(minutes=m)) for n, m in zip(NAMES, (0, 4, -4), strict=True)}
        self.bad_until: dict[str, datetime] = {}
        self.key_until: dict[str, datetime] = {}
        self.elsewhere: dict[str, datetime] = {}
        self.hurried: set[str] = set()
        self.ended: set[str] = set()
        self.switched: set[str] = set()
        self.parted: set[str] = set()
        for algorithm in DkimAlgorithm:
            self._add(algorithm, KeyStage.SIGNING)
        self.advance(HOUR)

    @property
    def stack(self) -> Stack:
        """What is declared."""
        return stack_of(self.declared)

    @property
    def time(self) -> datetime:
        """The time as the controller believes."""
        return self.now + self.wrong

    # The controller.

    def look(self) -> Look:
        """Look at the world, remember what has to be remembered of a look, and say what comes next."""
        now = self.time
        hosts = {h.name: self._host_seen(h) for h in self.hosts.values() if h.reachable}
        for key in tuple(self.keys.values()):
            lost = {n for n in key.proven_on if n in hosts and key.record_name not in hosts[n].holds}
            kept = tuple(n for n in key.proven_on if n not in lost)
            self._save(replace(key, proven_on=kept, former=(*key.former, *sorted(lost.difference(key.former)))))
        trusted = not any(untimely(line, None, Seen(hosts), now) for line in self._lines())
        records = {} if self.dark else {name: r for name in self.keys if (r := self._record(name, now, trusted))}
        seen, found = Seen(hosts, records), self._lines()
        return Look(seen, now, found, tuple(step for line in found for step in self.rules(line, seen, now)))

    def carry_out(self, look: Look, step: Step, fault: str = "") -> None:
        """Carry out a step; ``fault``: it ``dies`` before, is ``lost`` without a word, or done but reported ``failed``.

        A convergence can also end half way: on the ``first`` host only, or ``unloaded``.
        """
        if fault == "dies" or step.waits:
            return
        key = None if step.key is None else self.keys[step.key.record_name]
        if step.act is Act.GENERATE:
            self._add(step.line.algorithm)
            self.start = frozenset()
        elif key is None:
            raise AssertionError(step)
        elif step.act is Act.CONVERGE:
            for name in step.hosts[:1] if fault == "first" else step.hosts:
                self.converge(self.hosts[name], fault)
        elif step.act is Act.PUBLISH:
            self._publish(key, fault)
        elif step.act is Act.PROVE:
            self._prove(key, step.hosts[:1] if fault == "first" else step.hosts, fault)
        else:
            self._move(look, step, key)

    def sends(self, name: str) -> bool:
        """Whether a host is declared to send for the domain."""
        return name in self.declared.hosts

    def converge(self, host: Mx, fault: str = "") -> None:
        """Bring a host to what the stories say; none that takes mail yet that it is not to sign any more."""
        if not host.reachable or fault == "lost" or (host.takes and not self.sends(host.name)):
            return
        domain = self.stack.domains[0]
        keys = self.keys.values() if self.sends(host.name) else ()
        before = host.holds, host.loaded
        host.holds = frozenset(k.record_name for k in signing.installed(domain, keys))
        host.table = frozenset(k.record_name for k in signing.signing(domain, self.stack.host(host.name), keys))
        host.known = fault != "unloaded"
        if host.known and host.table != host.loaded:
            host.before = before
        if host.known:
            signed, host.loaded = self._algorithms(host.loaded), host.table
            bare = (signed & set(domain.dkim.algorithms)) - self._algorithms(host.loaded)
            assert bare <= self.switched or host.name in self.parted, f"{host.name} signs no longer by {bare}"

    def provision(self) -> None:
        """Do what ``provision`` does for keys: missing ones, records, hosts, and proofs of what is fresh."""
        for domain, algorithm in planning.missing_keys(self.stack, self.keys.values()):
            assert domain.name == DOMAIN
            self._add(algorithm)
        look = self.look()
        for name in look.seen.hosts:
            self.hosts[name].takes = self.sends(name)
            self.converge(self.hosts[name])
        copied = {name for host in self.hosts.values() for name in host.holds}
        for name, key in tuple(self.keys.items()):
            if key.stage is not KeyStage.GENERATED or name in copied or self.declared.pushed:
                self._publish(key, "")
        look = self.look()
        trusted = not untimely(look.lines[0], None, look.seen, look.now)
        fresh = {n for n, r in look.seen.records.items() if r.served and r.fresh_at and r.fresh_at <= look.now}
        for name in look.seen.hosts:
            for key in planning.unproven(self.stack, self.stack.host(name), self.keys.values()):
                if key.record_name in fresh and trusted:
                    self._prove(key, (name,), "")
            self.converge(self.hosts[name])

    def passes(self, times: int, span: timedelta) -> None:
        """Carry out whatever is to be done, as often, with as much time after each."""
        for _ in range(times):
            for _ in range(10):
                if all(step.waits for step in self.carry_out_all().steps):
                    break
            self.advance(span)

    def carry_out_all(self) -> Look:
        """Look, and carry out all that is to be done by that look."""
        look = self.look()
        for step in look.steps:
            self.carry_out(look, step)
            self.tick()
        return look

    def rest(self, passes: int = 120) -> None:
        """Let everything be reachable and time pass: one key of each line signs in the end, and no other is left."""
        self.heal()
        for _ in range(passes):
            for _ in range(30):
                look = self.carry_out_all()
                if all(step.waits for step in look.steps):
                    break
            else:
                raise AssertionError(f"it goes in circles: {_said(look.steps)}")
            if all(resting(line, look.now) for line in look.lines):
                break
            ends = [step.until for step in look.steps if step.until]
            self.provision()
            self.advance(max(min(ends) - self.now, timedelta()) + timedelta(minutes=1) if ends else HOUR)
        else:
            raise AssertionError(f"it never comes to rest: {_said(look.steps)}")
        for _ in range(3):  # what a host that was set up from nothing has to prove has to be fresh
            self.provision()
            self.advance(HOUR)
        for line in self._lines():
            at_work = [k.record_name for k in line.keys if k.stage is not KeyStage.REMOVED]
            assert len(at_work) == line.declared, at_work
            assert all(set(at_work) <= host.loaded for host in self.hosts.values() if self.sends(host.name))

    def heal(self) -> None:
        """Make everything reachable and as it is declared; nobody wants anything new, and the future is past."""
        self.wrong, self.slow, self.dark, self.start = timedelta(), set(), False, frozenset()
        self.advance(max(timedelta(), *(key.created - self.now for key in self.keys.values())))
        self.declared = replace(self.declared, rotate=False)
        for host in self.hosts.values():
            host.reachable, host.busy, host.wrong = True, False, timedelta()
            self.release(host)
        for server in range(SERVERS):
            self.transfer(server)
        self.provision()
        self.tick()

    # What else happens.

    def advance(self, span: timedelta) -> None:
        """Let time pass, and mail with it."""
        self.now += span
        for host in self.hosts.values():
            self._expire(host, self.now - span)
        self.tick()

    def tick(self) -> None:
        """Have each host sign a message now; then check."""
        for host in self.hosts.values():
            for name in host.loaded:
                host.sent[name] = self.now, self._clock(host)
        self.check()

    def transfer(self, server: int) -> None:
        """Have a name server follow its primary again."""
        self.slow.discard(server)
        self._serve(server)

    def hold(self, host: Mx) -> None:
        """Put a message on hold that a host signs now."""
        if not (host.wrong or host.held):
            host.held += [(name, self._clock(host)) for name in host.loaded]

    def release(self, host: Mx) -> None:
        """Let what is on hold go, to somebody else's queue."""
        for name, _ in host.held:
            self._leaves(name, self.now)
        host.held.clear()

    def reinstall(self, host: Mx) -> None:
        """Set a host up from nothing: its queue is gone too."""
        fresh = Mx(host.name, host.skew, lifetime=host.lifetime, reachable=host.reachable)
        self.hosts[host.name] = fresh

    def set_back(self, host: Mx) -> None:
        """Set a host back to what it was before its last change, as from a backup; the next run finds it so."""
        holds, loaded = host.before
        if host.reachable and loaded and all(self.keys[name].stage not in ENDED for name in loaded):
            host.holds, host.table, host.loaded, host.known = holds, loaded, loaded, True
            self.tick()
            self.carry_out_all()

    def keep(self, host: Mx, lifetime: timedelta) -> None:
        """Change how long a host keeps mail."""
        host.lifetime = lifetime
        self._expire(host, self.now)

    def declare(self, declared: Declared) -> None:
        """Change what is declared; mail by an algorithm or a host that was switched off and on waits for proofs."""
        self.switched |= {*self.declared.algorithms} ^ {*declared.algorithms}
        self.parted |= {*self.declared.hosts} ^ {*declared.hosts}
        self.declared = declared

    def leak(self, index: int) -> None:
        """Tell the controller that a key leaked."""
        live = [k for k in self.keys.values() if k.stage not in ENDED]
        if live:
            self._save(replace(live[index % len(live)], leaked=self.time))

    def adopt(self, algorithm: DkimAlgorithm) -> None:
        """Import a key that is to follow the one that signs."""
        self._add(algorithm)

    # What has to hold.

    def check(self) -> None:
        """Assert that every message that may still be judged can be verified by anybody, whatever is remembered."""
        for host in self.hosts.values():
            ended = [name for name in host.loaded if self.keys[name].stage in ENDED]
            assert not ended, f"{host.name} signs with {ended}, which is revoked"
        for name in self._needed():
            key = self.keys[name]
            if key.leaked and key.stage in ENDED:
                continue
            served = [server.get(name) for server in self.servers]
            assert all(s is Value.KEY for s in served), f"{self.now}: mail signed by {name}, and DNS says {served}"
            until = self.bad_until.get(name)
            known = name in self.hurried or until is None or until <= self.now
            assert known, f"{self.now}: mail signed by {name}, which caches may not know until {until}"

    def _needed(self) -> set[str]:
        found = {name for host in self.hosts.values() for name in (*host.sent, *(held for held, _ in host.held))}
        return found | {name for name, until in self.elsewhere.items() if self.now <= until}

    # How it works.

    def _lines(self) -> tuple[Line, ...]:
        return tuple(replace(line, start=line.domain in self.start) for line in lines(self.stack, self.keys.values()))

    def _algorithms(self, names: Iterable[str]) -> set[DkimAlgorithm]:
        return {self.keys[name].algorithm for name in names}

    def _clock(self, host: Mx) -> datetime:
        return self.now + host.skew + host.wrong

    def _host_seen(self, host: Mx) -> HostSeen:
        waiting = [at for _, at in host.held] + [at for _, at in host.sent.values() if host.busy]
        oldest = min(waiting, default=None)
        return HostSeen(host.holds, host.loaded if host.known else None, host.lifetime, oldest, self._clock(host))

    def _record(self, name: str, now: datetime, trusted: bool) -> Record | None:
        key = self.keys[name]
        if key.stage is KeyStage.REMOVED and name not in self.ledger:
            return None
        wanted = self._wanted(key)
        behind = tuple(f"ns{i} does not have it" for i, s in enumerate(self.servers) if s.get(name) != wanted)
        since = None if behind else key.served_since or (now if trusted else None)
        self._save(replace(key, served_since=since))
        value = self.zone.get(name)
        # An empty record without the private part that is to stand there too is not yet as the story says.
        half = value is Value.EMPTY and wanted is Value.DISCLOSED
        held = Held.KEY if value is Value.KEY or half else Held.EMPTY if value else Held.NOTHING
        return Record(held, behind, since + NEGATIVE if since else None)

    def _wanted(self, key: DkimKey) -> Value | None:
        if key.stage is KeyStage.REMOVED:
            return None
        if key.stage is KeyStage.REVOKED:
            return Value.DISCLOSED if key.disclosed else Value.EMPTY
        return Value.KEY

    def _publish(self, key: DkimKey, fault: str) -> None:
        name, wanted = key.record_name, self._wanted(key)
        self.ledger.add(name)
        if fault != "lost":
            self._apply(name, wanted)
        if fault == "failed":
            return
        for changed in planning.published([key], {name}):
            self._save(changed)
        if key.stage is KeyStage.REMOVED:
            self.ledger.discard(name)

    def _apply(self, name: str, wanted: Value | None) -> None:
        if wanted is Value.KEY:
            assert name not in self.ended, f"{name} was revoked, and is a key again"
        elif wanted is not None:
            self.ended.add(name)
        if wanted is Value.DISCLOSED:
            known = [self.key_until.get(name), *(self.now for s in self.servers if s.get(name) is Value.KEY)]
            assert all(until is None or until <= self.now - POSITIVE for until in known), f"{name} is valid somewhere"
            assert name not in self._needed() or self.keys[name].leaked, f"{name} verifies mail yet"
        self.zone.pop(name, None)
        if wanted is not None:
            self.zone[name] = wanted
        for server in range(SERVERS):
            if server not in self.slow:
                self._serve(server)

    def _serve(self, server: int) -> None:
        before, after = self.servers[server], dict(self.zone)
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is Value.KEY and new is not old:
                self.key_until[name] = self.now
            elif new is Value.KEY and new is not old:
                self.bad_until[name] = self.now + NEGATIVE
        self.servers[server] = after

    def _prove(self, key: DkimKey, hosts: Iterable[str], fault: str) -> None:
        name = key.record_name
        good = [h for h in hosts if self.hosts[h].reachable and name in self.hosts[h].holds]
        verified = any(server.get(name) is Value.KEY for server in self.servers)
        if fault in {"lost", "failed"} or not verified:
            return
        for changed in planning.proven(self.keys.values(), {name: frozenset(good)}, self.time):
            self._save(changed)

    def _move(self, look: Look, step: Step, key: DkimKey) -> None:
        moves: dict[Act, Callable[[], DkimKey]] = {
            Act.PROMOTE: lambda: promoted(key, look.now),
            Act.DEMOTE: lambda: confirmed(step.line, key, look.seen, look.now),
            Act.CONFIRM: lambda: confirmed(step.line, key, look.seen, look.now),
            Act.RESTART: lambda: restarted(key),
            Act.REVOKE: lambda: revoked(key),
            Act.DATE: lambda: replace(key, revoked=look.now),
            Act.DISCLOSE: lambda: replace(key, disclosed="AAAA"),
            Act.REMOVE: lambda: removed(key, look.now),
        }
        if step.act is Act.PROMOTE and any(k.leaked for k in step.line.signing):
            self.hurried.add(key.record_name)
        if step.act is Act.DEMOTE:
            self._succeeded(step.line, key)
        self._save(moves[step.act]())

    def _succeeded(self, line: Line, key: DkimKey) -> None:
        later = {k.record_name for k in line.signing if signing.age(k) > signing.age(key)}
        for host in self.hosts.values():
            assert key.record_name not in host.loaded, f"{host.name} signs with {key.selector}, which is demoted"
            left = not self.sends(host.name)
            assert left or not line.declared or later & host.loaded, f"{host.name} does not sign with a successor"

    def _save(self, key: DkimKey) -> None:
        self.keys[key.record_name] = key

    def _add(self, algorithm: DkimAlgorithm, stage: KeyStage = KeyStage.GENERATED) -> None:
        name = selector(algorithm, self.time, {k.selector for k in self.keys.values()})
        key = DkimKey(DOMAIN, name, algorithm, f"{len(self.keys):04}", "0" * 64, self.time, stage)
        assert key.record_name not in self.keys
        self._save(key)
        if stage is KeyStage.SIGNING:
            self._save(replace(key, proven_on=NAMES))
            self._apply(key.record_name, Value.KEY)
            self.bad_until.clear()
            for host in self.hosts.values():
                self.converge(host)

    def _expire(self, host: Mx, before: datetime) -> None:
        """Let go what a host kept for as long as it keeps anything; ``before``: when it last could not have gone."""
        for name, (at, _) in tuple(host.sent.items()):
            if at + host.lifetime <= self.now:
                self._leaves(name, max(at + host.lifetime, before))
                del host.sent[name]

    def _leaves(self, name: str, at: datetime) -> None:
        until = at + OTHERS
        self.elsewhere[name] = max(self.elsewhere.get(name, until), until)


def _said(steps: Iterable[Step]) -> list[str]:
    return [f"{step.act} {step.key.selector if step.key else step.line.algorithm}: {step.why}" for step in steps]
