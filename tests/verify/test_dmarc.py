from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.state.model import KeyStage
from sendwright.verify import dmarc
from sendwright.verify.finding import Finding
from sendwright.verify.look import Told
from sendwright.verify.target import Target
from tests.verify.keys_world import by_check, declared, key, look, txt

RUA = "rua=mailto:dmarc@example.com"
GOOD = f"v=DMARC1; p=reject; {RUA}"
SPF = 'example.com. IN TXT "v=spf1 ip4:192.0.2.10 -all"\n'
MAIL = "example.com. IN MX 10 mx1.example.com.\nmx1.example.com. IN A 192.0.2.10\n" + SPF
DOMAIN = Target("example.com")
ALWAYS = {
    *("present", "single", "syntax", "policy", "subdomains", "testing", "removed-tags", "unknown-tags"),
    *("organisation", "reports", "report-addresses", "consent"),
}


def _check(text: str, target: Target = DOMAIN, **more: Any) -> dict[str, Finding]:
    return by_check(dmarc.check(target, look(MAIL + text, **more)))


def _record(record: str, more: str = "") -> dict[str, Finding]:
    return _check(txt("_dmarc.example.com", record) + more)


def test_a_good_record_passes_every_check() -> None:
    """Each says what was seen."""
    found = _record(GOOD)

    assert set(found) == ALWAYS
    assert {f.status for f in found.values()} == {"pass"}


@pytest.mark.parametrize(
    ("record", "check", "status"),
    [
        (f"v=DMARC1; p=rejct; {RUA}", "syntax", "fail"),
        (f"v=DMARC1; p=reject; p=none; {RUA}", "syntax", "fail"),
        (f"v=DMARC1; p=reject; aspf=strict; {RUA}", "syntax", "warn"),
        (f"v=DMARC1; p=reject; oops; {RUA}", "syntax", "warn"),
        (f"v=DMARC1; {RUA}; p=reject", "syntax", "warn"),
        (f"v=DMARC1; p=none; {RUA}", "policy", "warn"),
        (f"v=DMARC1; {RUA}", "policy", "warn"),
        (f"v=DMARC1; p=quarantine; {RUA}", "policy", "pass"),
        (f"v=DMARC1; p=reject; sp=none; {RUA}", "subdomains", "warn"),
        (f"v=DMARC1; p=reject; np=quarantine; {RUA}", "subdomains", "warn"),
        (f"v=DMARC1; p=quarantine; np=reject; {RUA}", "subdomains", "pass"),
        (f"v=DMARC1; p=reject; t=y; {RUA}", "testing", "warn"),
        (f"v=DMARC1; p=none; t=y; {RUA}", "testing", "pass"),
        (f"v=DMARC1; p=reject; pct=50; {RUA}", "removed-tags", "warn"),
        (f"v=DMARC1; p=reject; {RUA}!10m", "removed-tags", "warn"),
        (f"v=DMARC1; p=reject; policy=reject; {RUA}", "unknown-tags", "warn"),
        (f"v=DMARC1; p=reject; psd=y; {RUA}", "organisation", "warn"),
        (f"v=DMARC1; p=reject; psd=n; {RUA}", "organisation", "pass"),
        ("v=DMARC1; p=reject", "reports", "warn"),
        ("v=DMARC1; p=reject; rua=dmarc@example.com", "report-addresses", "warn"),
        ("v=DMARC1; p=reject; rua=https://example.com/", "report-addresses", "warn"),
        ("v=DMARC1; p=reject; rua=mailto:a@nowhere.example.com", "report-addresses", "warn"),
        ("v=DMARC1; p=reject; rua=mailto:a@other.example", "consent", "warn"),
    ],
)
def test_each_rule_of_a_record_can_be_broken(record: str, check: str, status: str) -> None:
    """One flaw is seen by the check that it belongs to."""
    others = "other.example. IN MX 10 mx.other.example.\nmx.other.example. IN A 192.0.2.20\n"

    assert _record(record, others)[check].status == status


def test_no_record_fails_once_and_says_what_to_publish() -> None:
    """A domain that sends nothing may be strict at once."""
    found = _check("")
    silent = by_check(dmarc.check(DOMAIN, look('example.com. IN TXT "v=spf1 -all"\n')))

    assert (set(found), found["present"].status) == ({"present"}, "fail")
    assert "p=none; rua=mailto:" in found["present"].advice
    assert "p=reject" in silent["present"].advice
    assert "domain itself" in _check(txt("example.com", GOOD))["present"].seen


def test_advice_for_a_declared_domain_names_the_verb_or_the_setting() -> None:
    """What a person changes is the inventory."""
    ours = declared(key(), dmarc={"policy": "none", "rua": ["mailto:a@example.com"]})

    absent = by_check(dmarc.check(ours, look(MAIL)))["present"]
    loose = by_check(dmarc.check(ours, look(MAIL + txt("_dmarc.example.com", f"v=DMARC1; p=none; {RUA}"))))["policy"]

    assert "sendwright provision" in absent.advice
    assert "rua=mailto:a@example.com" in absent.advice
    assert "declare dmarc=" in loose.advice


def test_a_locked_domain_as_the_inventory_publishes_it_is_right() -> None:
    """It sends nothing, so that there is nothing to report."""
    world = 'example.com. IN TXT "v=spf1 -all"\n' + txt("_dmarc.example.com", "v=DMARC1; p=reject")

    assert {f.status for f in dmarc.check(DOMAIN, look(world))} == {"pass"}


def test_two_records_fail_once() -> None:
    """Receivers discard both."""
    found = _check(txt("_dmarc.example.com", GOOD, "v=DMARC1; p=none"))

    assert (set(found), found["single"].status) == ({"single"}, "fail")


def test_other_text_at_the_name_is_no_second_record() -> None:
    """It is discarded before records are counted."""
    assert _check(txt("_dmarc.example.com", GOOD, "hello"))["single"].status == "pass"


@pytest.mark.parametrize("text", [f'"{GOOD}"', f" {GOOD}", GOOD.replace("DMARC1", "dmarc1")])
def test_a_record_that_no_receiver_takes_for_one_fails_by_what_it_was_meant_as(text: str) -> None:
    """Whoever published it thinks that it works."""
    found = _record(text)

    assert (set(found), found["syntax"].status) == ({"syntax"}, "fail")


def test_a_record_without_policy_and_addresses_is_judged_no_further() -> None:
    """Receivers apply nothing of it (RFC 9989 section 4.10.1)."""
    found = _record("v=DMARC1; p=oops")

    assert found["syntax"].status == "fail"
    assert "policy" not in found


def test_a_subdomain_inherits_and_its_policy_depends_on_whether_it_exists() -> None:
    """sp of one that exists, np of one that does not."""
    world = txt("_dmarc.example.com", f"v=DMARC1; p=reject; sp=none; {RUA}") + "news.example.com. IN A 192.0.2.9\n"
    news = _check(world, Target("news.example.com"))
    ghost = _check(txt("_dmarc.example.com", f"v=DMARC1; p=none; np=reject; {RUA}"), Target("ghost.example.com"))

    assert (news["present"].status, news["policy"].status) == ("pass", "warn")
    assert "Inherited" in news["present"].seen
    assert ghost["policy"].status == "pass"


def test_names_below_a_subdomain_follow_the_organisation_not_the_subdomain() -> None:
    """A strict record in between protects itself alone (RFC 9989 section 4.7, sp)."""
    world = txt("_dmarc.example.com", f"v=DMARC1; p=none; {RUA}") + txt("_dmarc.news.example.com", GOOD)

    found = _check(world, Target("news.example.com"))

    assert (found["policy"].status, found["subdomains"].status) == ("pass", "warn")


def test_the_record_of_a_public_suffix_is_a_warning_to_publish_ones_own() -> None:
    """It is of whoever runs the registry."""
    found = _check(txt("_dmarc.com", "v=DMARC1; p=reject; psd=y; rua=mailto:r@registry.example"))

    assert (found["present"].status, found["organisation"].status) == ("warn", "pass")


def test_a_whole_top_level_domain_is_no_organisation() -> None:
    """Without psd=y its record makes everything in it align with everything else."""
    world = txt("_dmarc.com", "v=DMARC1; p=reject")

    assert _check(world)["organisation"].status == "fail"
    assert _check(world + txt("_dmarc.example.com", f"{GOOD}; psd=n"))["organisation"].status == "pass"


def test_two_records_above_are_discarded_and_the_organisation_is_another_than_meant() -> None:
    """The walk goes on as if there were none."""
    world = txt("_dmarc.example.com", GOOD, "v=DMARC1; p=none") + txt("_dmarc.news.example.com", GOOD)

    assert _check(world, Target("news.example.com"))["organisation"].status == "warn"


def test_an_answer_that_tells_nothing_is_unknown_and_a_forged_one_fails() -> None:
    """Once; above the domain it leaves the organisation open."""
    for told, status in ((Told.FAILED, "unknown"), (Told.BOGUS, "fail")):
        own = _check("", told={("_dmarc.example.com", "TXT"): told})
        above = _check(txt("_dmarc.example.com", GOOD), told={("_dmarc.com", "TXT"): told})
        assert (set(own), own["present"].status) == ({"present"}, status)
        assert (above["policy"].status, above["organisation"].status) == ("pass", status)


@pytest.mark.parametrize(
    ("world", "status"),
    [
        ("other.example. IN MX 0 .\n", "warn"),
        ("other.example. IN MX 10 gone.other.example.\n", "warn"),
        ("other.example. IN A 192.0.2.20\n", "pass"),
        ("mx.other.example. IN AAAA 2001:db8::1\nother.example. IN MX 10 mx.other.example.\n", "pass"),
    ],
)
def test_an_address_is_where_mail_goes(world: str, status: str) -> None:
    """A null MX and a server without address take none; a domain without MX takes it itself (RFC 5321, 5.1)."""
    agreed = txt("example.com._report._dmarc.other.example", "v=DMARC1")

    found = _record("v=DMARC1; p=reject; rua=mailto:a@other.example", world + agreed)

    assert (found["report-addresses"].status, found["consent"].status) == (status, "pass")


def test_an_address_that_cannot_be_looked_up_is_unknown() -> None:
    """That is no mistake of the record."""
    world = txt("_dmarc.example.com", "v=DMARC1; p=reject; rua=mailto:a@other.example")
    told = {("other.example", "MX"): Told.FAILED, ("example.com._report._dmarc.other.example", "TXT"): Told.FAILED}

    found = _check(world, told=told)

    assert (found["report-addresses"].status, found["consent"].status) == ("unknown", "unknown")


def test_the_same_organisation_needs_no_consent() -> None:
    """A name below the domain, the domain above, or one that the walk takes to the same end."""
    above = _check(txt("_dmarc.news.example.com", GOOD) + txt("_dmarc.example.com", GOOD), Target("news.example.com"))
    sister = _check(
        txt("_dmarc.news.example.com", "v=DMARC1; p=reject; rua=mailto:a@post.example.com")
        + txt("_dmarc.example.com", GOOD),
        Target("news.example.com"),
    )

    assert (above["consent"].status, sister["consent"].status) == ("pass", "pass")


def test_consent_may_stand_at_a_name_for_the_inherited_policys_domain() -> None:
    """It is about the domain at which the record was found (RFC 9990 section 4)."""
    world = txt("_dmarc.example.com", "v=DMARC1; p=reject; rua=mailto:a@other.example")
    agreed = txt("example.com._report._dmarc.other.example", "v=DMARC1; rua=mailto:b@other.example")

    assert _check(world + agreed, Target("news.example.com"))["consent"].status == "pass"


def test_a_declared_domain_aligns_by_two_legs_by_one_or_not_at_all() -> None:
    """DKIM by a key that signs and is published, SPF by a record that passes every address that sends."""
    policy = txt("_dmarc.example.com", GOOD)
    signing = txt("r1._domainkey.example.com", f"v=DKIM1; p={key().public}")
    no_spf = 'example.com. IN TXT "v=spf1 ip4:198.51.100.1 -all"\n'
    ours = declared(key())

    def of(*parts: str) -> str:
        return by_check(dmarc.check(ours, look("".join(parts))))["alignment"].status

    assert of(policy, signing, SPF) == "pass"
    assert of(policy, signing, no_spf) == "warn"
    assert of(policy, SPF) == "warn"
    assert of(policy, no_spf) == "fail"
    assert "alignment" not in by_check(dmarc.check(declared(sends=False), look(policy)))


def test_a_key_that_does_not_sign_yet_aligns_nothing() -> None:
    """Published is not used."""
    ours = declared(key(stage=KeyStage.PUBLISHED))
    world = txt("_dmarc.example.com", GOOD) + txt("r1._domainkey.example.com", f"v=DKIM1; p={key().public}") + SPF

    assert by_check(dmarc.check(ours, look(world)))["alignment"].status == "warn"


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=120))
def test_any_record_is_judged(text: str) -> None:
    """Whatever stands at the name, something is said."""
    assert _check(txt("_dmarc.example.com", f"v=DMARC1; {text}"))
