from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.state.model import Claim, State
from sendwright.verify.look import Told
from sendwright.verify.mx import check
from sendwright.verify.target import Target
from tests.verify.names import Names, zone
from tests.verify.worlds import NOW, by_check, declared, host, look_at, worst

TARGET = Target("example.com")
HOST = host("mx1.example.com", "192.0.2.10")
SPF = 'example.com. IN TXT "v=spf1 mx -all"\n'
SILENT = 'example.com. IN TXT "v=spf1 -all"\n'
MX1 = "mx1.example.com. IN A 192.0.2.10\nmx1.example.com. IN AAAA 2001:db8::10\n"
MX2 = "mx2.example.com. IN A 192.0.2.11\n"
ONE = "example.com. IN MX 10 mx1.example.com.\n" + MX1
AT_A = "example.com. IN MX 10 a.example.com.\n"
NULL = "example.com. IN MX 0 .\n"


def _bad(world: str, target: Target = TARGET) -> dict[str, str]:
    return {name: status for name, status in worst(check(target, look_at(world))).items() if status != "pass"}


@pytest.mark.parametrize(
    "world",
    [
        SPF + ONE,
        SPF + ONE + "example.com. IN MX 20 MX2.Example.com.\n" + MX2,
        SILENT + NULL,
        SILENT,
        SILENT + "example.com. IN A 192.0.2.1",
    ],
)
def test_a_good_domain_passes(world: str) -> None:
    """One that sends has an MX that leads somewhere, one that sends nothing may have none, or a null MX."""
    assert _bad(world) == {}


@pytest.mark.parametrize(
    ("world", "bad"),
    [
        ("", {"present": "fail"}),
        (SPF, {"present": "fail"}),
        (SPF + "example.com. IN A 192.0.2.1", {"present": "warn"}),
        (SPF + "".join(f"example.com. IN MX {n} mx{n}.example.com.\n" for n in range(12)) + MX1, {"present": "warn"}),
        (SPF + "example.com. IN MX 10 mx1.example.com.\n", {"resolves": "fail"}),
        (SPF + ONE + "example.com. IN MX 20 gone.example.com.\n", {"resolves": "warn"}),
        (SPF + "example.com. IN MX 10 192.0.2.1.\n", {"resolves": "fail"}),
        (SPF + AT_A + "a.example.com. IN CNAME a.example.com.\n", {"resolves": "fail"}),
        (SPF + AT_A + "a.example.com. IN CNAME mx1.example.com.\n" + MX1, {"alias": "warn"}),
        (SPF + AT_A + "a.example.com. IN A 10.0.0.1\n", {"address": "fail"}),
        (SPF + AT_A + "a.example.com. IN A 127.0.0.1\n", {"address": "fail"}),
        (SPF + ONE + "mx1.example.com. IN AAAA fd00::1\n", {"address": "fail"}),
        (SPF + ONE + NULL, {"null": "fail"}),
        (SPF + NULL, {"null": "fail"}),
        (NULL, {"null": "warn"}),
        (SILENT + "example.com. IN MX 10 .\n", {"null": "warn"}),
    ],
)
def test_each_mistake_fails_the_check_that_is_about_it(world: str, bad: dict[str, str]) -> None:
    """And no other."""
    found = _bad(world)

    assert {name: status for name, status in found.items() if name in bad} == bad
    assert found.keys() - bad.keys() <= {"resolves"}  # of eleven MX most lead nowhere


@pytest.mark.parametrize(("told", "status"), [(Told.FAILED, "unknown"), (Told.BOGUS, "fail")])
def test_no_answer_is_no_verdict_and_a_bogus_one_is(told: Told, status: str) -> None:
    """For the MX, for the addresses behind it, and for the address of a domain without one."""
    own = Names({}, {("example.com", "MX"): told})
    behind = Names(zone(SPF + ONE), {("mx1.example.com", "A"): told, ("mx1.example.com", "AAAA"): told})
    implicit = Names(zone(SPF), {("example.com", "A"): Told.FAILED})

    assert worst(check(TARGET, look_at(own))) == {"present": status}
    assert worst(check(TARGET, look_at(behind))) == {"present": "pass", "null": "pass", "resolves": status}
    assert worst(check(TARGET, look_at(implicit))) == {"present": "unknown"}


def test_one_family_that_cannot_be_had_is_no_alarm_where_the_other_answers() -> None:
    """Mail flows."""
    names = Names(zone(SPF + ONE), {("mx1.example.com", "AAAA"): Told.FAILED})

    assert worst(check(TARGET, look_at(names)))["resolves"] == "pass"


def test_an_mx_of_ipv6_alone_is_out_of_reach_for_many_senders() -> None:
    """One address of IPv4 is enough for all; whether there is one has to be known."""
    six = "mx1.example.com. IN AAAA 2001:db8::1\n"
    both = ONE + "example.com. IN MX 20 mx2.example.com.\nmx2.example.com. IN AAAA 2001:db8::2\n"
    only = SPF + "example.com. IN MX 10 mx1.example.com.\n" + six

    assert worst(check(TARGET, look_at(only)))["resolves"] == "warn"
    assert worst(check(TARGET, look_at(SPF + both)))["resolves"] == "pass"
    assert (
        worst(check(TARGET, look_at(Names(zone(only), {("mx1.example.com", "A"): Told.FAILED}))))["resolves"] == "pass"
    )


ELSEWHERE = "example.com. IN MX 10 mx.other.example.\nmx.other.example. IN A 192.0.2.20\n"


@pytest.mark.parametrize(
    ("domain", "world", "bad"),
    [
        ({}, SPF + ONE, {}),
        ({}, SPF + ELSEWHERE, {"as-desired": "fail"}),
        ({}, SPF + ONE + ELSEWHERE, {"as-desired": "warn"}),
        ({}, SPF + "example.com. IN MX 50 mx1.example.com.\n" + MX1, {"as-desired": "warn"}),
        ({}, SPF + "example.com. IN A 192.0.2.1\n", {"present": "warn", "as-desired": "fail"}),
        ({}, SPF, {"present": "fail"}),
        ({"mx": "elsewhere"}, SPF + ELSEWHERE, {}),
        ({"mx": "elsewhere"}, SPF + ONE, {"as-desired": "fail"}),
        ({"sends": False, "mx": "none"}, SILENT + NULL, {}),
        ({"sends": False, "mx": "none"}, SILENT, {"as-desired": "warn"}),
        ({"sends": False, "mx": "none"}, SILENT + ELSEWHERE, {"as-desired": "fail"}),
        ({"sends": False}, SILENT + ELSEWHERE, {}),
        ({}, SILENT + NULL, {"null": "fail", "as-desired": "fail"}),
    ],
)
def test_a_declared_domain_has_the_mx_that_the_inventory_says(
    domain: dict[str, object], world: str, bad: dict[str, str]
) -> None:
    """Here, elsewhere or nowhere; what is absent altogether is said once."""
    assert _bad(world, declared("example.com", HOST, **domain)) == bad


def test_a_declared_domain_is_mended_by_the_verb_that_publishes_its_mx() -> None:
    """The advice names it, and the record."""
    (finding,) = by_check(check(declared("example.com", HOST), look_at(SPF)))["present"]

    assert "sendwright provision" in finding.advice
    assert "10 mx1.example.com" in finding.advice


def test_what_stands_in_the_way_of_a_declared_mx_is_part_of_the_advice() -> None:
    """Somebody else's stays until the inventory consents to its withdrawal; what we wrote ourselves just goes."""
    target = declared("example.com", HOST)
    assert target.declared
    ours = Claim("example.com", "example.com", "MX", "10 mx.other.example.", NOW, "main")
    written = replace(target, declared=replace(target.declared, state=State(claims=(ours,))))

    for told, of in (True, target), (False, written), (False, declared("example.com", HOST, replace_mx=True)):
        (finding,) = by_check(check(of, look_at(SPF + ELSEWHERE)))["as-desired"]
        assert ("replace_mx" in finding.advice) is told
        assert "sendwright provision" in finding.advice


def test_hundreds_of_mx_are_bounded() -> None:
    """In what is asked, and in what is said."""
    names = Names(zone(SPF + "".join(f"example.com. IN MX 10 m{n}.example.\n" for n in range(400))))

    found = list(check(TARGET, look_at(names)))

    assert len(set(names.asked)) < 150
    assert len(found) < 100
    assert all(len(f.seen) < 2500 for f in found)


LABELS = st.sampled_from(["a", "mx1.example.com", "192.0.2.1", "x" * 63, "\\000\\255", "a\\.b", "*", "_"])
LINES = st.builds("example.com. IN MX {} {}.".format, st.integers(0, 65535), LABELS)
MORE = st.sampled_from(["_. IN CNAME _.", "a. IN A 0.0.0.0", "mx1.example.com. IN AAAA ::1", NULL, SILENT, SPF])


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.one_of(LINES, MORE), max_size=6, unique=True), told=st.sampled_from([None, *Told]))
def test_any_mx_is_judged_without_a_crash(lines: list[str], told: Told | None) -> None:
    """Whatever names they hold, and whatever the resolver says."""
    names = Names(zone("\n".join(lines)), {("mx1.example.com", "A"): told, ("a", "A"): told} if told else {})

    for target in (TARGET, declared("example.com", HOST)):
        assert list(check(target, look_at(names)))
