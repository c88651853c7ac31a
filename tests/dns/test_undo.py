"""Undo: the reverse of an apply, and no more than that."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns import undo
from sendwright.dns.edits import edits
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.spf_merge import merged, terms_of
from sendwright.dns.undo import Reverse
from sendwright.state.journal import Apply, Content, Edited, Outcome
from sendwright.state.model import Claim

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COM = "example.com"
OURS = "v=spf1 ip4:203.0.113.10 ~all"


def records(rdtype: str, *values: str, ttl: int = 3600, name: str = COM) -> RecordSet:
    """Return a record set of the zone."""
    return RecordSet(name, rdtype, ttl, values)


def claim(rdtype: str, value: str, *, mechanism: bool = False, name: str = COM, left: datetime | None = None) -> Claim:
    """Return a line of the ledger."""
    return Claim(COM, name, rdtype, value, NOW, "main", mechanism, left)


def spf_claims(text: str) -> tuple[Claim, ...]:
    """Return the claims on every term of an SPF record."""
    return tuple(claim("TXT", term, mechanism=True) for term in terms_of(text))


def applied(before: RecordSet | None, after: RecordSet | None, struck: Iterable[Claim] = ()) -> Apply:
    """Return the journal's record of an apply that changed one record set."""

    def content(found: RecordSet | None) -> Content | None:
        return Content(found.ttl, found.values) if found else None

    one = before or after
    assert one is not None
    edited = Edited(one.name, one.type, content(before), content(after))
    return Apply(f"{COM}/20261122T000000", COM, "main", NOW, Outcome.APPLIED, (edited,), (), tuple(struck))


def after_undo(found: Collection[Reverse], now: RecordSet | None) -> RecordSet | None:
    """Return what the record set is after the reverses were applied."""
    served = (now,) if now else ()
    for edit in edits(undo.changes(COM, found), served):
        assert edit.before == now
        now = edit.after
    return now


def test_what_an_apply_added_goes_and_others_values_stay_byte_for_byte() -> None:
    """Also those that came since."""
    apply = applied(records("TXT", '"a" "b"'), records("TXT", '"a" "b"', '"ours"'))
    now = records("TXT", '"Since"', '"ours"', '"a" "b"')

    found = undo.reverses(apply, (now,), (claim("TXT", '"ours"'),))

    assert after_undo(found, now) == records("TXT", '"Since"', '"a" "b"')
    assert [c.value for r in found for c in r.strike] == ['"ours"']


def test_what_it_replaced_comes_back_as_it_was_read_and_is_nobodys_claim() -> None:
    """A foreign MX that the inventory consented to replace is somebody else's again."""
    before, after = records("MX", "5 Old.example.NET.", ttl=300), records("MX", "10 mx1.example.com.")

    found = undo.reverses(applied(before, after), (after,), (claim("MX", "10 mx1.example.com."),))

    assert after_undo(found, after) == before
    assert [c for r in found for c in r.enter] == []


def test_what_was_ours_comes_back_as_ours_and_its_clock_is_stopped() -> None:
    """Struck from the ledger by the apply, or left in it with a clock."""
    old = records("A", "203.0.113.9")
    for struck, ledger in (((claim("A", "203.0.113.9"),), ()), ((), (claim("A", "203.0.113.9", left=NOW),))):
        found = undo.reverses(applied(old, None, struck), (), ledger)

        assert after_undo(found, None) == old
        assert [c for r in found for c in r.enter] == [claim("A", "203.0.113.9")]


def test_what_is_no_longer_ours_is_left_and_named() -> None:
    """Without a claim it is a foreign value that looks like ours."""
    now = records("A", "203.0.113.10")

    (found,) = undo.reverses(applied(None, now), (now,), ())

    assert not list(found.writes())
    assert "203.0.113.10" in found.notes[0]


def test_what_is_undone_already_needs_nothing() -> None:
    """Somebody removed it by hand: there is nothing left to do."""
    assert undo.reverses(applied(None, records("A", "203.0.113.10")), (), (claim("A", "203.0.113.10"),)) == ()


def test_the_old_ttl_comes_back_unless_somebody_else_changed_something() -> None:
    """A record set has one TTL, and others' values have it too."""
    before, after = records("A", "203.0.113.10", ttl=300), records("A", "203.0.113.10")
    ours = (claim("A", "203.0.113.10"),)
    joined_by = records("A", "203.0.113.10", "192.0.2.1")

    assert after_undo(undo.reverses(applied(before, after), (after,), ours), after) == before
    assert after_undo(undo.reverses(applied(before, after), (joined_by,), ours), joined_by) == joined_by


def test_a_value_in_a_slot_is_exchanged_in_one_step() -> None:
    """Between two DMARC records there is no moment with both or with none."""
    name = f"_dmarc.{COM}"
    before = records("TXT", '"v=DMARC1; p=none"', name=name)
    after = records("TXT", '"v=DMARC1; p=reject"', name=name)
    struck = claim("TXT", before.values[0], name=name)

    found = undo.reverses(applied(before, after, (struck,)), (after,), (claim("TXT", after.values[0], name=name),))

    (write,) = undo.changes(COM, found).writes
    assert type(write).__name__ == "Update"
    assert after_undo(found, after) == before


@pytest.mark.parametrize("quoting", ['"v=spf1 include:a.example ~all"', '"v=spf1 include:a.example" " ~all"'])
def test_a_merged_spf_record_comes_back_byte_for_byte(quoting: str) -> None:
    """As long as nobody has changed it since."""
    text = merged("v=spf1 include:a.example ~all", ["ip4:203.0.113.10"], (), "~all")
    before, after = records("TXT", quoting), records("TXT", f'"{text}"')

    found = undo.reverses(applied(before, after), (after,), (claim("TXT", "ip4:203.0.113.10", mechanism=True),))

    assert after_undo(found, after) == before
    assert [c.value for r in found for c in r.strike] == ["ip4:203.0.113.10"]


def test_an_spf_record_that_others_changed_since_loses_our_terms_only() -> None:
    """Their new include stays, and so does the verdict that is theirs."""
    now = records("TXT", '"v=spf1 ip4:203.0.113.10 include:a.example include:new.example -all"')
    before, after = records("TXT", '"v=spf1 include:a.example ~all"'), None
    apply = applied(before, records("TXT", '"v=spf1 ip4:203.0.113.10 include:a.example ~all"'))

    found = undo.reverses(apply, (now,), (claim("TXT", "ip4:203.0.113.10", mechanism=True),))

    after = after_undo(found, now)
    assert after == records("TXT", '"v=spf1 include:a.example include:new.example -all"')


def test_an_spf_record_of_ours_goes_unless_others_joined_it() -> None:
    """Alone it goes; with somebody's term in it the record stays, and the verdict with it."""
    mine, joined_by = records("TXT", f'"{OURS}"'), records("TXT", '"v=spf1 ip4:203.0.113.10 include:x.example ~all"')

    alone = undo.reverses(applied(None, mine), (mine,), spf_claims(OURS))
    shared = undo.reverses(applied(None, mine), (joined_by,), spf_claims(OURS))

    assert after_undo(alone, mine) is None
    assert {c.value for r in alone for c in r.strike} == {"ip4:203.0.113.10", "~all"}
    assert after_undo(shared, joined_by) == records("TXT", '"v=spf1 include:x.example ~all"')
    assert {c.value for r in shared for c in r.strike} == {"ip4:203.0.113.10"}


def test_terms_that_were_withdrawn_return_to_a_record_that_changed_since() -> None:
    """And are ours again."""
    before = records("TXT", '"v=spf1 ip4:203.0.113.9 ip4:203.0.113.10 ~all"')
    now = records("TXT", '"v=spf1 ip4:203.0.113.10 include:x.example ~all"')
    gone = claim("TXT", "ip4:203.0.113.9", mechanism=True)

    found = undo.reverses(applied(before, records("TXT", f'"{OURS}"'), (gone,)), (now,), spf_claims(OURS))

    after = after_undo(found, now)
    assert after is not None
    assert set(terms_of(after.values[0].strip('"'))) == {*terms_of(now.values[0].strip('"')), "ip4:203.0.113.9"}
    assert [c for r in found for c in r.enter] == [gone]


def test_a_term_that_a_later_apply_added_stays() -> None:
    """Undo of an earlier one takes its own terms only."""
    now = records("TXT", '"v=spf1 ip4:203.0.113.10 ip4:203.0.113.11 ~all"')
    ledger = spf_claims("v=spf1 ip4:203.0.113.10 ip4:203.0.113.11 ~all")

    found = undo.reverses(applied(None, records("TXT", f'"{OURS}"')), (now,), ledger)

    assert after_undo(found, now) == records("TXT", '"v=spf1 ip4:203.0.113.11 ~all"')


_FOREIGN = st.sampled_from(['"x"', '"X" "y"', '"z"', '"google-site=1"', '"v=spf2 ?"'])
_MINE = st.sampled_from(['"ours 1"', '"ours 2"', '"ours 3"'])
_TERMS = st.lists(st.sampled_from(["ip4:203.0.113.1", "ip4:203.0.113.2", "include:a.example"]), unique=True)
_FOREIGN_SPF = st.none() | st.builds(
    lambda terms, end: " ".join(["v=spf1", *terms, end]).strip(),
    st.lists(
        st.sampled_from(["mx", "+a", "include:F.example", "ip4:192.0.2.0/24", "exists:%{i}.f.example"]), unique=True
    ),
    st.sampled_from(["~all", "-all", "?ALL", "redirect=f.example", ""]),
)
_TTL = st.sampled_from([60, 300, 3600])


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[RecordSet | None, RecordSet | None, tuple[Claim, ...], tuple[Claim, ...]]:
    """Return a record set before and after an apply as a plan makes one, and the ledger after and what it struck."""
    foreign, here = draw(st.lists(_FOREIGN, unique=True)), draw(st.lists(_MINE, unique=True))
    there = draw(st.lists(_MINE, unique=True))
    theirs, was, terms = draw(_FOREIGN_SPF), draw(_TERMS), draw(_TERMS)
    old = merged(theirs, was, (), "~all") if was else theirs
    owned = [t for t in terms_of(old or "v=spf1") if t not in terms_of(theirs or "v=spf1")]
    new = merged(old, terms, owned, draw(st.sampled_from(["~all", "-all"]))) if terms else theirs
    ours_now = [t for t in terms_of(new or "v=spf1") if t not in terms_of(theirs or "v=spf1")]

    def found(mine: list[str], spf: str | None) -> RecordSet | None:
        values = [*foreign, *mine, *([f'"{spf}"'] if spf else [])]
        return records("TXT", *draw(st.permutations(values)), ttl=draw(_TTL)) if values else None

    ledger = [*(claim("TXT", v) for v in there), *(claim("TXT", t, mechanism=True) for t in ours_now)]
    struck = [claim("TXT", v) for v in here if v not in there]
    struck += [claim("TXT", t, mechanism=True) for t in owned if t not in ours_now]
    return found(here, old), found(there, new), tuple(ledger), tuple(struck)


def _meaning(found: RecordSet | None) -> tuple[int, list[str]] | None:
    return (found.ttl, sorted(canonical("TXT", v) for v in found.values)) if found else None


@settings(max_examples=300, deadline=None)
@given(_worlds())
def test_apply_then_undo_is_the_identity_on_the_zone_and_on_the_ledger(
    world: tuple[RecordSet | None, RecordSet | None, tuple[Claim, ...], tuple[Claim, ...]],
) -> None:
    """Whatever stood there and whatever was written; foreign values byte for byte."""
    before, after, ledger, struck = world
    if before == after is None:
        return
    before_ledger = {c for c in ledger if c.value in _held(before)} | set(struck)

    found = undo.reverses(applied(before, after, struck), (after,) if after else (), ledger)
    back = after_undo(found, after)

    assert _meaning(back) == _meaning(before)
    assert sorted(back.values if back else ()) == sorted(before.values if before else ())
    assert ({*ledger} - {c for r in found for c in r.strike}) | {c for r in found for c in r.enter} == before_ledger


def _held(found: RecordSet | None) -> set[str]:
    spf = [v.strip('"') for v in (found.values if found else ()) if v.startswith('"v=spf1')]
    return {*(found.values if found else ()), *(t for text in spf for t in terms_of(text))}


@settings(max_examples=300, deadline=None)
@given(_worlds(), st.lists(st.sampled_from(['"new 1"', '"New" "2"']), unique=True), st.data())
def test_what_others_did_since_survives_an_undo(
    world: tuple[RecordSet | None, RecordSet | None, tuple[Claim, ...], tuple[Claim, ...]],
    came: list[str],
    data: st.DataObject,
) -> None:
    """Values and terms that came, and the absence of those that went."""
    before, after, ledger, struck = world
    if before == after is None:
        return
    kept = [v for v in (after.values if after else ()) if data.draw(st.booleans()) or "ours" in v]
    values = [
        v[:-1].replace("v=spf1", "v=spf1 include:late.example") + '"' if v.startswith('"v=spf1') else v for v in kept
    ]
    now = records("TXT", *values, *came, ttl=120) if [*values, *came] else None

    found = undo.reverses(applied(before, after, struck), (now,) if now else (), ledger)
    back = after_undo(found, now)

    left = back.values if back else ()
    assert set(came) <= set(left)
    ours = {c.value for c in ledger} | {v for v in left if v.startswith('"v=spf1')}
    assert {v for v in (now.values if now else ()) if v not in ours and not v.startswith('"v=spf1')} <= set(left)
    if any("include:late.example" in v for v in values):
        assert any("include:late.example" in v for v in left)
    gone = {v for v in (before.values if before else ()) if after and v in after.values} - set(kept)
    assert not {v for v in gone if not v.startswith('"v=spf1')} & set(left)
