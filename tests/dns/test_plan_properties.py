"""What holds of the plan for any zone, any declaration and any ledger."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.diff import diff, wanted
from sendwright.dns.edits import claims_of, edits, lefts_of, releases_of
from sendwright.dns.plan import Changes
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import canonical, joined, txt
from sendwright.dns.records import Record
from sendwright.dns.slots import slot
from sendwright.dns.spf import Directive, SpfSyntaxError, parse, parse_term
from sendwright.dns.spf_merge import spelling, terms_of
from sendwright.errors import WorldMoved
from sendwright.plan import Stage
from sendwright.state.model import Claim

ZONE, HOST = "example.com", "mx1.example.com"
DMARC, DKIM, TLSRPT = f"_dmarc.{ZONE}", f"r1._domainkey.{ZONE}", f"_smtp._tls.{ZONE}"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
STAGES = (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH, Stage.CONTRACT)
ADDRESSES = ("203.0.113.1", "203.0.113.2", "203.0.113.3")


def _keep(claim: Claim) -> timedelta:
    return timedelta(days=5) if claim.type in {"TXT", "A"} else timedelta()


@dataclass
class Zone:
    """A zone in memory that keeps the promises of a Provider; ``watch`` looks at it after each apply."""

    held: dict[Key, RecordSet]
    watch: Callable[[], None] = lambda: None

    def read(self, keys: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return the wanted sets, and aliases at their names."""
        names = {name for name, _ in keys}
        return tuple(s for k, s in self.held.items() if k in keys or (k[1] == "CNAME" and k[0] in names))

    def apply(self, changes: Collection[Edit]) -> None:
        """Apply all, or raise WorldMoved."""
        if any(self.held.get((e.name, e.type)) != e.before for e in changes):
            raise WorldMoved(ZONE, "lost race")
        for edit in changes:
            self.held.pop((edit.name, edit.type), None)
            if edit.after:
                self.held[edit.after.key] = edit.after
        self.watch()

    def values(self) -> set[tuple[str, str, str, int]]:
        """Return every value as read, with its TTL."""
        return {(s.name, s.type, v, s.ttl) for s in self.held.values() for v in s.values}

    def living(self, name: str) -> list[str]:
        """Return the texts of the SPF records of a name."""
        found = self.held.get((name, "TXT"))
        return [joined(v).decode() for v in found.values if slot(name, "TXT", v) == "SPF"] if found else []


@dataclass
class Owner:
    """Somebody who declares records and remembers what they wrote."""

    desired: list[Record]
    ledger: set[Claim] = field(default_factory=set)

    def plan(self, zone: Zone, now: datetime) -> Changes:
        """Look and plan."""
        served = zone.read(wanted(ZONE, self.desired, self.ledger))
        return diff(ZONE, self.desired, served, self.ledger, now=now, retention=_keep)

    def run(self, zone: Zone, now: datetime) -> None:
        """Apply stage by stage, with the ledger written before and after, as provision does."""
        for stage in STAGES:
            served = zone.read(wanted(ZONE, self.desired, self.ledger))
            changes = self.plan(zone, now).at(stage)
            known = {_value(c) for c in self.ledger}
            self.ledger |= {c for c in claims_of(changes, now, "main") if _value(c) not in known}
            if changes.writes:
                zone.apply(edits(changes, served))
            struck, marked = releases_of(changes, self.ledger), lefts_of(changes, self.ledger, now)
            self.ledger -= set(struck)
            new = {_value(c): c for c in marked}
            self.ledger = {new.get(_value(c), c) for c in self.ledger}

    def settle(self, zone: Zone, now: datetime) -> datetime:
        """Run until every clock has run out, and return when that is."""
        for _ in range(5):
            self.run(zone, now)
            now += timedelta(days=6)
            plan = self.plan(zone, now)
            if plan.empty and not plan.gone:
                break
        return now


def _value(claim: Claim) -> tuple[str, str, str, bool]:
    return claim.name, claim.type, claim.value, claim.mechanism


# --- any zone, any declaration, any ledger -------------------------------------------------------------------------

_SPFS = [
    "v=spf1 -all",
    "v=spf1 mx  a:h.example ~all",
    "v=spf1 -mx IP4:203.0.113.1 ?all",
    "v=spf1 ip4:203.0.113.0/30 include:x.example -ALL",
    "V=SPF1 redirect=x.example ",
    "v=spf1 ip4:203.0.113.2 ~ip4:203.0.113.0/24 ip4:203.0.113.3 -all exp=e.example",
    "v=spf1 nonsense:x -all",
]
_VALUES = {
    (ZONE, "TXT"): [*_SPFS, "x", "y z"],
    (HOST, "TXT"): [*_SPFS[:4], "x"],
    (DMARC, "TXT"): ["v=DMARC1;p=none", "v=DMARC1; p=reject", "v=DMARC1; p=none; adkim=s", "x"],
    (DKIM, "TXT"): ["v=DKIM1; p=YQ==", "v=DKIM1; p=Yg=="],
    (TLSRPT, "TXT"): ["v=TLSRPTv1; rua=mailto:a@x.example", "v=TLSRPTv1;rua=mailto:a@x.example"],
    (ZONE, "MX"): ["10 mx1.example.com.", "10 mx2.example.com.", "20 mx.example.net."],
    (HOST, "A"): [*ADDRESSES],
    (HOST, "AAAA"): ["2001:db8::1"],
}
_ALL = [(key, v if key[1] != "TXT" else txt(v)) for key, values in _VALUES.items() for v in values]
_TTLS = st.sampled_from([60, 3600])
_TERMS = [*(f"ip4:{a}" for a in ADDRESSES), "include:x.example"]
_VERDICTS = st.sampled_from(["-all", "~all", "?all"])


@st.composite
def _zones(draw: st.DrawFn) -> Zone:
    found: dict[Key, list[str]] = {}
    for key, value in draw(st.lists(st.sampled_from(_ALL), max_size=10, unique=True)):
        found.setdefault(key, []).append(value)
    return Zone({(n, t): RecordSet(n, t, draw(_TTLS), tuple(values)) for (n, t), values in found.items()})


@st.composite
def _spf(draw: st.DrawFn, name: str) -> Record:
    terms = draw(st.lists(st.sampled_from(_TERMS), unique=True, max_size=3))
    text = " ".join(["v=spf1", *terms, draw(_VERDICTS)])
    return Record(name, "TXT", draw(_TTLS), txt(text), "why", tightens=draw(st.sampled_from([None, Stage.SWITCH])))


@st.composite
def _desires(draw: st.DrawFn, *, consent: bool = True) -> list[Record]:
    found = [draw(_spf(name)) for name in (ZONE, HOST) if draw(st.booleans())]
    replaces = consent and draw(st.booleans())
    for name, rdtype in ((DMARC, "TXT"), (DKIM, "TXT"), (TLSRPT, "TXT"), (ZONE, "MX"), (HOST, "A")):
        most = 2 if rdtype == "MX" else 1
        for value in draw(st.lists(st.sampled_from(_VALUES[name, rdtype]), max_size=most, unique=True)):
            text, stage = txt(value) if rdtype == "TXT" else value, draw(st.sampled_from([Stage.EXPAND, Stage.SWITCH]))
            found.append(Record(name, rdtype, draw(_TTLS), text, "why", stage, replaces and rdtype == "MX"))
    return found


@st.composite
def _claims(draw: st.DrawFn) -> set[Claim]:
    left = st.sampled_from([None, NOW - timedelta(days=9), NOW])
    whole = draw(st.lists(st.sampled_from(_ALL), max_size=6, unique=True))
    terms = draw(st.lists(st.tuples(st.sampled_from([ZONE, HOST]), st.sampled_from(_TERMS) | _VERDICTS), unique=True))
    return {
        *(Claim(ZONE, *key, canonical(key[1], value), NOW, "main", left=draw(left)) for key, value in whole),
        *(Claim(ZONE, name, "TXT", t, NOW, "main", mechanism=True, left=draw(left)) for name, t in terms),
    }


_OWNERS = st.builds(Owner, _desires(), _claims())
_STRANGERS = st.builds(Owner, _desires(consent=False))


@settings(deadline=None, max_examples=60)
@given(_zones(), _OWNERS)
def test_applying_a_plan_and_planning_again_is_empty(zone: Zone, owner: Owner) -> None:
    """When every clock has run out only conflicts are left, for people, and nothing to claim, mark or release."""
    now = owner.settle(zone, NOW)

    again = owner.plan(zone, now)

    assert replace(again, conflicts=()).empty
    assert again.gone == ()
    assert all(h.claim.type == "MX" for h in again.held)


@settings(deadline=None, max_examples=60)
@given(_zones(), _OWNERS)
def test_nothing_unowned_ever_changes(zone: Zone, owner: Owner) -> None:
    """What is not in the ledger stays byte for byte, TTL included, but a replaced MX; so does each term of SPF."""
    ours = {(c.name, c.type, c.value) for c in owner.ledger if not c.mechanism}
    terms = {(c.name, c.value) for c in owner.ledger if c.mechanism}
    consented = {(r.name, r.type) for r in owner.desired if r.replaces}
    before = {
        (n, t, v, ttl)
        for n, t, v, ttl in zone.values()
        if slot(n, t, v) != "SPF" and (n, t, canonical(t, v)) not in ours and (n, t) not in consented
    }
    theirs = {name: [_foreign(text, name, terms) for text in zone.living(name)] for name in (ZONE, HOST)}

    now = owner.settle(zone, NOW)
    assert before <= zone.values()
    assert all(_kept(words, zone.living(name)) for name, found in theirs.items() for words in found)

    replace(owner, desired=[]).settle(zone, now)
    assert before <= zone.values()
    assert all(_kept(words, zone.living(name)) for name, found in theirs.items() for words in found)


def _foreign(text: str, name: str, ours: Collection[tuple[str, str]]) -> list[str]:
    """Return the words of a record that are not ours; all, of one that cannot be read."""
    try:
        return [t.text for t in parse(text).terms if (name, spelling(t)) not in ours]
    except SpfSyntaxError:
        return text.split()


def _kept(words: Iterable[str], living: Iterable[str]) -> bool:
    """Whether some record has all of the words, in their order."""

    def has(text: str) -> bool:
        there = iter(text.split())
        return all(word in there for word in words)

    return not words or any(has(text) for text in living)


@settings(deadline=None, max_examples=60)
@given(_zones(), _STRANGERS)
def test_all_that_came_goes_again_and_leaves_the_zone_as_it_was(zone: Zone, owner: Owner) -> None:
    """Byte for byte; but the last MX of a domain stays, lest its mail has nowhere to go."""
    before = zone.values()

    now = owner.settle(zone, NOW)
    Owner([], owner.ledger).settle(zone, now)

    came = zone.values() ^ before
    assert all((name, rdtype) == (ZONE, "MX") for name, rdtype, _, _ in came)
    assert before <= zone.values()


@settings(deadline=None, max_examples=60)
@given(_zones(), _STRANGERS, _STRANGERS)
def test_two_plans_never_fight(zone: Zone, one: Owner, other: Owner) -> None:
    """After a while neither has anything to do, and nobody ever took what the other had written."""
    now = NOW
    for _ in range(3):
        for owner, peer in ((one, other), (other, one)):
            standing = _owned(zone, peer.ledger)
            now = owner.settle(zone, now)
            assert standing <= _owned(zone, peer.ledger)

    for owner in (one, other):
        assert replace(owner.plan(zone, now), conflicts=()).empty

    standing = _owned(zone, other.ledger)
    Owner([], one.ledger).settle(zone, now)
    assert standing <= _owned(zone, other.ledger)


def _owned(zone: Zone, ledger: Iterable[Claim]) -> set[Claim]:
    """Return the claims on what is there and declared."""
    there = {(n, t, canonical(t, v), False) for n, t, v, _ in zone.values()}
    for name in (ZONE, HOST):
        for text in zone.living(name):
            if "nonsense" not in text:
                there |= {(name, "TXT", term, True) for term in terms_of(text) if "all" not in term}
    return {c for c in ledger if _value(c) in there}


@settings(deadline=None, max_examples=60)
@given(_zones(), _OWNERS, st.randoms())
def test_the_order_of_everything_makes_no_difference(zone: Zone, owner: Owner, random: Random) -> None:
    """Plans can be compared and reviewed."""
    served, desired, claims = list(zone.held.values()), owner.desired, list(owner.ledger)
    first = diff(ZONE, desired, served, claims, now=NOW, retention=_keep)

    for items in (served, desired, claims):
        random.shuffle(items)

    assert diff(ZONE, desired, served, claims, now=NOW, retention=_keep) == first


@settings(deadline=None, max_examples=60)
@given(_zones(), _OWNERS)
def test_a_second_record_of_one_slot_is_never_made(zone: Zone, owner: Owner) -> None:
    """Not at any stage: what had at most one SPF, DMARC, TLS-RPT or DKIM record before has at most one after."""

    def counts() -> Counter[tuple[str, str]]:
        found = ((s.name, slot(s.name, s.type, v)) for s in zone.held.values() for v in s.values)
        return Counter((name, title) for name, title in found if title)

    before = counts()

    def watch() -> None:
        assert all(count <= max(1, before[key]) for key, count in counts().items())

    zone.watch = watch
    owner.settle(zone, NOW)


@settings(deadline=None, max_examples=60)
@given(_zones(), _OWNERS)
def test_no_address_that_is_declared_or_held_is_ever_without_pass(zone: Zone, owner: Owner) -> None:
    """From the first stage on, whatever others' terms may answer; unless a person has to mend the record first."""
    for name in (ZONE, HOST):
        declared = {t for r in owner.desired if (r.name, r.type) == (name, "TXT") for t in terms_of(_plain(r))}
        before = {a for a in ADDRESSES if _passes(zone.living(name), a)}
        mine = {c.value for c in owner.ledger if c.mechanism and c.name == name}
        judged = Owner(list(owner.desired), set(owner.ledger))
        copy = Zone(dict(zone.held))
        held = {h.claim.value for h in judged.plan(copy, NOW).held}
        must = {a for a in ADDRESSES if f"ip4:{a}" in declared} | {
            a for a in before if f"ip4:{a}" in mine and f"ip4:{a}" in held
        }
        if any(c.name == name for c in judged.plan(copy, NOW).conflicts):
            continue

        def watch(copy: Zone = copy, name: str = name, must: Collection[str] = must) -> None:
            assert all(_passes(copy.living(name), address) for address in must)

        copy.watch = watch
        judged.run(copy, NOW)
        watch()


def _plain(record: Record) -> str:
    return joined(record.value).decode()


def _passes(living: Iterable[str], address: str) -> bool:
    """Whether the only record is sure to let an address pass, at whatever others' terms answer."""
    texts = list(living)
    if len(texts) != 1 or "nonsense" in texts[0]:
        return False
    wanted = parse_term(f"ip4:{address}")
    assert isinstance(wanted, Directive)
    assert wanted.network
    for term in parse(texts[0]).directives:
        if term.mechanism == "all" or (term.network and wanted.network.subnet_of(term.network)):  # type: ignore[arg-type]
            return term.qualifier == "+"
        if not term.network and term.qualifier != "+":
            return False
    return False
