"""What a rotation asks of the world: as little as the interfaces allow, however many domains are due on one day."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from benchmarks.name_servers import RESOLVER, SERVERS
from benchmarks.rotation import Domains, domains
from sendwright.dns.transport import Question
from sendwright.lines import Act
from sendwright.provision import Result
from sendwright.rotating import Rotation
from sendwright.state.model import KeyStage


@dataclass(frozen=True)
class Day:
    """One pass, and what it cost."""

    found: Rotation
    stages: Mapping[KeyStage, int]
    commands: tuple[Mapping[str, int], ...]
    asked: Mapping[Question, int]
    requests: Mapping[str, int]


@dataclass(frozen=True)
class Life:
    """Passes over domains whose keys were due at the first; the second follows at once, the others after 20 days each.

    ``count``: of domains, each with two keys; ``zones``: that they lie in.
    """

    count: int
    zones: int
    days: tuple[Day, ...]


def _day(due: Domains) -> Day:
    due.forget()
    found = due.rotate()
    return Day(
        found,
        Counter(key.stage for key in due.folder.load().keys),
        tuple(map(dict, due.commands.values())),
        dict(due.servers.asked),
        dict(due.provider.requests),
    )


@pytest.fixture(scope="module", params=[(1, False), (4, False), (4, True)], ids=["one", "a zone each", "one zone"])
def life(request: pytest.FixtureRequest) -> Life:
    """Rotate keys from the day on which they are due until the old ones are removed."""
    count, one_zone = request.param
    with domains(count, one_zone=one_zone) as due:
        days = [_day(due), _day(due)]
        for _ in range(4):
            due.age(timedelta(days=20))
            days.append(_day(due))
        return Life(count, sum(bool(held) for held in due.provider.held.values()), tuple(days))


def test_remote_commands_do_not_grow_with_the_domains(life: Life) -> None:
    """Until new keys sign: three looks, a claim, a change for the new keys and one for the switch, and the probes."""
    first = life.days[0]

    assert first.found.errors == ()
    assert first.stages == {KeyStage.SIGNING: 2 * life.count, KeyStage.RETIRING: 2 * life.count}
    for commands in first.commands:
        assert commands == {"claim": 1, "look": 3, "converge": 2, "probe": 1}


def test_each_server_is_asked_about_each_key_once(life: Life) -> None:
    """What caches may hold of it and whether it is served is one question; the resolver hears of it when it is."""
    keys = {question: n for question, n in life.days[0].asked.items() if "._domainkey." in question.name}
    own = {q: n for q, n in keys.items() if not q.recurse and not q.name.startswith("*")}

    assert set(own.values()) == {1}
    assert len(own) == 2 * life.count * len(SERVERS)
    # It says whether DNSSEC holds, and then what verifies the probes of all hosts.
    assert {(q.server, n) for q, n in keys.items() if q.recurse} == {(RESOLVER, 2)}


def test_a_zone_is_asked_for_its_own_once_however_many_keys_it_holds(life: Life) -> None:
    """Its SOA is asked of each server; so is who serves it."""
    for kind in ("SOA", "NS"):
        found = [n for q, n in life.days[0].asked.items() if q.type == kind and q.server in SERVERS.values()]
        assert found == [1] * life.zones * len(SERVERS)


def test_a_provider_is_asked_and_told_once_a_zone(life: Life) -> None:
    """All records of a zone are read by one request, and its new ones are written by one."""
    assert life.days[0].requests == {"read": life.zones, "apply": life.zones}


def test_keys_of_many_domains_are_done_by_kind(life: Life) -> None:
    """Every act is carried out for all of them at once, so that what it costs is paid once."""
    done = [step.act for step in life.days[0].found.done]
    kinds = [act for at, act in enumerate(done) if at == 0 or done[at - 1] is not act]

    assert done.count(Act.GENERATE) == 2 * life.count
    assert [act for act, n in Counter(kinds).items() if n > 1] == [Act.CONVERGE]


def test_while_only_clocks_run_no_name_server_is_asked(life: Life) -> None:
    """Queues are looked at by one command a host; that the old record still stands, by one request a zone."""
    second = life.days[1]

    assert (second.found.result, second.found.done) == (Result.WAITING, ())
    assert second.asked == {}
    assert second.requests == {"read": life.zones}
    assert all(commands == {"look": 1} for commands in second.commands)


def test_the_way_out_of_old_keys_costs_no_more_for_many(life: Life) -> None:
    """Revoked, and removed: each pass has at most one claim and one change a host, one write a zone."""
    for day in life.days[2:]:
        assert day.requests["read"] <= life.zones
        assert day.requests.get("apply", 0) <= life.zones
        assert max(day.asked.values(), default=0) <= 1
        for commands in day.commands:
            most = {"claim": 1, "converge": 1, "look": 2}
            assert all(n <= most.get(kind, 0) for kind, n in commands.items())

    assert life.days[-1].stages == {KeyStage.SIGNING: 2 * life.count, KeyStage.REMOVED: 2 * life.count}


@pytest.mark.parametrize("one_zone", [False, True])
def test_nobody_hears_of_a_rotation_that_has_nothing_to_do(one_zone: bool) -> None:
    """A daily run over keys that are not due is silent, and needs no passphrase."""
    with domains(3, one_zone=one_zone, age=timedelta(days=30)) as resting:
        (resting.declared.folder / "passphrase").unlink()

        found = _day(resting)

        assert (found.found.result, found.found.done, found.found.errors) == (Result.UNCHANGED, (), ())
        assert (found.asked, found.requests) == ({}, {})
        assert found.commands == ({}, {})
