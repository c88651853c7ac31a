from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.edits import as_plan, claims_of, edits, line, releases_of
from sendwright.dns.plan import Changes, Create, Delete, Update, diff, wanted
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import canonical, txt
from sendwright.dns.records import Record
from sendwright.errors import DnsError, ForeignRecord, StateError, WorldMoved
from sendwright.plan import Action, Kind, Stage
from sendwright.state.model import Claim

ZONE = "example.com"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OURS = "v=spf1 ip4:203.0.113.10 ~all"


class Zone:
    """A zone in memory that keeps the promises of a Provider."""

    def __init__(self, held: Iterable[RecordSet] = ()) -> None:
        self.held: dict[Key, RecordSet] = {s.key: s for s in held}

    def read(self, keys: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return the wanted sets, and aliases at their names."""
        names = {name for name, _ in keys}
        found = (s for k, s in self.held.items() if k in keys or (k[1] == "CNAME" and k[0] in names))
        return tuple(found)

    def apply(self, changes: Collection[Edit]) -> None:
        """Apply all, or raise WorldMoved."""
        if any(self.held.get((e.name, e.type)) != e.before for e in changes):
            raise WorldMoved(ZONE, "lost race")
        for edit in changes:
            self.held.pop((edit.name, edit.type), None)
            if edit.after:
                self.held[edit.after.key] = edit.after


def _txt(name: str, text: str, stage: Stage = Stage.EXPAND) -> Record:
    return Record(name, "TXT", 3600, txt(text), "why", stage)


def _mx(target: str, *, replaces: bool = False) -> Record:
    return Record(ZONE, "MX", 3600, f"10 {target}.", "why", Stage.SWITCH, replaces)


def _claim(name: str, rdtype: str, value: str) -> Claim:
    return Claim(ZONE, name, rdtype, value, NOW, "main")


def _set(name: str, rdtype: str, *values: str, ttl: int = 3600) -> RecordSet:
    return RecordSet(name, rdtype, ttl, values)


def test_what_is_missing_is_created_at_its_stage() -> None:
    """Each record knows when it may come."""
    changes = diff(ZONE, [_mx("mx1.example.com")], [], [])

    assert changes.writes == (Create(ZONE, "MX", 3600, "10 mx1.example.com.", "why", Stage.SWITCH),)


def test_a_value_of_somebody_else_in_the_same_set_stays_byte_for_byte_and_keeps_its_ttl() -> None:
    """All records of a set share a TTL (RFC 2181 section 5.2), and theirs is not ours to change."""
    theirs = _set(ZONE, "TXT", '"site-" "verification=1"', ttl=60)

    (edit,) = edits(diff(ZONE, [_txt(ZONE, OURS)], [theirs], []), [theirs])

    assert edit == Edit(ZONE, "TXT", theirs, _set(ZONE, "TXT", '"site-" "verification=1"', txt(OURS), ttl=60))


def test_a_desired_value_that_is_there_already_is_adopted_not_written() -> None:
    """However it is quoted and split."""
    changes = diff(ZONE, [_txt(ZONE, OURS)], [_set(ZONE, "TXT", '"v=spf1 " "ip4:203.0.113.10 ~all"')], [])

    assert changes.empty
    assert [c.value for c in claims_of(changes, NOW, "main")] == [txt(OURS)]


def test_our_own_spf_record_is_updated_in_one_step() -> None:
    """With both or neither for a while, every receiver would find an error or nothing."""
    served = [_set(ZONE, "TXT", '"v=spf1 -all"')]
    changes = diff(ZONE, [_txt(ZONE, OURS)], served, [_claim(ZONE, "TXT", '"v=spf1 -all"')])

    assert [type(w) for w in changes.writes] == [Update]
    assert edits(changes, served)[0].after == _set(ZONE, "TXT", txt(OURS))


def test_what_is_ours_and_no_longer_desired_is_withdrawn_last() -> None:
    """Contract comes after the switch."""
    served = [_set("mx1.example.com", "A", "203.0.113.1")]
    desired = [Record("mx1.example.com", "A", 3600, "203.0.113.2", "why")]

    changes = diff(ZONE, desired, served, [_claim("mx1.example.com", "A", "203.0.113.1")])

    assert [(type(w), w.stage) for w in changes.writes] == [(Create, Stage.EXPAND), (Delete, Stage.CONTRACT)]


def test_a_claim_on_something_that_is_not_seen_gives_no_right() -> None:
    """Ours = in the ledger and seen; a stale claim is released, lest it cover what somebody writes later."""
    claim = _claim(ZONE, "TXT", '"old"')

    changes = diff(ZONE, [], [], [claim])

    assert changes.writes == ()
    assert releases_of(changes, [claim]) == (claim,)


def test_claims_on_other_zones_are_ignored() -> None:
    """The same name may lie in a parent zone and in its child."""
    claim = replace(_claim(ZONE, "TXT", '"old"'), zone="com")

    assert diff(ZONE, [], [_set(ZONE, "TXT", '"old"')], [claim]) == Changes(ZONE)


@pytest.mark.parametrize(
    ("desired", "served", "hint"),
    [
        (_txt(ZONE, OURS), _set(ZONE, "TXT", '"v=spf1 a -all"'), "Only one SPF record"),
        (_txt(ZONE, OURS), _set(ZONE, "TXT", '"V=SPF1 a -all"', txt(OURS)), "Only one SPF record"),
        (_txt(f"_dmarc.{ZONE}", "v=DMARC1; p=none"), _set(f"_dmarc.{ZONE}", "TXT", '"v=DMARC1;p=reject"'), "DMARC"),
        (_txt(f"r1._domainkey.{ZONE}", "p=YQ=="), _set(f"r1._domainkey.{ZONE}", "TXT", '"k=rsa; p=Yg=="'), "one key"),
        (_mx("mx1.example.com"), _set(ZONE, "MX", "10 mx.example.net."), "replace_mx"),
        (_mx("mx1.example.com"), _set(ZONE, "MX", "0 ."), "replace_mx"),
        (Record("mx1.example.com", "A", 1, "203.0.113.1", ""), _set("mx1.example.com", "A", "203.0.113.9"), "egress"),
        (
            Record("mx1.example.com", "A", 1, "203.0.113.1", ""),
            _set("mx1.example.com", "AAAA", "2001:db8::9"),
            "egress",
        ),
        (_txt(f"_dmarc.{ZONE}", "v=DMARC1; p=none"), _set(f"_dmarc.{ZONE}", "CNAME", "d.example.net."), "CNAME"),
    ],
)
def test_somebody_elses_record_in_the_way_is_reported_and_stays(desired: Record, served: RecordSet, hint: str) -> None:
    """A conflict names the record and says what to do; nothing is written to that record set."""
    changes = diff(ZONE, [desired], [served], [])

    assert [w for w in changes.writes if (w.name, w.type) == served.key] == []
    assert served.name in changes.conflicts[0].what
    assert hint in changes.conflicts[0].hint
    with pytest.raises(ForeignRecord, match=served.name):
        changes.raise_conflicts()


def test_a_foreign_mx_is_replaced_only_with_consent_and_at_the_switch() -> None:
    """``replace_mx`` is that consent; old and new change in one edit, so mail always has a way."""
    served = [_set(ZONE, "MX", "10 mx.example.net.", ttl=60)]

    changes = diff(ZONE, [_mx("mx1.example.com", replaces=True)], served, [])

    assert {w.stage for w in changes.writes} == {Stage.SWITCH}
    assert edits(changes, served)[0].after == _set(ZONE, "MX", "10 mx1.example.com.")


def test_a_ttl_is_a_change_where_the_set_is_ours_alone() -> None:
    """And the line says from what to what."""
    served = [_set(ZONE, "MX", "10 MX1.example.com.", ttl=60)]

    changes = diff(ZONE, [_mx("mx1.example.com")], served, [_claim(ZONE, "MX", "10 mx1.example.com.")])

    assert [line(w) for w in changes.writes] == ["MX example.com 10 mx1.example.com. TTL 60 -> 3600"]
    assert edits(changes, served)[0].after == _set(ZONE, "MX", "10 MX1.example.com.")


def test_a_stage_is_applied_by_itself() -> None:
    """The rest is planned again from what is then there."""
    changes = diff(ZONE, [_txt(ZONE, OURS), _mx("mx1.example.com")], [], [])

    assert [w.type for w in changes.at(Stage.EXPAND).writes] == ["TXT"]


def test_a_change_reads_as_one_line_with_its_reason_and_a_diff() -> None:
    """People decide by it."""
    name = f"r202611._domainkey.{ZONE}"
    (change,) = as_plan(diff(ZONE, [_txt(name, "v=DKIM1; k=rsa; p=" + "A" * 400)], [], []))

    assert (change.kind, change.action, change.subject, change.why) == (Kind.DNS, Action.CREATE, ZONE, "why")
    assert change.summary.startswith(f'TXT {name} "v=DKIM1; k=rsa; p=AAA')
    assert len(change.summary) < 120
    assert change.diff == "+" + txt("v=DKIM1; k=rsa; p=" + "A" * 400)


def test_an_empty_dkim_key_is_never_written_outside_revocation() -> None:
    """A lost public key must not revoke what signs (RFC 6376 section 3.6.1)."""
    name = f"r1._domainkey.{ZONE}"
    revocation = diff(ZONE, [_txt(name, "v=DKIM1; p=", Stage.CONTRACT)], [], [])
    mistake = diff(ZONE, [_txt(name, "v=DKIM1; p= ; k=rsa")], [], [])

    assert len(edits(revocation, [])) == 1
    with pytest.raises(DnsError, match="refused to write an empty DKIM key"):
        edits(mistake, [])


def test_a_second_spf_record_is_never_written_whatever_the_changes_say() -> None:
    """The last guard does not trust the plan (RFC 7208 section 3.2)."""
    write = Create(ZONE, "TXT", 60, '"v=spf1 -all"', "", Stage.EXPAND)

    with pytest.raises(DnsError, match="refused to write a second SPF record"):
        edits(Changes(ZONE, (write,)), [_set(ZONE, "TXT", '"v=spf1 a"')])


def test_changes_that_no_longer_fit_what_is_there_are_refused() -> None:
    """The world has moved: plan again."""
    write = Delete(ZONE, "TXT", "", Stage.CONTRACT, '"gone"')

    with pytest.raises(WorldMoved, match="no longer at"):
        edits(Changes(ZONE, (write,)), [])


def test_a_damaged_ledger_is_an_error_for_people() -> None:
    """It lies in git and is edited by hand."""
    with pytest.raises(StateError, match="cannot be read"):
        diff(ZONE, [], [], [_claim(ZONE, "A", "not an address")])


# --- any zone, any stack -------------------------------------------------------------------------------------------

_NAMES = st.sampled_from([ZONE, "mx1.example.com", "_dmarc.example.com", "r1._domainkey.example.com"])
_TEXTS = ["v=spf1 -all", "v=spf1 a ~all", "v=DMARC1; p=none", "v=DMARC1; p=reject", "v=DKIM1; p=YQ==", "x", "y z"]
_VALUES = {
    "TXT": [txt(t) for t in _TEXTS],
    "A": ["203.0.113.1", "203.0.113.2"],
    "MX": ["10 mx1.example.com.", "0 .", "20 mx.example.net."],
}
_PAIRS = st.sampled_from([(t, v) for t, values in _VALUES.items() for v in values])


@st.composite
def _zones(draw: st.DrawFn) -> Zone:
    pairs = draw(st.lists(st.tuples(_NAMES, _PAIRS), max_size=12, unique=True))
    keys = {(name, rdtype) for name, (rdtype, _) in pairs}
    return Zone(
        RecordSet(n, t, draw(st.sampled_from([60, 3600])), tuple(v for m, (u, v) in pairs if (m, u) == (n, t)))
        for n, t in keys
    )


_SLOTS = {"v=spf1": 0, "v=DMARC": 0, "v=DKIM1": 0}


@st.composite
def _desires(draw: st.DrawFn) -> list[Record]:
    found = draw(st.lists(st.tuples(_NAMES, _PAIRS, st.sampled_from(Stage)), max_size=8, unique_by=lambda x: x[:2]))
    consent = draw(st.booleans())
    one_a_slot = {(n, t, v[1:7] if t == "TXT" else v): (n, t, v, s) for n, (t, v), s in found}
    keys = {k: x for k, x in one_a_slot.items() if "_domainkey" not in k[0] or k[1] != "TXT" or "DKIM" in x[2]}
    return [Record(n, t, 3600, v, "why", s, replaces=consent and t == "MX") for n, t, v, s in keys.values()]


_CLAIMS = st.lists(st.tuples(_NAMES, _PAIRS).map(lambda x: _claim(x[0], *x[1])), max_size=8, unique=True)


def _run(zone: Zone, desired: list[Record], ledger: set[Claim]) -> Changes:
    """Plan and apply stage by stage, with the ledger written before and after, as provision does."""
    for stage in Stage:
        served = zone.read(wanted(ZONE, desired, ledger))
        changes = diff(ZONE, desired, served, ledger).at(stage)
        known = {(c.name, c.type, c.value) for c in ledger}
        ledger |= {c for c in claims_of(changes, NOW, "main") if (c.name, c.type, c.value) not in known}
        zone.apply(edits(changes, served))
        ledger -= set(releases_of(changes, ledger))
    return diff(ZONE, desired, zone.read(wanted(ZONE, desired, ledger)), ledger)


@given(_zones(), _desires(), _CLAIMS)
def test_applying_a_plan_and_planning_again_is_empty(zone: Zone, desired: list[Record], claims: list[Claim]) -> None:
    """Whatever is there, only conflicts are left for people, and nothing is left to claim or release."""
    again = _run(zone, desired, set(claims))

    assert again == Changes(ZONE, conflicts=again.conflicts)


@given(_zones(), _desires(), _CLAIMS)
def test_nothing_unowned_ever_changes(zone: Zone, desired: list[Record], claims: list[Claim]) -> None:
    """What is not in the ledger and not desired stays byte for byte, TTL included, but a replaced MX."""
    ours = {(c.name, c.type, c.value) for c in claims} | {(r.name, r.type, r.value) for r in desired}
    consented = {(r.name, r.type) for r in desired if r.replaces}
    before = {
        (s.name, s.type, v, s.ttl)
        for s in zone.held.values()
        for v in s.values
        if (s.name, s.type, canonical(s.type, v)) not in ours and s.key not in consented
    }

    _run(zone, desired, set(claims))

    assert before <= {(s.name, s.type, v, s.ttl) for s in zone.held.values() for v in s.values}


@given(_zones(), _desires(), _CLAIMS, st.randoms())
def test_the_order_of_everything_makes_no_difference(
    zone: Zone, desired: list[Record], claims: list[Claim], random: Random
) -> None:
    """Plans can be compared and reviewed."""
    served = list(zone.held.values())
    first = diff(ZONE, desired, served, claims)

    for items in (served, desired, claims):
        random.shuffle(items)

    assert diff(ZONE, desired, served, claims) == first


@given(_zones(), _desires(), _CLAIMS)
def test_a_second_record_of_one_slot_is_never_made(zone: Zone, desired: list[Record], claims: list[Claim]) -> None:
    """Not at any stage: what had at most one SPF record before has at most one after."""

    def doubled() -> set[str]:
        return {s.name for s in zone.held.values() if sum("v=spf1" in v for v in s.values) > 1}

    before = doubled()

    _run(zone, desired, set(claims))

    assert doubled() <= before
