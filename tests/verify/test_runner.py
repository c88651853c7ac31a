import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from sendwright import inventory
from sendwright.errors import UsageError
from sendwright.inventory import Inventory
from sendwright.verify import verify
from sendwright.verify.asked import Asked, asked
from sendwright.verify.finding import Finding, Kind, Subject
from sendwright.verify.groups import Group, Groups
from sendwright.verify.look import Look
from sendwright.verify.rules import blocklist, mx, spf, tls
from sendwright.verify.rules import zone as zone_rules
from sendwright.verify.runner import BrokenChecks, run
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server, Target
from tests.verify.certificates import root
from tests.verify.loopback import from_records, serving
from tests.verify.names import zone

WORLD = zone("""
.             IN SOA a. b. 1 2 3 4 5
b.example.    IN MX 10 mx.example.
a.example.    IN MX 10 mx.example.
a.example.    IN MX 20 mx2.example.
c.example.    IN MX 10 mx.example.
mx.example.   IN A 192.0.2.1
mx2.example.  IN A 192.0.2.2
""")

ISSUED = """
senders = [
    ("mx1.a.example", {"egress": [{"public": "192.0.2.11"}], "tls": "acme"}),
    ("mx2.a.example", {"egress": [{"public": "192.0.2.12"}]}),
]
"""
PRIVATE = """
dns = {"main": {"provider": "rfc2136", "server": "127.0.0.1", "tsig": {"name": "k", "secret": {"env": "K"}}}}
domains = {"a.example": {"dns": "main", "mx": "elsewhere"}}
acme = {"directory": "https://ca.a.example/directory", "trust": "roots.pem"}
"""


def _exists(target: Target, look: Look) -> Iterator[Finding]:
    if look.dns.ask(target.domain, "MX").known and not target.domain.startswith("gone"):
        yield zone_rules.EXISTS.passed(target.subject, "yes")
        yield zone_rules.CAA.warned(target.subject, "none", "publish one")
    else:
        yield zone_rules.EXISTS.failed(target.subject, "no", "register it")


def _mx(target: Target, _: Look) -> Iterator[Finding]:
    yield mx.RESOLVES.passed(target.subject, "2", "z")
    yield mx.RESOLVES.passed(target.subject, "1", "a")
    yield mx.PRESENT.passed(target.subject, "yes")


def _spf(target: Target, _: Look) -> Iterator[Finding]:
    yield spf.PRESENT.passed(target.subject, "yes")


def _tls(server: Server, talks: Sequence[Conversation], _: Look) -> Iterator[Finding]:
    yield tls.OFFERED.passed(server.subject, f"{len(talks)} conversations")


def _listed(server: Server, _: Sequence[Conversation], __: Look) -> Iterator[Finding]:
    yield blocklist.ADDRESS.passed(server.subject, "no")


def _broken(target: Target, _: Look) -> Iterator[Finding]:
    yield mx.PRESENT.passed(target.subject, "yes")
    raise KeyError("a bug")


def _silent(*_: object) -> Sequence[Conversation]:
    return ()


GROUPS = Groups(
    zone=(Group(zone_rules.CHECKS, _exists),),
    domains=(Group(spf.CHECKS, _spf), Group(mx.CHECKS, _mx)),
    spoken=(Group(tls.CHECKS, _tls),),
    servers=(Group((blocklist.ADDRESS,), _listed),),
    inside=(),
    speak=_silent,
)


@pytest.fixture
def meant() -> Iterator[Callable[..., Asked]]:
    """What is asked for, of a resolver on loopback."""
    with serving(from_records(WORLD, secure={"."})) as server:

        def mean(
            *domains: str, only: Sequence[str] = (), skip: Sequence[str] = (), inventory: Inventory | None = None
        ) -> Asked:
            return asked(
                domains,
                inventory=inventory,
                hosts=False,
                selectors=(),
                resolver=f"127.0.0.1:{server.port}",
                timeout=1,
                only=only,
                skip=skip,
                trust=None,
            )

        yield mean


def _quiet(_: str) -> None:
    pass


def _order(findings: Sequence[Finding]) -> list[str]:
    return [f"{f.subject.name} {f.check}" for f in findings]


def test_findings_come_in_the_order_of_what_was_asked_then_of_the_catalogue(meant: Callable[..., Asked]) -> None:
    """Domains as named, servers behind them; two runs can be compared line by line."""
    report = run(meant("b.example", "a.example"), _quiet, GROUPS)

    assert _order(report.findings) == [
        "b.example mx.present",
        "b.example mx.resolves",
        "b.example mx.resolves",
        "b.example spf.present",
        "b.example dns.exists",
        "b.example dns.caa",
        "a.example mx.present",
        "a.example mx.resolves",
        "a.example mx.resolves",
        "a.example spf.present",
        "a.example dns.exists",
        "a.example dns.caa",
        "mx.example tls.offered",
        "mx.example blocklist.address",
        "mx2.example tls.offered",
        "mx2.example blocklist.address",
    ]
    assert [f.target for f in report.findings if f.check == "mx.resolves"] == ["a", "z", "a", "z"]


def test_a_server_says_whose_mail_it_takes(meant: Callable[..., Asked]) -> None:
    """However many domains there are, in one line."""
    report = run(meant("b.example", "a.example", "c.example"), _quiet, GROUPS)

    assert dict(report.described) == {
        Subject(Kind.SERVER, "mx.example"): "takes mail of a.example, b.example and 1 other",
        Subject(Kind.SERVER, "mx2.example"): "takes mail of a.example",
    }


def test_of_a_domain_that_does_not_exist_nothing_else_is_asked(meant: Callable[..., Asked]) -> None:
    """Twenty failures would say the same."""
    report = run(meant("gone.example", "a.example"), _quiet, GROUPS)

    assert [f.check for f in report.findings if f.subject.name == "gone.example"] == ["dns.exists"]


def test_only_what_is_chosen_runs(meant: Callable[..., Asked]) -> None:
    """A group none of whose checks is chosen is not begun, and no server is spoken to for nothing."""

    def never(*_: object) -> NoReturn:
        raise AssertionError

    groups = replace(GROUPS, zone=(Group(zone_rules.CHECKS, never),), spoken=(Group(tls.CHECKS, never),), speak=never)

    report = run(meant("a.example", only=["spf", "mx"], skip=["mx.resolves"]), _quiet, groups)

    assert _order(report.findings) == ["a.example mx.present", "a.example spf.present"]


def test_a_bug_in_one_check_shows_and_hides_no_other(meant: Callable[..., Asked]) -> None:
    """It is raised when all others are done, with what they found."""
    groups = replace(GROUPS, domains=(Group(mx.CHECKS, _broken), Group(spf.CHECKS, _spf)))

    with pytest.raises(BrokenChecks, match="a bug") as raised:
        run(meant("a.example", "b.example"), _quiet, groups)

    assert "a.example mx.present" in _order(raised.value.report.findings)
    assert "a.example spf.present" in _order(raised.value.report.findings)
    assert "mx.example tls.offered" in _order(raised.value.report.findings)
    assert len(raised.value.errors) == 1


def test_servers_are_spoken_to_at_the_same_time_and_each_once(meant: Callable[..., Asked]) -> None:
    """Gently: one task a server."""
    spoken: list[str] = []
    both = threading.Barrier(2, timeout=5)

    def speak(server: Server, *_: object) -> Sequence[Conversation]:
        spoken.append(server.name)
        both.wait()
        return ()

    run(meant("a.example", "b.example"), _quiet, replace(GROUPS, speak=speak))

    assert sorted(spoken) == ["mx.example", "mx2.example"]


def test_hosts_of_a_private_authority_are_judged_by_its_roots_and_all_others_by_the_systems(
    meant: Callable[..., Asked], inventory_folder: Callable[[str, str], Path]
) -> None:
    """What it issued, it vouches for; a stranger's server is no worse for an inventory that names one."""
    folder = inventory_folder(ISSUED, PRIVATE)
    with pytest.raises(UsageError, match="acme › trust"):
        meant(inventory=inventory.load(folder))
    (folder / "roots.pem").write_text(root().pem)
    trusted: dict[str, Path | None] = {}

    def speak(server: Server, _: float, trust: Path | None, *__: object) -> Sequence[Conversation]:
        trusted[server.name] = trust
        return ()

    run(meant(inventory=inventory.load(folder)), _quiet, replace(GROUPS, speak=speak))

    ours = {"mx1.a.example": (folder / "roots.pem").resolve(), "mx2.a.example": None}
    assert trusted == {**ours, "mx.example": None, "mx2.example": None}


def test_a_domain_named_twice_is_checked_once(meant: Callable[..., Asked]) -> None:
    """In whatever case, with or without its last dot, and in its own script."""
    assert [t.domain for t in meant("A.Example", "a.example.", "bücher.example", "xn--bcher-kva.example").targets] == [
        "a.example",
        "xn--bcher-kva.example",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"domains": ["nodots"]}, "nodots"),
        ({"domains": ["a.example"], "only": ["spf.lokups"]}, "did you mean spf.lookups"),
        ({"domains": ["a.example"], "skip": ["nothing"]}, "nothing"),
        ({"domains": ["a.example"], "selectors": ["a b"]}, "a b"),
        ({"domains": ["a.example"], "resolver": "x"}, "ADDRESS"),
        ({"domains": ["a.example"], "timeout": 0}, "seconds"),
        ({"domains": ["a.example"], "timeout": float("nan")}, "seconds"),
        ({"domains": ["a.example"], "hosts": True}, "inventory"),
        ({"domains": ["a.example"], "trust": Path("/nowhere/at-all.pem")}, "at-all.pem"),
        ({"domains": ["a.example"], "trust": Path(__file__)}, "no certificate in PEM"),
        ({}, "Name"),
        ({"domains": ["a.example"], "inventory": Path("x")}, "one of both"),
        ({"domains": ["a.example"], "only": ["spf"], "skip": ["spf"]}, "nothing is left"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(given: dict[str, object], said: str) -> None:
    """With what is allowed."""
    with pytest.raises(UsageError, match=said):
        verify(**given)  # type: ignore[arg-type]


def test_all_mistakes_are_said_at_once() -> None:
    """Nobody mends them one by one."""
    with pytest.raises(UsageError) as raised:
        verify(["bad", "worse"], only=["nothing"], timeout=-1)

    assert all(part in str(raised.value) for part in ("bad", "worse", "nothing", "-1"))


def test_ctrl_c_ends_a_run_at_once() -> None:
    """Although servers are being waited for: nobody waits for the threads that do."""
    script = (
        "import sys, time\n"
        "from sendwright.concurrently import concurrently\n"
        "def wait(item):\n"
        "    print(item, flush=True)\n"
        "    time.sleep(60)\n"
        "try:\n"
        "    list(concurrently(wait, range(40), 2))\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    began = time.monotonic()
    os.kill(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=20)

    assert running.returncode == 130
    assert not said
    assert time.monotonic() - began < 5
