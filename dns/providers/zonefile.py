"""Master files in a folder, one a zone: read by dnspython, edited in place, and replaced whole or not at all.

What serves the files is somebody else's job: a name server that is told to reload, or a person who uploads them.
"""

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sendwright.dns.masteredit import edited
from sendwright.dns.masterfile import MasterFile, parse
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import plain_name
from sendwright.dns.serials import following
from sendwright.dns.zones import InZone, NotHere, ancestry, not_kept
from sendwright.errors import DnsError, NotAllowed, WorldMoved
from sendwright.escape import plain
from sendwright.providers import Zonefile
from sendwright.state.files import replace

_SUFFIX = ".zone"
# More than ten million records: whatever that is, it is no zone of somebody who edits files.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class MasterFiles:
    """A folder of master files named ``ZONE.zone``; ``now`` dates serial numbers."""

    folder: Path
    margin: int
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)

    @classmethod
    def of(cls, config: Zonefile, base: Path) -> "MasterFiles":
        """Return the folder that the inventory describes."""
        return cls(base / Path(config.folder).expanduser(), config.margin)

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return f"the folder {plain(self.folder)}"

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in: the longest one that has a file (see ``Provider``)."""
        files = self._files()
        above = {name: next((zone for zone in ancestry(name) if zone in files), None) for name in sorted(set(names))}
        # One of them at a time: each is read once, however many names lie in it.
        inside: dict[str, list[str]] = {}
        for name, zone in above.items():
            inside.setdefault(zone or "", []).append(name)
        found = dict(place for zone, within in inside.items() for place in self._places(zone, within, files))
        if failures := {name: place.why for name, place in found.items() if isinstance(place, NotHere)}:
            raise not_kept(failures, self.title, _NO_FILE)
        return {name: place.zone for name, place in found.items() if isinstance(place, InZone)}

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that stand in the file (see ``Provider``)."""
        path = self._path(zone).resolve()
        file = parse(zone, _text(zone, path)[0])
        # Already here: a plan lists nothing that will certainly be refused.
        _refuse_generated(file, path)
        keys = sorted({*wanted, *((name, "CNAME") for name, _ in wanted)})
        return tuple(found for key in keys if (found := file.record_set(key)))

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Replace the file by one with all edits and a new serial number, or leave it (see ``Provider``)."""
        path = self._path(zone).resolve()
        with self._lock(zone):
            text, seen = _text(zone, path)
            file = parse(zone, text)
            _refuse_moved(file, edits)
            _refuse_generated(file, path)
            if not edits:
                return
            new = edited(file, edits, lambda serial: following(serial, self.now().date()))
            _refuse_alias(parse(zone, new), edits)
            try:
                if _stamp(path.stat()) != _stamp(seen):
                    raise WorldMoved(zone, f"{plain(path)} was written to in this moment; it was left alone.", _AGAIN)
                replace(path, new.encode(errors="surrogateescape"), seen)
            except OSError as error:
                what = f"{plain(path)} cannot be replaced, and is as it was: {error.strerror}."
                hint = "The folder has to be writable, and the file's owner and group such as this user may give it."
                raise NotAllowed(zone, what, hint) from None

    def _files(self) -> Mapping[str, Path]:
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == _SUFFIX and path.is_file())
        except OSError as error:
            what = f"{self.title} cannot be read: {error.strerror}."
            raise NotAllowed("of every file", what, "Mend folder under dns, or its permissions.") from None
        return {plain_name(path.stem): path for path in paths}

    def _path(self, zone: str) -> Path:
        # Most are called so; a look through ten thousand files for each of as many zones takes hours.
        path = self.folder / f"{zone}{_SUFFIX}"
        found = path if path.is_file() else self._files().get(zone)
        if found is None:
            what = f"{self.title} has no file {zone}{_SUFFIX} any more."
            raise NotAllowed(zone, what, "Put it back, or name another provider.")
        return found

    def _places(
        self, zone: str, names: Iterable[str], files: Mapping[str, Path]
    ) -> Iterator[tuple[str, InZone | NotHere]]:
        file = parse(zone, _text(zone, files[zone])[0]) if zone else None
        for name in names:
            if file is None:
                yield name, NotHere(f"there is no file of a zone that it lies in, as {name}{_SUFFIX} would be")
            elif cut := file.cut_above(name):
                yield name, NotHere(f"{plain(files[zone])} delegates {cut} to other servers")
            else:
                yield name, InZone(zone)

    @contextmanager
    def _lock(self, zone: str) -> Iterator[None]:
        """Keep other runs out of the folder; editors do not know of it, so the file's stamp is compared as well."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            what = f"another run is writing to {self.title}; nothing was applied."
            raise DnsError(zone, what, "Wait until it has ended, then run again.") from None
        finally:
            os.close(handle)


_NO_FILE = "Put ZONE.zone into the folder, or name under dns who keeps the zone."
_AGAIN = "Plan again and look at what is new."


def _text(zone: str, path: Path) -> tuple[str, os.stat_result]:
    """Return a file's text and what it looked like; what is no UTF-8 comes through unharmed."""
    try:
        with path.open("rb") as file:
            seen = os.fstat(file.fileno())
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise NotAllowed(zone, f"{plain(path)} cannot be read: {error.strerror}.", "Mend its permissions.") from None
    if len(content) > _MOST_BYTES:
        raise DnsError(zone, f"{plain(path)} is larger than {_MOST_BYTES} bytes.", "That is no master file.")
    return content.decode(errors="surrogateescape"), seen


def _stamp(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _refuse_moved(file: MasterFile, edits: Collection[Edit]) -> None:
    for edit in edits:
        alias = edit.before is None and edit.type != "CNAME" and (edit.name, "CNAME") in file.by_key
        if alias or file.record_set((edit.name, edit.type)) != edit.before:
            what = f"somebody else changed {edit.type} {edit.name} since it was read; nothing was applied."
            raise WorldMoved(file.zone, what, _AGAIN)


def _refuse_generated(file: MasterFile, path: Path) -> None:
    """Refuse a file that is made from another one: what is written to it is lost, or breaks its signatures."""
    if any(rdtype in {"RRSIG", "NSEC", "NSEC3"} for _, rdtype in file.by_key):
        what = f"{plain(path)} holds DNSSEC signatures: it is what a signer made, and not a place to write to."
        raise NotAllowed(file.zone, what, "Name the folder of the unsigned files, which the signer reads.")
    if path.with_name(f"{path.name}.jnl").exists():
        what = f"{plain(path)} has a journal beside it: a server takes updates for it and will overwrite the file."
        raise NotAllowed(file.zone, what, 'Use that server: the provider "rfc2136".')


def _refuse_alias(file: MasterFile, edits: Collection[Edit]) -> None:
    """Refuse what no server would load: other records beside an alias (RFC 1034 section 3.6.2)."""
    for name in sorted({edit.name for edit in edits}):
        types = file.types.get(name, frozenset())
        if "CNAME" in types and len(types) > 1:
            what = f"{name} would have other records beside its CNAME; nothing was applied."
            raise DnsError(file.zone, what, "Remove one of them first.")
