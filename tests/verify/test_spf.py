from dataclasses import replace

import pytest
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import TXT as TXT_TYPE
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.verify import known
from sendwright.verify.look import Told
from sendwright.verify.spf import check
from sendwright.verify.target import Target
from tests.verify.names import Names, zone
from tests.verify.worlds import by_check, declared, host, look_at, worst

TARGET = Target("example.com")
OTHERS = """
one.example.  IN TXT "v=spf1 ip4:192.0.2.1 -all"
two.example.  IN TXT "v=spf1 a mx include:one.example ~all"
two.example.  IN A 192.0.2.2
two.example.  IN MX 10 one.example.
none.example. IN A 192.0.2.3
fault.example. IN TXT "v=spf1 ipv4:192.0.2.1 -all"
twice.example. IN TXT "v=spf1 -all"
twice.example. IN TXT "v=spf1 ~all"
open.example. IN TXT "v=spf1 +all"
loop.example. IN TXT "v=spf1 include:loop.example -all"
six.example.  IN AAAA 2001:db8::6
four.example. IN A 192.0.2.4
forth.example. IN A 192.0.2.5
fore.example. IN A 192.0.2.6
many.example. IN TXT "v=spf1 a:four.example a:four.example a:four.example a:four.example a:four.example -all"
"""
CROWD = OTHERS + "".join(f"crowd.example. IN MX {n} mx{n}.example.\n" for n in range(11))


def _world(record: str, others: str = OTHERS) -> str:
    return f'example.com. IN TXT "{record}"\n{others}'


def _worst(record: str, others: str = OTHERS) -> dict[str, str]:
    return dict(worst(check(TARGET, look_at(_world(record, others)))))


CHECKS = ("type", "present", "single", "strings", "size", "syntax", "ptr", "after-all", "includes", "lookups", "voids")
GOOD = dict.fromkeys((*CHECKS, "all", "networks"), "pass")


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:192.0.2.1 -all",
        "V=SPF1 IP4:192.0.2.0/24 Include:One.Example ~ALL ",
        "v=spf1 redirect=two.example",
        "v=spf1 a:four.example mx:two.example include:two.example exists:%{i}.x.example ?include:one.example -all",
        "v=spf1 include:%{i}._ip.%{h}._ehlo.%{d}._spf.example ra=abuse -all exp=one.example",
        "v=spf1 a:four.example a:forth.example a:fore.example -all",
        "v=spf1 -all",
    ],
)
def test_a_good_record_passes_every_check(record: str) -> None:
    """No false alarm about what large senders and good administrators publish."""
    assert _worst(record) == GOOD


@pytest.mark.parametrize(
    ("record", "bad"),
    [
        ("v=spf1 ipv4:192.0.2.1 -all", {"syntax": "fail"}),
        ("v=spf1 include:%{x} -all", {"syntax": "fail"}),
        ("v=spf1 redirect=one.example redirect=two.example", {"syntax": "fail"}),
        ("v=spf1 include=one.example -all", {"syntax": "warn"}),
        ("v=spf1 a:mail..example.com -all", {"syntax": "warn"}),
        ("v=spf1 mx:crowd.example -all", {"lookups": "fail"}),
        ("v=spf1 include:many.example include:many.example -all", {"lookups": "fail"}),
        ("v=spf1 include:loop.example -all", {"lookups": "fail", "includes": "fail"}),
        ("v=spf1 a:x.example a:y.example exists:z.example -all", {"voids": "fail"}),
        (
            "v=spf1 exists:%{i}.a.example exists:%{i}.b.example exists:%{i}.c.example a:four.example -all",
            {"voids": "warn"},
        ),
        ("v=spf1 include:none.example -all", {"includes": "fail"}),
        ("v=spf1 include:nowhere.example -all", {"includes": "fail"}),
        ("v=spf1 include:fault.example -all", {"includes": "fail"}),
        ("v=spf1 include:twice.example -all", {"includes": "fail"}),
        ("v=spf1 redirect=none.example", {"includes": "fail"}),
        ("v=spf1 ptr -all", {"ptr": "warn"}),
        ("v=spf1 exists:%{p}.example -all", {"ptr": "warn"}),
        ("v=spf1 ip4:192.0.2.1 +all", {"all": "fail"}),
        ("v=spf1 all", {"all": "fail"}),
        ("v=spf1 include:open.example -all", {"all": "fail"}),
        ("v=spf1 redirect=open.example", {"all": "fail"}),
        ("v=spf1 ip4:192.0.2.1 ?all", {"all": "warn"}),
        ("v=spf1 ip4:192.0.2.1", {"all": "warn"}),
        ("v=spf1 redirect=%{i}.example", {"all": "unknown"}),
        ("v=spf1 -all ip4:192.0.2.1", {"after-all": "warn"}),
        ("v=spf1 -all redirect=one.example", {"after-all": "warn"}),
        ("v=spf1 ip4:11.0.0.0/8 -all", {"networks": "warn"}),
        ("v=spf1 mx:two.example/8 -all", {"networks": "warn"}),
        ("v=spf1 ip4:0.0.0.0/0 -all", {"networks": "fail"}),
        ("v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", {"networks": "fail"}),
        ("v=spf1 a:four.example/0 -all", {"networks": "fail"}),
    ],
)
def test_a_bad_record_fails_its_own_checks_and_no_others(record: str, bad: dict[str, str]) -> None:
    """Each mistake is named once, by the check that is about it."""
    found = _worst(record, CROWD)

    assert {name: status for name, status in found.items() if status != "pass"} == bad


@pytest.mark.parametrize(
    ("record", "meant"),
    [
        ("v=spf1 ipv4:192.0.2.1 -all", "ip4"),
        ("v=spf1 inlcude:one.example -all", "include"),
        ("v=spf1 redirect:one.example", "redirect=one.example"),
        ("v=spf1 a:192.0.2.1 -all", "ip4:192.0.2.1"),
        ("v=spf1 ip4:2001:db8::1 -all", "ip6:2001:db8::1"),
        ("v=spf1 a,mx -all", "spaces"),
    ],
)
def test_a_slip_is_answered_by_what_was_meant(record: str, meant: str) -> None:
    """The advice is concrete."""
    (finding,) = by_check(check(TARGET, look_at(_world(record))))["syntax"]

    assert meant in finding.advice


@pytest.mark.parametrize(
    ("world", "seen"),
    [
        ("www.example.org. IN A 192.0.2.1", "does not exist"),
        ("example.com. IN A 192.0.2.1", "No TXT"),
        ('example.com. IN TXT "v=spf1;include:one.example"', "read by nobody"),
        ('example.com. IN TXT "v=spf1" "mx -all"', "v=spf1mx"),
    ],
)
def test_a_record_that_is_not_there_is_said_once(world: str, seen: str) -> None:
    """Nothing else is said of it but that the old type is not there either."""
    found = by_check(check(TARGET, look_at(world)))

    assert found.keys() == {"present", "type"}
    assert found["present"][0].status == "fail"
    assert seen in found["present"][0].seen


def test_two_records_are_said_once_with_one_that_has_the_terms_of_both() -> None:
    """An administrator can copy it."""
    world = 'example.com. IN TXT "v=spf1 ip4:192.0.2.1 -all"\nexample.com. IN TXT "v=spf1 include:one.example ~all"'

    found = by_check(check(TARGET, look_at(world)))

    assert found.keys() == {"type", "present", "single"}
    assert found["single"][0].status == "fail"
    assert "v=spf1 include:one.example ip4:192.0.2.1 ~all" in found["single"][0].advice


@pytest.mark.parametrize(
    ("strings", "status"),
    [
        (["v=spf1 include:one.example", "include:two.example -all"], "fail"),
        (["v=spf1 ip4:192.0.2.1", "-all"], "fail"),
        (["v=spf1 ip4:192.0.2.1", "mx -all"], "fail"),
        (["v=spf1 ip4:192.0.2.1 ", "mx -all"], "pass"),
        (["v=spf1 ip4:192.0.2.1", " mx -all"], "pass"),
        (["v=spf1 ip4:192.0.", "2.1 -all"], "pass"),
        (["v=spf1 " + "ip4:192.0.2.1 " * 16 + "  include:mail.example.c", "a -all"], "pass"),
    ],
)
def test_terms_that_grow_together_where_strings_meet_are_found(strings: list[str], status: str) -> None:
    """Receivers put no space between strings, and a program may cut anywhere."""
    text = " ".join(f'"{string}"' for string in strings)

    found = by_check(check(TARGET, look_at(f"example.com. IN TXT {text}\n{OTHERS}")))

    assert found["strings"][0].status == status


def test_the_whole_answer_counts_for_its_size() -> None:
    """A small record among many proofs of ownership is cut away too."""
    proofs = "".join(f'example.com. IN TXT "proof{n}={"x" * 100}"\n' for n in range(4))

    found = by_check(check(TARGET, look_at(_world("v=spf1 -all", proofs))))

    assert found["size"][0].status == "warn"
    assert "5 TXT values" in found["size"][0].seen


def test_a_record_of_the_old_type_is_a_warning() -> None:
    """It is asked for once."""
    names = Names(zone(_world("v=spf1 -all") + 'example.com. IN SPF "v=spf1 -all"'))

    found = worst(check(TARGET, look_at(names)))

    assert found["type"] == "warn"
    assert names.asked.count(("example.com", "SPF")) == 1


@pytest.mark.parametrize(("told", "status"), [(Told.FAILED, "unknown"), (Told.BOGUS, "fail")])
def test_no_answer_is_no_verdict_and_a_bogus_one_is(told: Told, status: str) -> None:
    """One finding says so, for the record itself and for one behind it."""
    own = Names({}, {("example.com", "TXT"): told})
    behind = Names(zone(_world("v=spf1 include:one.example -all")), {("one.example", "TXT"): told})

    found = worst(check(TARGET, look_at(own)))
    further = worst(check(TARGET, look_at(behind)))

    assert found == {"present": status, "type": "pass"}
    assert further["includes"] == status
    assert set(further.values()) <= {"pass", status}


@pytest.mark.parametrize(
    ("before", "after", "about"),
    [
        ("v=spf1 mx:crowd.example -all", "v=spf1 include:many.example include:many.example -all", "lookups"),
        ("v=spf1 mx:crowd.example -all", "v=spf1 mx:throng.example -all", "lookups"),
        ("v=spf1 ip4:11.0.0.0/8 -all", "v=spf1 ip4:12.0.0.0/8 -all", "networks"),
    ],
)
def test_a_baseline_that_accepts_one_cause_accepts_no_other(before: str, after: str, about: str) -> None:
    """A finding is named by the term that it is about, and never by a figure."""
    others = CROWD + CROWD.removeprefix(OTHERS).replace("crowd", "throng")
    records = (before, before, after)
    old, same, new = (by_check(check(TARGET, look_at(_world(r, others))))[about] for r in records)

    assert all(finding.status != "pass" for finding in (*old, *new))
    assert known.accepted(old, same) == set(same)
    assert not known.accepted(old, new)


def test_a_name_that_cannot_be_looked_up_leaves_the_void_lookups_unknown() -> None:
    """The other checks stand."""
    names = Names(zone(_world("v=spf1 a:four.example -all")), {("four.example", "A"): Told.FAILED})

    found = worst(check(TARGET, look_at(names)))

    assert {name: status for name, status in found.items() if status != "pass"} == {"voids": "unknown"}


HOST = host("mx1.example.com", "192.0.2.10", "2001:db8::10")
HOSTS = 'mx1.example.com. IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"\n'


def test_the_addresses_and_the_name_of_each_host_pass() -> None:
    """One finding an address, for the domain and for the host's own name."""
    world = _world("v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all", HOSTS)

    found = by_check(check(declared("example.com", HOST), look_at(world)))

    assert [(f.status, f.target) for f in found["egress"]] == [("pass", "192.0.2.10"), ("pass", "2001:db8::10")]
    assert [(f.status, f.target) for f in found["helo"]] == [
        ("pass", "mx1.example.com 192.0.2.10"),
        ("pass", "mx1.example.com 2001:db8::10"),
    ]


@pytest.mark.parametrize(
    ("record", "hosts", "egress", "helo"),
    [
        ("v=spf1 ip4:192.0.2.10 ~all", HOSTS, ["pass", "fail"], ["pass", "pass"]),
        ("v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all", "", ["pass", "pass"], ["warn", "warn"]),
        (
            "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all",
            'mx1.example.com. IN TXT "v=spf1 -all"\n',
            ["pass", "pass"],
            ["fail", "fail"],
        ),
        ("v=spf1 include:nowhere.example ~all", HOSTS, ["fail", "fail"], ["pass", "pass"]),
    ],
)
def test_an_address_that_does_not_pass_is_a_failure(
    record: str, hosts: str, egress: list[str], helo: list[str]
) -> None:
    """A host name without a record is a warning: only bounces are judged by it."""
    found = by_check(check(declared("example.com", HOST), look_at(_world(record, hosts))))

    assert [f.status for f in found["egress"]] == egress
    assert [f.status for f in found["helo"]] == helo


def test_an_error_that_may_pass_is_unknown_for_a_host() -> None:
    """A time-out says nothing about the record."""
    names = Names(zone(_world("v=spf1 a:four.example ~all", HOSTS)), {("four.example", "A"): Told.FAILED})

    found = by_check(check(declared("example.com", HOST), look_at(names)))

    assert [f.status for f in found["egress"]] == ["unknown", "fail"]


def test_a_declared_domain_is_mended_by_the_verb_that_publishes_it() -> None:
    """The advice names it, and the record."""
    (finding,) = by_check(check(declared("example.com", HOST), look_at(HOSTS)))["present"]

    assert "sendwright provision" in finding.advice
    assert "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all" in finding.advice


def test_somebody_else_s_record_is_added_to_and_not_replaced() -> None:
    """The advice shows what provision does: it merges, and leaves the terms and the end of others."""
    world = _world("v=spf1 ip4:192.0.2.10 include:other.example -all", 'other.example. IN TXT "v=spf1 -all"\n' + HOSTS)

    _, finding = by_check(check(declared("example.com", HOST), look_at(world)))["egress"]

    assert finding.status == "fail"
    assert finding.advice.endswith("leaves what others wrote: ip6:2001:db8::10")


def test_a_domain_declared_to_send_nothing_lets_nobody_send() -> None:
    """Anything but v=spf1 -all is a failure, and hosts are not asked about."""
    target = declared("example.com", HOST, sends=False)

    wrong = worst(check(target, look_at(_world("v=spf1 mx:two.example ~all"))))
    right = worst(check(target, look_at(_world("v=spf1 -all"))))

    assert wrong["all"] == "fail"
    assert right == GOOD


PIECES = ["v=spf1", " ", "include:", "e.example", "example.com", "a", "mx", "ptr", "exists:", "redirect=", "ip4:", "::"]
PIECES += [
    "/0",
    "%{",
    "%{d}",
    "%{i}",
    "}",
    "all",
    "+",
    "~",
    "1.2.3.4",
    "\x00",
    "\x1b[31m",
    "é",
    ";",
    ".",
    "=",
    "x" * 300,
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map("".join).map(lambda t: t.encode("latin-1"))
RECORDS = st.lists(st.one_of(TEXTS, TEXTS.map(lambda t: b"v=spf1 " + t), st.binary(max_size=80)), max_size=3)


def _txt(octets: bytes) -> Rdata:
    return TXT(IN, TXT_TYPE, [octets[i : i + 40] for i in range(0, len(octets), 40)] or [b""])


@settings(max_examples=150, deadline=None)
@given(own=RECORDS, other=RECORDS, told=st.sampled_from([None, *Told]))
def test_any_record_is_judged_without_a_crash(own: list[bytes], other: list[bytes], told: Told | None) -> None:
    """Whatever octets are published, and whatever the resolver says."""
    records = {("example.com", "TXT"): [_txt(o) for o in own], ("e.example", "TXT"): [_txt(o) for o in other]}
    names = Names(records, {("e.example", "TXT"): told, ("e.example", "A"): told} if told else {})
    target = replace(declared("example.com", HOST), selectors=())

    found = list(check(target, look_at(names)))

    assert found
    assert all(len(f.seen) < 2500 and len(f.advice) < 2500 for f in found)


def test_a_record_of_thousands_of_terms_is_bounded() -> None:
    """In what is asked, and in what is said."""
    terms = " ".join(f"a:h{n}.example include:i{n}.example" for n in range(2000)).encode()
    octets = b"v=spf1 " + terms[:60000].rpartition(b" ")[0]
    strings = [octets[i : i + 255] for i in range(0, len(octets), 255)]
    names = Names({("example.com", "TXT"): [TXT(IN, TXT_TYPE, strings)]})

    found = by_check(check(TARGET, look_at(names)))

    assert found["lookups"][0].status == "fail"
    assert len(set(names.asked)) < 800
    assert all(len(f.seen) < 2500 for of_one in found.values() for f in of_one)


def test_a_record_in_thousands_of_strings_is_read_in_no_time() -> None:
    """Where each meets the next is looked at within bounds."""
    names = Names({("example.com", "TXT"): [TXT(IN, TXT_TYPE, [b"v=spf1 ", *([b"a"] * 30_000)])]})

    found = by_check(check(TARGET, look_at(names)))

    assert found["syntax"][0].status == "fail"
