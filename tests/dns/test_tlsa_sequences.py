"""Whatever is written in whatever order, killed anywhere: who knows a host by its TLSA records goes on reaching it."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sendwright.dns.diff import diff
from sendwright.dns.edits import claims_of, edits, lefts_of, releases_of
from sendwright.dns.plan import Changes, Delete, Write
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.records import desired
from sendwright.dns.retention import retention
from sendwright.dns.tls_records import names
from sendwright.dns_run import Ready
from sendwright.plan import Stage
from sendwright.pointing import shows, without_known_keys
from sendwright.stack import Domain, Host, Stack
from sendwright.state.ledger import entered, marked, released
from sendwright.state.model import Claim
from sendwright.tls_facts import told_hosts
from sendwright.tlsa import TlsFacts, value

COM, MX1 = "example.com", "mx1.example.com"
START = datetime(2026, 11, 22, tzinfo=UTC)
PORTS = st.sampled_from([(), (25,), (25, 465)])
# At which step a run is killed, if it is: with claims and no records, with records and no clocks, or not at all.
KILLS = st.sampled_from([None, None, None, "claimed", "applied"])


@cache
def _stack(ports: tuple[int, ...]) -> Stack:
    egress = [{"public": "203.0.113.10"}]
    host = Host.model_validate(
        {"name": MX1, "ssh": {"hostname": MX1}, "egress": egress, "tls": {"mode": "self-signed"}, "dane": ports}
    )
    return Stack(hosts=(host,), domains=(Domain.model_validate({"name": COM, "dns": "main", "mx": "elsewhere"}),))


class Sequences(RuleBasedStateMachine):
    """One host, its zone, the ledger and the time."""

    def __init__(self) -> None:
        super().__init__()
        self.zone: dict[Key, RecordSet] = {}
        self.ledger: tuple[Claim, ...] = ()
        self.now = START
        self.made = 1
        self.current, self.coming = 0, None  # type: int, int | None
        self.shown = 0
        self.ports: tuple[int, ...] = (25,)

    @initialize(known=st.booleans())
    def begin(self, *, known: bool) -> None:
        """Begin with a host that shows its key, and with senders that know it and the next one, or nothing."""
        if known:
            self.make_next()
            self.provision(None)

    @rule(ports=PORTS)
    def declare(self, ports: tuple[int, ...]) -> None:
        """Change the ports that keys are told of for."""
        self.ports = ports

    @rule()
    def make_next(self) -> None:
        """Make a key ahead, or another in the place of one that nobody needs any more."""
        self.coming, self.made = self.made, self.made + 1

    @precondition(lambda self: self.coming is not None)
    @rule()
    def promote(self) -> None:
        """Take the next key for the current one, where ``renewal.decide`` would: senders know it, or none."""
        told = [served for name in names(MX1) if (served := self.served(name))]
        assert self.coming is not None
        if not (told or told_hosts(self.ledger)) or all(_key(self.coming) in served for served in told if told):
            self.current, self.coming = self.coming, None

    @rule()
    def reload(self) -> None:
        """Have the host show its current key."""
        self.shown = self.current

    @rule(minutes=st.sampled_from([3, 11]), killed=KILLS)
    def provision_later(self, minutes: int, killed: str | None) -> None:
        """Let time pass, then go through the stages of a run that has seen what the host shows."""
        self.now += timedelta(minutes=minutes)
        self.provision(killed)

    @rule(killed=KILLS)
    def provision(self, killed: str | None) -> None:
        """Go through them at once."""
        seen = {MX1} if self.shown == self.current else frozenset[str]()
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH):
            if self.publish(stage, lambda w: shows(w, seen, ()), killed):
                return
        self.withdraw(seen, killed)

    @rule(killed=KILLS)
    def dns_apply(self, killed: str | None) -> None:
        """Go through the stages of one that looks at no host."""
        telling = {n for n in names(MX1) if self.served(n) & {c.value for c in self.ledger if not c.withdrawn}}
        ready = Ready(_stack(self.ports), (), telling)
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH):
            if self.publish(stage, ready, killed):
                return
        self.withdraw((), killed, ready, clocks=False)

    @invariant()
    def the_ledger_knows_all_that_stands(self) -> None:
        """No record of ours is forgotten, or a key might be changed that senders know the host by."""
        known = {(c.name, c.value) for c in self.ledger if not c.withdrawn}

        assert all((n, v) in known for n in names(MX1) for v in self.served(n))

    def withdraw(
        self,
        seen: Collection[str],
        killed: str | None,
        allowed: Callable[[Write], bool] = lambda _: True,
        *,
        clocks: bool = True,
    ) -> None:
        """Withdraw, as ``Publication.withdraw`` does."""
        told = frozenset(names(MX1, self.ports))

        def kept(changes: Changes) -> Changes:
            found = without_known_keys(changes, seen, told)
            return found if clocks else Changes(found.zone, found.writes)

        self.publish(Stage.CONTRACT, allowed, killed, kept)

    def publish(
        self,
        stage: Stage,
        allowed: Callable[[Write], bool],
        killed: str | None,
        kept: Callable[[Changes], Changes] = lambda changes: changes,
    ) -> bool:
        """Apply a stage, as ``Zones.publish`` does; return whether it was killed."""
        changes = kept(self.changes()).at(stage)
        chosen = Changes(
            COM, tuple(w for w in changes.writes if allowed(w)), leaving=changes.leaving, gone=changes.gone
        )
        self.ledger, _ = entered(self.ledger, claims_of(chosen, self.now, "main"))
        if killed == "claimed" and chosen.writes:
            return True
        before = {name: self.served(name) for name in names(MX1)}
        for edit in edits(chosen, self.zone.values()):
            self.zone.pop((edit.name, edit.type), None)
            if edit.after:
                self.zone[edit.after.key] = edit.after
        self.judge(before, chosen.writes)
        if killed == "applied" and chosen.writes:
            return True
        ledger = self.ledger
        self.ledger = marked(self.ledger, lefts_of(chosen, ledger, self.now))
        self.ledger = released(self.ledger, releases_of(chosen, ledger))
        return False

    def judge(self, before: dict[str, frozenset[str]], writes: Iterable[Write]) -> None:
        """Hold what was written against what senders need."""
        used = {_key(self.current)} | ({_key(self.coming)} if self.coming is not None else set())
        for name in names(MX1):
            after, shown = self.served(name), _key(self.shown)
            if shown in before[name]:
                assert not after or shown in after, "senders know the host by a key that it does not show"
            if after and not before[name]:
                assert shown in after, "the first record that stands is of a key that nobody shows"
        for write in writes:
            if isinstance(write, Delete) and write.name in names(MX1, self.ports):
                assert canonical("TLSA", write.seen) not in used, "a key in use, or to come, was withdrawn"

    def changes(self) -> Changes:
        """Return what the zone needs of TLSA."""
        stack = _stack(self.ports)
        keys = (self.current,) if self.coming is None else (self.current, self.coming)
        told = frozenset({MX1}) if self.ports else frozenset[str]()
        facts = TlsFacts({MX1: tuple(_digest(k) for k in keys)}, told)
        records = [r for r in desired(stack, (), facts) if r.type == "TLSA"]
        keep = retention(stack, self.ledger)
        return diff(COM, records, self.zone.values(), self.ledger, now=self.now, retention=keep)

    def served(self, name: str) -> frozenset[str]:
        """Return what stands at a name."""
        found = self.zone.get((name, "TLSA"))
        return frozenset(canonical("TLSA", text) for text in found.values) if found else frozenset()


def _digest(key: int) -> str:
    return f"{key:064x}"


def _key(key: int) -> str:
    return value(_digest(key))


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=150, stateful_step_count=25)
