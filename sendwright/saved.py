"""A plan in a file: what was approved, carried out later exactly as it was shown, or refused because the world moved.

The file holds the changes as ``plan --format json`` prints them, and digests of what they rest on; nothing private. It
may have come from anywhere: it is parsed strictly, and nothing in it is ever carried out. What is carried out is a plan
from a fresh look, when it is the same.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from sendwright.errors import PlanMoved, UsageError
from sendwright.escape import plain
from sendwright.names import DomainName, Sha256Hex
from sendwright.plan import Action, Change, Kind, Plan, Stage
from sendwright.report.json import change_fields
from sendwright.stack import Stack
from sendwright.state import files
from sendwright.state.model import State

if TYPE_CHECKING:
    from sendwright.dns.plan import Changes

KIND: Literal["saved-plan"] = "saved-plan"
VERSION: Literal[1] = 1
Scope = Literal["provision", "dns"]

_MOST_BYTES = 256 * 1024 * 1024
_MOST_SHOWN = 10
# Two machines' clocks may differ by this much: the one that made the plan and the one that carries it out.
_SKEW = timedelta(minutes=5)
# What is derived for a time so long ago is never what is derived now, and calendars end.
_OLDEST = timedelta(days=366)


def _stage(name: object) -> object:
    return Stage[name.upper()] if isinstance(name, str) and name.upper() in Stage.__members__ else name


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SavedChange(_Model):
    """One change, with the fields of ``plan.Change``."""

    stage: Annotated[Stage, BeforeValidator(_stage)]
    kind: Kind
    action: Action
    subject: str
    summary: str
    why: str
    diff: str

    def change(self) -> Change:
        """Return it as the plan has it."""
        return Change(self.stage, self.kind, self.action, self.subject, self.summary, self.why, self.diff)


class SavedPlan(_Model):
    """A plan as it was made: when, for which hosts (``limit``, empty for all), what would change, what it rests on.

    ``rests_on``: SHA-256 by what it is of (the inventory, parts of the state folder, what is written to each zone).
    """

    kind: Literal["saved-plan"] = KIND
    version: Literal[1] = VERSION
    scope: Scope
    made: AwareDatetime
    limit: tuple[DomainName, ...] = ()
    rests_on: Mapping[str, Sha256Hex] = Field(default_factory=dict)
    changes: tuple[SavedChange, ...] = ()
    needed: tuple[str, ...] = ()


class _File(SavedPlan):
    """The plan with a digest of all that stands in the file, by which damage is told from a world that moved."""

    sha256: Sha256Hex


@dataclass(frozen=True)
class Difference:
    """One way in which the world now differs from a saved plan, as a line for people.

    ``sign``: ``-`` for what only the saved plan holds, ``+`` for what only a plan made now would hold, ``~`` for what
    is there in both and has another content.
    """

    sign: str
    what: str

    def __str__(self) -> str:
        return f"{self.sign} {plain(self.what)}"


def of(scope: Scope, plan: Plan, rests_on: Mapping[str, str], made: datetime, limit: Iterable[str] = ()) -> SavedPlan:
    """Return a plan as it is saved; ``rests_on`` is from ``basis``, ``made`` the time that it was derived for."""
    changes = tuple(SavedChange(**{name: _text(value) for name, value in vars(c).items()}) for c in plan.changes)
    return SavedPlan(
        scope=scope,
        made=made,
        limit=tuple(sorted(limit)),
        rests_on=dict(sorted(rests_on.items())),
        changes=changes,
        needed=tuple(map(str, map(_text, plan.needed))),
    )


def basis(stack: Stack, state: State, zones: "Iterable[Changes]") -> dict[str, str]:
    """Return digests of all that a plan's lines do not show in full: what was declared, remembered, and seen in DNS."""
    keys = [[k.domain, k.selector, k.algorithm, k.public, k.stage, *k.proven_on] for k in state.keys]
    users = [[u.login, u.password_hash, *u.send_as] for u in state.users]
    certificates = [[c.host, c.mode, c.chain, c.key.sha256, str(c.number)] for c in state.certificates]
    coming = [[k.host, k.key.sha256] for k in state.next_keys]
    written = {
        f"zone {z.zone}": _digest([[type(w).__name__, *map(str, vars(w).values())] for w in z.writes]) for z in zones
    }
    return {
        "the inventory": declaration(stack),
        "the keys in the state folder": _digest(sorted(keys)),
        "the users in the state folder": _digest(sorted(users)),
        "the certificates in the state folder": _digest([sorted(certificates), sorted(coming), state.authority]),
        **written,
    }


def declaration(stack: Stack) -> str:
    """Return the digest of a declaration; secrets are only named in it."""
    return _digest(stack.model_dump(mode="json"))


def compare(saved: SavedPlan, fresh: SavedPlan) -> tuple[Difference, ...]:
    """Return every way in which a plan made now differs from the saved one; empty when it is the same. Pure."""
    return tuple(_differences(saved, fresh))


def refuse_other(saved: SavedPlan, scope: Scope, stack: Stack, now: datetime) -> None:
    """Raise what can be said before anything is looked at: another verb's plan, another inventory, no date for it."""
    if saved.scope != scope:
        verbs = {"provision": "sendwright provision", "dns": "sendwright dns apply"}
        what = f"the saved plan is one for `{verbs[saved.scope]}`; nothing was tried."
        raise UsageError(what, f"Carry it out with that verb, or make one for `{verbs[scope]}`.")
    if saved.made > now + _SKEW:
        what = f"the saved plan was made on {saved.made:%Y-%m-%d %H:%M %Z}, which has not come yet; nothing was tried."
        raise UsageError(what, "Set the clock of the machine that is wrong, then plan again.")
    if saved.made < now - _OLDEST:
        raise UsageError("the saved plan is older than a year; nothing was tried.", "Make a new plan with --out.")
    if saved.rests_on.get("the inventory") != declaration(stack):
        raise PlanMoved((str(Difference("~", "the inventory is not the one that it was made from")),))


def refuse_moved(saved: SavedPlan, fresh: SavedPlan) -> None:
    """Raise PlanMoved, with what differs, unless a plan made now is the saved one."""
    if found := compare(saved, fresh):
        more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
        raise PlanMoved((*map(str, found[:_MOST_SHOWN]), *more))


def moment(saved: SavedPlan | None, now: datetime) -> datetime:
    """Return the time for which a plan is derived: that of the saved one, so that names made from the date agree."""
    return now if saved is None else min(saved.made, now)


def check_place(path: Path) -> None:
    """Raise UsageError if no plan can be saved at a path: said before the long look, not after it."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{plain(path)} is not a plain file; nothing was tried.", "Name another file for the plan.")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {plain(path.parent)}; nothing was tried.", "Make it, or name another.")


def write(path: Path, saved: SavedPlan) -> None:
    """Write a plan, for its owner alone, whole or not at all; StateError when it cannot be written."""
    fields = _fields(saved)
    content = json.dumps({**fields, "sha256": _digest(fields)}, indent=2, ensure_ascii=False) + "\n"
    files.write(path, content.encode())


def read(path: Path) -> SavedPlan:
    """Return the plan in a file; UsageError when there is none, it is damaged, or it is something else."""
    content = _content(path)
    try:
        loose = from_json(content)
    except ValueError:
        raise _refused(path, "it is no saved plan, or damaged") from None
    if not isinstance(loose, dict) or loose.get("kind") != KIND:
        raise _refused(path, "it is no saved plan")
    if loose.get("version") != VERSION:
        raise _refused(
            path, f"its schema has the version {plain(loose.get('version'))}, this sendwright knows {VERSION}"
        )
    try:
        found = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = plain(".".join(map(str, first["loc"])))
        raise _refused(path, f"it is damaged: {where}: {plain(first['msg'])}") from None
    saved = SavedPlan(**{name: getattr(found, name) for name in SavedPlan.model_fields})
    if found.sha256 != _digest(_fields(saved)):
        raise _refused(path, "it is damaged: its content is not what was saved")
    return saved


def _differences(saved: SavedPlan, fresh: SavedPlan) -> Iterator[Difference]:
    before, now = Counter(saved.changes), Counter(fresh.changes)
    gone, come = list((before - now).elements()), list((now - before).elements())
    subjects = {change.subject for change in (*gone, *come)}
    if saved.limit != fresh.limit:
        yield Difference("~", f"it is for other hosts: {', '.join(saved.limit) or 'all'}")
    for what in sorted({*saved.rests_on, *fresh.rests_on}):
        # A zone whose lines differ below needs no further sentence; one without any is new or empty.
        if saved.rests_on.get(what) != fresh.rests_on.get(what) and what.removeprefix("zone ") not in subjects:
            yield Difference("~", f"{what}: not as it was")
    for change in gone:
        same = next((c for c in come if _place(c) == _place(change)), None)
        if same is None:
            yield Difference("-", f"{change.subject}: {change.summary}")
        else:
            come.remove(same)
            yield Difference("~", f"{change.subject}: {change.summary}: differs in more than its line shows")
    for change in come:
        yield Difference("+", f"{change.subject}: {change.summary}")


def _place(change: SavedChange) -> tuple[object, ...]:
    return change.stage, change.kind, change.action, change.subject, change.summary


def _fields(saved: SavedPlan) -> dict[str, Any]:
    fields = saved.model_dump(mode="json", exclude={"changes"})
    return {**fields, "changes": [change_fields(c.change()) for c in saved.changes]}


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UsageError(f"there is no saved plan at {plain(path)}.", "Make one with --out.")
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, "it is larger than any plan")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{plain(path)} cannot be read: {error.strerror}.", "Mend its permissions.") from None


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(f"{plain(path)} cannot be carried out: {why}; nothing was tried.", "Make a new plan with --out.")


def _text(value: object) -> Any:
    # What a host's file held and could not be decoded has no place in JSON.
    return value.encode("utf-8", "backslashreplace").decode() if type(value) is str else value


def _digest(thing: object) -> str:
    return hashlib.sha256(json.dumps(thing, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
