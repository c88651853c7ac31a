from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.spf import parse
from sendwright.dns.spf_check import check_host
from sendwright.dns.spf_cost import Cost, cost
from sendwright.dns.spf_lookup import Answer, Lookup

Zone = Mapping[str, Mapping[str, Sequence[str]]]
Costs = Callable[..., Cost]
HOST = {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"], "MX": ["host.example"]}


@pytest.fixture(scope="session")
def costs(world: Callable[[Zone], Lookup]) -> Costs:
    """Return what counts a record of e.example; other records of the world by name, as their text."""

    def counted(record: str, others: Mapping[str, str] | None = None, zone: Zone | None = None) -> Cost:
        texts = {name: {**HOST, "TXT": ["v=spf1 " + text]} for name, text in (others or {}).items()}
        lookup = world({"e.example": HOST, "host.example": HOST, **texts, **(zone or {})})
        return cost("e.example", parse("v=spf1 " + record), lookup)

    return counted


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("ip4:192.0.2.0/24 ip6:2001:db8::/32 exp=x.example x=%{i} -all", "0 of 10"),
        ("", "0 of 10"),
        ("?a ~mx +exists:host.example -ptr", "?a 1, ~mx 1, +exists:host.example 1, -ptr 1 = 4 of 10"),
        ("A MX:Host.Example//64 Ptr:host.example -ALL", "A 1, MX:Host.Example//64 1, Ptr:host.example 1 = 3 of 10"),
        ("a -all mx a a", "a 1 = 1 of 10"),
        ("-all redirect=host.example", "0 of 10"),
        ("ip4:0.0.0.0/0 a", "a 1 = 1 of 10"),
        ("ip4:0.0.0.0/0 ip6:::/0 a", "0 of 10"),
    ],
)
def test_every_term_that_asks_counts_once_until_the_evaluation_must_end(record: str, text: str, costs: Costs) -> None:
    """Section 4.6.4: whatever its qualifier and case; what is behind `all` is never reached (section 5.1)."""
    assert str(costs(record)) == text


def test_included_records_and_redirects_are_followed(costs: Costs) -> None:
    """And itemised by the terms of the record itself: who wants to save lookups sees where they go."""
    others = {
        "a.example": "include:B.example. a -all mx",
        "b.example": "mx ptr:%{d} ?all",
        "r.example": "a include:b.example",
    }
    counted = costs("mx include:a.example ip4:192.0.2.1 redirect=r.example", others)

    assert str(counted) == "mx 1, include:a.example 5, redirect=r.example 5 = 11 of 10"
    assert (counted.total, counted.over, counted.problems) == (11, True, ())


def test_ten_are_not_over(costs: Costs) -> None:
    """The limit is ten; eleven are over."""
    assert not costs("a " * 10 + "-all").over
    assert costs("a " * 11 + "-all").over


def test_a_record_that_passes_everybody_ends_the_evaluation(costs: Costs) -> None:
    """What is behind an include that always passes is reached only past those whom it denies first."""
    assert costs("include:o.example a a", {"o.example": "+all"}).total == 1
    assert costs("include:o.example a a", {"o.example": "-ip4:192.0.2.1 mx +all"}).total == 3
    assert costs("include:o.example a", {"o.example": "-ip4:192.0.2.1 mx mx mx +all"}).total == 4
    assert costs("-include:n.example a", {"n.example": "mx ?all"}).total == 3


def test_names_of_macros_are_followed_as_far_as_they_are_known(costs: Costs) -> None:
    """The domain, the sender's domain and the family are known; the sender is not, and that is said."""
    others = {"in-addr.e.example": "a a", "ip6.e.example": "a a a", "l.example": "mx"}
    known = costs("include:%{v}.%{o}", others)
    nested = costs("include:i.%{d}", {"i.e.example": "include:x.%{d}", "x.i.e.example": "mx"})
    unknown = costs("include:%{l}.example exists:%{ir}.x.example ~all", others)

    assert (known.total, known.problems) == (4, ())
    assert nested.total == 3
    assert str(unknown) == "include:%{l}.example 1, exists:%{ir}.x.example 1 = 2 of 10"
    assert unknown.problems == (
        "include:%{l}.example at e.example depends on the sender: what is behind it is not counted",
    )


def test_void_lookups_are_counted_for_the_family_that_has_more(costs: Costs) -> None:
    """A name without AAAA is void for every IPv6 sender, and a sender may have no reverse name."""
    zone = {"four.example": {"A": ["192.0.2.7"]}, "mail.example": {"MX": ["four.example"]}}

    assert costs("a mx exists:host.example -all").voids == 0
    assert costs("a:four.example a:four.example mx:mail.example exists:four.example", zone=zone).voids == 2
    assert costs("ptr mx:none.example exists:%{i}.x.example").voids == 3
    assert costs("ptr mx:none.example exists:%{i}.x.example").voids_over
    assert costs("include:i.example -all", {"i.example": "a:none.example exists:none.example ?all"}).voids == 2
    assert costs("-all a:none.example").voids == 0


@pytest.mark.parametrize(
    ("record", "zone", "problem"),
    [
        (
            "include:none.example",
            {},
            "include:none.example at e.example leads to an error: no SPF record at none.example",
        ),
        ("redirect=two.example", {"two.example": {"TXT": ["v=spf1", "v=spf1"]}}, "2 SPF records at two.example"),
        ("include:bad.example", {"bad.example": {"TXT": ["v=spf1 foo"]}}, "'foo' is an unknown mechanism"),
        ("include:t.example", {"t.example": {"*": ["!"]}}, "leads to an error: timed out"),
        ("a:t.example", {"t.example": {"*": ["!"]}}, "a:t.example at e.example cannot be looked up: timed out"),
        ("mx:m.example", {"m.example": {"MX": [f"m{i}.example" for i in range(11)]}}, "11 MX records"),
        ("include:e.example", {"e.example": {"TXT": ["v=spf1"]}}, "leads to itself"),
    ],
)
def test_what_is_wrong_behind_a_term_is_said_and_what_follows_still_counts(
    record: str, zone: Zone, problem: str, costs: Costs
) -> None:
    """It is mended some day by whose it is."""
    counted = costs(f"{record.split('=', maxsplit=1)[0] and record} a" if "=" not in record else record, zone=zone)

    assert any(problem in found for found in counted.problems)
    assert counted.total >= (1 if "=" in record else 2)


def test_loops_and_records_without_end_are_bounded() -> None:
    """They are over the limit, and cost us few questions."""
    asked = []

    def endless(name: str, rdtype: str) -> Answer:
        asked.append(name)
        return (
            Answer((f"v=spf1 {' '.join(f'include:{c}.%{{d}}' for c in 'abcdefgh')}",)) if rdtype == "TXT" else Answer()
        )

    counted = cost("e.example", parse("v=spf1 include:e.example include:x.example -all"), endless)

    assert counted.over
    assert len(asked) <= 500
    assert any("leads to itself, or too deep" in problem for problem in counted.problems)


def test_ten_thousand_terms_are_counted_in_a_moment(costs: Costs) -> None:
    """A hostile record may have 65,535 octets."""
    assert costs("a " * 10_000).total == 10_000


def _records(*below: str) -> st.SearchStrategy[str]:
    """Return records that may include the others named."""
    asking = [
        *(f"include:{name}" for name in below),
        "a",
        "mx",
        "ptr",
        "a:none.example",
        "mx:host.example",
        "exists:%{i}.x",
    ]
    qualified = st.builds("{}{}".format, st.sampled_from(["", "-", "?"]), st.sampled_from(asking))
    free = st.sampled_from(["ip4:192.0.2.1", "-ip4:192.0.2.9", "ip4:0.0.0.0/0", "ip6:::/0", "+all", "-all"])
    redirects = st.sampled_from(["", "", *(f" redirect={name}" for name in below)])
    return st.builds(
        "v=spf1 {}{}".format, st.lists(st.one_of(qualified, qualified, free), max_size=4).map(" ".join), redirects
    )


RECORDS = {
    "e.example": _records("one.example", "two.example"),
    "one.example": _records("two.example", "three.example"),
    "two.example": _records("three.example"),
    "three.example": _records(),
}
SENDERS = ["192.0.2.1", "192.0.2.9", "192.0.2.7", "198.51.100.1", "2001:db8::7", "2001:db8::9"]


@settings(max_examples=200, deadline=None)
@given(records=st.fixed_dictionaries(RECORDS))
def test_no_sender_costs_more_and_who_matches_nothing_costs_that(
    records: dict[str, str], world: Callable[[Zone], Lookup]
) -> None:
    """The count is an upper bound for what check_host does, and where no match is certain it is what it does."""
    lookup = world({"host.example": HOST, **{name: {**HOST, "TXT": [text]} for name, text in records.items()}})
    counted = cost("e.example", parse(records["e.example"]), lookup)
    verdicts = {ip: check_host(ip, "e.example", "s@e.example", "h.example", lookup) for ip in SENDERS}
    certain = any(term in text for text in records.values() for term in ("+all", "/0"))

    assert not counted.problems
    assert max(v.lookups for v in verdicts.values()) <= counted.total
    assert max(v.voids for v in verdicts.values()) <= counted.voids
    if not counted.over and not counted.voids_over:
        assert not any(v.result == "permerror" for v in verdicts.values())
        assert certain or verdicts["198.51.100.1"].lookups == counted.total
