"""A host that is not fit is told so before anything is changed, each problem with what to do."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from sendwright.observation import Observation, UnitState
from sendwright.preflight import Outbound, needed, problems
from sendwright.service import Release, Service, Socket
from sendwright.stack import Egress, Host, Ssh

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST = Host(
    name="mx1.example.com",
    ssh=Ssh(hostname="mx1.example.com"),
    egress=(Egress.model_validate({"public": "203.0.113.10"}),),
)
FIT = Observation(
    "debian 12",
    Release.BOOKWORM,
    root=True,
    systemd=True,
    clock=NOW.timestamp(),
    disk_free=10**10,
    addresses=frozenset({ip_address("203.0.113.10")}),
)
FOREIGN = replace(FIT, mail_servers=("exim4",), queued=3, listening=frozenset({(ip_address("127.0.0.1"), 25)}))


def test_a_fit_host_has_no_problems() -> None:
    """Nothing is said."""
    assert problems(HOST, FIT, NOW) == ()


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (replace(FIT, release=None, system="ubuntu 24.04"), "It runs ubuntu 24.04; Debian 12 or 13 is needed"),
        (replace(FIT, root=False), "not root"),
        (replace(FIT, systemd=False), "not booted with systemd"),
        (replace(FIT, clock=FIT.clock + 3600), "3600 s ahead of"),
        (replace(FIT, clock=FIT.clock - 61), "61 s behind"),
        (replace(FIT, disk_free=10**8), "95 MB free"),
        (replace(FIT, addresses=frozenset()), "1:1 NAT"),
        (FOREIGN, "(Exim, 3 messages in its queue)"),
    ],
)
def test_each_problem_is_named(observation: Observation, expected: str) -> None:
    """One sentence for each, and only for that."""
    (found,) = problems(HOST, observation, NOW)

    assert expected in found


WEB = Service("web", reload_units=("sendwright-web.service",), listens=(Socket(80), Socket(443)))
APACHE = replace(FIT, listening=frozenset({(ip_address("::"), 443), (ip_address("127.0.0.1"), 80)}))


def test_a_web_server_of_somebody_else_is_never_taken_over() -> None:
    """It has sites; where none of ours is wanted, it may stay."""
    (found,) = problems(HOST, APACHE, NOW, (WEB,))

    assert "Somebody else's server listens on ports 80 and 443" in found
    assert problems(HOST, APACHE, NOW, (Service("web"), Service("postfix", listens=(Socket(443),)))) == ()


def test_a_web_server_of_ours_is_not_in_its_own_way() -> None:
    """Not even while it comes up."""
    ours = replace(APACHE, units={"sendwright-web.service": UnitState("loaded", "activating", "enabled")})

    assert problems(HOST, ours, NOW, (WEB,)) == ()


def test_all_problems_are_named_at_once() -> None:
    """A person mends them in one go."""
    assert len(problems(HOST, replace(FOREIGN, systemd=False, disk_free=0, clock=0), NOW)) == 4


@pytest.mark.parametrize(
    ("host", "observation"),
    [(HOST.model_copy(update={"adopt": True}), FOREIGN), (HOST, replace(FOREIGN, managed=True))],
)
def test_a_mail_server_is_welcome_when_adopted_or_ours(host: Host, observation: Observation) -> None:
    """A mail server that we put there, or that the inventory hands over, is no problem."""
    assert problems(host, observation, NOW) == ()


def test_a_host_that_lets_the_kernel_choose_needs_no_address() -> None:
    """``bind`` None: 1:1 NAT without a fixed private address."""
    host = HOST.model_copy(update={"egress": (Egress.model_validate({"public": "203.0.113.10", "bind": None}),)})

    assert problems(host, replace(FIT, addresses=frozenset()), NOW) == ()


def test_a_blocked_port_25_is_asked_for_and_an_unknown_one_is_not() -> None:
    """ "Cannot tell" is a state of its own."""
    assert len(needed(HOST, Outbound.BLOCKED)) == 1
    assert needed(HOST, Outbound.UNKNOWN) == ()
