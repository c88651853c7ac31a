from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.state.model import Claim, DkimKey, KeyStage
from sendwright.verify import dkim
from sendwright.verify.dkim_judged import judge
from sendwright.verify.dkim_selectors import KNOWN
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Answer, Told
from sendwright.verify.target import Target
from tests.verify.keys_world import ED25519, NOW, by_check, declared, key, look, rsa_key, txt
from tests.verify.names import Names, zone

KEY = rsa_key()
GOOD = f"v=DKIM1; k=rsa; h=sha256; p={KEY}"
OTHER = f"v=DKIM1; p={rsa_key(4096)}"
SENDS = 'example.com. IN TXT "v=spf1 a -all"\n'
NAMED = Target("example.com", ("r1",))
NAME = "r1._domainkey.example.com"


def _check(target: Target, text: str, **more: Any) -> dict[str, Finding]:
    return by_check(dkim.check(target, look(SENDS + text, **more)))


def _one(record: str, *others: str) -> dict[str, Finding]:
    """What is found of a domain whose only selector was named, and has these records."""
    return _check(NAMED, txt(NAME, record, *others))


def test_a_good_key_passes_every_check() -> None:
    """Nothing is wrong with RSA of 2,048 bits for SHA-256."""
    found = _one(GOOD)

    assert {f.status for f in found.values()} == {"pass"}
    assert set(found) == {
        *("present", "syntax", "key-type", "key-size", "testing", "hash", "service", "revoked", "strings")
    }


@pytest.mark.parametrize(
    ("record", "check", "status"),
    [
        ("v=DKIM1; k=rsa; p=broken", "syntax", "fail"),
        (f"v=DKIM1; t=; p={KEY}", "syntax", "warn"),
        ("v=DKIM1; k=dsa; p=AAAA", "key-type", "fail"),
        (f"v=DKIM1; k=RSA; p={KEY}", "key-type", "warn"),
        (f"v=DKIM1; k=ed25519; p={ED25519}", "key-type", "warn"),
        (f"v=DKIM1; p={rsa_key(exponent=2**32 + 1)}", "key-type", "warn"),
        (f"v=DKIM1; p={rsa_key(512)}", "key-size", "fail"),
        (f"v=DKIM1; p={rsa_key(1023)}", "key-size", "fail"),
        (f"v=DKIM1; p={rsa_key(1024)}", "key-size", "warn"),
        (f"v=DKIM1; p={rsa_key(4096)}", "key-size", "pass"),
        (f"v=DKIM1; p={rsa_key(8192)}", "key-size", "warn"),
        (f"v=DKIM1; t=y; p={KEY}", "testing", "warn"),
        (f"v=DKIM1; t=s; p={KEY}", "testing", "pass"),
        (f"v=DKIM1; h=sha1; p={KEY}", "hash", "fail"),
        (f"v=DKIM1; h=sha1:sha256; p={KEY}", "hash", "pass"),
        (f"v=DKIM1; s=tlsrpt; p={KEY}", "service", "fail"),
        (f"v=DKIM1; s=email; p={KEY}", "service", "pass"),
        ("v=DKIM1; p=", "revoked", "fail"),
        (f'"v=DKIM1; k=rsa; p={KEY[:100]}" "{KEY[100:]}"', "strings", "fail"),
        (f"v=DKIM1\\; k=rsa\\; p={KEY}", "strings", "fail"),
    ],
)
def test_each_rule_of_a_record_can_be_broken(record: str, check: str, status: str) -> None:
    """One flaw, one check, and no other of the group is below it."""
    found = _one(record)

    assert found[check].status == status
    assert [f.check for f in found.values() if f.status in {"fail", "warn"} and f.check != f"dkim.{check}"] == []


def test_two_keys_at_a_selector_fail_and_are_not_judged_one_by_one() -> None:
    """What verifiers make of them is undefined (RFC 6376 section 3.6.2.2)."""
    found = _one(GOOD, OTHER)

    assert found["strings"].status == "fail"
    assert not {"syntax", "key-size"} & set(found)


def test_another_record_beside_the_key_is_a_warning_and_the_key_is_judged() -> None:
    """Verifiers that look at every record find the key; some take the first that comes."""
    found = _one(GOOD, "google-site-verification=abc")

    assert (found["strings"].status, found["key-size"].status) == ("warn", "pass")


def test_a_key_in_many_strings_is_one_record() -> None:
    """Its strings are joined without anything between (RFC 6376 section 3.6.2.2)."""
    assert "2 strings" in _one(GOOD)["strings"].seen


def test_a_named_selector_without_a_record_fails_by_its_name() -> None:
    """Whoever names it says that it signs."""
    found = _check(NAMED, "")

    assert (found["present"].status, found["present"].target) == ("fail", NAME)
    assert f"Publish the public key at {NAME}" in found["present"].advice
    assert set(found) == {"present"}


def test_a_record_for_another_purpose_is_no_key_of_a_named_selector() -> None:
    """As a wildcard of the whole domain has it."""
    found = _one("v=spf1 -all")

    assert (set(found), found["present"].status) == ({"present"}, "fail")


def test_a_declared_domain_without_any_answer_is_unknown_once() -> None:
    """Every check of its stories needs the same answers."""
    found = list(dkim.check(declared(key(), key("r2")), look("", told=_silence("r1", "r2"))))

    assert [(f.check, f.status) for f in found] == [("dkim.present", "unknown")]


def _silence(*selectors: str) -> dict[tuple[str, str], Told]:
    return {(f"{selector}._domainkey.example.com", "TXT"): Told.FAILED for selector in selectors}


def test_a_selector_may_be_named_with_its_whole_name() -> None:
    """As it is copied from a zone."""
    assert _check(Target("example.com", (NAME.upper(),)), txt(NAME, GOOD))["present"].status == "pass"


def test_a_selector_with_the_whole_name_of_another_domain_is_not_looked_at() -> None:
    """Domains of one run may sign with different selectors."""
    others = Target("example.com", ("r1._domainkey.example.org",))

    assert _check(others, txt("google._domainkey.example.com", GOOD))["present"].status == "pass"


def test_an_alias_is_followed_and_a_broken_one_is_named() -> None:
    """A provider's selector is an alias that lives as long as the account there (RFC 6376 section 3.6.2.1)."""
    alias = f"{NAME}. IN CNAME r1.dkim.example.net.\n"

    assert _check(NAMED, alias + txt("r1.dkim.example.net", GOOD))["key-size"].status == "pass"
    broken = _check(NAMED, alias)["present"]
    assert (broken.status, "r1.dkim.example.net" in broken.seen) == ("fail", True)


def test_well_known_selectors_are_tried_at_once_when_none_is_named() -> None:
    """Only those that exist are judged."""
    found = _check(Target("example.com"), txt("google._domainkey.example.com", GOOD))

    assert found["present"].status == "pass"
    assert found["key-size"].target == "google._domainkey.example.com"
    assert 40 <= len(set(KNOWN)) == len(KNOWN) <= 60


def test_selectors_that_this_project_gives_are_well_known_for_some_months() -> None:
    """A newcomer asks about the domain that was just provisioned, without naming anything."""
    for made in ("r202611", "r202608"):
        assert _check(Target("example.com"), txt(f"{made}._domainkey.example.com", GOOD))["present"].status == "pass"


def test_no_well_known_selector_is_unknown_as_others_may_exist() -> None:
    """The selector is written in each signature, and nowhere else."""
    found = _check(Target("example.com"), txt("odd._domainkey.example.com", GOOD))

    assert (found["present"].status, "--selector" in found["present"].advice) == ("unknown", True)
    assert set(found) == {"present"}


def test_nothing_below_domainkey_fails_only_a_domain_that_is_known_to_sign() -> None:
    """NXDOMAIN denies everything below a name (RFC 8020), and some servers say it of one that has names below it."""
    guessed, named, ours = (_check(of, "") for of in (Target("example.com"), NAMED, declared()))

    assert (set(guessed), guessed["present"].status) == ({"present"}, "warn")
    assert "RFC 8020" in guessed["present"].seen
    assert named["present"].status == ours["present"].status == "fail"


def test_a_guessed_alias_that_leads_nowhere_fails_if_it_is_all_there_is() -> None:
    """The account that it was made for ended, or was never completed."""
    alias = "selector1._domainkey.example.com. IN CNAME selector1-example-com._domainkey.tenant.example.net.\n"

    assert _check(Target("example.com"), alias)["present"].status == "fail"
    good = txt("selector2._domainkey.example.com", GOOD)
    assert _check(Target("example.com"), alias + good)["present"].status == "pass"


class _Wildcard(Names):
    """A zone with a wildcard at ``_domainkey``."""

    def __init__(self, text: str, answer: str) -> None:
        super().__init__(zone(text))
        self._answer = answer

    def ask(self, name: str, rdtype: str, /) -> Answer:
        found = super().ask(name, rdtype)
        if rdtype == "TXT" and "._domainkey." in name and not found.values:
            return replace(found, told=Told.FOUND, values=(self._answer,), strings=((len(self._answer),),))
        return found


@pytest.mark.parametrize("answer", ["v=DKIM1; p=", GOOD, "v=spf1 -all"])
def test_what_a_wildcard_answers_for_every_name_is_no_key(answer: str) -> None:
    """A made-up selector has the same answer."""
    world = replace(look(SENDS), dns=_Wildcard(SENDS, answer))
    found = by_check(dkim.check(Target("example.com"), world))

    assert set(found) == {"present"}
    assert found["present"].status != "pass"


def test_a_guessed_selector_that_is_revoked_matters_only_if_no_other_is_left() -> None:
    """Old selectors that were revoked are as it should be."""
    revoked = txt("s1._domainkey.example.com", "v=DKIM1; p=")

    assert _check(Target("example.com"), revoked)["revoked"].status == "fail"
    assert _check(Target("example.com"), revoked + txt("s2._domainkey.example.com", GOOD))["revoked"].status == "pass"


def test_a_named_selector_that_is_revoked_is_a_warning_beside_another() -> None:
    """It was named as one that signs, and nothing that it signs verifies."""
    world = txt(NAME, "v=DKIM1; p=") + txt("r2._domainkey.example.com", GOOD)

    assert _check(Target("example.com", ("r1", "r2")), world)["revoked"].status == "warn"


def test_a_domain_that_sends_nothing_wants_no_key_and_none_should_be_left() -> None:
    """SPF says so exactly, and then a key only serves whoever stole it."""
    silent = 'example.com. IN TXT "v=spf1 -all"\n'

    (none,) = dkim.check(Target("example.com"), look(silent))
    (left,) = dkim.check(Target("example.com"), look(silent + txt("s1._domainkey.example.com", GOOD)))

    assert (none.status, left.status) == ("pass", "warn")


def test_an_answer_that_tells_nothing_is_unknown_and_a_forged_one_fails() -> None:
    """Once, and the other checks stay silent."""
    for told, status in ((Told.FAILED, "unknown"), (Told.BOGUS, "fail")):
        found = _check(NAMED, "", told={(NAME, "TXT"): told})
        assert (set(found), found["present"].status) == ({"present"}, status)
        every = {(f"{s}._domainkey.example.com", "TXT"): told for s in KNOWN}
        guessed = _check(Target("example.com"), "", told=every)
        assert (set(guessed), guessed["present"].status) == ({"present"}, status)


def _published(*keys: DkimKey) -> str:
    return "".join(txt(k.txt_name, f"v=DKIM1; k=rsa; h=sha256; p={k.public}") for k in keys)


def test_a_declared_domain_is_judged_by_the_stories_of_its_keys() -> None:
    """What is published or signs is in DNS, what is revoked says so, what is not published yet need not be there."""
    signing, retiring, resting = key("r2"), key("r1", KeyStage.RETIRING), key("r0", KeyStage.REVOKED)
    world = _published(signing, retiring) + txt(resting.txt_name, "v=DKIM1; p=")

    found = _check(declared(signing, retiring, resting, key("r3", KeyStage.GENERATED)), world)

    assert {f.status for f in found.values()} == {"pass"}
    assert {"as-desired", "stale", "revoked"} <= set(found)


@pytest.mark.parametrize(
    ("stage", "record", "status"),
    [
        (KeyStage.SIGNING, None, "fail"),
        (KeyStage.PUBLISHED, OTHER, "fail"),
        (KeyStage.RETIRING, "v=DKIM1; p=", "fail"),
        (KeyStage.REVOKED, GOOD, "warn"),
        (KeyStage.REVOKED, None, "warn"),
        (KeyStage.REVOKED, "v=DKIM1; p=", "pass"),
        (KeyStage.SIGNING, f"v=DKIM1; p={KEY}", "pass"),
    ],
)
def test_what_dns_holds_otherwise_than_a_story_says_is_told(stage: KeyStage, record: str | None, status: str) -> None:
    """By meaning: other tags of the same key are no difference."""
    other = key("r2")
    world = _published(other) + (txt(NAME, record) if record else "")

    assert _check(declared(other, key("r1", stage)), world)["as-desired"].status == status


def test_a_revoked_key_that_still_verifies_fails_when_everybody_should_know_better() -> None:
    """Its revocation was served once, or it leaked."""
    for revoked in (key(stage=KeyStage.REVOKED, revoked=NOW), key(stage=KeyStage.REVOKED, leaked=NOW)):
        assert _check(declared(revoked, key("r2")), _published(revoked, key("r2")))["as-desired"].status == "fail"


def test_a_delegated_selector_leads_to_where_its_key_is() -> None:
    """The alias is the owner's of the zone to publish, and every fixed selector needs one."""
    target = "s1.example.com._domainkey.ours.example"
    story = key("s1", target=target)
    ours = declared(story, dkim={"delegate_to": "ours.example", "algorithms": ["rsa"]}, dns=None)
    aliases = "".join(
        f"{s}._domainkey.example.com. IN CNAME {s}.example.com._domainkey.ours.example.\n" for s in ("s1", "s2", "s3")
    )

    assert _check(ours, aliases + _published(story))["as-desired"].status == "pass"
    astray = aliases.replace("s1.example.com._domainkey.ours.example.", "elsewhere.example.")
    assert _check(ours, astray + txt("elsewhere.example", OTHER))["as-desired"].status == "fail"
    instead = "".join(aliases.splitlines(keepends=True)[1:]) + txt("s1._domainkey.example.com", GOOD)
    assert _check(ours, instead)["as-desired"].status == "warn"
    lacking = aliases.splitlines(keepends=True)[0]
    assert _check(ours, lacking + _published(story))["as-desired"].status == "warn"


def test_a_locked_domain_has_the_record_that_says_so() -> None:
    """Every selector is revoked by one wildcard."""
    locked = declared(sends=False)
    world = replace(look(SENDS), dns=_Wildcard(SENDS, "v=DKIM1; p="))

    assert by_check(dkim.check(locked, world))["as-desired"].status == "pass"
    assert _check(locked, "")["as-desired"].status == "fail"


def test_a_removed_key_that_is_still_published_is_stale() -> None:
    """A leaked one lets somebody else sign."""
    removed = key("r0", KeyStage.REMOVED, removed=NOW)
    leaked = replace(removed, leaked=NOW)

    assert _check(declared(key(), removed), _published(key()))["stale"].status == "pass"
    assert _check(declared(key(), removed), _published(key(), removed))["stale"].status == "warn"
    assert _check(declared(key(), leaked), _published(key(), leaked))["stale"].status == "fail"


def test_a_name_of_the_ledger_without_a_story_is_stale_if_a_key_is_there() -> None:
    """We wrote it once, and nobody knows the private key any more; a neighbour's name is not ours."""
    claim = Claim("example.com", "old._domainkey.example.com", "TXT", f'"v=DKIM1; p={KEY}"', NOW, "main")
    other = replace(claim, name="old._domainkey.sub.example.com")
    left = txt("old._domainkey.example.com", GOOD)

    assert _check(declared(key(), claims=[claim]), _published(key()) + left)["stale"].status == "warn"
    assert _check(declared(key(), claims=[claim]), _published(key()))["stale"].status == "pass"
    assert _check(declared(key(), claims=[other]), _published(key()))["stale"].status == "pass"


def test_a_selector_that_a_newer_key_uses_again_is_not_stale() -> None:
    """Delegated selectors are fixed: keys follow each other there."""
    old, new = key("s1", KeyStage.REMOVED, removed=NOW), key("s1")

    assert _check(declared(old, new), _published(new))["stale"].status == "pass"


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255), max_size=60), min_size=1, max_size=3))
def test_any_records_are_judged_and_every_name_is_kept(texts: list[str]) -> None:
    """Whatever stands at a selector, something is said of it."""
    judged = judge(NAMED.subject, NAME, sorted(texts))

    assert judged.findings
    assert all(f.target == NAME and isinstance(f.status, Status) for f in judged.findings)
