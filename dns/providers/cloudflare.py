"""Cloudflare: zones found and records read with the fewest requests, changes in batches that are transactions.

The API has no conditional writes: the record sets are read again right before they are changed. What somebody else does
in the fraction of a second between is not noticed; what they did before is.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.cloudflare_api import TITLE, Api, RemoteZone
from sendwright.dns.providers.cloudflare_batches import Batch, batches
from sendwright.dns.providers.cloudflare_records import Remote, by_key, record_set
from sendwright.dns.providers.cloudflare_refusals import Exists
from sendwright.dns.providers.cloudflare_zones import Directory, status_note
from sendwright.dns.providers.limiter import Allowance, Limiter, Policy
from sendwright.dns.rdata import canonical, plain_name
from sendwright.errors import DnsError, ForeignRecord, SecretError, WorldMoved
from sendwright.providers import Cloudflare
from sendwright.secrets import resolve

# For each user and for each token (developers.cloudflare.com, "Rate limits").
LIMIT = Policy(1200, 300.0)
_NS_TTL = 86400
_TOKEN = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True)
class CloudflareDns:
    """Cloudflare, as one token may use it. ``directory``: which zones that are."""

    api: Api
    margin: int
    directory: Directory = field(repr=False)

    @classmethod
    def of(cls, config: Cloudflare, base: Path) -> "CloudflareDns":
        """Return what the inventory describes; SecretError if its token has no value or cannot be one."""
        token = resolve(config.token, base, f"the API token for {TITLE}").strip()
        if not _TOKEN.fullmatch(token):
            raise SecretError(
                f"The API token for {TITLE} holds what no token has.", "Name a source of the token alone."
            )
        return cls.by(Api(token, _limiter(hashlib.sha256(token.encode()).hexdigest())), config.margin)

    @classmethod
    def by(cls, api: Api, margin: int) -> "CloudflareDns":
        """Return what an API serves."""
        return cls(api, margin, Directory(api))

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return TITLE

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in (see ``Provider``)."""
        return self.directory.locate(names)

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that exist (see ``Provider``).

        The NS of the zone itself are not among its records: they are what Cloudflare says the delegation has to name.
        """
        remote = self.directory.zone(zone)
        with _noting(remote):
            return self._read(remote, wanted)

    def _read(self, remote: RemoteZone, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        zone = plain_name(remote.name)
        sought = {*wanted, *((name, "CNAME") for name, _ in wanted)}
        found = by_key(record for record in self.api.records(remote) if record.key in sought)
        self._refuse_proxied(zone, [r for key, records in found.items() if key in wanted for r in records])
        sets = [self._record_set(remote, records) for _, records in sorted(found.items())]
        if (zone, "NS") in wanted and remote.name_servers:
            servers = tuple(sorted(name.rstrip(".").lower() + "." for name in remote.name_servers))
            sets.append(RecordSet(zone, "NS", _NS_TTL, self._names(remote.name, servers)))
        return tuple(records for records in sets if records is not None)

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply all edits in one batch, or none (see ``Provider``); over 200 operations it takes several, each whole.

        Raises WorldMoved, NotAllowed, ServerUnreachable, or DnsError with what the API said.
        """
        if not edits:
            return
        remote = self.directory.zone(zone)
        with _noting(remote):
            self._apply(remote, edits)

    def _apply(self, remote: RemoteZone, edits: Collection[Edit]) -> None:
        have = by_key(self.api.records(remote))
        self._refuse_moved(remote, edits, have)
        planned = self._batches(remote.name, edits, have)
        total, applied = sum(len(batch.edits) for batch in planned), 0
        for batch in planned:
            try:
                self._send(remote, batch)
            except DnsError as error:
                if applied:
                    error.hint += f" The first {applied} of {total} record sets were changed; running again is safe."
                raise
            applied += len(batch.edits)

    def _send(self, remote: RemoteZone, batch: Batch) -> None:
        try:
            self.api.change(remote, batch)
        except Exists:
            # It stands as it should, since just now: with it there is less to do, and nothing to be sorry for.
            for rest in self._batches(remote.name, batch.edits, by_key(self.api.records(remote))):
                self.api.change(remote, rest)

    def _batches(self, zone: str, edits: Collection[Edit], have: Mapping[Key, list[Remote]]) -> tuple[Batch, ...]:
        try:
            return batches(edits, have)
        except ValueError as error:
            raise DnsError(zone, f"{TITLE} cannot be given this: {error}; nothing was applied.") from error

    def _record_set(self, remote: RemoteZone, records: Collection[Remote]) -> RecordSet | None:
        try:
            return record_set(records)
        except ValueError:
            name, rdtype = next(iter(records)).key
            what = f"{TITLE} has {rdtype} records at {name!a} that cannot be read."
            raise DnsError(remote.name, what, "Look at them in its dashboard.") from None

    def _names(self, zone: str, servers: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(canonical("NS", server) for server in servers)
        except ValueError:
            raise DnsError(zone, f"{TITLE} names servers of it that are no names.", "Is it well? Run again.") from None

    def _refuse_proxied(self, zone: str, records: Iterable[Remote]) -> None:
        if proxied := sorted({r.key[0] for r in records if r.proxied and r.type in {"A", "AAAA"}}):
            what = f"the addresses of {', '.join(proxied)} are proxied: mail would meet {TITLE} instead of the host."
            raise ForeignRecord(zone, what, "Set them to “DNS only” in its dashboard.")

    def _refuse_moved(self, remote: RemoteZone, edits: Collection[Edit], have: Mapping[Key, list[Remote]]) -> None:
        going = {edit.name for edit in edits if edit.type == "CNAME" and edit.after is None}
        for edit in edits:
            if (edit.name, edit.type) == (remote.name, "NS"):
                what = f"{TITLE} itself keeps the NS of the zone; nothing was applied."
                raise DnsError(remote.name, what, "Leave them to it.")
            now = self._record_set(remote, have.get((edit.name, edit.type), ()))
            alias = edit.before is None and edit.type != "CNAME" and (edit.name, "CNAME") in have
            if _comparable(now) != _comparable(edit.before) or (alias and edit.name not in going):
                what = f"{edit.type} {edit.name} is no longer as it was read; nothing was applied."
                raise WorldMoved(remote.name, what, "Plan again and look at what is new.")


@contextmanager
def _noting(remote: RemoteZone) -> Iterator[None]:
    """Add to errors about a zone what its state at Cloudflare says about them."""
    try:
        yield
    except DnsError as error:
        error.hint += status_note(remote)
        raise


def _comparable(records: RecordSet | None) -> tuple[int, frozenset[str]] | None:
    if records is None:
        return None
    return records.ttl, frozenset(canonical(records.type, text) for text in records.values)


@cache
def _limiter(_token_digest: str) -> Limiter:
    """Return the one limiter of a run for a token: whoever uses it shares the quota."""
    return Limiter(TITLE, Allowance(LIMIT))
