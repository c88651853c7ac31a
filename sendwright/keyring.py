"""DKIM keys by hand: listed, made, taken over from a running server, and given out. Nothing here is published."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sendwright import dkim, durable, imported, inventory, issuing, planning, rotation, secrets
from sendwright.errors import SecretError, SendwrightError, StateError, UsageError
from sendwright.escape import plain
from sendwright.inventory import Inventory
from sendwright.lines import lines
from sendwright.names import Selector, domain_name
from sendwright.report.progress import Progress
from sendwright.stack import Domain
from sendwright.state import files
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage

# The largest key that is taken has some 3 KiB of PEM.
_MOST_BYTES = 65536
_SELECTOR = TypeAdapter(Selector)
Ask = Callable[[str], str]


@dataclass(frozen=True)
class Listed:
    """A key with what follows from its story. ``bits``: None if unreadable; ``due``: for a successor, if it signs."""

    key: DkimKey
    bits: int | None
    due: datetime | None


@dataclass(frozen=True)
class Imported:
    """A key that was taken over. ``known``: it was there already; ``succeeds``: the selector that signs until then."""

    key: DkimKey
    known: bool
    succeeds: str | None


def list_keys(path: Path) -> tuple[Listed, ...]:
    """Return the keys of an inventory, by domain and age. StateError; needs no passphrase."""
    declared = inventory.load(path)
    keys = StateFolder.of(declared).load().keys
    due = {line.signing[-1]: rotation.due(line) for line in lines(declared.stack, keys) if line.signing}
    ordered = sorted(keys, key=lambda k: (k.domain, k.algorithm, k.created, k.selector))
    return tuple(Listed(key, dkim.bits(key), due.get(key)) for key in ordered)


def generate(path: Path, domains: Collection[str], progress: Progress) -> tuple[DkimKey, ...]:
    """Make and persist the keys that are missing, of these domains or of all; return them.

    Raises UsageError for a domain that is not declared, StateError also when they could not be pushed.
    """
    declared = inventory.load(path)
    wanted = {_sending(declared, domain).name for domain in domains}
    folder, now = StateFolder.of(declared), datetime.now(UTC)
    with folder.lock(), durable.pushed(declared, progress):
        missing = planning.missing_keys(declared.stack, folder.load().keys)
        chosen = [(domain, algorithm) for domain, algorithm in missing if not wanted or domain.name in wanted]
        return issuing.generate(folder, chosen, now, progress.note)


def import_key(
    path: Path, domain: str, selector: str, file: Path, progress: Progress, ask: Ask | None = None
) -> Imported:
    """Take over a private key from a file, under the selector that it is published at; nothing is published.

    Arguments: ``ask``: asks a person for a passphrase, if there is one to ask. Raises UsageError for what cannot be
    taken over, with nothing written; StateError and PassphraseError of the key store.
    """
    declared = inventory.load(path)
    of = _sending(declared, domain)
    place = _place(of, selector)
    private = _read(declared, file, ask)
    key, pem = dkim.story(of.name, place, private, now := datetime.now(UTC))
    key = replace(key, signing_since=now)
    if key.algorithm not in of.dkim.algorithms:
        what = f"{of.name} does not sign with {key.algorithm}; nothing was imported."
        raise UsageError(what, "Put it into dkim › algorithms of the domain first.")
    folder = StateFolder.of(declared)
    with folder.lock(), durable.pushed(declared, progress):
        keys = folder.load().keys
        known = _known(keys, key)
        if known is None:
            _refuse_given_away((*keys, *folder.past()), key)
            folder.save_key(key, pem)
        signing = (
            k.selector for k in keys if (k.domain, k.algorithm, k.stage) == (of.name, key.algorithm, KeyStage.SIGNING)
        )
        return Imported(known or key, known is not None, None if known else next(signing, None))


def export(path: Path, name: str, out: Path) -> DkimKey:
    """Write the private part of a key to a new file that only its owner can read; return its story.

    Arguments: ``name``: as in ``r202611._domainkey.example.com``. Raises UsageError for a key that there is not, or a
    file that there is already; StateError and PassphraseError of the key store.
    """
    declared = inventory.load(path)
    folder = StateFolder.of(declared)
    wanted = name.removesuffix(".").lower()
    key = next((k for k in folder.load().keys if k.record_name == wanted), None)
    if key is None:
        what = f"there is no key {plain(name)}; nothing was written."
        raise UsageError(what, "`sendwright keys list` names them: SELECTOR._domainkey.DOMAIN.")
    if os.path.lexists(out):
        raise _exists(out)
    pem = folder.open(key.sealed)
    try:
        files.create(out, pem)
    except FileExistsError:
        raise _exists(out) from None
    except OSError as error:
        raise SendwrightError(f"{plain(out)} cannot be written: {error.strerror}.", "Name another place.") from None
    return key


def _sending(declared: Inventory, name: str) -> Domain:
    try:
        domain = declared.stack.domain(domain_name(name))
    except (KeyError, ValueError):
        names = [d.name for d in declared.stack.domains]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        what = f"{plain(name)} is no domain of the inventory; nothing was done."
        raise UsageError(what, f"Declared: {shown}.") from None
    if not domain.sends:
        raise UsageError(f"{domain.name} sends no mail, so it has no keys; nothing was done.", "See its `hosts`.")
    return domain


def _place(domain: Domain, selector: str) -> dkim.Place:
    try:
        place = dkim.Place(_SELECTOR.validate_python(selector))
    except ValidationError:
        what = f"{plain(selector)} is no selector; nothing was imported."
        raise UsageError(what, "It is the first part of SELECTOR._domainkey.DOMAIN, in lower case.") from None
    if domain.dkim.delegate_to:
        what = f"the selectors of {domain.name} are delegated, and so fixed; nothing was imported."
        raise UsageError(what, "Have keys generated: provision publishes them where the aliases lead to.")
    return place


def _read(declared: Inventory, file: Path, ask: Ask | None) -> dkim.Private:
    content = _content(file)
    try:
        return imported.private_key(content)
    except imported.Encrypted:
        return _unlocked(declared, file, content, ask)
    except imported.Unusable as error:
        raise _unusable(file, error) from None


def _unlocked(declared: Inventory, file: Path, content: bytes, ask: Ask | None) -> dkim.Private:
    """Open an encrypted key by the key store's passphrase, as its own exports may be, else by what a person says."""
    try:
        stores = secrets.resolve(
            declared.stack.key_store.passphrase, declared.folder, "the passphrase of the key store"
        )
        return imported.private_key(content, stores)
    except (SecretError, imported.Unusable):
        pass
    if ask is None:
        what = f"{plain(file)} is encrypted, and not by the passphrase of the key store; nothing was imported."
        raise UsageError(what, "Run this on a terminal, which asks for its passphrase; or import a decrypted copy.")
    try:
        return imported.private_key(content, ask(f"Passphrase of {plain(file)}"))
    except imported.Unusable as error:
        raise _unusable(file, error) from None


def _content(file: Path) -> bytes:
    try:
        content = files.read(file)
    except StateError as error:
        raise UsageError(error.what, "Name a file that holds one private key.") from None
    if content is None:
        raise UsageError(f"there is no file {plain(file)}; nothing was imported.")
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{plain(file)} is too large to be a key; nothing was imported.")
    return content


def _known(keys: Iterable[DkimKey], new: DkimKey) -> DkimKey | None:
    """Return the same key where it is there already; UsageError for another one under its selector."""
    found = next((k for k in keys if k.record_name == new.record_name), None)
    if found is None:
        return None
    if found.stage in {KeyStage.REVOKED, KeyStage.REMOVED}:
        what = f"the selector {new.selector} of {new.domain} was used, and is {found.stage}; nothing was imported."
        raise UsageError(what, "Publish the key under another selector, and import it under that.")
    if found.pem_sha256 != new.pem_sha256:
        what = f"{new.domain} has another key under the selector {new.selector} already; nothing was imported."
        raise UsageError(what, "`sendwright keys list` shows it.")
    return found


def _refuse_given_away(keys: Iterable[DkimKey], new: DkimKey) -> None:
    """Raise UsageError for a private key that others have, under whatever selector it was."""
    if old := next((k for k in keys if k.public == new.public and (k.leaked or k.disclosed)), None):
        how = "its private part was published" if old.disclosed else "it leaked"
        what = f"this is the key of {old.record_name}, and {how}; nothing was imported."
        raise UsageError(what, "Anybody could sign as the domain with it: have a new one made.")


def _unusable(file: Path, error: imported.Unusable) -> UsageError:
    return UsageError(f"{plain(file)} cannot be used: {error.why}; nothing was imported.", error.hint)


def _exists(out: Path) -> UsageError:
    return UsageError(f"{plain(out)} is there already, and is never overwritten; nothing was written.")
