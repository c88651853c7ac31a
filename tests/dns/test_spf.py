import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.spf import Directive, Modifier, SpfRecord, SpfSyntaxError, is_spf, parse
from sendwright.dns.spf_macros import macro_string

PIECES = [
    "v=spf1",
    "a",
    "mx",
    ":",
    "/",
    "//",
    ".",
    "%{d}",
    "%%",
    "24",
    "=",
    "exp",
    "ip4",
    "1.2.3.4",
    "-",
    "~all",
    "é",
    " ",
]


def _directive(text: str) -> Directive:
    (term,) = parse(f"v=spf1 {text}").terms
    assert isinstance(term, Directive)
    return term


def _faults(text: str | bytes) -> list[tuple[str, str]]:
    with pytest.raises(SpfSyntaxError) as raised:
        parse(text)
    return [(fault.term, fault.section) for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("octets", "claims"),
    [
        (b"v=spf1", True),
        (b"V=SpF1 a", True),
        (b"v=spf1  -all ", True),
        (b"v=spf10", False),
        (b"v=spf1\ta", False),
        (b"v=spf1-all", False),
        (b" v=spf1 a", False),
        (b"v=spf1\n", False),
        (b"v=spf2.0/mfrom a", False),
        (b"", False),
    ],
)
def test_a_record_is_known_by_its_version_and_a_space_or_the_end(octets: bytes, claims: bool) -> None:
    """Section 4.5: neither a longer version nor any other separator; case means nothing (RFC 5234, 2.3)."""
    assert is_spf(octets) is claims


@pytest.mark.parametrize("text", ["v=spf1\ta", "", "spf1 a", "v=spf10 a"])
def test_what_has_no_version_is_no_record(text: str) -> None:
    """Section 4.5: such a text is not for SPF at all."""
    assert [section for _, section in _faults(text)] == ["4.5"]


@pytest.mark.parametrize("text", ["v=spf1", "V=SPF1  ", "v=spf1   a   -ALL  ", "v=spf1 Redirect=_spf.%{D2R-}.example."])
def test_a_record_keeps_its_text(text: str) -> None:
    """So that it can be changed in one place and stay byte for byte in all others."""
    record = parse(text)

    assert record.text == text
    assert [term.text for term in record.terms] == text.split()[1:]


@pytest.mark.parametrize(
    "term",
    [
        "all", "+all", "-all", "?all", "~all", "ALL", "~All",
        "include:a.example", "Include:_spf.A.example.", "-include:%{d2}.example", "include:%{d}",
        "a", "A", "a:a.example", "a/24", "a//64", "a/24//64", "a/0", "a/32//128", "a//0", "a:a.example/24//64",
        "a:%{i}._%{d1r.}/8", "a:foo:bar/baz.example", "a:a_b.c-d", "a:a.xn--p1ai", "a:x.1a", "a:x.a1", "a:.example",
        "mx", "mx:a.example", "mx/0", "mx:a.example//1", "MX:%{o}", "ptr", "ptr:a.example", "?ptr:%{h}",
        "ip4:192.0.2.1", "ip4:0.0.0.0/0", "-IP4:255.249.199.9/32", "ip4:192.0.2.255/8",
        "ip6:::", "ip6:::/0", "ip6:2001:DB8::1/128", "ip6:1:2:3:4:5:6:7:8", "ip6:::192.0.2.1/96", "ip6:1:2:3:4:5:6:7::",
        "exists:%{ir}.%{v}._spf.%{d2}", "exists:%{l1r+-,/_=.}.a.example", "exists:a%%b%_c%-d.example", "exists:x.%%",
        "exists:%{s}.%{L3R}.%{p}.%{H}", "exists:%{d128}", "exists:%{d010}", "exists:!\"#$&'()*;<>?@[\\]^`{|}~.example",
        "redirect=a.example", "REDIRECT=%{d}", "exp=a.example", "Exp=explain.%{o}",
        "x=", "a=b", "all=%{d}", "ip4=192.0.2.1", "moo.cow-far_out=man:dog/cat", "x=%%", "default=,=/:;", "A9=%{s}",
    ],
)  # fmt: skip
def test_what_the_grammar_allows_parses(term: str) -> None:
    """Sections 4.6.1, 5, 6 and 7.1, collected in 12."""
    (parsed,) = parse(f"v=spf1 {term}").terms

    assert parsed.text == term


@pytest.mark.parametrize(
    ("term", "section"),
    [
        ("foo", "4.6.1"), ("foo:bar.example", "4.6.1"), ("allx", "4.6.1"), ("all.", "4.6.1"), ("a.", "4.6.1"),
        ("++all", "4.6.1"), ("!all", "4.6.1"), ("", None), ("-", "4.6.1"), ("=x", "4.6.1"), ("-x=y", "4.6.1"),
        ("1x=y", "4.6.1"), ("a,b", "4.6.1"), ("a\tmx", "4.6.1"), ("-all\t", "4.6.1"), ("\x00", "4.6.1"),
        ("all:a.example", "5.1"), ("all/8", "5.1"), ("all:", "5.1"),
        ("include", "5.2"), ("include:", "5.2"), ("include/24", "5.2"), ("include:a.example/24", "7.1"),
        ("a:", "5.3"), ("a/", "5.3"), ("a:/24", "5.3"), ("a/24/8", "5.3"), ("a//", "5.3"), ("a///64", "5.3"),
        ("a/x", "5.3"), ("a/33", "5.6"), ("a/024", "5.6"), ("a/00", "5.6"), ("a//129", "5.6"), ("a//064", "5.6"),
        ("a:example", "7.1"), ("a:a.example/x", "7.1"), ("a:a.example:80", "7.1"), ("a:a.123", "7.1"),
        ("a:192.0.2.1", "7.1"), ("a:a.-x", "7.1"), ("a:a.x-", "7.1"), ("a:a..", "7.1"), ("a:.", "7.1"),
        ("a:a.b_c", "7.1"), ("a:%{d}x", "7.1"), ("a:%{d}/", "7.1"), ("a:%{d}.", "7.1"), ("a/" + "9" * 5000, "5.6"),
        ("mx:", "5.4"), ("mx/-1", "5.4"), ("mx//33x", "5.4"), ("ptr:", "5.5"), ("ptr/0", "5.5"),
        ("ip4", "5.6"), ("ip4:", "5.6"), ("ip4:192.0.2", "5.6"), ("ip4:192.0.2.256", "5.6"),
        ("ip4:192.0.2.1/", "5.6"), ("ip4:192.0.2.1/33", "5.6"), ("ip4:192.0.2.1/08", "5.6"),
        ("ip4:192.0.2.1:25", "5.6"), ("ip4/24", "5.6"), ("ip4:2001:db8::1", "5.6"), ("ip4:192.0.2.1.", "5.6"),
        ("ip4:192.0.2.1//32", "5.6"), ("ip4:192.0.2.01", "5.6"), ("ip4:%{i}", "5.6"),
        ("ip4:192.0.2.1.1", "5.6"), ("ip4:+1.2.3.4", "5.6"),
        ("ip6", "5.6"), ("ip6:", "5.6"), ("ip6:192.0.2.1", "5.6"), ("ip6:::1/129", "5.6"), ("ip6:::1/0128", "5.6"),
        ("ip6:::1//64", "5.6"), ("ip6:1::2::3", "5.6"), ("ip6:12345::", "5.6"), ("ip6:1:2:3:4:5:6:7", "5.6"),
        ("ip6:fe80::1%eth0", "5.6"), ("ip6:::1.2.3", "5.6"), ("ip6:g::", "5.6"), ("ip6:[::1]", "5.6"),
        ("exists", "5.7"), ("exists:", "5.7"), ("exists:a.example/32", "7.1"),
        ("redirect=", "6.1"), ("redirect=example", "7.1"), ("redirect:a.example", "4.6.1"), ("exp=", "6.2"),
        ("exp=a.example/1", "7.1"),
        ("exists:%", "7.1"), ("exists:%a.example", "7.1"), ("exists:%{}.example", "7.1"),
        ("exists:%{x}.example", "7.1"), ("exists:%{d", "7.1"), ("exists:%{d0}", "7.1"),
        ("exists:%{d00r}", "7.1"), ("exists:%{dr1}", "7.1"),
        ("exists:%{d!}", "7.1"), ("exists:%{d.r}", "7.1"), ("exists:%(d).example", "7.1"), ("exists:%%%", "7.1"),
        ("exists:%{c}.example", "7.1"), ("exists:%{R}", "7.1"), ("exp=%{t}", "7.1"), ("redirect=%{c}", "7.1"),
        ("x=%", "7.1"), ("x=%{z}", "7.1"), ("x=\x7f", "7.1"), ("x=a\tb", "7.1"),
        ("x=é", "3.1"), ("a:\xe9.example", "3.1"), ("–all", "3.1"), ("\u017fp=x", "3.1"),
    ],
)  # fmt: skip
def test_what_the_grammar_forbids_is_an_error_with_its_section(term: str, section: str | None) -> None:
    """A syntax error anywhere in the record is an error of the record (section 4.6)."""
    if section is None:
        assert parse(f"v=spf1 {term}").terms == ()
        return
    before_and_after = _faults(f"v=spf1 a {term} -all exp=e.example")

    assert before_and_after
    assert {found for _, found in before_and_after} == {section}


@given(st.binary(max_size=40).filter(lambda octets: not octets.isascii()))
def test_octets_that_are_not_ascii_are_never_taken(octets: bytes) -> None:
    """Section 3.1: wherever they stand."""
    with pytest.raises(SpfSyntaxError, match="US-ASCII"):
        parse(b"v=spf1 x=" + octets + b" -all")


def test_every_fault_of_a_record_is_reported_at_once() -> None:
    """Who mends a record mends it once."""
    record = "v=spf1 ip4:192.0.2 a:%{z}.%{d0}x/33 include mx ~all ptr/1 exp=a.example EXP=b.example"

    assert _faults(record) == [
        ("ip4:192.0.2", "5.6"),
        ("a:%{z}.%{d0}x/33", "5.6"),
        ("a:%{z}.%{d0}x/33", "7.1"),
        ("a:%{z}.%{d0}x/33", "7.1"),
        ("include", "5.2"),
        ("ptr/1", "5.5"),
        ("EXP=b.example", "6"),
    ]


def test_an_error_says_term_fault_and_section_and_survives_pickling() -> None:
    """The text is hostile: it is bounded and escaped, however many faults and however long the terms."""
    with pytest.raises(SpfSyntaxError) as raised:
        parse("v=spf1 foo:\x1b[2J " + "bar " * 10_000 + "x" * 10_000)
    text = str(raised.value)

    assert "'foo:\\x1b[2J' is an unknown mechanism (RFC 7208 section 4.6.1)" in text
    assert len(text) < 4000
    assert len(raised.value.faults) == 10_002
    assert pickle.loads(pickle.dumps(raised.value)).faults == raised.value.faults  # noqa: S301 - our own bytes


@pytest.mark.parametrize("name", ["redirect", "exp"])
def test_redirect_and_exp_stand_at_most_once(name: str) -> None:
    """Section 6: not even with the same value, nor in another case; other modifiers may repeat."""
    assert _faults(f"v=spf1 {name}=a.example x=1 x=2 {name.upper()}=a.example") == [(f"{name.upper()}=a.example", "6")]


def test_the_qualifier_is_plus_unless_written() -> None:
    """Section 4.6.2."""
    assert [_directive(f"{q}mx").qualifier for q in ("", "+", "-", "~", "?")] == ["+", "+", "-", "~", "?"]


def test_prefix_lengths_are_those_of_both_families() -> None:
    """Section 5: without one the whole address is compared."""
    spelt = [_directive(text) for text in ("a", "a/24", "mx//64", "a:x.example/0//0", "a:%{d}/1//2")]

    assert [(d.prefix4, d.prefix6) for d in spelt] == [(32, 128), (24, 128), (32, 64), (0, 0), (1, 2)]
    assert [d.domain.text if d.domain else None for d in spelt] == [None, None, None, "x.example", "%{d}"]


def test_a_network_ignores_the_bits_behind_its_prefix() -> None:
    """Section 5.6: only the high-order bits are compared."""
    assert str(_directive("ip4:192.0.2.77/24").network) == "192.0.2.0/24"
    assert str(_directive("ip6:2001:DB8:0:0::1/32").network) == "2001:db8::/32"


def test_terms_after_all_are_parsed_and_the_redirect_is_void() -> None:
    """Sections 5.1 and 6.1: they are ignored, but faults in them still count."""
    record = parse("v=spf1 redirect=r.example -all mx x=1 +all")

    assert [d.mechanism for d in record.directives] == ["all", "mx", "all"]
    assert record.all is not None
    assert record.all.qualifier == "-"
    assert record.redirect is None
    assert _faults("v=spf1 -all mx:") == [("mx:", "5.4")]


def test_redirect_and_exp_stand_anywhere() -> None:
    """Section 6: modifiers may be anywhere in the record."""
    record = parse("v=spf1 Exp=e.example redirect=r.example a")

    assert record.redirect is not None
    assert record.redirect.value.text == "r.example"
    assert record.exp is not None
    assert record.exp.name == "exp"


def test_the_letters_of_explanations_are_allowed_there_only() -> None:
    """Section 7.2: c, r and t, and spaces, in the text that exp leads to."""
    assert [m.letter for m in macro_string("%{C} at %{t}: %{r}", explain=True).macros] == ["c", "t", "r"]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_text_is_parsed_or_refused_by_its_own_error(pieces: list[str]) -> None:
    """Records come from outside."""
    try:
        record = parse("v=spf1 " + "".join(pieces))
    except SpfSyntaxError:
        return
    assert isinstance(record, SpfRecord)
    assert all(isinstance(term, Directive | Modifier) for term in record.terms)
