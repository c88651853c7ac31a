"""Whatever a plan does to whatever zone, undoing its applies one by one brings the zone and the ledger back."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns import undo
from sendwright.dns.diff import diff
from sendwright.dns.edits import claims_of, edits, lefts_of, releases_of
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.records import desired
from sendwright.dns.retention import retention
from sendwright.dns.undo_gates import World, refusals
from sendwright.plan import Stage
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.journal import Apply, Content, Edited, Outcome
from sendwright.state.model import Claim, DkimKey, KeyStage

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COM = "example.com"
KEY = DkimKey(COM, "r202611", DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW, KeyStage.PUBLISHED)
Zone = dict[Key, RecordSet]

_TTL = st.sampled_from([60, 3600])
_VALUES: Mapping[Key, list[str]] = {
    (COM, "TXT"): ['"x"', '"Google" "=1"', '"v=spf1 include:F.example mx -all"', '"v=spf1  A ?all"'],
    (COM, "MX"): ["5 Elsewhere.example.NET.", "10 mx9.example.net."],
    (f"_dmarc.{COM}", "TXT"): ['"v=DMARC1; p=quarantine"', '"x"'],
    (f"_smtp._tls.{COM}", "TXT"): ['"v=TLSRPTv1; rua=mailto:a@b.example"'],
    ("www.example.com", "A"): ["192.0.2.1"],
    ("mx1.example.com", "TXT"): ['"v=spf1 a ~all"', '"y"'],
    ("mx1.example.com", "A"): ["203.0.113.10"],
}


@st.composite
def _zones(draw: st.DrawFn) -> Zone:
    """Return a zone full of other people's records."""
    found: Zone = {}
    for (name, rdtype), values in _VALUES.items():
        chosen = draw(st.lists(st.sampled_from(values), unique=True))
        # Two SPF records are a conflict, and nothing is written at that name.
        if chosen and sum("v=spf1" in v for v in chosen) < 2:
            found[name, rdtype] = RecordSet(name, rdtype, draw(_TTL), tuple(chosen))
    return found


def _stack(last: int, **more: object) -> Stack:
    egress = [{"public": f"203.0.113.{last}"}]
    host = Host.model_validate({"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": egress})
    return Stack(hosts=(host,), domains=(Domain.model_validate({"name": COM, "dns": "main", **more}),))


_STACKS = st.builds(
    lambda last, policy, spf, consent: _stack(last, dmarc={"policy": policy}, spf={"all": spf}, replace_mx=consent),
    st.sampled_from([10, 11]),
    st.sampled_from(["none", "reject"]),
    st.sampled_from(["~all", "-all"]),
    st.booleans(),
)


class World53:
    """A zone and its ledger in memory, and the journal of what was applied to it."""

    def __init__(self, zone: Zone) -> None:
        self.zone = dict(zone)
        self.ledger: dict[tuple[str, str, str, bool], Claim] = {}
        self.journal: list[Apply] = []

    def provision(self, stack: Stack, now: datetime) -> None:
        """Carry out every stage as a run does."""
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH, Stage.CONTRACT):
            keep = retention(stack, self.claims)
            found = diff(COM, desired(stack, (KEY,)), self.zone.values(), self.claims, now=now, retention=keep)
            chosen = found.at(stage)
            if not chosen.writes:
                continue
            new = [c for c in claims_of(chosen, now, "main") if _key(c) not in self.ledger]
            self.enter(new)
            struck = releases_of(chosen, self.claims)
            sent = edits(chosen, self.zone.values())
            self.write(sent)
            self.strike(struck)
            self.enter(lefts_of(chosen, self.claims, now))
            self.journal.append(_apply(sent, struck))

    def undo(self, apply: Apply) -> None:
        """Reverse one apply, whatever the gates say."""
        found = undo.reverses(apply, self.zone.values(), self.claims)
        self.enter(c for r in found for c in r.enter)
        self.write(edits(undo.changes(COM, found), self.zone.values()))
        self.strike(tuple(c for r in found for c in r.strike))

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The ledger."""
        return tuple(self.ledger.values())

    def enter(self, claims: Iterable[Claim]) -> None:
        """Enter claims, or mark them."""
        self.ledger |= {_key(c): c for c in claims}

    def strike(self, claims: tuple[Claim, ...]) -> None:
        """Strike claims."""
        for each in claims:
            self.ledger.pop(_key(each), None)

    def write(self, sent: tuple[Edit, ...]) -> None:
        """Apply edits, as a provider does."""
        for edit in sent:
            assert self.zone.get((edit.name, edit.type)) == edit.before
            self.zone.pop((edit.name, edit.type), None)
            if edit.after:
                self.zone[edit.after.key] = edit.after


def _key(claim: Claim) -> tuple[str, str, str, bool]:
    return claim.name, claim.type, claim.value, claim.mechanism


def _apply(sent: tuple[Edit, ...], struck: tuple[Claim, ...]) -> Apply:
    def content(found: RecordSet | None) -> Content | None:
        return Content(found.ttl, found.values) if found else None

    done = tuple(Edited(e.name, e.type, content(e.before), content(e.after)) for e in sent)
    return Apply("x", COM, "main", NOW, Outcome.APPLIED, done, (), struck)


def _sorted(zone: Zone) -> dict[Key, tuple[int, list[str]]]:
    return {key: (found.ttl, sorted(found.values)) for key, found in zone.items()}


@settings(max_examples=50, deadline=None)
@given(_zones(), _STACKS)
def test_undoing_every_apply_of_a_first_provision_is_the_identity(zone: Zone, stack: Stack) -> None:
    """On the record sets, byte for byte, and on the ledger, which was empty."""
    world = World53(zone)
    world.provision(stack, NOW)

    for apply in reversed(world.journal):
        found = undo.reverses(apply, world.zone.values(), world.claims)
        # No key is proven, so no mail relies on anything yet.
        assert refusals(found, (), World(stack, (KEY,), lambda _: False)) == ()
        world.undo(apply)

    assert _sorted(world.zone) == _sorted(zone)
    assert [c for c in world.claims if c.type != "MX"] == []


@settings(max_examples=50, deadline=None)
@given(_zones(), _STACKS, _STACKS)
def test_undoing_a_change_brings_the_former_declaration_back(zone: Zone, first: Stack, second: Stack) -> None:
    """Values that were ours are ours again: planning the former declaration then needs nothing."""
    world = World53(zone)
    world.provision(first, NOW)
    before, known = _sorted(world.zone), len(world.journal)
    settled = diff(
        COM, desired(first, (KEY,)), world.zone.values(), world.claims, now=NOW, retention=lambda _: timedelta(days=9)
    )

    world.provision(second, NOW + timedelta(days=1))
    for apply in reversed(world.journal[known:]):
        world.undo(apply)

    assert _sorted(world.zone) == before
    again = diff(
        COM, desired(first, (KEY,)), world.zone.values(), world.claims, now=NOW, retention=lambda _: timedelta(days=9)
    )
    assert again.writes == settled.writes
    assert {h.claim.value for h in again.held} == {h.claim.value for h in settled.held}
