"""The one SPF record of a name: widened, then tightened, and narrowed last."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sendwright.dns import diff as planning
from sendwright.dns.edits import adoptions, as_plan, claims_of, edits, line, releases_of
from sendwright.dns.plan import Changes, Create, Delete, Held, Update
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.rdata import joined, txt
from sendwright.dns.records import Record
from sendwright.errors import StateError
from sendwright.plan import Stage
from sendwright.state.model import Claim

ZONE = "example.com"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = timedelta(days=3)
OLD, NEW = "ip4:203.0.113.9", "ip4:203.0.113.10"


def _spf(*terms: str, tightens: Stage | None = None) -> list[Record]:
    return [Record(ZONE, "TXT", 3600, txt(" ".join(["v=spf1", *terms])), "why", tightens=tightens)]


def _claims(*terms: str, left: datetime | None = None) -> list[Claim]:
    return [Claim(ZONE, ZONE, "TXT", term, NOW, "main", mechanism=True, left=left) for term in terms]


def _served(*texts: str, ttl: int = 3600) -> list[RecordSet]:
    return [RecordSet(ZONE, "TXT", ttl, tuple(txt(t) for t in texts))]


def _diff(
    desired: Iterable[Record], served: Iterable[RecordSet], claims: Iterable[Claim] = (), now: datetime = NOW
) -> Changes:
    return planning.diff(ZONE, desired, served, claims, now=now, retention=lambda _: DAYS)


def _texts(changes: Changes) -> list[tuple[Stage, str]]:
    return [
        (w.stage, "" if isinstance(w, Delete) else joined(w.value).decode().removeprefix("v=spf1 "))
        for w in changes.writes
    ]


def test_a_name_without_spf_gets_the_whole_record_and_every_term_is_ours() -> None:
    """The verdict included."""
    changes = _diff(_spf(NEW, "~all"), [])

    assert _texts(changes) == [(Stage.EXPAND, f"{NEW} ~all")]
    assert claims_of(changes, NOW, "main") == tuple(_claims(NEW, "~all"))


def test_a_strict_verdict_comes_only_when_mail_is_known_to_leave_from_where_it_says() -> None:
    """A HELO name says ``-all`` at once: nobody else greets with it."""
    domain = _diff(_spf(NEW, "-all", tightens=Stage.SWITCH), [])

    assert _texts(domain) == [(Stage.EXPAND, f"{NEW} ~all"), (Stage.SWITCH, f"{NEW} -all")]
    assert domain.expected[0].value == txt(f"v=spf1 {NEW} ~all")
    assert _texts(_diff(_spf(NEW, "-all"), [])) == [(Stage.EXPAND, f"{NEW} -all")]


@pytest.mark.parametrize("present", ["-all", "?all", "~all"])
def test_a_verdict_of_ours_is_loosened_first_and_tightened_last(present: str) -> None:
    """The looser of both stands in between."""
    served, claims = _served(f"v=spf1 {NEW} {present}"), _claims(NEW, present)

    strict = _diff(_spf(NEW, "-all", tightens=Stage.SWITCH), served, claims)
    loose = _diff(_spf(NEW, "?all", tightens=Stage.SWITCH), served, claims)

    assert _texts(strict) == ([] if present == "-all" else [(Stage.SWITCH, f"{NEW} -all")])
    assert _texts(loose) == ([] if present == "?all" else [(Stage.EXPAND, f"{NEW} ?all")])


def test_somebody_elses_record_is_merged_and_its_own_terms_stay() -> None:
    """Ours stand in it from then on, and only ours are in the ledger; the TTL remains theirs."""
    served = _served("v=spf1  MX include:f.example  -all", ttl=60)
    changes = _diff(_spf(NEW, "~all"), served)

    (edit,) = edits(changes, served)
    assert edit.after == RecordSet(ZONE, "TXT", 60, (txt(f"v=spf1 {NEW}  MX include:f.example  -all"),))
    assert claims_of(changes, NOW, "main") == tuple(_claims(NEW))
    assert changes.conflicts == ()


def test_a_record_that_lets_every_address_pass_stands_untouched() -> None:
    """Byte for byte, and nothing of it becomes ours."""
    changes = _diff(_spf(NEW, "-all"), _served("v=spf1 +ip4:203.0.113.0/24 -ALL"))

    assert changes.empty
    assert [joined(r.value) for r in changes.standing] == [b"v=spf1 +ip4:203.0.113.0/24 -ALL"]
    assert claims_of(changes, NOW, "main") == ()


def test_to_adopt_is_to_own_the_terms_that_are_declared() -> None:
    """Whoever wrote them; all others remain somebody else's."""
    changes = _diff(_spf(NEW, "-all"), _served(f"v=spf1 mx {NEW.upper()} -all"))

    assert adoptions(changes, NOW, "main") == tuple(_claims(NEW, "-all"))


def test_a_verdict_of_somebody_else_stays_and_people_are_told() -> None:
    """It is what happens to their mail."""
    (note,) = _diff(_spf(NEW, "-all", tightens=Stage.SWITCH), _served(f"v=spf1 {NEW} ?all")).notes
    (other,) = _diff(_spf(NEW, "~all"), _served(f"v=spf1 {NEW} redirect=f.example")).notes

    assert "somebody else's and stays: ?all. Declared is -all" in note
    assert "stays: redirect=f.example" in other


def test_a_changed_address_stands_beside_the_old_one_until_its_clock_has_run_out() -> None:
    """Mail that left from the old one is still on its way: a record at each time passes both."""
    served, claims = _served(f"v=spf1 {OLD} ~all"), _claims(OLD, "~all")

    first = _diff(_spf(NEW, "~all"), served, claims)
    assert _texts(first) == [(Stage.EXPAND, f"{NEW} {OLD} ~all")]
    assert first.leaving == tuple(_claims(OLD))

    served, left = _served(f"v=spf1 {NEW} {OLD} ~all"), _claims(OLD, left=NOW)
    held = _diff(_spf(NEW, "~all"), served, [*_claims(NEW, "~all"), *left])
    assert held.empty
    assert held.held == (Held(left[0], NOW + DAYS),)

    last = _diff(_spf(NEW, "~all"), served, [*_claims(NEW, "~all"), *left], NOW + DAYS)
    assert _texts(last) == [(Stage.CONTRACT, f"{NEW} ~all")]
    assert releases_of(last, left) == tuple(left)


def test_each_stage_starts_from_what_the_one_before_leaves() -> None:
    """Up to three changes of one record in one plan, and in the end what is declared."""
    served = _served(f"v=spf1 {OLD} ~all")
    claims = [*_claims(OLD, left=NOW - DAYS), *_claims("~all")]
    changes = _diff(_spf(NEW, "-all", tightens=Stage.SWITCH), served, claims)

    assert _texts(changes) == [
        (Stage.EXPAND, f"{NEW} {OLD} ~all"),
        (Stage.SWITCH, f"{NEW} {OLD} -all"),
        (Stage.CONTRACT, f"{NEW} -all"),
    ]
    assert edits(changes, served)[0].after == _served(f"v=spf1 {NEW} -all")[0]
    assert [line(w) for w in changes.writes] == [
        f"TXT {ZONE} SPF with {NEW}",
        f"TXT {ZONE} SPF with -all, without ~all",
        f"TXT {ZONE} SPF without {OLD}",
    ]
    assert as_plan(changes)[1].diff == f'-"v=spf1 {NEW} {OLD} ~all"\n+"v=spf1 {NEW} {OLD} -all"'


def test_a_record_of_ours_alone_goes_when_every_clock_has_run_out() -> None:
    """Until then single terms go, and what it says of everybody else stays."""
    served = _served(f"v=spf1 {OLD} {NEW} ~all")
    early, late = _claims(OLD, left=NOW - DAYS), _claims(NEW, "~all", left=NOW)

    first = _diff([], served, [*early, *late])
    assert _texts(first) == [(Stage.CONTRACT, f"{NEW} ~all")]

    changes = _diff([], _served(f"v=spf1 {NEW} ~all"), late, NOW + DAYS)
    assert [(type(w), w.stage) for w in changes.writes] == [(Delete, Stage.CONTRACT)]
    assert releases_of(changes, late) == tuple(late)


def test_from_a_record_of_others_only_ours_go() -> None:
    """And a verdict that was ours is theirs then: without it, the record would say something else of their mail."""
    ours = _claims(OLD, "~all", left=NOW - DAYS)

    changes = _diff([], _served(f"v=spf1 {OLD} mx ~all"), ours)
    assert _texts(changes) == [(Stage.CONTRACT, "mx ~all")]
    assert releases_of(changes, ours) == (ours[0],)

    assert _diff([], _served("v=spf1 mx ~all"), ours[1:]) == Changes(ZONE, gone=(ours[1],))


def test_a_term_that_is_declared_again_is_no_longer_on_its_way_out() -> None:
    """And neither is the verdict of its record."""
    claims = _claims(NEW, "~all", left=NOW)
    changes = _diff(_spf(NEW, "~all"), _served(f"v=spf1 {NEW} ~all"), claims, NOW + DAYS)

    assert (changes.writes, set(changes.returned)) == ((), set(claims))


def test_a_claim_on_a_term_that_is_not_there_gives_no_right() -> None:
    """Somebody took it out: it is not ours any more, whoever writes it next."""
    claims = _claims(OLD, "~all")

    assert set(_diff([], _served("v=spf1 mx -all"), claims).gone) == set(claims)
    assert set(_diff(_spf(NEW, "-all"), _served(f"v=spf1 {NEW} -all"), claims).gone) == set(claims)


def test_a_claim_on_a_whole_spf_record_gives_no_right() -> None:
    """Ours are terms: whatever else the ledger says, such a record is never withdrawn as a whole."""
    claim = Claim(ZONE, ZONE, "TXT", txt("v=spf1 mx -all"), NOW, "main")

    assert _diff([], _served("v=spf1 mx -all"), [claim]) == Changes(ZONE, gone=(claim,))


@pytest.mark.parametrize(
    ("texts", "what", "hint"),
    [
        (["v=spf1 a -all", "V=SPF1 mx"], "has 2 SPF records", "Only one SPF record may be at example.com"),
        (["v=spf1 ipv4:192.0.2.1 -all"], "unknown mechanism", "Mend it by hand"),
    ],
)
def test_a_record_that_cannot_be_merged_with_is_in_the_way(texts: list[str], what: str, hint: str) -> None:
    """Nothing is written beside it; once nothing is declared, it is nobody's concern."""
    (conflict,) = _diff(_spf(NEW, "-all"), _served(*texts), _claims(OLD)).conflicts

    assert what in conflict.what
    assert hint in conflict.hint
    assert _diff(_spf(NEW, "-all"), _served(*texts)).writes == ()
    assert _diff([], _served(*texts), _claims(OLD)) == Changes(ZONE)


def test_a_ttl_changes_only_where_all_of_the_record_is_ours() -> None:
    """One foreign term, and it is theirs."""
    ours, shared = _served(f"v=spf1 {NEW} -all", ttl=60), _served(f"v=spf1 {NEW} mx -all", ttl=60)

    (write,) = _diff(_spf(NEW, "-all"), ours, _claims(NEW, "-all")).writes
    assert isinstance(write, Update)
    assert line(write) == f'TXT {ZONE} "v=spf1 {NEW} -all" TTL 60 -> 3600'
    assert claims_of(Changes(ZONE, (write,)), NOW, "main") == ()
    assert _diff(_spf(NEW, "-all"), shared, _claims(NEW, "-all")).empty


def test_two_declared_records_of_one_name_become_one() -> None:
    """With the terms of both and the looser verdict, in whatever order they come."""
    both = [*_spf(OLD, "-all"), *_spf(NEW, "~all")]

    assert _diff(both, []) == _diff(reversed(both), [])
    (write,) = _diff(both, []).writes
    assert isinstance(write, Create)
    assert set(write.adds) == {OLD, NEW, "~all"}


def test_a_damaged_term_in_the_ledger_is_an_error_for_people() -> None:
    """It lies in git and is edited by hand."""
    with pytest.raises(StateError, match="cannot be read"):
        _diff([], [], [replace(_claims(OLD)[0], value="ip4:nonsense")])


def test_a_term_that_somebody_else_wrote_as_well_is_ours_once_only() -> None:
    """Ours is put in front where theirs cannot be reached, and goes by itself."""
    before = _served(f"v=spf1 -mx {NEW} -all")
    widened = _diff(_spf(NEW, "-all"), before)
    (edit,) = edits(widened, before)
    assert edit.after
    assert [joined(v) for v in edit.after.values] == [f"v=spf1 {NEW} -mx {NEW} -all".encode()]

    narrowed = _diff([], [edit.after], _claims(NEW, left=NOW - DAYS))

    assert edits(narrowed, [edit.after])[0].after == before[0]
    assert releases_of(narrowed, _claims(NEW)) == tuple(_claims(NEW))
    assert _texts(_diff([], _served(f"v=spf1 {NEW} {NEW}"), _claims(NEW, left=NOW - DAYS))) == [(Stage.CONTRACT, NEW)]


def test_a_record_that_we_make_too_long_for_a_udp_answer_is_noted() -> None:
    """RFC 7208 section 3.4; one that we do not touch is its owner's own business."""
    long = "v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(40)) + " -all"
    changed = _diff(_spf(NEW, "-all"), _served(long))
    standing = _diff(_spf("ip4:198.51.100.0", "-all"), _served(long))

    assert any("may not fit into a UDP packet" in note for note in changed.notes)
    assert not any("UDP" in note for note in standing.notes)
