from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.verify.generic import generic
from sendwright.verify.look import Told
from sendwright.verify.ptr import check
from sendwright.verify.target import Server
from tests.verify.names import Names, zone
from tests.verify.worlds import by_check, host, look_at, worst

V4, V6 = ip_address("192.0.2.10"), ip_address("2001:db8::10")
OURS = Server("mx1.example.com", (V4, V6), host=host("mx1.example.com", "192.0.2.10", "2001:db8::10"))
ONE = Server("mx1.example.com", (V4,), host=host("mx1.example.com", "192.0.2.10"))
THEIRS = Server("mx.example.org", (V4,), takes=("example.org",))
FORWARD = "mx1.example.com. IN A 192.0.2.10\nmx1.example.com. IN AAAA 2001:db8::10\n"
FOUR, SIX = f"{V4.reverse_pointer}. IN PTR ", f"{V6.reverse_pointer}. IN PTR "
GOOD = FORWARD + FOUR + "MX1.Example.com.\n"


def test_a_host_whose_addresses_lead_to_its_name_and_back_passes() -> None:
    """Each check once for each address."""
    found = by_check(check(OURS, (), look_at(GOOD + SIX + "mx1.example.com.\n")))

    assert found.keys() == {"present", "confirmed", "helo", "single", "generic"}
    assert all([(f.status, f.target) for f in of] == [("pass", str(V4)), ("pass", str(V6))] for of in found.values())


@pytest.mark.parametrize(
    ("world", "bad"),
    [
        (FORWARD, {"present": "fail"}),
        (FOUR + "mx1.example.com.", {"confirmed": "fail"}),
        (FOUR + "mx1.example.com.\nmx1.example.com. IN A 192.0.2.99", {"confirmed": "fail"}),
        (FOUR + "mx.example.org.\nmx.example.org. IN A 192.0.2.10", {"helo": "fail"}),
        (GOOD + FOUR + "www.example.com.", {"single": "warn"}),
        (
            FOUR + "host-192-0-2-10.isp.example.\nhost-192-0-2-10.isp.example. IN A 192.0.2.10",
            {"helo": "fail", "generic": "warn"},
        ),
    ],
)
def test_each_mistake_fails_the_check_that_is_about_it(world: str, bad: dict[str, str]) -> None:
    """What is absent is said once, and the advice names who can set it."""
    findings = list(check(ONE, (), look_at(world)))

    assert {name: status for name, status in worst(findings).items() if status != "pass"} == bad
    assert all(f.advice for f in findings if f.status != "pass")


@pytest.mark.parametrize(
    ("world", "bad"),
    [
        (FORWARD, {"present": "warn"}),
        (FOUR + "mx1.example.com.", {"confirmed": "warn"}),
        (GOOD, {}),
    ],
)
def test_of_others_servers_it_is_a_warning_at_most(world: str, bad: dict[str, str]) -> None:
    """Nobody knows whether they send, nor by which name they greet when they do."""
    found = worst(check(THEIRS, (), look_at(world)))

    assert {name: status for name, status in found.items() if status != "pass"} == bad
    assert "helo" not in found


def test_addresses_that_do_not_send_or_are_not_public_are_not_asked_about() -> None:
    """A server where people only submit, and one behind private addresses."""
    names = Names({})

    assert not list(check(Server("smtp.example.org", (V4,), submits=(587,)), (), look_at(names)))
    assert not list(check(replace(THEIRS, addresses=(ip_address("10.0.0.1"),)), (), look_at(names)))
    assert not names.asked


@pytest.mark.parametrize(("told", "status"), [(Told.FAILED, "unknown"), (Told.BOGUS, "fail")])
def test_no_answer_is_no_verdict_and_a_bogus_one_is(told: Told, status: str) -> None:
    """Said once, by the check that needs it."""
    names = Names(zone(GOOD), {(V4.reverse_pointer, "PTR"): told})

    assert worst(check(ONE, (), look_at(names))) == {"present": status}


def test_a_name_that_cannot_be_looked_up_is_not_called_unconfirmed() -> None:
    """A time-out on the way back says nothing."""
    silent = Names(zone(GOOD), {("mx1.example.com", "A"): Told.FAILED})
    half = Names(zone(GOOD), {("mx1.example.com", "AAAA"): Told.FAILED})

    assert worst(check(ONE, (), look_at(silent)))["confirmed"] == "unknown"
    assert worst(check(ONE, (), look_at(half)))["confirmed"] == "pass"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("203-0-113-10.isp.example", "203.0.113.10"),
        ("ec2-203-0-113-10.compute-1.example", "203.0.113.10"),
        ("static.10.113.0.203.clients.example", "203.0.113.10"),
        ("ip203000113010.isp.example", "203.0.113.10"),
        ("cb00710a.isp.example", "203.0.113.10"),
        ("p12.dip0.isp.example", "203.0.113.10"),
        ("adsl-77.isp.example", "203.0.113.10"),
        ("host.dynamic.isp.example", "203.0.113.10"),
        ("2001-db8-0-1-2-3-4-5.isp.example", "2001:db8:0:1:2:3:4:5"),
        ("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.isp.example", "2001:db8::10"),
        ("20010db8000000000000000000000010.isp.example", "2001:db8::10"),
    ],
)
def test_names_that_providers_make_up_are_known(name: str, address: str) -> None:
    """By the address in them, in any of the usual forms, or by a word for home connections."""
    assert generic(name, ip_address(address))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mx1.example.com", "203.0.113.10"),
        ("mail-ej1-f27.google.example", "209.85.218.27"),
        ("mta10-113.mail.example", "203.0.113.10"),
        ("out4-smtp.messaging.example", "66.111.4.28"),
        ("static-mail.dynamics.example", "203.0.113.10"),
        ("mail.addsledge.example", "2001:db8::10"),
        ("mx-0-0-0-0.example", "2001:db8::10"),
    ],
)
def test_names_that_people_give_are_not(name: str, address: str) -> None:
    """Numbers alone, or a word within another, make no home connection."""
    assert not generic(name, ip_address(address))


LABELS = st.lists(
    st.sampled_from(["192", "10", "2", "0", "dyn", "a" * 63, "\\000", "mx1", "x"]), min_size=1, max_size=3
)


@settings(max_examples=100, deadline=None)
@given(names=st.lists(LABELS.map(".".join), max_size=4), told=st.sampled_from([None, *Told]))
def test_any_name_is_judged_without_a_crash(names: list[str], told: Told | None) -> None:
    """Whatever it holds, and whatever the resolver says."""
    world = Names(zone(GOOD + "".join(f"{FOUR}{name}.\n" for name in names)), {("mx1", "A"): told} if told else {})

    assert list(check(OURS, (), look_at(world)))
    assert list(check(THEIRS, (), look_at(world)))
