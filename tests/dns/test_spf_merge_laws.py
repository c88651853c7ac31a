"""The laws of merging: ours pass, nobody else's verdict changes, and what was put in can be taken out again."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.spf_check import Result, check_host
from sendwright.dns.spf_lookup import Lookup
from sendwright.dns.spf_merge import added, merged, removed, terms_of

# Few addresses, so that terms meet.
FOUR = [f"203.0.113.{n}" for n in range(6)]
SIX = [f"2001:db8::{n}" for n in range(1, 5)]
WORLD = {
    "some.example": {"A": FOUR[1:3], "AAAA": SIX[:1], "MX": ["some.example"]},
    "odd.example": {"A": [FOUR[3]], "AAAA": SIX[2:3], "MX": ["some.example", "odd.example"]},
    "pass.example": {"TXT": ["v=spf1 ip4:203.0.113.2/31 ?all"]},
    "mixed.example": {"TXT": ["v=spf1 -ip4:203.0.113.1 a:some.example ~ip6:2001:db8::2 include:pass.example -all"]},
    "open.example": {"TXT": ["v=spf1 +all"]},
}
QUALIFIERS = st.sampled_from(["", "", "+", "-", "~", "?"])
STATIC = st.one_of(
    st.builds("ip4:{}{}".format, st.sampled_from(FOUR), st.sampled_from(["", "", "/32", "/31", "/30", "/29", "/0"])),
    st.builds("IP6:{}{}".format, st.sampled_from(SIX), st.sampled_from(["", "", "/128", "/127", "/126", "/0"])),
)
DYNAMIC = st.one_of(
    st.sampled_from(
        ["a:some.example", "mx:odd.example", "A:some.example/31//127", "exists:odd.example", "exists:n.example"]
    ),
    st.sampled_from(["include:pass.example", "include:Mixed.example", "include:open.example"]),
)
DIRECTIVES = st.builds("{}{}".format, QUALIFIERS, st.one_of(STATIC, STATIC, DYNAMIC, st.just("all")))
MODIFIERS = st.sampled_from(["x=y", "exp=e.example", "redirect=mixed.example", "redirect=pass.example"])


@st.composite
def records(draw: st.DrawFn) -> str:
    """Return a record of somebody else with at least one term, in any spelling."""
    terms = draw(st.lists(st.one_of(DIRECTIVES, DIRECTIVES, DIRECTIVES, MODIFIERS), min_size=1, max_size=6))
    once = [
        t
        for i, t in enumerate(terms)
        if "=" not in t or t.partition("=")[0] not in {u.partition("=")[0] for u in terms[:i]}
    ]
    text = draw(st.sampled_from(["v=spf1", "V=SPF1"]))
    for term in once:
        text += draw(st.sampled_from([" ", " ", "  "])) + term
    return text + draw(st.sampled_from(["", "", "  "]))


WANTED = st.lists(
    st.one_of(
        st.builds("ip4:{}".format, st.sampled_from([*FOUR, "203.0.113.4/31"])),
        st.builds("ip6:{}".format, st.sampled_from(SIX)),
    ),
    max_size=4,
)
VERDICTS = st.sampled_from(["-all", "~all", "?all"])


def _results(text: str, world: Callable[..., Lookup]) -> dict[str, Result]:
    lookup = world({**WORLD, "e.example": {"TXT": [text]}})
    return {ip: check_host(ip, "e.example", "s@e.example", "h.example", lookup).result for ip in [*FOUR, *SIX]}


def _egress(wanted: Sequence[str]) -> set[str]:
    return {str(address) for term in wanted for address in ip_network(term.partition(":")[2])}


def _owned(before: Collection[str], seen: str, after: str, wanted: Sequence[str]) -> set[str]:
    """Return what the ledger knows after a merge."""
    return (set(before) - set(removed(seen, after, before))) | set(added(seen, after, wanted))


@settings(max_examples=120, deadline=None)
@given(seen=records(), wanted=WANTED, verdict=VERDICTS)
def test_ours_pass_and_everybody_elses_verdict_is_what_it_was(
    seen: str, wanted: list[str], verdict: str, world: Callable[..., Lookup]
) -> None:
    """Whatever the record of somebody else says, judged by check_host."""
    before = _results(seen, world)
    after = _results(merged(seen, wanted, [], verdict), world)
    egress = _egress(wanted)

    assert {ip for ip in egress if after[ip] is not Result.PASS} == set()
    assert {ip: r for ip, r in after.items() if ip not in egress} == {
        ip: r for ip, r in before.items() if ip not in egress
    }


@settings(max_examples=120, deadline=None)
@given(seen=records(), wanted=WANTED, verdict=VERDICTS)
def test_merging_twice_is_merging_once_and_nothing_is_doubled(seen: str, wanted: list[str], verdict: str) -> None:
    """With the ledger, and without it."""
    once = merged(seen, wanted, [], verdict)
    ours = added(seen, once, wanted)
    doubled = Counter(terms_of(once)) - Counter(terms_of(seen))

    assert merged(once, wanted, ours, verdict) == once
    assert merged(once, wanted, [], verdict) == once
    assert sorted(doubled) == sorted(ours)
    assert set(doubled.values()) <= {1}


@settings(max_examples=120, deadline=None)
@given(seen=records(), steps=st.lists(st.tuples(WANTED, VERDICTS), min_size=1, max_size=4))
def test_what_was_merged_is_withdrawn_byte_for_byte(
    seen: str, steps: list[tuple[list[str], str]], world: Callable[..., Lookup]
) -> None:
    """However often what we want has changed in between; and ours pass at every step."""
    text, owned = seen, set[str]()
    for wanted, verdict in steps:
        after = merged(text, wanted, sorted(owned), verdict)
        owned = _owned(owned, text, after, wanted)
        text = after
        results = _results(text, world)
        assert all(results[ip] is Result.PASS for ip in _egress(wanted))

    assert merged(text, [], sorted(owned), steps[-1][1]) == seen


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(WANTED, VERDICTS), min_size=1, max_size=4))
def test_a_record_of_ours_alone_says_what_is_wanted_now(
    steps: list[tuple[list[str], str]], world: Callable[..., Lookup]
) -> None:
    """Nothing of the past stays in it, and the verdict is ours."""
    text: str | None = None
    owned = set[str]()
    for wanted, verdict in steps:
        after = merged(text, wanted, sorted(owned), verdict)
        owned = _owned(owned, text or "v=spf1", after, wanted)
        text = after
        egress = _egress(wanted)
        others = {"-all": Result.FAIL, "~all": Result.SOFTFAIL, "?all": Result.NEUTRAL}[verdict]

        assert set(terms_of(text)) == set(terms_of(" ".join(["v=spf1", *wanted, verdict])))
        assert _results(text, world) == {ip: Result.PASS if ip in egress else others for ip in [*FOUR, *SIX]}
