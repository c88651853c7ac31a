"""pyspf as a judge from other hands, wherever it means to agree.

It is known not to: it counts a redirect that is not reached, counts the addresses of MX and PTR names as void lookups,
does not lower the case of modifiers, refuses unknown ones that repeat, takes zero for a number of parts, joins parts by
the delimiter that they were split at, refuses %% at the end, takes %{ without its }, and +exists without a domain. None
of that is generated here; RFC 7208 is clear. The examples are always the same: more of it may well be found one day.
"""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
import spf
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sendwright.dns.spf import SpfSyntaxError, parse
from sendwright.dns.spf_check import check_host
from sendwright.dns.spf_lookup import Lookup

V4, V6 = "192.0.2.1", "2001:db8::1"
HELO, SENDER = "helo.example", "some.one-x@e.example"
Zone = dict[str, dict[str, Sequence[str]]]


class Judge(spf.query):  # type: ignore[misc] # pyspf has no types
    """pyspf with our zone data behind it; void answers are counted as it counts them."""

    def __init__(self, lookup: Lookup, ip: str) -> None:
        super().__init__(ip, SENDER, HELO, receiver="receiver.example")
        self._lookup = lookup

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:  # noqa: ARG002
        """Answer as pyspf's own method would."""
        labels = name.removesuffix(".").split(".")
        if not all(0 < len(label) < 64 for label in labels):
            return []
        answer = self._lookup(name, qtype)
        if answer.failure:
            raise spf.TempError(answer.failure)
        if answer.void and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("void lookups")
        if qtype == "TXT":
            return [(value.encode("latin-1"),) for value in answer.values]
        return [(0, value) for value in answer.values] if qtype == "MX" else list(answer.values)


HOSTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "both.example": {"A": ["192.0.2.1", "198.51.100.7"], "AAAA": ["2001:db8::1"], "MX": ["other.example"]},
    "other.example": {"A": ["192.0.2.130"], "AAAA": ["2001:db8::ff"], "MX": ["other.example", "both.example"]},
    "four.example": {"A": ["192.0.2.2"]},
    "six.example": {"AAAA": ["2001:db8:1::1"]},
    "slow.example": {"*": ["!"]},
    "text.example": {"TXT": ["%{s} %{l-} %{o2} %{dr} %{i} %{v} %{h} %{c} %{R} %{S}%%%_%-"]},
    "texts.example": {"TXT": ["one", "two"]},
    "badtext.example": {"TXT": ["100%"]},
    "some.one.x.example": {"A": ["127.0.0.2"]},
    "x.one.some.x.example": {"A": ["127.0.0.2"]},
    "1.2.0.192.in-addr.x.example": {"A": ["127.0.0.2"]},
    ip_address(V4).reverse_pointer: {"PTR": ["both.example", "other.example", "both.a.example"]},
    ip_address(V6).reverse_pointer: {"PTR": ["other.example", "both.a.example"]},
    "both.a.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
}

QUALIFIERS = st.sampled_from(["", "", "+", "-", "~", "?"])
NAMES = st.sampled_from(
    [*list(HOSTS)[:5], "none.example", "a.example", "a..example", "%{d}", "both.%{o1}", "Both.Example."],
)
CIDRS = st.sampled_from(["", "", "/24", "/0", "//64", "/25//32", "/32//0"])
MACROS = st.sampled_from(
    ["%{l-}.x.example", "%{lr-}.x.example", "%{ir}.%{v}.x.example", "%{p}", "%{p2}", "%{h}", "%{o}", "%{d1r}.%{d}"],
)
MECHANISMS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["a", "mx", "A", "Mx"]), CIDRS),
    st.builds("{}:{}{}".format, st.sampled_from(["a", "mx", "MX"]), NAMES, CIDRS),
    st.builds("ip4:{}".format, st.sampled_from(["192.0.2.1", "192.0.2.9/24", "10.0.0.0/8", "192.0.2.2", "1.2.3.4/0"])),
    st.builds("ip6:{}".format, st.sampled_from(["2001:db8::1", "2001:DB8::9/64", "::/0", "::1", "::ffff:192.0.2.1"])),
    st.builds("exists:{}".format, st.one_of(NAMES, MACROS)),
    st.builds("ptr{}".format, st.sampled_from(["", ":example", ":both.example", ":a.example", ":x.both.example"]))
    .filter(lambda text: text != "ptr:example"),
    st.just("all"),
)  # fmt: skip
FAULTS = st.sampled_from(
    ["foo", "a:", "ip4:1.2.3", "all:x", "x=%", "include", "mx/33", "exists", "a/024", "a\tmx", "=x"]
)


def _record(below: Sequence[str]) -> st.SearchStrategy[str]:
    include = st.builds("include:{}".format, st.sampled_from([*below, "none.example", "slow.example"]))
    directive = st.builds("{}{}".format, QUALIFIERS, st.one_of(MECHANISMS, MECHANISMS, include))
    faulty = st.one_of(*[directive] * 24, FAULTS)
    exp = st.sampled_from(
        ["", "", " exp=text.example", " exp=texts.example", " exp=badtext.example", " exp=none.example"]
    )
    redirect = st.sampled_from(["", "", "", *(f" redirect={name}" for name in [*below, "none.example"])])
    spaces = st.sampled_from([" ", " ", "  "])
    terms = st.lists(st.builds("{}{}".format, spaces, faulty), max_size=6).map("".join)
    return st.builds(
        "{}{}{}{}{}".format, st.sampled_from(["v=spf1", "V=SPF1"]), terms, exp, redirect, st.sampled_from(["", " "])
    )


ZONES = st.fixed_dictionaries(
    {
        "e.example": st.lists(_record(["a.example", "b.example"]), min_size=1, max_size=1),
        "a.example": st.lists(st.one_of(*[_record(["b.example", "c.example"])] * 9, st.just("other")), max_size=2),
        "b.example": st.lists(_record(["c.example"]), min_size=1, max_size=1),
        "c.example": st.lists(_record(["none.example"]), min_size=1, max_size=1),
    }
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(zone=ZONES, ip=st.sampled_from([V4, V6]))
def test_pyspf_says_the_same(zone: dict[str, list[str]], ip: str, world: Callable[..., Lookup]) -> None:
    """Result and explanation, over nested records, errors and limits."""
    hosts: Zone = {name: dict(types) for name, types in HOSTS.items()}
    for name, texts in zone.items():
        hosts.setdefault(name, {})["TXT"] = texts
    lookup = world(hosts)
    judge = Judge(lookup, ip)

    verdict = check_host(ip, "e.example", SENDER, HELO, lookup, receiver="receiver.example")
    result, _, explanation = judge.check()

    # A redirect that is not reached counts for pyspf.
    assume(judge.lookups <= 10 or not any("redirect" in text for texts in zone.values() for text in texts))
    assert verdict.result == result, (verdict, explanation)
    if verdict.result == "fail":
        assert (verdict.explanation or spf.EXPLANATIONS["fail"]) == explanation


PIECES = ["a", "mx", "all", "ip4", "ip6", "include", "exists", "ptr", "+", "-", ":", ":", "/", "//", "=", ".", "0"]
PIECES += ["24", "64", "129", "033", "192.0.2.1", "192.0.2.01", "256.1.1.1", "::1", "1:2:3:4:5:6:7:8", "x.example"]
PIECES += ["x-.", "-x", "1x", "%_", "%{d}", "%{l1r-}", "%", "_"]
TERMS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)


@settings(max_examples=800, derandomize=True, deadline=None)
@given(term=TERMS.filter(lambda t: "%%" not in t and t[1:] != "exists"))
@example(term="a:%{d}/24//64")
def test_pyspf_takes_the_same_terms_for_valid(term: str, world: Callable[..., Lookup]) -> None:
    """A fault anywhere is an error, also behind the match."""
    record = f"v=spf1 ip4:{V4} {term}"
    result, _, why = Judge(world({"e.example": {"TXT": [record]}}), V4).check()

    try:
        parse(record)
    except SpfSyntaxError:
        assert result == "permerror"
    else:
        # It looks for an include of itself before anything matches.
        assert result == "pass" or "trivial recursion" in why


@pytest.mark.parametrize("ip", [V4, V6])
def test_the_judge_itself_sees_the_zone(ip: str, world: Callable[..., Lookup]) -> None:
    """A judge that sees nothing would agree to anything."""
    judge = Judge(world({**HOSTS, "e.example": {"TXT": ["v=spf1 mx:both.example a:both.example -all"]}}), ip)

    assert judge.check()[0] == "pass"
    assert judge.lookups == 2
