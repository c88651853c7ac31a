"""Which hosts are judged, and what is said of those that cannot be."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sendwright import certs
from sendwright.connections import Fleet
from sendwright.deploys.base import chain_path
from sendwright.errors import Unreachable
from sendwright.generation import Generation
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.ssh import Result
from sendwright.stack import AcmeTls, Host
from sendwright.state.model import State
from sendwright.verify.finding import Status
from sendwright.verify.inside import check as inside
from sendwright.verify.look import Fetched, Look
from sendwright.verify.target import Target
from tests.verify.host_world import MX1, NOW, observed, services, stack, state
from tests.verify.host_world import inside as as_it_should_be
from tests.verify.names import Names

HOST = stack().host(MX1)
KNOWN = inside.Known(stack(), state(), None)


class Nowhere(Fleet):
    """A fleet whose hosts are down."""

    def _connection(self, name: str) -> NoReturn:
        raise Unreachable(name, "no answer from 203.0.113.10 port 22 within 10 s.", "Is it up?")


class Renews:
    """A host that prints which chains it has, and what its last renewals failed for."""

    def __init__(self, host: Host, chains: dict[str, str], memory: str = "") -> None:
        self.host = host
        self.lines = [f"chain {path} {b64encode(pem.encode()).decode()}" for path, pem in chains.items()]
        self.lines += [f"memory {b64encode(memory.encode()).decode()}"] if memory else []

    def run(self, *_: object, **__: object) -> Result:
        """Answer."""
        return Result("\n".join(["sendwright renewed 1", *self.lines, "end", ""]).encode(), b"", 0)


def test_what_a_host_renewed_by_itself_is_what_it_should_have() -> None:
    """The state folder hears of it with the next run of the controller; until then nothing is wrong."""
    host = HOST.model_copy(update={"tls": AcmeTls(mode="acme", renewal="host")})
    old, pem = certs.issue(HOST, NOW - timedelta(days=60))
    later, _ = certs.issue(HOST, NOW, existing_key=pem)
    known = inside.Known(stack().model_copy(update={"hosts": (host,)}), State(certificates=(old,)), None)
    memory = '{"failures": 3, "since": "2026-11-20", "said": "no way"}'

    taken, hindered = inside.own_renewals(Renews(host, {chain_path(old): later.chain}, memory), known)

    assert [c.chain for c in taken] == [later.chain]
    assert hindered is not None
    assert (hindered.failures, hindered.said) == (3, "no way")
    assert inside.own_renewals(Renews(host, {chain_path(old): old.chain}), known) == ((), None)
    assert inside.own_renewals(Renews(HOST, {}), KNOWN) == ((), None)


def test_a_host_that_is_down_fails_once_and_leaves_its_keys_unknown(tmp_path: Path) -> None:
    """The others would go on; a command line that says so costs no traceback."""
    inventory = Inventory(stack(), tmp_path, tmp_path / "state")
    lines: list[str] = []
    look = Look(Names({}), lambda *_: None, "", lambda *_: Fetched(), NOW)  # type: ignore[arg-type]

    found = list(inside.check(inventory, [Target("example.com")], look, lines.append, connect=Nowhere))

    assert [(f.check, f.status) for f in found] == [
        ("host.reachable", Status.FAIL),
        ("dkim.key-matches-host", Status.UNKNOWN),
    ]
    assert found[0].seen == "no answer from 203.0.113.10 port 22 within 10 s."
    assert lines == [f"looking at {MX1}"]


def test_what_nobody_wants_to_know_is_not_told(tmp_path: Path) -> None:
    """Of keys nothing is said where only hosts were chosen; their signers are not even asked."""
    inventory = Inventory(stack(), tmp_path, tmp_path / "state")
    look = Look(Names({}), lambda *_: None, "", lambda *_: Fetched(), NOW, wanted=frozenset({"host.reachable"}))  # type: ignore[arg-type]

    found = list(inside.check(inventory, [Target("example.com")], look, lambda _: None, connect=Nowhere))

    assert [f.check for f in found] == ["host.reachable"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"managed": False}, "it was never provisioned"),
        ({"release": None, "system": "ubuntu 24.04"}, "it runs ubuntu 24.04"),
        ({"systemd": False}, "it runs debian 12"),
        ({"root": False}, "the login is not root"),
    ],
)
def test_a_host_that_is_none_of_ours_is_told_so_once(changes: dict[str, Any], words: str) -> None:
    """Nothing else is judged on it."""
    finding = inside.unfit(HOST, replace(observed(services()), **changes))

    assert (finding.check, finding.status) == ("host.as-desired", Status.FAIL)
    assert words in finding.seen
    assert finding.advice


def looked(observation: Observation) -> inside.Looked:
    """Return what a host answered."""
    return inside.Looked(observation, NOW, NOW, as_it_should_be())


def test_a_host_that_follows_another_state_folder_is_compared_with_nothing_here() -> None:
    """Whatever differs may be right."""
    theirs = Generation(7, "0" * 32, datetime(2026, 11, 20, tzinfo=UTC), "somebody@elsewhere")

    ours = inside.facts_of(KNOWN, HOST, looked(observed(services())), ())
    other = inside.facts_of(KNOWN, HOST, looked(replace(observed(services()), generation=theirs)), ())

    assert ours is not None
    assert other is not None
    assert ours.foreign == ""
    assert "follows one: that is at generation 7" in other.foreign


def test_a_host_that_was_asked_nothing_more_has_no_facts() -> None:
    """It is told as unfit."""
    assert inside.facts_of(KNOWN, HOST, inside.Looked(observed(services()), NOW, NOW), ()) is None
