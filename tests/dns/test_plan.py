"""What a zone needs, value by value: SPF has examples of its own (``test_spf_slot``)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sendwright.dns import diff as planning
from sendwright.dns.edits import adoptions, as_plan, claims_of, edits, held_line, lefts_of, line, releases_of
from sendwright.dns.plan import Changes, Create, Delete, Held, Update
from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.rdata import txt
from sendwright.dns.records import Record
from sendwright.errors import ForeignRecord, StateError, WorldMoved
from sendwright.plan import Action, Kind, Stage
from sendwright.state.model import Claim

ZONE = "example.com"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OURS = "ours=1"
DMARC = f"_dmarc.{ZONE}"
DAYS = timedelta(days=3)


def diff(
    desired: Iterable[Record],
    served: Iterable[RecordSet],
    claims: Iterable[Claim],
    now: datetime = NOW,
    keep: timedelta = timedelta(),
) -> Changes:
    """Plan for the zone; what is no longer declared stays for ``keep``."""
    return planning.diff(ZONE, desired, served, claims, now=now, retention=lambda _: keep)


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
    changes = diff([_mx("mx1.example.com")], [], [])

    assert changes.writes == (Create(ZONE, "MX", 3600, "10 mx1.example.com.", "why", Stage.SWITCH),)


def test_a_value_of_somebody_else_in_the_same_set_stays_byte_for_byte_and_keeps_its_ttl() -> None:
    """All records of a set share a TTL (RFC 2181 section 5.2), and theirs is not ours to change."""
    theirs = _set(ZONE, "TXT", '"site-" "verification=1"', ttl=60)

    (edit,) = edits(diff([_txt(ZONE, OURS)], [theirs], []), [theirs])

    assert edit == Edit(ZONE, "TXT", theirs, _set(ZONE, "TXT", '"site-" "verification=1"', txt(OURS), ttl=60))


def test_a_declared_value_that_is_there_already_stands_and_is_not_silently_claimed() -> None:
    """However it is quoted and split, and whatever its TTL; to adopt it is a decision of somebody."""
    served = [_set(ZONE, "TXT", '"our" "s=1"', ttl=60)]
    changes = diff([_txt(ZONE, OURS)], served, [])

    assert changes.empty
    assert changes.standing == changes.expected == (_txt(ZONE, OURS),)
    assert claims_of(changes, NOW, "main") == ()
    assert adoptions(changes, NOW, "main") == (_claim(ZONE, "TXT", txt(OURS)),)
    assert diff([_txt(ZONE, OURS)], served, adoptions(changes, NOW, "main")).writes != ()


def test_our_own_record_in_a_slot_is_replaced_in_one_step() -> None:
    """With both or neither for a while, receivers would find no valid record."""
    name = f"_smtp._tls.{ZONE}"
    old, new = (f"v=TLSRPTv1; rua=mailto:{local}@example.com" for local in "ab")
    served = [_set(name, "TXT", txt(old))]
    changes = diff([_txt(name, new)], served, [_claim(name, "TXT", txt(old))])

    assert [type(w) for w in changes.writes] == [Update]
    assert edits(changes, served)[0].after == _set(name, "TXT", txt(new))
    assert releases_of(changes, [_claim(name, "TXT", txt(old))]) == (_claim(name, "TXT", txt(old)),)


def test_what_is_ours_and_no_longer_desired_is_withdrawn_last() -> None:
    """Contract comes after the switch."""
    served = [_set("mx1.example.com", "A", "203.0.113.1")]
    desired = [Record("mx1.example.com", "A", 3600, "203.0.113.2", "why")]

    changes = diff(desired, served, [_claim("mx1.example.com", "A", "203.0.113.1")])

    assert [(type(w), w.stage) for w in changes.writes] == [(Create, Stage.EXPAND), (Delete, Stage.CONTRACT)]


def test_a_claim_on_something_that_is_not_seen_gives_no_right() -> None:
    """Ours = in the ledger and seen; a stale claim is released, lest it cover what somebody writes later."""
    claim = _claim(ZONE, "TXT", '"old"')

    changes = diff([], [], [claim])

    assert changes.writes == ()
    assert releases_of(changes, [claim]) == (claim,)


def test_claims_on_other_zones_are_ignored() -> None:
    """The same name may lie in a parent zone and in its child."""
    claim = replace(_claim(ZONE, "TXT", '"old"'), zone="com")

    assert diff([], [_set(ZONE, "TXT", '"old"')], [claim]) == Changes(ZONE)


@pytest.mark.parametrize(
    ("desired", "served", "hint"),
    [
        (
            _txt(DMARC, "v=DMARC1; p=none"),
            _set(DMARC, "TXT", '"v=DMARC1;p=reject"', '"v=DMARC1;p=quarantine"'),
            "Only one DMARC",
        ),
        (_txt(DMARC, "v=DMARC1; p=none"), _set(DMARC, "TXT", '"v=DMARC1; p=none"', '"v=DMARC1;p=none"'), "Only one"),
        (_txt(f"r1._domainkey.{ZONE}", "p=YQ=="), _set(f"r1._domainkey.{ZONE}", "TXT", '"k=rsa; p=Yg=="'), "one key"),
        (_mx("mx1.example.com"), _set(ZONE, "MX", "10 mx.example.net."), "replace_mx"),
        (_mx("mx1.example.com"), _set(ZONE, "MX", "0 ."), "replace_mx"),
        (Record("mx1.example.com", "A", 1, "203.0.113.1", ""), _set("mx1.example.com", "A", "203.0.113.9"), "egress"),
        (
            Record("mx1.example.com", "A", 1, "203.0.113.1", ""),
            _set("mx1.example.com", "AAAA", "2001:db8::9"),
            "egress",
        ),
        (_txt(f"r1._domainkey.{ZONE}", "p=YQ=="), _set(f"r1._domainkey.{ZONE}", "CNAME", "d.example.net."), "CNAME"),
    ],
)
def test_somebody_elses_record_in_the_way_is_reported_and_stays(desired: Record, served: RecordSet, hint: str) -> None:
    """A conflict names the record and says what to do; nothing is written to that record set."""
    changes = diff([desired], [served], [])

    assert [w for w in changes.writes if (w.name, w.type) == served.key] == []
    assert served.name in changes.conflicts[0].what
    assert hint in changes.conflicts[0].hint
    with pytest.raises(ForeignRecord, match=served.name):
        changes.raise_conflicts()


def test_a_foreign_mx_is_replaced_only_with_consent_and_at_the_switch() -> None:
    """``replace_mx`` is that consent; old and new change in one edit, so mail always has a way."""
    served = [_set(ZONE, "MX", "10 mx.example.net.", ttl=60)]

    changes = diff([_mx("mx1.example.com", replaces=True)], served, [])

    assert {w.stage for w in changes.writes} == {Stage.SWITCH}
    assert edits(changes, served)[0].after == _set(ZONE, "MX", "10 mx1.example.com.")


def test_a_ttl_is_a_change_where_the_set_is_ours_alone() -> None:
    """And the line says from what to what."""
    served = [_set(ZONE, "MX", "10 MX1.example.com.", ttl=60)]

    changes = diff([_mx("mx1.example.com")], served, [_claim(ZONE, "MX", "10 mx1.example.com.")])

    assert [line(w) for w in changes.writes] == ["MX example.com 10 mx1.example.com. TTL 60 -> 3600"]
    assert edits(changes, served)[0].after == _set(ZONE, "MX", "10 MX1.example.com.")


def test_a_stage_is_applied_by_itself() -> None:
    """The rest is planned again from what is then there."""
    changes = diff([_txt(ZONE, OURS), _mx("mx1.example.com")], [], [])

    assert [w.type for w in changes.at(Stage.EXPAND).writes] == ["TXT"]


def test_a_change_reads_as_one_line_with_its_reason_and_a_diff() -> None:
    """People decide by it."""
    name = f"r202611._domainkey.{ZONE}"
    (change,) = as_plan(diff([_txt(name, "v=DKIM1; k=rsa; p=" + "A" * 400)], [], []))

    assert (change.kind, change.action, change.subject, change.why) == (Kind.DNS, Action.CREATE, ZONE, "why")
    assert change.summary.startswith(f'TXT {name} "v=DKIM1; k=rsa; p=AAA')
    assert len(change.summary) < 120
    assert change.diff == "+" + txt("v=DKIM1; k=rsa; p=" + "A" * 400)


def test_changes_that_no_longer_fit_what_is_there_are_refused() -> None:
    """The world has moved: plan again."""
    write = Delete(ZONE, "TXT", "", Stage.CONTRACT, '"gone"')

    with pytest.raises(WorldMoved, match="no longer at"):
        edits(Changes(ZONE, (write,)), [])


def test_a_damaged_ledger_is_an_error_for_people() -> None:
    """It lies in git and is edited by hand."""
    with pytest.raises(StateError, match="cannot be read"):
        diff([], [], [_claim(ZONE, "A", "not an address")])


def test_somebody_elses_dmarc_policy_stays_and_people_are_told() -> None:
    """An adopted domain keeps its policy, until somebody makes the record ours."""
    served = [_set(DMARC, "TXT", '"v=DMARC1;p=reject"')]
    desired = _txt(DMARC, "v=DMARC1; p=none")
    changes = diff([desired], served, [])

    assert changes.empty
    assert changes.expected == (replace(desired, value='"v=DMARC1;p=reject"'),)
    (note,) = changes.notes
    assert 'somebody else\'s DMARC record stays as it is: "v=DMARC1;p=reject"' in note
    assert "sendwright dns adopt" in note
    (write,) = diff([desired], served, adoptions(changes, NOW, "main")).writes
    assert (type(write), write.stage) == (Update, Stage.EXPAND)


def test_a_policy_that_says_the_same_in_other_words_stands() -> None:
    """Nobody is bothered about spaces."""
    changes = diff([_txt(DMARC, "v=DMARC1; p=none")], [_set(DMARC, "TXT", '"v=DMARC1;p=none;"')], [])

    assert changes.empty
    assert (changes.notes, [r.value for r in changes.standing]) == ((), ['"v=DMARC1;p=none;"'])


@pytest.mark.parametrize(
    ("old", "new", "stage"),
    [
        ("p=none", "p=reject", Stage.SWITCH),
        ("p=reject", "p=none", Stage.EXPAND),
        ("p=reject", "p=reject; rua=mailto:a@example.com", Stage.EXPAND),
        ("p=reject; sp=none", "p=none; sp=reject", Stage.SWITCH),
    ],
)
def test_a_dmarc_policy_is_loosened_first_and_tightened_last(old: str, new: str, stage: Stage) -> None:
    """Whatever the stage at which a new record of that policy would come."""
    before, after = (txt(f"v=DMARC1; {tags}") for tags in (old, new))
    for declared in (Stage.EXPAND, Stage.SWITCH):
        record = Record(DMARC, "TXT", 3600, after, "why", declared)

        (write,) = diff([record], [_set(DMARC, "TXT", before)], [_claim(DMARC, "TXT", before)]).writes

        assert write.stage is stage


def test_what_mail_on_its_way_is_judged_by_stays_until_its_clock_has_run_out() -> None:
    """The clock starts when nothing needs it, not before; then it is held, then it goes."""
    served = [_set(ZONE, "TXT", txt(OURS))]
    claim = _claim(ZONE, "TXT", txt(OURS))

    first = diff([], served, [claim], keep=DAYS)
    assert (first.writes, first.leaving, first.held) == ((), (claim,), (Held(claim, None),))
    assert not first.empty
    assert first.at(Stage.EXPAND, Stage.SWITCH).empty
    (left,) = lefts_of(first, [claim], NOW)
    assert left == replace(claim, left=NOW)

    held = diff([], served, [left], now=NOW + DAYS - timedelta(seconds=1), keep=DAYS)
    assert held.empty
    assert held.held == (Held(left, NOW + DAYS),)

    (write,) = diff([], served, [left], now=NOW + DAYS, keep=DAYS).writes
    assert (type(write), write.stage) == (Delete, Stage.CONTRACT)


def test_what_is_declared_again_is_no_longer_on_its_way_out() -> None:
    """Its clock stops, and starts anew when it leaves again."""
    claim = replace(_claim(ZONE, "TXT", txt(OURS)), left=NOW)
    changes = diff([_txt(ZONE, OURS)], [_set(ZONE, "TXT", txt(OURS))], [claim], now=NOW + DAYS, keep=DAYS)

    assert changes.writes == ()
    assert changes.returned == (claim,)
    assert not changes.at(Stage.EXPAND).empty
    assert lefts_of(changes, [claim], NOW) == (replace(claim, left=None),)


def test_a_clock_that_starts_or_stops_is_part_of_the_plan() -> None:
    """A plan without it would be empty, and nothing would ever go."""
    claim = _claim(ZONE, "TXT", txt(OURS))
    served = [_set(ZONE, "TXT", txt(OURS))]

    (starts,) = as_plan(diff([], served, [claim], keep=DAYS))
    (stops,) = as_plan(diff([_txt(ZONE, OURS)], served, [replace(claim, left=NOW)], keep=DAYS))

    assert (starts.stage, starts.summary) == (Stage.CONTRACT, 'start the clock of TXT example.com "ours=1"')
    assert (stops.stage, stops.summary) == (Stage.EXPAND, 'stop the clock of TXT example.com "ours=1"')


def test_what_stays_is_said_with_its_date_and_reason() -> None:
    """A line each, without surprise for who comes back later."""
    claim = Claim(ZONE, ZONE, "TXT", "ip4:203.0.113.9", NOW, "main", mechanism=True)

    assert held_line(Held(claim, datetime(2026, 12, 1, 3, tzinfo=UTC))) == (
        "TXT example.com ip4:203.0.113.9 stays until 2026-12-01 (mail that is on its way is judged by it)"
    )
    assert "the clock starts when" in held_line(Held(claim, None))
    assert held_line(Held(_claim(ZONE, "MX", "10 a.example."), None)) == (
        "MX example.com 10 a.example. stays until another MX is there"
    )


def test_the_last_mx_stays_with_a_note() -> None:
    """Mail for the domain would have nowhere to go."""
    served, claim = [_set(ZONE, "MX", "10 mx1.example.com.")], _claim(ZONE, "MX", "10 mx1.example.com.")
    changes = diff([], served, [claim])

    assert changes.empty
    assert changes.held == (Held(claim, None),)
    assert "nowhere to go" in changes.notes[0]


@pytest.mark.parametrize("theirs", [["20 mx.example.net."], []])
def test_an_mx_goes_when_another_stands_or_comes(theirs: list[str]) -> None:
    """Of somebody else, or of ours."""
    claim = _claim(ZONE, "MX", "10 mx1.example.com.")
    served = [_set(ZONE, "MX", "10 mx1.example.com.", *theirs)]
    changes = diff([] if theirs else [_mx("mx2.example.com")], served, [claim])

    assert [type(w) for w in changes.at(Stage.CONTRACT).writes] == [Delete]
    assert releases_of(changes, [claim]) == ()
    assert lefts_of(changes, [claim], NOW) == (replace(claim, left=NOW, withdrawn=True),)


def test_a_withdrawn_mx_is_remembered_until_caches_have_forgotten_it() -> None:
    """Also one that somebody else removed: hosts take mail for the domain by the ledger."""
    claim = _claim(ZONE, "MX", "10 mx1.example.com.")

    removed = diff([], [], [claim])
    assert (removed.leaving, removed.gone, removed.held) == ((claim,), (), ())
    left = replace(claim, left=NOW)
    assert diff([], [], [left], now=NOW + timedelta(minutes=119)) == Changes(ZONE)
    assert diff([], [], [left], now=NOW + timedelta(hours=2)).gone == (left,)


def test_a_null_mx_takes_the_place_of_ours_in_one_edit() -> None:
    """It has to be the only one (RFC 7505 section 3)."""
    served = [_set(ZONE, "MX", "10 mx1.example.com.")]
    null = Record(ZONE, "MX", 3600, "0 .", "why", Stage.CONTRACT)

    changes = diff([null], served, [_claim(ZONE, "MX", "10 mx1.example.com.")]).at(Stage.CONTRACT)

    assert edits(changes, served)[0].after == _set(ZONE, "MX", "0 .")


def test_a_null_mx_comes_when_no_mail_of_the_domain_is_on_its_way_any_more() -> None:
    """Receivers refuse mail from a domain that takes none (RFC 7505 section 4.2)."""
    served = [_set(ZONE, "MX", "10 mx1.example.com.")]
    null = Record(ZONE, "MX", 3600, "0 .", "why", Stage.CONTRACT)
    claim = _claim(ZONE, "MX", "10 mx1.example.com.")

    first = diff([null], served, [claim], keep=DAYS)
    left = replace(claim, left=NOW)
    waiting, due = (diff([null], served, [left], NOW + passed, DAYS) for passed in (DAYS / 2, DAYS))

    assert (first.writes, first.leaving, first.held) == ((), (claim,), (Held(claim, None),))
    assert (waiting.writes, waiting.held) == ((), (Held(left, NOW + DAYS),))
    assert edits(due, served)[0].after == _set(ZONE, "MX", "0 .")


def test_a_foreign_term_that_follows_a_record_which_changes_is_said() -> None:
    """Their ``mx`` lets other hosts pass once the MX is ours; our own terms and other names are no news."""
    spf = _set(ZONE, "TXT", '"v=spf1 mx a:mx9.example.com MX:example.com. mx:example.net a -all"')
    served = [spf, _set(ZONE, "MX", "10 mx.example.net.")]
    desired = [_mx("mx1.example.com", replaces=True), _txt(ZONE, "v=spf1 ip4:203.0.113.1 -all")]

    notes = diff(desired, served, []).notes

    assert [n.partition("term ")[2].partition(" in")[0] for n in notes] == ["mx", "MX:example.com."]
    assert all("which changes here" in note for note in notes)


KEY = f"mail2019._domainkey.{ZONE}"
STANDING = _set(KEY, "TXT", '"v=DKIM1; h=sha256; k=rsa; s=email; " "p=YW Jj"', ttl=300)


def test_a_record_of_the_same_key_stays_as_its_owner_wrote_it() -> None:
    """A key that was imported is published already: it stands, may be relied on, and is ours to change when adopted."""
    changes = diff([_txt(KEY, "v=DKIM1; k=rsa; h=sha256; p=YWJj")], [STANDING], [])

    (standing,) = changes.standing
    assert changes.empty
    assert standing.value == txt("v=DKIM1; h=sha256; k=rsa; s=email; p=YW Jj")
    assert changes.expected == (standing,)
    assert not changes.notes
    assert [(o.name, o.value) for o in changes.offers] == [(KEY, standing.value)]


def test_an_adopted_record_of_the_same_key_is_written_as_we_write_it_in_one_step() -> None:
    """Verifiers find the key before, between and after."""
    claim = _claim(KEY, "TXT", txt("v=DKIM1; h=sha256; k=rsa; s=email; p=YW Jj"))

    changes = diff([_txt(KEY, "v=DKIM1; k=rsa; h=sha256; p=YWJj")], [STANDING], [claim])

    (write,) = changes.writes
    assert isinstance(write, Update)
    assert write.value == txt("v=DKIM1; k=rsa; h=sha256; p=YWJj")


def test_a_record_of_the_same_key_for_tests_only_is_noted() -> None:
    """Receivers may take what it signs for unsigned (RFC 6376 section 3.6.1)."""
    (note,) = diff([_txt(KEY, "p=YWJj")], [_set(KEY, "TXT", '"v=DKIM1; t=s:y; p=YWJj"')], []).notes

    assert "t=y" in note


def test_somebody_elses_record_where_a_key_is_revoked_is_offered_and_not_touched() -> None:
    """It says that the key is good: a person removes it, or makes it ours to revoke."""
    revoked = _txt(KEY, "v=DKIM1; k=rsa; h=sha256; p=", Stage.CONTRACT)

    changes = diff([revoked], [STANDING], [])

    assert not changes.writes
    assert "dns adopt" in changes.conflicts[0].hint
    assert [o.name for o in changes.offers] == [KEY]


SLOT = Record(f"s1._domainkey.{ZONE}", "CNAME", 3600, "s1.example.com._domainkey.ours.example.", "why")


def test_an_alias_is_created_where_nothing_stands() -> None:
    """And the text at its name is looked at too: nothing may stand beside it."""
    assert planning.wanted(ZONE, [SLOT], []) == {(SLOT.name, "CNAME"), (SLOT.name, "TXT")}
    assert [(w.name, w.type) for w in diff([SLOT], [], []).writes] == [(SLOT.name, "CNAME")]


@pytest.mark.parametrize(
    "there", [_set(SLOT.name, "CNAME", "elsewhere.example."), _set(SLOT.name, "TXT", txt("v=DKIM1; p=YQ=="))]
)
def test_an_alias_never_comes_beside_anything_else(there: RecordSet) -> None:
    """Two targets are no valid zone, and mail may be verified by the key that stands there (RFC 1034, 3.6.2)."""
    changes = diff([SLOT], [there], [])

    assert changes.writes == ()
    assert [(c.name, c.type) for c in changes.conflicts] == [(SLOT.name, "CNAME")]


def test_an_alias_of_ours_changes_its_target_in_one_step() -> None:
    """With neither, a verifier would learn that there is no key."""
    old = "s1.example.com._domainkey.old.example."

    changes = diff([SLOT], [_set(SLOT.name, "CNAME", old)], [_claim(SLOT.name, "CNAME", old)])

    assert [type(w) for w in changes.writes] == [Update]
