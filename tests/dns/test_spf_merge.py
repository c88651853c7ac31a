import re
from pathlib import Path

import pytest

from sendwright.dns.spf import SpfSyntaxError
from sendwright.dns.spf_merge import SpfTooLong, added, merged, terms_of, too_long

V4, V6, X = "ip4:203.0.113.10", "ip6:2001:db8::10", "include:x.example"


def test_without_a_record_ours_is_written_whole() -> None:
    """Lookup-free terms first, in order, then the verdict."""
    assert merged(None, [X, V4, V6], [], "~all") == f"v=spf1 {V4} {V6} {X} ~all"


def test_a_domain_that_sends_nothing_is_locked() -> None:
    """No term and a verdict."""
    assert merged(None, [], [], "-all") == "v=spf1 -all"


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        ("v=spf1 include:f.example ~all", f"v=spf1 {V4} include:f.example ~all"),
        ("V=SPF1   MX  -ALL  exp=e.f.example ", f"V=SPF1 {V4}   MX  -ALL  exp=e.f.example "),
        ("v=spf1 redirect=f.example", f"v=spf1 {V4} redirect=f.example"),
        ("v=spf1 mx", f"v=spf1 {V4} mx"),
        ("v=spf1 x=y", f"v=spf1 {V4} x=y"),
        ("v=spf1 -ip4:203.0.113.0/24 +all", f"v=spf1 {V4} -ip4:203.0.113.0/24 +all"),
        ("v=spf1 -all", f"v=spf1 {V4} -all"),
        ("v=spf1", f"v=spf1 {V4} ~all"),
        ("v=spf1 ", f"v=spf1 {V4} ~all "),
    ],
)
def test_ours_stand_first_and_the_rest_stays_byte_for_byte(seen: str, after: str) -> None:
    """The first match wins (4.6.2); somebody else's all, redirect or implicit neutral remains their verdict."""
    assert merged(seen, [V4], [], "~all") == after


@pytest.mark.parametrize(
    "seen",
    [
        "v=spf1 IP4:203.0.113.10/32 -all",
        "v=spf1 +ip4:203.0.113.99/24 -all",
        "v=spf1 mx a:f.example include:f.example ip4:203.0.113.10 -all",
        "v=spf1 -ip4:203.0.113.11 ?ip6:::/0 ip4:203.0.113.0/28 -all",
        "v=spf1 mx +all",
    ],
)
def test_an_address_that_passes_already_needs_nothing(seen: str) -> None:
    """Static terms that are reached before anything could answer otherwise than pass."""
    assert merged(seen, [V4], [], "~all") == seen
    assert added(seen, seen, [V4]) == ()


@pytest.mark.parametrize(
    "seen",
    [
        f"v=spf1 -include:f.example {V4} -all",
        f"v=spf1 ?mx {V4} -all",
        f"v=spf1 ~ip4:203.0.113.8/30 {V4} -all",
        f"v=spf1 -all {V4}",
        "v=spf1 mx -all",
        "v=spf1 ip4:203.0.113.11 ?ip4:203.0.113.10 -all",
    ],
)
def test_an_address_that_may_be_answered_otherwise_is_put_in_front(seen: str) -> None:
    """A term that stands and cannot be reached helps nobody."""
    after = seen.replace("v=spf1", f"v=spf1 {V4}")

    assert merged(seen, [V4], [], "~all") == after
    assert added(seen, after, [V4]) == (V4,)
    assert merged(after, [], [V4], "~all") == seen


def test_an_include_that_stands_and_is_reached_needs_nothing() -> None:
    """Whatever its case; behind something that answers otherwise it is put in front, behind our addresses."""
    reached = "v=spf1 a INCLUDE:X.example. -all"
    unreached = "v=spf1 -a include:x.example -all"

    assert merged(reached, [X], [], "~all") == reached
    assert merged(unreached, [X, V4], [], "~all") == f"v=spf1 {V4} {X} -a include:x.example -all"


def test_ours_that_are_not_wanted_go() -> None:
    """Only ours: the same term from somebody else stays."""
    seen = f"v=spf1 {V4} {V6} mx {V4} ~all"

    assert merged(seen, [V6], [V4, V6], "~all") == f"v=spf1 {V6} mx {V4} ~all"


def test_a_changed_address_stands_beside_the_old_one_and_then_alone() -> None:
    """Expand, then contract: each by what is wanted at that time."""
    seen = f"v=spf1 {V4} mx -all"
    both = merged(seen, [V4, "ip4:203.0.113.11"], [V4], "~all")

    assert both == f"v=spf1 {V4} ip4:203.0.113.11 mx -all"
    assert added(seen, both, [V4, "ip4:203.0.113.11"]) == ("ip4:203.0.113.11",)
    assert merged(both, ["ip4:203.0.113.11"], [V4, "ip4:203.0.113.11"], "~all") == "v=spf1 ip4:203.0.113.11 mx -all"


def test_a_wanted_address_outlives_a_network_of_ours_that_goes() -> None:
    """What passes only by a term that is going does not pass for certain."""
    assert merged("v=spf1 ip4:203.0.113.0/24 -all", [V4], ["ip4:203.0.113.0/24"], "~all") == f"v=spf1 {V4} -all"


def test_ours_that_somebody_overtook_moves_to_the_front() -> None:
    """A person wrote a denial before our term."""
    assert merged(f"v=spf1 -mx {V4} ~all", [V4], [V4, "~all"], "~all") == f"v=spf1 {V4} -mx ~all"


@pytest.mark.parametrize(
    ("seen", "owned", "after"),
    [
        (f"v=spf1 {V4} ~all", [V4, "~all"], f"v=spf1 {V4} -all"),
        (f"v=spf1 {V4} mx ~all", [V4, "~all"], f"v=spf1 {V4} mx -all"),
        (f"v=spf1 {V4} ~all mx", [V4, "~all"], f"v=spf1 {V4} -all mx"),
        (f"v=spf1 {V4} ~all redirect=f.example", [V4, "~all"], f"v=spf1 {V4} -all redirect=f.example"),
        (f"v=spf1 {V4} ~all", [V4], f"v=spf1 {V4} ~all"),
        (f"v=spf1 {V4} ?all ~all", [V4, "~all"], f"v=spf1 {V4} ?all"),
        (f"v=spf1 {V4}", [V4, "~all"], f"v=spf1 {V4} -all"),
        (f"v=spf1 {V4} mx", [V4, "~all"], f"v=spf1 {V4} mx"),
        (f"v=spf1 {V4} -ALL", [V4, "-all"], f"v=spf1 {V4} -ALL"),
    ],
)
def test_the_verdict_is_ours_only_where_nobody_else_has_a_say(seen: str, owned: list[str], after: str) -> None:
    """Ours is the first all that the ledger knows, or that of a record without a term of anybody else."""
    assert merged(seen, [V4], owned, "-all") == after


def test_terms_are_compared_by_meaning() -> None:
    """Case, default qualifier, spelling of addresses, full prefixes, final dots; not the case of a macro's letter."""
    one = "v=spf1 +A:H.Example./32//128 IP6:2001:DB8:0::10/128 Exists:%{L1R+}.X.Example ip4:192.0.2.9/24 X=Y exp=E.f"
    other = "v=spf1 a:h.example ip6:2001:db8::10 exists:%{L1R+}.x.example ip4:192.0.2.0/24 x=Y exp=e.f"

    assert terms_of(one) == terms_of(other) == tuple(other.split()[1:])
    assert terms_of("v=spf1 exists:%{L}.x.example") != terms_of("v=spf1 exists:%{l}.x.example")
    assert terms_of("v=spf1 ~a/24//64 mx//1 ?all") == ("~a/24//64", "mx//1", "?all")


def test_a_term_that_is_wanted_twice_is_written_once() -> None:
    """However it is spelt."""
    assert merged(None, [V4, "IP4:203.0.113.10/32"], [], "-all") == f"v=spf1 {V4} -all"


def test_a_record_that_does_not_parse_is_never_touched() -> None:
    """Its owner has to mend it; guessing would make it ours."""
    with pytest.raises(SpfSyntaxError, match="unknown mechanism"):
        merged("v=spf1 foo -all", [V4], [], "-all")


def test_the_length_of_a_record_is_warned_of_and_bounded() -> None:
    """Section 3.4: 450 octets fit into a UDP answer; 65,535 octets with the lengths of its strings into a record."""
    many = [f"ip4:10.{n >> 8}.{n & 255}.1" for n in range(5000)]

    assert too_long("v=spf1 " + "x" * 442) is None
    assert "450 octets" in (too_long("v=spf1 " + "x" * 443) or "")
    with pytest.raises(SpfTooLong):
        merged(None, many, [], "-all")


def test_the_examples_for_users_are_true() -> None:
    """The table of docs/spf.md."""
    text = (Path(__file__).parents[2] / "docs" / "spf.md").read_text()
    rows = re.findall(r"^\| (?:none|`(v=spf1[^`]*)`) \| (?:the same|`([^`]*)`) \|$", text, re.MULTILINE)

    assert len(rows) == 5
    for before, after in rows:
        assert merged(before or None, [V4], [], "~all") == (after or before)
