"""Saved plans: the same plan or none at all, whatever lies in the file."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright import dkim, inventory, planning, saved
from sendwright.dns.plan import Changes, Create
from sendwright.errors import PlanMoved, UsageError
from sendwright.plan import Action, Change, Kind, Plan, Stage
from sendwright.saved import SavedPlan
from sendwright.scaffold import scaffold
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import State, User

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
LATER = NOW + timedelta(days=9)
RECORD = Change(Stage.EXPAND, Kind.DNS, Action.CREATE, "example.com", "A mx1.example.com 203.0.113.10", "why", "+x")
FILE = Change(Stage.HOSTS, Kind.HOST, Action.UPDATE, "mx1.example.com", "file /etc/postfix/main.cf", "", "-a\n+b")
PLAN = Plan((RECORD, FILE), ("Set the PTR of 203.0.113.10.",))
A, B = "a" * 64, "b" * 64


def _saved(plan: Plan = PLAN, inventory: str = A, **zones: str) -> SavedPlan:
    written = {f"zone {zone}": digest for zone, digest in zones.items()}
    return saved.of("provision", plan, {"the inventory": inventory, **written}, NOW)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return the declaration of a new inventory, in ``mail`` below ``tmp_path``."""
    scaffold(tmp_path / "mail", "example.com", "mx1.example.com", ("203.0.113.10",))
    return inventory.load(tmp_path / "mail").stack


def test_the_same_plan_has_no_differences() -> None:
    """What only a person can do may be done meanwhile: it is no part of what is carried out."""
    assert saved.compare(_saved(), _saved(replace(PLAN, needed=()))) == ()


@pytest.mark.parametrize(
    ("fresh", "line"),
    [
        (_saved(Plan((RECORD,))), "- mx1.example.com: file /etc/postfix/main.cf"),
        (_saved(Plan((*PLAN.changes, replace(FILE, summary="unit x")))), "+ mx1.example.com: unit x"),
        (
            _saved(Plan((RECORD, replace(FILE, diff="-a\n+c")))),
            "~ mx1.example.com: file /etc/postfix/main.cf: differs in more than its line shows",
        ),
        (_saved(inventory=B), "~ the inventory: not as it was"),
        (_saved(org=B), "~ zone org: not as it was"),
        (_saved().model_copy(update={"limit": ("mx1.example.com",)}), "~ it is for other hosts: all"),
    ],
)
def test_each_difference_is_a_line(fresh: SavedPlan, line: str) -> None:
    """What is gone, what came, and what is the same only at first sight."""
    assert [str(d) for d in saved.compare(_saved(), fresh)] == [line]


def test_the_same_change_twice_is_not_the_same_as_once() -> None:
    """Changes are counted."""
    assert [d.sign for d in saved.compare(_saved(), _saved(Plan((RECORD, FILE, FILE))))] == ["+"]


def test_a_world_that_moved_is_shown_and_bounded() -> None:
    """Thousands of differences are a few lines and their number."""
    many = Plan(tuple(replace(RECORD, summary=f"A host{n}") for n in range(1000)))

    with pytest.raises(PlanMoved) as caught:
        saved.refuse_moved(_saved(), _saved(many))

    assert len(caught.value.hint.splitlines()) == 12
    assert "and 992 more" in caught.value.hint
    assert caught.value.exit_code == 1


def test_an_empty_plan_is_as_good_as_any() -> None:
    """Nothing to do was approved: nothing is done, or it is said that there is something now."""
    saved.refuse_moved(_saved(Plan()), _saved(Plan()))

    with pytest.raises(PlanMoved):
        saved.refuse_moved(_saved(Plan()), _saved())


def test_what_a_line_cannot_show_is_compared_too(stack: Stack) -> None:
    """A login's new password, a key's story and the end of a long record change digests, and no secret is in them."""
    key, _ = dkim.generate("example.com", DkimAlgorithm.ED25519, NOW)
    state = State(
        keys=(key,), users=(User("app", "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaA", ("example.com",)),)
    )
    record = Create("example.com", "TXT", 60, '"a"', "", Stage.EXPAND)
    zone = Changes("example.com", (record,))
    before = saved.basis(stack, state, (zone,))

    def changed(other: State = state, zones: tuple[Changes, ...] = (zone,)) -> set[str]:
        now = saved.basis(stack, other, zones)
        return {what for what in {*before, *now} if before.get(what) != now.get(what)}

    other_user = replace(state.users[0], password_hash="$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$b3RoZXI")
    other_value = replace(zone, writes=(replace(record, value='"b"'),))
    assert changed(replace(state, users=(other_user,))) == {"the users in the state folder"}
    assert changed(replace(state, keys=(replace(key, proven_on=("mx1.example.com",)),))) == {
        "the keys in the state folder"
    }
    assert changed(zones=(other_value,)) == {"zone example.com"}
    assert changed(replace(state, keys=(replace(key, served_since=NOW),))) == set()
    assert "argon2" not in str(before)


def test_keys_have_the_names_that_the_plan_announced_on_any_later_day(stack: Stack) -> None:
    """Selectors come from the date: the plan's own, not that of the day on which it is carried out."""
    announced = planning.planned(stack, State(), NOW).keys

    again = planning.planned(stack, State(), saved.moment(_saved(), LATER)).keys

    assert [k.selector for k in again] == [k.selector for k in announced]
    assert [k.selector for k in planning.planned(stack, State(), LATER).keys] != [k.selector for k in announced]


def test_a_plan_from_the_future_runs_no_clock_out(stack: Stack) -> None:
    """Clocks of withdrawal are read at the plan's time: one that has not come yet would end them early."""
    plan = saved.of("provision", PLAN, {"the inventory": saved.declaration(stack)}, NOW)

    with pytest.raises(UsageError, match="has not come yet"):
        saved.refuse_other(plan, "provision", stack, NOW - timedelta(hours=1))

    saved.refuse_other(plan, "provision", stack, NOW - timedelta(minutes=1))
    assert saved.moment(plan, NOW - timedelta(minutes=1)) == NOW - timedelta(minutes=1)


@pytest.mark.parametrize("made", [datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), NOW - timedelta(days=367)])
def test_a_plan_from_long_ago_is_bad_usage(stack: Stack, made: datetime) -> None:
    """Nothing is derived for a time before calendars begin."""
    plan = saved.of("provision", PLAN, {"the inventory": saved.declaration(stack)}, made)

    with pytest.raises(UsageError, match="older than a year"):
        saved.refuse_other(plan, "provision", stack, NOW)


def test_another_verbs_plan_and_another_inventorys_are_refused_before_anything_is_looked_at(stack: Stack) -> None:
    """The one is bad usage, the other a world that moved."""
    dns = saved.of("dns", PLAN, {"the inventory": saved.declaration(stack)}, NOW)

    with pytest.raises(UsageError, match="sendwright dns apply"):
        saved.refuse_other(dns, "provision", stack, LATER)
    with pytest.raises(PlanMoved, match="the inventory"):
        saved.refuse_other(_saved(), "provision", stack, LATER)


_TEXT = st.text(max_size=30)
_CHANGES = st.builds(
    Change, st.sampled_from(Stage), st.sampled_from(Kind), st.sampled_from(Action), _TEXT, _TEXT, _TEXT, _TEXT
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_CHANGES, max_size=5), st.lists(_TEXT, max_size=3))
def test_what_is_read_is_what_was_written(changes: list[Change], needed: list[str]) -> None:
    """Whatever text a plan holds, its file gives it back, and comparing finds no difference."""
    plan = _saved(Plan(tuple(changes), tuple(needed)))

    with TemporaryDirectory() as place:
        saved.write(Path(place) / "plan.json", plan)
        back = saved.read(Path(place) / "plan.json")

    assert back == plan
    assert saved.compare(back, plan) == ()


def test_what_a_host_held_and_is_no_text_can_be_saved(tmp_path: Path) -> None:
    """A file that somebody broke shows in the diff by octets that cannot be decoded."""
    plan = _saved(Plan((replace(FILE, diff=os.fsdecode(b"-\xff")),)))

    saved.write(tmp_path / "plan.json", plan)

    assert saved.compare(saved.read(tmp_path / "plan.json"), plan) == ()


def test_a_saved_plan_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It tells what is about to happen."""
    saved.write(tmp_path / "plan.json", _saved())

    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def _damaged(**fields: object) -> str:
    with TemporaryDirectory() as place:
        path = Path(place) / "plan.json"
        saved.write(path, _saved())
        return json.dumps({**json.loads(path.read_text()), **fields})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no saved plan, or damaged"),
        (_damaged()[:-20], "no saved plan, or damaged"),
        ("[" * 100_000, "no saved plan, or damaged"),
        ("[]", "it is no saved plan"),
        ('{"version": 1, "kind": "plan", "changes": []}', "it is no saved plan"),
        (_damaged(version=2), "its schema has the version 2"),
        (_damaged(version="\x1b[2J"), r"the version \\x1b\[2J"),
        (_damaged(extra="\x1b]0;x\x07"), "it is damaged: extra"),
        (_damaged(**{"\x1b[2J": 1}), r"it is damaged: \\x1b\[2J"),
        (_damaged(made=0), "it is damaged: made"),
        (_damaged(made="2026-11-30T23:59:00"), "it is damaged: made"),
        (_damaged(limit=["a;b"]), "it is damaged: limit"),
        (_damaged(changes=[{}]), "it is damaged: changes"),
        (_damaged(needed=["something else"]), "its content is not what was saved"),
        (_damaged(sha256=A), "its content is not what was saved"),
    ],
)
def test_a_file_that_is_not_what_was_saved_is_bad_input(text: str, why: str, tmp_path: Path) -> None:
    """Damage, other documents and other versions: nothing was tried, and nothing in it reaches the terminal raw."""
    path = tmp_path / "plan.json"
    path.write_text(text)

    with pytest.raises(UsageError, match=why) as caught:
        saved.read(path)

    assert caught.value.exit_code == 2
    assert "\x1b" not in str(caught.value)


def test_a_plan_is_never_saved_over_something_that_is_no_file(tmp_path: Path) -> None:
    """A link or a device would be replaced, and a folder that is not there is a typing error."""
    (tmp_path / "link").symlink_to("/dev/stdout")

    for place in (tmp_path / "link", tmp_path, tmp_path / "absent" / "plan.json"):
        with pytest.raises(UsageError):
            saved.check_place(place)
    assert not (tmp_path / "absent").exists()


def _run(*argv: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sendwright", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)


def test_an_inventory_that_changed_since_is_exit_1_before_any_host_is_asked(stack: Stack, tmp_path: Path) -> None:
    """The declaration is compared first."""
    path = tmp_path / "plan.json"
    other = stack.model_copy(update={"smtp": stack.smtp.model_copy(update={"queue_days": 5})})
    saved.write(path, saved.of("provision", PLAN, saved.basis(other, State(), ()), datetime.now(UTC)))

    done = _run("provision", tmp_path / "mail", "--plan", path)

    assert done.returncode == 1, done.stderr
    assert "~ the inventory" in done.stderr


def test_a_plan_that_cannot_be_read_is_exit_2(stack: Stack, tmp_path: Path) -> None:
    """As all bad input; so is a limit beside it, which would make it another plan."""
    assert stack

    missing = _run("provision", tmp_path / "mail", "--plan", tmp_path / "absent.json")
    both = _run("provision", tmp_path / "mail", "--plan", tmp_path / "absent.json", "--limit", "mx1.example.com")

    assert (missing.returncode, both.returncode) == (2, 2)
    assert "--limit and --plan" in both.stderr
    assert "Traceback" not in missing.stderr + both.stderr
