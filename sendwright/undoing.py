"""``sendwright dns undo``: one apply of the journal reversed, looked at afresh, behind gates, and recorded itself."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from sendwright import durable, tls_facts
from sendwright.dns import undo
from sendwright.dns.edits import edits
from sendwright.dns.guards import refuse_many_deletions
from sendwright.dns.plan import Changes
from sendwright.dns.providers.base import Provider, RecordSet, open_provider
from sendwright.dns.retention import Clock, retention
from sendwright.dns.spf_lookup import through
from sendwright.dns.undo_gates import Refusal, World, refusals
from sendwright.errors import DnsError, StateError, UsageError
from sendwright.escape import plain
from sendwright.inventory import Inventory
from sendwright.looking import Open
from sendwright.publication import INTERNET, Internet
from sendwright.report.progress import Progress
from sendwright.spf_limits import refuse_costly
from sendwright.state import journal
from sendwright.state.folder import StateFolder
from sendwright.state.journal import Apply, Outcome
from sendwright.state.model import State


class Result(StrEnum):
    """How an undo ended. ``unchanged``: nothing of that apply is left to undo."""

    DONE = "done"
    UNCHANGED = "unchanged"
    DECLINED = "declined"
    REFUSED = "refused"


@dataclass(frozen=True)
class Undoing:
    """The reverse of one apply as the world is now. ``undone``: without the record sets that a gate keeps."""

    apply: Apply
    undone: tuple[undo.Reverse, ...]
    refusals: tuple[Refusal, ...] = ()
    result: Result = Result.UNCHANGED

    @property
    def changes(self) -> Changes:
        """What would be written."""
        return undo.changes(self.apply.zone, self.undone)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left as it is, a sentence each."""
        return tuple(note for reverse in self.undone for note in reverse.notes)


Approve = Callable[[Undoing], bool]


@dataclass
class _Zone:
    provider: Provider
    served: tuple[RecordSet, ...]
    state: State = field(repr=False)


def applies(declared: Inventory) -> tuple[Apply, ...]:
    """Return the applies that the state folder remembers, the newest first."""
    return StateFolder.of(declared).journal.applies()[::-1]


def undo_apply(
    declared: Inventory,
    name: str | None,
    approve: Approve,
    *,
    allow_deletions: bool = False,
    opener: Open = open_provider,
    internet: Internet = INTERNET,
) -> Undoing:
    """Reverse an apply, the last one unless ``name`` says which, once ``approve`` was shown what that means.

    A gate that keeps one record set as it is refuses the whole: half an undo is a state that nobody has ever seen.
    Raises UsageError for an apply that is not remembered or changed nothing, DnsError, StateError.
    """
    folder = StateFolder.of(declared)
    with folder.lock(), durable.pushed(declared, Progress()):
        apply = _chosen(folder.journal.applies(), name)
        zone = _look(declared, folder, apply, opener)
        found = _reversed(declared, apply, zone)
        if found.refusals or not found.changes.writes:
            return found
        lookup = through(internet.ask, internet.resolver())
        refuse_costly(found.changes, zone.served, undo.wanted(apply), lookup)
        refuse_many_deletions(found.changes, zone.state.claims, allowed=allow_deletions)
        if not approve(found):
            return replace(found, result=Result.DECLINED)
        _carry_out(folder, found, zone)
        return replace(found, result=Result.DONE)


def _chosen(remembered: Collection[Apply], name: str | None) -> Apply:
    found = journal.find(remembered, name)
    hint = "See what is remembered with --list."
    if found is None and name is None:
        raise UsageError("nothing is remembered that could be undone.", "Only what was applied from here is.")
    if found is None:
        raise UsageError(f"no apply {plain(name)} is remembered; nothing was tried.", hint)
    if found.outcome is Outcome.REFUSED:
        raise UsageError(f"{found.id} was refused, so there is nothing to undo; nothing was tried.", hint)
    return found


def _look(declared: Inventory, folder: StateFolder, apply: Apply, opener: Open) -> _Zone:
    config = declared.stack.dns.get(apply.dns)
    if config is None:
        what = f"the inventory has no provider {apply.dns} any more, by which {apply.id} was written."
        raise DnsError(apply.zone, what, "Declare it again under dns, then undo.")
    provider = opener(config, declared.folder)
    return _Zone(provider, provider.read(apply.zone, undo.wanted(apply)), folder.load())


def _reversed(declared: Inventory, apply: Apply, zone: _Zone) -> Undoing:
    state = zone.state
    try:
        found = undo.reverses(apply, zone.served, state.claims)
    except ValueError as error:
        what = f"the journal's record of {apply.id} cannot be read: {plain(error)}."
        raise StateError(what, "Restore it from git; nothing was changed.") from error
    now = datetime.now(UTC)
    clock = Clock(now, retention(declared.stack, state.claims))
    # Whether zones are signed is all the same: what senders were told of stays, and nothing new is told.
    tls = tls_facts.facts(declared.stack, state, (), now)
    aliases = {s.name for s in zone.served if s.type == "CNAME"}
    refused = refusals(found, aliases, World(declared.stack, state.keys, clock.due, tls))
    kept = {(r.name, r.type) for r in refused}
    possible = tuple(r for r in found if (r.name, r.type) not in kept)
    return Undoing(apply, possible, refused, Result.REFUSED if refused else Result.UNCHANGED)


def _carry_out(folder: StateFolder, found: Undoing, zone: _Zone) -> None:
    apply, sent = found.apply, edits(found.changes, zone.served)
    returning = [claim for reverse in found.undone for claim in reverse.enter]
    going = [claim for reverse in found.undone for claim in reverse.strike]
    entered = folder.claim(returning)
    # One that is there still has a clock of withdrawal running, which stops.
    folder.mark(returning)
    sending = folder.journal.begin(
        apply.zone, apply.dns, sent, datetime.now(UTC), entered=entered, struck=going, undoes=apply.id
    )
    with folder.journal.watching(sending):
        zone.provider.apply(apply.zone, sent)
    folder.release(going)
    for key in undo.stories(found.undone, zone.state.keys):
        folder.save_key(key)
