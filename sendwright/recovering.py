"""Make a lost state folder again of what hosts and DNS show (see ``recovery``); neither of them is changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sendwright import durable, generation, recovery, tls_recovery
from sendwright.connections import Fleet
from sendwright.deploys import remains
from sendwright.deploys.remains import Remains
from sendwright.dns.providers.base import open_provider
from sendwright.errors import ForeignRecord, HostError, SendwrightError
from sendwright.generation import Lineage
from sendwright.inventory import Inventory
from sendwright.key_records import KeyRecords
from sendwright.lines import Held, Record
from sendwright.looking import Open
from sendwright.provision import Result
from sendwright.publication import INTERNET, Internet
from sendwright.recovery import Found
from sendwright.report.progress import Progress
from sendwright.ssh import Connection
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage
from sendwright.tls_recovery import FoundTls

_INCOMPLETE = "Hosts go on refusing this folder until nothing is left alone and every host and zone could be read."


@dataclass(frozen=True)
class Recovery:
    """What can be recovered, and what came of it.

    ``lineage``: where the folder's generation goes on, None if that does not change; ``alone``: a sentence for each key
    that was left alone; ``notes``: what is not recovered, and how it comes back.
    """

    keys: tuple[Found, ...]
    lineage: Lineage | None
    alone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[SendwrightError, ...] = ()
    result: Result = Result.DONE
    tls: tuple[FoundTls, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.keys or self.tls) and self.lineage is None


def recover(
    declared: Inventory,
    progress: Progress,
    approve: Callable[[Recovery], bool],
    *,
    trust_new_hosts: bool = False,
    opener: Open = open_provider,
    internet: Internet = INTERNET,
) -> Recovery:
    """Look at hosts and DNS, and write what they show to the state folder once somebody agrees.

    A key that the folder has is never changed. Raises StateError and PassphraseError; errors of single hosts and zones
    are in the result.
    """
    folder = StateFolder.of(declared)
    hosts = Fleet(declared.stack.hosts, declared.folder, trust_new_hosts=trust_new_hosts)
    with folder.lock(), durable.pushed(declared, progress), hosts as fleet:
        with progress.step("looked at the hosts", lambda: bool(fleet.errors)):
            held = fleet.each(fleet.well, _look)
        records = KeyRecords(declared, folder, progress, opener=opener, internet=internet)
        plan = _planned(declared, folder, records, held, progress)
        zones = (error for error in records.zones.errors.values() if not isinstance(error, ForeignRecord))
        plan = replace(plan, errors=(*fleet.errors.values(), *zones))
        ended = Result.DONE
        if plan.errors or plan.alone:
            # Without all keys the folder would make new ones, and hosts lose the old: they go on refusing it.
            plan, ended = replace(plan, lineage=None, notes=(*plan.notes, _INCOMPLETE)), Result.FAILED
        if plan.empty:
            return replace(plan, result=ended if ended is Result.FAILED else Result.UNCHANGED)
        if not approve(plan):
            return replace(plan, result=Result.DECLINED)
        _save(folder, plan)
        return replace(plan, result=ended)


def _planned(
    declared: Inventory, folder: StateFolder, records: KeyRecords, held: Mapping[str, Remains], progress: Progress
) -> Recovery:
    state, now = folder.load(), datetime.now(UTC)
    found = recovery.found(declared.stack, held, state.keys, now)
    stories = [each.key for each in found.keys]
    kept: dict[str, Record] = {}
    served: dict[str, Record] = {}
    if stories:
        with progress.step("looked at the zones", lambda: bool(records.zones.errors)):
            records.look(stories, {key.txt_name for key in stories})
            kept = records.held(stories)
            # No resolver is asked about a name before it is known to be published.
            public = [k for k in stories if k.record_name in kept and kept[k.record_name].held is Held.KEY]
            served, _ = records.served(public)
    keys, doubtful = recovery.staged(found.keys, state.keys, kept, served, now)
    tls, unread = tls_recovery.found(declared.stack, held, (c.host for c in state.certificates))
    notes = (*found.notes, *recovery.lost(declared.stack, state, keys, {each.host for each in tls}))
    lineage = generation.joined(folder.lineage(), (each.generation for each in held.values()))
    alone = (*found.alone, *doubtful, *unread)
    return Recovery(keys, None if lineage == folder.lineage() else lineage, alone, notes, tls=tls)


def _save(folder: StateFolder, plan: Recovery) -> None:
    for each in plan.keys:
        # Without its private part a key that was never published is nothing: a run that dies in between is run again.
        folder.save_key(replace(each.key, stage=KeyStage.GENERATED), each.pem)
    folder.save_keys(each.key for each in plan.keys)
    for tls in plan.tls:
        folder.save_certificates(tls.certificates, tls.pem)
    if plan.lineage is not None:
        # Last: until then hosts refuse this folder.
        folder.save_lineage(plan.lineage)


def _look(connection: Connection) -> Remains:
    host = connection.host.name
    result = connection.run(remains.command())
    if not result.ok:
        raise HostError(host, f"looking at it ended with status {result.status}.", "Is /bin/sh on it a POSIX shell?")
    return remains.parse(host, result.stdout)
