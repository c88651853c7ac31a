import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify.records.dmarc_record import NoPolicy, Policy, is_meant, is_policy, parse
from sendwright.verify.records.report_uri import report_uris
from sendwright.verify.tree_walk import path, walk
from tests.verify.keys_world import look, txt


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("v=DMARC1", True),
        ("v=DMARC1;", True),
        ("V = DMARC1 ; p=none", True),
        ("v=DMARC1 p=none", False),
        ("v=dmarc1; p=none", False),
        (" v=DMARC1; p=none", False),
        ("p=none; v=DMARC1", False),
        ("v=DMARC10; p=none", False),
        ('"v=DMARC1; p=none"', False),
        ("v=spf1 -all", False),
    ],
)
def test_the_version_comes_first_and_is_exact(text: str, is_one: bool) -> None:
    """Everything else is discarded (RFC 9989 section 4.10, step 2)."""
    assert is_policy(text) is is_one
    if not is_one:
        with pytest.raises(NoPolicy):
            parse(text)


def test_what_was_meant_as_a_policy_is_recognised() -> None:
    """So that a person hears why receivers ignore it."""
    assert is_meant('"v=DMARC1; p=none"')
    assert is_meant(" V=dmarc1; p=none")
    assert not is_meant("v=DMARC1; p=none")
    assert not is_meant("v=spf1 -all")


def test_policies_fall_back_from_np_to_sp_to_p() -> None:
    """What is not written is as for the name above (section 4.7)."""
    every = parse("v=DMARC1; p=reject; sp=quarantine; np=NONE")
    only_p = parse("v=DMARC1; rua=mailto:a@example.com; P=Quarantine")

    assert (every.for_domain, every.for_subdomains, every.for_nonexistent) == tuple(reversed(Policy))
    assert {only_p.for_domain, only_p.for_subdomains, only_p.for_nonexistent} == {Policy.QUARANTINE}


def test_a_policy_under_test_is_applied_one_level_below() -> None:
    """t=y (section 4.7)."""
    record = parse("v=DMARC1; p=reject; t=y")

    assert [record.applied(p) for p in Policy] == [Policy.NONE, Policy.NONE, Policy.QUARANTINE]


@pytest.mark.parametrize(
    "text", ["v=DMARC1; p=rejct", "v=DMARC1; p=reject; sp=all", "v=DMARC1; p=reject; np=x", "v=DMARC1"]
)
def test_without_a_valid_policy_reports_are_all_that_is_left(text: str) -> None:
    """As if it were none, and nothing at all without an address (section 4.10.1)."""
    assert parse(text).void
    reported = parse(text + "; rua=mailto:a@example.com")
    assert (reported.void, reported.lapsed, reported.for_domain) == (False, True, Policy.NONE)


def test_tags_that_are_gone_unknown_or_wrong_are_kept_apart() -> None:
    """Each is told to people in its own words."""
    record = parse("v=DMARC1; p=none; pct=50; rf=afrf; ri=3600; policy=reject; aspf=strict; fo=x; p=reject; oops;;x=1")

    assert record.removed == ("pct=50", "rf=afrf", "ri=3600")
    assert record.unknown == ("policy=reject", "x=1")
    assert record.invalid == ("aspf=strict", "fo=x")
    assert record.faults == ("p= comes twice", "'oops' is no tag", "a semicolon is doubled")
    assert (record.for_domain, record.aspf) == (Policy.NONE, "r")


@pytest.mark.parametrize("fo", ["0", "1", "d", "s", "d:s", "s:d", "0:d", "1:d:s"])
def test_failure_options_may_be_listed(fo: str) -> None:
    """Separated by colons."""
    assert parse(f"v=DMARC1; p=none; fo={fo}").invalid == ()


@pytest.mark.parametrize(
    ("text", "domain", "fault"),
    [
        ("mailto:dmarc@example.com", "example.com", ""),
        ("MAILTO:DMARC+x@Example.COM", "example.com", ""),
        ("mailto:a%21b@example.com", "example.com", ""),
        ("mailto:a@example.com!10m", "example.com", ""),
        ("mailto:a@example.com?subject=x", "example.com", ""),
        ("https://reports.example.com/x", "reports.example.com", ""),
        ("dmarc@example.com", "", "mailto: is missing"),
        ("mailto:example.com", "", "no mail address"),
        ("mailto:a b@example.com", "", "no URI"),
        ("mailto:a@b@example.com", "", "no mail address"),
        ("mailto:a@localhost", "", "domain"),
        ("mailto:a@exa_mple.com", "", "domain"),
        ("nonsense", "", "no URI"),
    ],
)
def test_an_address_is_a_uri_with_a_domain(text: str, domain: str, fault: str) -> None:
    """RFC 9989 section 4.6; a size after ! is of RFC 7489."""
    (uri,) = report_uris(text)

    assert (uri.domain, bool(uri.fault)) == (domain, bool(fault))
    assert fault in uri.fault


def test_a_list_is_split_at_its_commas() -> None:
    """An empty place is a mistake that people hear of."""
    assert [uri.valid for uri in report_uris("mailto:a@example.com , mailto:b@example.com,")] == [True, True, False]
    assert report_uris("") == ()


def test_a_walk_asks_eight_times_at_most() -> None:
    """The example of section 4.10, and one of eight labels."""
    long = path("a.b.c.d.e.f.g.h.i.j.mail.example.com")

    assert long[:2] == ("a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com")
    assert (len(long), long[-1]) == (8, "com")
    assert path("a.b.c.d.e.f.g.h")[:2] == ("a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h")
    assert path("mail.example.com") == ("mail.example.com", "example.com", "com")


@pytest.mark.parametrize(
    ("records", "organisation", "applies"),
    [
        ({}, "a.mail.example.com", None),
        ({"mail.example.com": "u", "example.com": "u"}, "example.com", "example.com"),
        ({"a.mail.example.com": "u", "example.com": "u"}, "example.com", "a.mail.example.com"),
        ({"mail.example.com": "n", "example.com": "u"}, "mail.example.com", "mail.example.com"),
        ({"com": "y"}, "example.com", "com"),
        ({"com": "y", "example.com": "u"}, "example.com", "example.com"),
        ({"com": "y", "mail.example.com": "u"}, "example.com", "com"),
        ({"example.com": "y", "com": "u"}, "mail.example.com", "example.com"),
        ({"a.mail.example.com": "y", "example.com": "u"}, "a.mail.example.com", "a.mail.example.com"),
        ({"com": "u"}, "com", "com"),
    ],
)
def test_the_walk_finds_the_organisation_and_the_record_that_applies(
    records: dict[str, str], organisation: str, applies: str | None
) -> None:
    """The examples of sections 4.10.1 and 4.10.2, and their corners."""
    text = "".join(txt(f"_dmarc.{name}", f"v=DMARC1; p=none; psd={psd}") for name, psd in records.items())

    found = walk("a.mail.example.com", look(text).dns)

    assert (found.organisation, found.applies.domain if found.applies else None) == (organisation, applies)


def test_two_records_are_both_discarded_and_the_walk_goes_on() -> None:
    """Step 2 of section 4.10."""
    text = txt("_dmarc.mail.example.com", "v=DMARC1; p=none; psd=n", "v=DMARC1; p=reject") + txt(
        "_dmarc.example.com", "v=DMARC1; p=reject", "some other text"
    )

    assert walk("mail.example.com", look(text).dns).organisation == "example.com"


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_whatever_follows_the_version_is_read(text: str) -> None:
    """Nothing from outside breaks the reading."""
    record = parse(f"v=DMARC1;{text}")

    assert record.for_nonexistent in Policy
    assert is_meant(text) in {True, False}
